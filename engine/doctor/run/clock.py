"""The clock by which searches are limited. It counts computing time, so that a busy machine gives the same results as
an idle one, only later."""

from __future__ import annotations

import time

WAITING = 0.25
"""The part of a second that counts while nothing is computed: code may sleep."""

_others: list[float] = []


def now() -> float:
    """Seconds that this process and those with users' code have computed; what passed besides counts less."""
    computed = time.process_time() + sum(_others)
    return (1 - WAITING) * computed + WAITING * time.monotonic()


def count(seconds: float) -> None:
    """Adds what a process with a user's code has computed."""
    _others[:] = [sum(_others) + max(0.0, seconds)]
