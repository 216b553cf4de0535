"""A terminal visual debugger for backpropagation through time: `rnn-tui` on the command line, `debug` in a program."""

from __future__ import annotations

from typing import Any

__all__ = ["debug"]


def debug(
    network: Any,
    X: Any,
    y: Any,
    linear: Any = None,
    *,
    color: str = "auto",
    theme: str = "dark",
    mouse: bool = True,
    **options: Any,
) -> None:
    """Opens the debugger in the terminal and returns when it is left.

    `network` is an `engine.Network`; or a torch.nn.RNN, LSTM or GRU with its torch.nn.Linear, as `(rnn, linear)` or as two arguments.
    X and y are arrays or tensors: X (N, T, D), or (N, T) where a step has one value, y as for `engine.record`.
    A torch module without `batch_first` takes X as (T, N, D), and
    targets at every step as (T, N); so does this. `options` are `name` and `classes` (texts to show), `initial`, `lengths` and
    `batch_size` of `engine.Debugger`, and for torch modules all that they leave open of `engine.Network` (`loss`, `predict`, `lr`, ...).

    Raises InputError for what cannot be shown, and where there is no terminal; Ctrl+C raises KeyboardInterrupt, another signal or a
    crash SystemExit.
    """
    from engine.in_memory import session_of
    from rnn_tui import terminal

    session = session_of(network, X, y, linear, **options)
    mode = terminal.ready(color)
    from rnn_tui.app import INTERRUPTED, DebuggerApp

    code = terminal.run(DebuggerApp(session, mode=mode, theme=theme), mouse=mouse)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise SystemExit(code)
