"""What may take long: it is done in a thread of its own, while the screen answers, and can be ended at any time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import Thread

from engine.debug.debugger import Debugger


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
        before, self.debugger.progress = self.debugger.progress, self._go_on
        try:
            self.do()
        except EnoughError:
            pass
        finally:
            self.debugger.progress = before

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


class Recording(Work):
    """An iteration is recorded, after those before it that have to be trained again."""

    def __init__(self, debugger: Debugger, iteration: int, back: int) -> None:
        super().__init__(debugger)
        self._wanted = iteration
        self.back = back
        """The position to go back to when it is ended before it is done."""

    @property
    def doing(self) -> str:
        before = f"training iteration {self.iteration} on the way, " if self.iteration < self._wanted else ""
        return f"recording iteration {self._wanted}: {before}`esc` goes back"

    def do(self) -> None:
        self.debugger.start(self._wanted, lambda done, _: self.reached(done + 1))
        self.iteration = self._wanted
        self.debugger.tape(self._wanted)
