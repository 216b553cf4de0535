"""A terminal visual debugger for backpropagation through time: `rnn-tui` on the command line, `debug` and `watch` in a program."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from typing import Any

    from engine.session import Session
    from engine.watch import Watch

__all__ = ["debug", "watch"]

if "IPython" in sys.modules:  # recordings and what a debugger stands at are then shown as pictures
    from rnn_tui.own_engine import own_engine

    with own_engine():
        from engine.debug.view import View
        from engine.recording.tape import Tape
        from rnn_tui.notebook import html_at, html_of

        Tape.drawn, View.drawn = html_of, html_at


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
) -> Any:
    """Opens the debugger in the terminal and returns when it is left. In a notebook it returns what the notebook shows as pictures.

    `network` is an `engine.Network`; or a torch.nn.RNN, LSTM or GRU with its torch.nn.Linear, as `(rnn, linear)` or as two arguments; or a
    torch.nn.Module that holds one of each, and perhaps an Embedding before them (as modules (embedding, rnn, linear)), which is then a part
    of the network. Several recurrent modules are layers of one network where each, as the model is run on X, reads what the one before
    hands on; so are an RNNCell, LSTMCell or GRUCell and those above it that the model calls step by step. X may be a PackedSequence.
    X and y are arrays or tensors: X (N, T, D), or (N, T) where a step has one value, y as for `engine.record`.
    A torch module without `batch_first` takes X as (T, N, D), and
    targets at every step as (T, N); so does this. `options` are `name` and `classes` (texts to show), `initial`, `lengths` and
    `batch_size` of `engine.Debugger`, and for torch modules all that they leave open of `engine.Network` (`loss`, `predict`, `lr`, ...).

    Raises InputError for what cannot be shown, and where there is no terminal; Ctrl+C raises KeyboardInterrupt, another signal or a
    crash SystemExit.
    """
    from rnn_tui.own_engine import own_engine

    with own_engine():
        from engine.in_memory import session_of
        from rnn_tui.notebook import NotebookView, in_notebook

        session = session_of(network, X, y, linear, **options)
        return NotebookView(session) if in_notebook() else _open(session, color, theme, mouse)


def watch(model: Any, criterion: Any = None, *, color: str = "auto", theme: str = "dark", **options: Any) -> Watch:
    """Watches torch modules while your own loop trains them: `with rnn_tui.watch(model, criterion, gradient_norm=100): ...`

    Keeps the last iterations. At the first loss that is not finite, or whatever else `options` ask for (see `engine.watch.Watch`), the loop
    ends, that iteration is written as a trace, and the debugger opens on it where there is a terminal. Raises InputError.
    """
    from rnn_tui.own_engine import own_engine

    with own_engine():
        from engine.watch import Watch

    def found(session: Session, reason: str) -> None:
        import os

        from rnn_tui import terminal

        print(f"rnn-tui: {reason}; wrote {watched.path}", file=sys.stderr)
        if not terminal.problem(os.environ, sys.stdin, sys.stdout, sys.stderr):
            _open(session, color, theme, mouse=True)

    watched = Watch(model, criterion, found=found, **options)
    return watched


def _open(session: Session, color: str, theme: str, mouse: bool) -> None:
    """The debugger in the terminal, until it is left."""
    from rnn_tui import terminal

    mode = terminal.ready(color)
    from rnn_tui.app import INTERRUPTED, DebuggerApp

    code = terminal.run(DebuggerApp(session, mode=mode, theme=theme), mouse=mouse)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise SystemExit(code)
