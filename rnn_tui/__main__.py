"""`python -m rnn_tui`."""

from rnn_tui.own_engine import keep_own_engine

keep_own_engine()  # python -m looks into the current folder first

from rnn_tui.cli import entry  # noqa: E402

entry()
