"""The time that a search may take, counted as computing time: on a busy machine the same is found as on an idle one, only later."""

from __future__ import annotations

import time

WAITING = 0.25
"""What a second counts in which nothing is computed: code may sleep."""

_others: list[float] = []


def now() -> float:
    """Seconds that this process and those with users' code have computed; what passed besides counts less."""
    computed = time.process_time() + sum(_others)
    return (1 - WAITING) * computed + WAITING * time.monotonic()


def count(seconds: float) -> None:
    """Adds what a process with a user's code has computed."""
    _others[:] = [sum(_others) + max(0.0, seconds)]
