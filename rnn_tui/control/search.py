"""A running search for a breakpoint, which can be watched and ended from another thread."""

from __future__ import annotations

from dataclasses import dataclass

from engine.debug.debugger import Debugger
from engine.errors import InputError


class EnoughError(Exception):
    """Raised to end a search or a training; what is done by then is kept."""


@dataclass(eq=False)
class Search:
    """A search for a breakpoint: the iteration it is at, whether it shall end, and its result."""

    debugger: Debugger
    direction: int
    iteration: int = 0
    cancelled: bool = False
    position: int | None = None
    """The position at which a breakpoint stops; None when none does."""
    wrong: str = ""

    def run(self) -> None:
        """Searches and keeps the result. Conditions may be evaluated over many iterations, so this runs in a thread."""

        def tick(iteration: int) -> None:
            self.iteration = iteration
            if self.cancelled:
                raise EnoughError

        try:
            self.position = self.debugger.search(self.direction, tick)
        except EnoughError:
            pass
        except InputError as error:
            self.wrong = str(error)

    @property
    def quick(self) -> bool:
        """Whether it takes no time: no condition has to be looked up."""
        return all(stop.fixed for stop in self.debugger.breakpoints if not stop.log)

    @property
    def failure(self) -> str:
        """Why the search did not finish; "" when it did."""
        stopped = self.cancelled and self.position is None
        return self.wrong or (f"The search was stopped at iteration {self.iteration}." if stopped else "")
