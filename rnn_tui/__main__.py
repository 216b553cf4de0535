"""`python -m rnn_tui`."""

from rnn_tui.start import entry

entry(as_module=True)
