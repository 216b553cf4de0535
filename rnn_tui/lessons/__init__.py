"""Lessons on the screen: the learner's way through one, what the card shows, and the keys."""
