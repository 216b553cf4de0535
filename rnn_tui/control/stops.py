"""The cursor of the listing, breakpoints on its lines, and moves from one breakpoint to the next."""

from __future__ import annotations

from engine.debug.debugger import SEARCHED
from engine.model.blocks import Line
from rnn_tui.control.desk import Desk
from rnn_tui.control.search import Search


class Stops:
    """Breakpoints and the listing's cursor. The cursor follows the program until it is moved."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def present(self) -> tuple[int, int] | None:
        """Block and index of the line that ran last."""
        debugger = self._desk.debugger
        line = debugger.program.line_at(debugger.position)
        return (line.block, line.index) if line else None

    @property
    def _lines(self) -> list[Line]:
        return list(self._desk.debugger.program.lines)

    def _listed(self) -> int:
        """The number of the listing's line in the program; −1 at the start."""
        key = self._desk.selection.line or self.present
        return next((i for i, line in enumerate(self._lines) if (line.block, line.index) == key), -1)

    def list(self, step: int) -> None:
        """Moves the listing's cursor."""
        lines = self._lines
        line = lines[max(0, min(self._listed() + step, len(lines) - 1))]
        self._desk.choose(line=(line.block, line.index))

    def toggle(self) -> None:
        """A breakpoint on the listing's line, or none."""
        number = self._listed()
        if number < 0:
            self._desk.say("Choose a line with `↑` `↓` first, then press `b`.")
            return
        self._desk.debugger.toggle(self._lines[number])

    def toggle_here(self) -> None:
        """The same, only where it writes the row that it writes at the present time step."""
        debugger, number = self._desk.debugger, self._listed()
        t = debugger.view.point.t
        line = self._lines[number] if number >= 0 else None
        if line is None or t is None or not debugger.program.runs_at(line, t):
            self._desk.say("This line does not run at this time step; `b` sets a breakpoint on it for all.")
            return
        debugger.toggle(line, t + line.equation.step)

    def first_between(self, before: int, position: int) -> int | None:
        """The first position after one, up to another, at which a breakpoint stops."""
        debugger = self._desk.debugger
        length = debugger.program.length
        for iteration in range(max(0, before - 1) // length, max(0, position - 1) // length + 1):
            for offset in debugger.stops_in(iteration):
                if before < 1 + iteration * length + offset <= position:
                    return 1 + iteration * length + offset
        return None

    def search(self, direction: int) -> Search | None:
        """A search for the next breakpoint (1) or the one before (−1), not yet run; None when there are no breakpoints."""
        debugger = self._desk.debugger
        if not debugger.breakpoints:
            self._desk.say("No breakpoint is set: choose a line with `↑` `↓` and press `b`, or `d` for conditions.")
            return None
        if all(stop.log for stop in debugger.breakpoints):
            self._log_on(direction)
            return None
        return Search(debugger, direction)

    def _log_on(self, direction: int) -> None:
        """Logpoints alone stop nowhere: to the end of the iteration, or its beginning."""
        debugger = self._desk.debugger
        length, position = debugger.program.length, debugger.position
        end = position // length * length
        self._desk.go(end + length if direction > 0 else max(0, end - length if end == position else end))
        self._desk.say("Logpoints do not stop: to the end of the iteration. `D` shows the log.")

    def arrive(self, search: Search) -> bool:
        """To where a search that is over has led; says so when that is nowhere."""
        if search.failure:
            self._desk.say(search.failure)
            return True
        if search.position is None:
            where = f"in the next {SEARCHED} iterations" if search.direction > 0 else "before this point"
            self._desk.say(f"No breakpoint stops {where}.")
            return self._desk.moved(False)
        return self.stop_at(search.position)

    def stop_at(self, position: int) -> bool:
        """To where a breakpoint stops, which is said with what it compares."""
        from engine.debug.reasons import reasons  # with the first breakpoint

        one = self._desk.looked_at is not None
        return self._desk.stop_at(position, lambda: reasons(self._desk.debugger, one=one))
