"""`python -m rnn_tui`."""

from rnn_tui.cli import entry

entry()
