"""What the debugger's screen does while something takes long: it says what, and answers the keys that end it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import current_thread, main_thread

from engine.debug.pace import TakesLongError
from engine.errors import InputError
from rnn_tui.control.controller import Controller, ControllerState
from rnn_tui.control.work import LongCall, Work
from rnn_tui.keys.bindings import with_keys
from rnn_tui.screens.saves import Saves
from rnn_tui.screens.ticker import Ticker

LONG = 0.5
"""Seconds of recording from which on the screen does not wait for it."""
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
    _seen: tuple[Controller, ControllerState] | None = None
    """What is shown, to be gone back to."""

    def show(self, moved: bool | None = None) -> None:
        """Takes the controller's new frame after a call."""
        self._call(lambda: moved, LONG if self.frame is not None else math.inf)

    def act(self, call: Callable[[], bool | None]) -> None:
        """Makes a call, and shows what comes of it. Where that needs recordings that take long, all of it is done again in a thread; `esc`
        leaves everything as it is shown.
        """
        self._call(call, LONG)

    def _call(self, call: Callable[[], bool | None], seconds: float) -> None:
        if self.work is not None:
            return
        control, before = self.controller, self.controller.kept()

        def done() -> tuple[bool | None, object]:
            moved = call()
            return moved, self.controller.refresh()

        try:
            with control.debugger.pace.within(seconds):
                moved, frame = done()
        except TakesLongError:
            control.put_back(before)
            if self.frame is None:  # there has to be a picture
                self.show()
            work = LongCall(control.debugger, done)
            self._begin(work, partial(self._called, work))
        except InputError as error:
            self._say(str(error))
            self.show()
        else:
            self._present(frame, moved)

    def _called(self, work: LongCall) -> None:
        """Shows what a long call has come to, or what was shown before."""
        if work.result is not None:
            moved, frame = work.result
            self._present(frame, moved)
            return
        if work.refused:
            self._say(work.refused)
        if self._seen is not None:  # of other data, where those that were asked for are not shown yet
            self.controller, seen = self._seen
            self.controller.put_back(seen)
        control = self.controller
        control.running = False
        try:
            with control.debugger.pace.within(LONG):
                frame = control.refresh()
        except TakesLongError:  # there is room for fewer recordings than it shows
            frame = control.frame
        self._present(frame, None)

    def _present(self, frame: object, moved: bool | None) -> None:
        super()._present(frame, moved)
        self._seen = self.controller, self.controller.kept()

    def _say(self, text: str, seconds: float = 4) -> None:
        """Says something, at once or, from the thread, when the screen comes to it."""
        if current_thread() is main_thread():
            super()._say(text, seconds)
        else:
            self.call_later(super()._say, text, seconds)

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
                self.frame = replace(self.frame, busy=with_keys(work.doing, self.commands))
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
