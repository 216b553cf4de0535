"""A search for a breakpoint, as something that can be looked at and ended while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from engine.debug.debugger import Debugger
from engine.errors import InputError


class EnoughError(Exception):
    """Ends what the debugger is at; what it has done by then stays."""


@dataclass(eq=False)
class Search:
    """A search for a breakpoint: where it is, whether it shall end, and what came of it."""

    debugger: Debugger
    direction: int
    iteration: int = 0
    cancelled: bool = False
    found: int | None = None
    """The position that was found."""
    wrong: str = ""

    def run(self) -> None:
        """Looks, and notes what came of it. Conditions may have to be looked up through many iterations: for a thread of its own."""

        def tick(iteration: int) -> None:
            self.iteration = iteration
            if self.cancelled:
                raise EnoughError

        try:
            self.found = self.debugger.search(self.direction, tick)
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
        """Why it came to no end; "" when it did."""
        stopped = self.cancelled and self.found is None
        return self.wrong or (f"The search was stopped at iteration {self.iteration}." if stopped else "")
