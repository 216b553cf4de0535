"""Expressions and statements as trees, what was seen of them, and what small functions compute."""
