"""Lessons: files that lead a learner through a recording, and what is right there; they hold no code."""
