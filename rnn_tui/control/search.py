"""A search for a breakpoint, which can be watched and ended."""

from __future__ import annotations

from engine.debug.debugger import Debugger
from engine.errors import InputError
from rnn_tui.control.work import Work


class Search(Work):
    """A search for a breakpoint, and its result."""

    def __init__(self, debugger: Debugger, direction: int) -> None:
        super().__init__(debugger)
        self.direction = direction
        self.position: int | None = None
        """The position at which a breakpoint stops; None when none does."""
        self._wrong = ""

    @property
    def doing(self) -> str:
        return f"searching iteration {self.iteration}, `c` stops"

    def do(self) -> None:
        """Searches and keeps the result."""
        try:
            self.position = self.debugger.search(self.direction, self.reached)
        except InputError as error:
            self._wrong = str(error)

    @property
    def quick(self) -> bool:
        """Whether it takes no time: no condition has to be looked up."""
        return all(stop.fixed for stop in self.debugger.breakpoints if not stop.log)

    @property
    def failure(self) -> str:
        """Why the search did not finish; "" when it did."""
        stopped = self.ended and self.position is None
        return self._wrong or (f"The search was stopped at iteration {self.iteration}." if stopped else "")
