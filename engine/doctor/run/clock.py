"""The clock by which searches are limited. It goes on by what is asked of the process with the user's code, whatever that takes, so that
a slow or busy machine gives the same results as a fast one, only later."""

from __future__ import annotations

REQUEST = 0.006
"""The seconds that a request counts: what one takes on an idle machine, with what is made of its answer."""
LONG = 0.25
"""A request that computes for longer counts as long as it computes: a search may not take hours."""

_now = [0.0]


def now() -> float:
    """Seconds, as this clock counts them."""
    return _now[0]


def count(seconds: float) -> None:
    """Adds a request for which a process with a user's code has computed so long."""
    _now[0] += seconds if seconds > LONG else REQUEST
