"""What the debugger's screen does while something takes long: it says what, and answers the keys that end it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from rnn_tui.control.controller import Controller
from rnn_tui.control.work import Work
from rnn_tui.keys.bindings import with_keys
from rnn_tui.screens.saves import Saves
from rnn_tui.screens.ticker import Ticker

LOOK_EVERY = 0.02
"""Seconds between two looks whether it is done."""


class AtWork(Saves):
    """A screen that has something done in a thread. Meanwhile nothing else touches the debugger."""

    controller: Controller
    work: Work | None = None
    """What is being done."""
    _then: Callable[[], None]
    _looks: Ticker | None = None
    _since = 0.0

    def _begin(self, work: Work, then: Callable[[], None]) -> None:
        """Has it done, and goes on when it is."""
        self.work, self._then, self._since = work, then, time.monotonic()
        self._looks = self._looks or Ticker(self, self._look_after)
        self._looks.keep(LOOK_EVERY)
        work.begin()

    def _look_after(self) -> None:
        work = self.work
        if work is not None and not work.over:
            if time.monotonic() - self._since > work.said_after:
                self.frame = replace(self.controller.frame, busy=with_keys(work.doing, self.commands))
            return
        self.work = None
        if self._looks is not None:
            self._looks.keep(None)
        if work is not None:
            self._then()

    def _end_work(self) -> None:
        """Has it end now, and goes on from there."""
        if self.work is not None:
            self.work.end()
            self._look_after()
