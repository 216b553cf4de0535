"""Where the program begins: next to nothing is loaded before an interrupt ends it without a traceback."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from typing import NoReturn


def entry(*, as_module: bool = False) -> NoReturn:
    """The console script, and `python -m rnn_tui`, which looks into the current folder first: `engine` is ours all the same."""
    try:
        if as_module:
            from rnn_tui.own_engine import keep_own_engine

            keep_own_engine()
        from rnn_tui import cli

        cli.entry()
    except KeyboardInterrupt:
        sys.exit(128 + 2)  # as of a program that the signal ended
