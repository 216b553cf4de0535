"""The user's program run and recorded in a process of its own."""
