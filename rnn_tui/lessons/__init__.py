"""Lessons on the screen: the learner's way through one, and what its card shows."""
