"""How long recordings may take that somebody waits for, and how far the present one is."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import contextmanager

from engine.recording.plan import Progress


class TakesLongError(Exception):
    """What is asked for needs a recording that takes longer than the one who asks can wait."""


class Pace:
    """Shared by a debugger and its what-ifs: they record for the same reader."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        """Called with the share of a recording that is done; an exception from it ends the recording, and the debugger stays where it
        was."""
        self.iteration, self.wanted = 0, 0
        """The iteration that is being recorded, and the one that is wanted: those before it are trained on the way."""
        self.share = 0.0
        """How much of the present iteration is done."""
        self._patience, self._until = math.inf, math.inf

    @contextmanager
    def within(self, seconds: float) -> Generator[None]:
        """Meanwhile recordings may take so many seconds of this thread's time; one that would take longer raises TakesLongError."""
        before = self._patience, self._until
        self._patience, self._until = (
            seconds,
            math.inf,
        )  # the clock is looked at with the first recording: that alone takes some time
        try:
            yield
        finally:
            self._patience, self._until = before

    def begin(self, iteration: int, seconds: float) -> Progress | None:
        """An iteration is recorded now, which takes about so many seconds; gives what is to be told how far it is."""
        self.iteration, self.share = iteration, 0.0
        if self._patience < self._until == math.inf:
            self._until = time.thread_time() + self._patience
        self._check(seconds)
        return None if self.progress is None and self._until == math.inf else self._told

    def _told(self, share: float) -> None:
        self.share = share
        if self.progress is not None:
            self.progress(share)
        self._check()

    def _check(self, seconds: float = 0) -> None:
        if self._until < math.inf and time.thread_time() + seconds > self._until:
            raise TakesLongError


def part(progress: Progress | None, first: float, last: float) -> Progress | None:
    """What tells of a part of the work how far the whole is."""
    return None if progress is None else lambda share: progress(first + share * (last - first))
