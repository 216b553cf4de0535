"""A user's program run as its user runs it."""
