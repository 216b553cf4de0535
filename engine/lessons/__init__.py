"""Lessons: files that lead a learner through a recording, and what is right there; they run no code."""
