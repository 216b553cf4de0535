"""The panes of the walk through the user's own run."""
