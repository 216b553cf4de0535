"""Tests of everything that reads and writes files."""

from __future__ import annotations

from engine.text import clean


def is_clean(message: str) -> bool:
    """Whether a terminal would show the message and act upon nothing in it."""
    return clean(message, len(message)) == message
