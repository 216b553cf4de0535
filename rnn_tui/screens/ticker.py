"""A timer whose rate can change: for running and training."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen
from textual.timer import Timer


class Ticker:
    """Calls a function again and again, at a rate that can be changed."""

    def __init__(self, screen: Screen[None], tick: Callable[[], None]) -> None:
        self._screen, self._tick = screen, tick
        self._seconds: float | None = None
        self._timer: Timer | None = None

    def keep(self, seconds: float | None) -> None:
        """Every so many seconds from now on; None: no longer."""
        if seconds == self._seconds:
            return
        if self._timer is not None:
            self._timer.stop()
        self._seconds = seconds
        self._timer = None if seconds is None else self._screen.set_interval(seconds, self._tick)
