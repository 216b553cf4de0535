"""Runs the user's program in a separate process, and records the values that it computes."""
