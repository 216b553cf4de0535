"""Panes of the main screen: pure functions from a Frame and a size to a Canvas."""
