"""The listing's own cursor, breakpoints on its lines, and going from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.model.program import Line
from rnn_tui.control.search import Search

if TYPE_CHECKING:
    from rnn_tui.control.controller import Controller


class Stops:
    """Where the debugger shall stop. The listing's cursor follows the program until it is moved."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    @property
    def present(self) -> tuple[int, int] | None:
        """Block and index of the line that ran last."""
        debugger = self._controller.debugger
        line = debugger.program.line_at(debugger.position)
        return (line.block, line.index) if line else None

    @property
    def _lines(self) -> list[Line]:
        return list(self._controller.debugger.program.lines)

    def _listed(self) -> int:
        """The number of the listing's line in the program; −1 at the start."""
        key = self._controller.selection.line or self.present
        return next((i for i, line in enumerate(self._lines) if (line.block, line.index) == key), -1)

    def list(self, step: int) -> None:
        """Moves the listing's cursor."""
        lines = self._lines
        line = lines[max(0, min(self._listed() + step, len(lines) - 1))]
        self._controller.choose(line=(line.block, line.index))

    def toggle(self) -> None:
        """A breakpoint on the listing's line, or none."""
        number = self._listed()
        if number < 0:
            self._controller.say("Choose a line with ↑ ↓ first, then press b.")
            return
        self._controller.debugger.toggle(self._lines[number])

    def toggle_here(self) -> None:
        """The same, at the present time step."""
        debugger, number = self._controller.debugger, self._listed()
        t = debugger.view.point.t
        line = self._lines[number] if number >= 0 else None
        if line is None or t is None or not debugger.program.runs_at(line, t):
            self._controller.say("This line does not run at this time step; b sets a breakpoint on it for all.")
            return
        debugger.toggle(line, t)

    def reached(self) -> bool:
        """Whether there is a breakpoint at the present point."""
        debugger = self._controller.debugger
        iteration, offset = divmod(debugger.position - 1, debugger.program.length)
        return debugger.position > 0 and offset in debugger.stops_in(iteration)

    def search(self, direction: int) -> Search | None:
        """A search for the next breakpoint (1) or the one before (−1), to be run; None when nothing is to be looked for."""
        debugger = self._controller.debugger
        if self._controller.page.seek(direction) is not None:
            return None
        if all(stop.log for stop in debugger.breakpoints):
            self._controller.say("No breakpoint is set: choose a line with ↑ ↓ and press b, or d for conditions.")
            return None
        return Search(debugger, direction)

    def arrive(self, search: Search) -> bool:
        """To where a search that is over has led; says so when that is nowhere."""
        if search.failure:
            self._controller.say(search.failure)
            return True
        if search.found is None:
            self._controller.say(f"No breakpoint {'after' if search.direction > 0 else 'before'} this point.")
            return self._controller.moved(False)
        return self._controller.go(search.found)
