"""What may take long: it is done in a thread of its own, while the screen answers, and can be ended at any time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

from engine.debug.debugger import Debugger
from engine.errors import InputError

Result = TypeVar("Result")
BAR = 8
"""Characters."""


class EnoughError(Exception):
    """Raised to end what is being done; what is done by then is kept."""


class Work(ABC):
    """Something to be done with a debugger, which nobody else touches meanwhile."""

    said_after = 0.2
    """Seconds after which it is said what is being done."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger = debugger
        self.iteration = 0
        """The iteration that it is at."""
        self.ended = False
        """Whether it was ended before it was done."""
        self._failure: BaseException | None = None
        self._thread: Thread | None = None

    @property
    @abstractmethod
    def doing(self) -> str:
        """What is going on, and which key ends it."""

    @abstractmethod
    def do(self) -> None:
        """Does it. It calls `reached` now and then, which ends it when it shall end."""

    def reached(self, iteration: int) -> None:
        """Notes which iteration it is at. Raises EnoughError when it shall end."""
        self.iteration = iteration
        self._go_on()

    def _go_on(self, _: float = 0) -> None:
        if self.ended:
            raise EnoughError

    @property
    def goes_on(self) -> bool:
        """Whether it is begun again by itself: then any key ends it for the moment."""
        return False

    def run(self) -> None:
        """Does it here. A recording that it makes is ended in its middle."""
        pace = self.debugger.pace
        before, pace.progress = pace.progress, self._go_on
        try:
            self.do()
        except EnoughError:
            pass
        finally:
            pace.progress = before

    def begin(self) -> None:
        """Does it in a thread, which does not keep the program from ending."""
        self._thread = Thread(target=self._run_apart, daemon=True)
        self._thread.start()

    def _run_apart(self) -> None:
        try:
            self.run()
        except BaseException as failure:  # it belongs to who asks for the result
            self._failure = failure

    @property
    def over(self) -> bool:
        """Whether the thread has ended; raises what it failed of."""
        if self._failure is not None:
            raise self._failure
        return self._thread is None or not self._thread.is_alive()

    def end(self) -> None:
        """Has it end now, and waits for that: at most as long as a block of steps takes to record."""
        self.ended = True
        if self._thread is not None:
            self._thread.join()


class LongCall(Work, Generic[Result]):
    """A call that needs recordings that take long."""

    def __init__(self, debugger: Debugger, call: Callable[[], Result]) -> None:
        super().__init__(debugger)
        self._call = call
        self.result: Result | None = None
        """What it has come to; None where it was ended before, or refused."""
        self.refused = ""
        """Why it could not be done."""

    @property
    def doing(self) -> str:
        pace = self.debugger.pace
        trains = pace.iteration < pace.wanted
        what = (
            f"training iteration {pace.iteration} of {pace.wanted}"
            if trains
            else f"recording iteration {pace.iteration}"
        )
        return f"{what} {bar(pace.share)}, `esc` goes back"

    def do(self) -> None:
        """Makes the call and keeps its result."""
        try:
            self.result = self._call()
        except InputError as error:
            self.refused = str(error)


def bar(share: float) -> str:
    """How much of something is done: `━━━─────  38 %`."""
    full = round(BAR * share)
    return f"{'━' * full}{'─' * (BAR - full)} {100 * share:3.0f} %"
