"""The debugger without a screen: the present position, the moves, and what can be seen at a point.

Moving is arithmetic on positions; an iteration is recorded when it is first entered, and what a point shows is a view of that recording.
So every move has its exact inverse, across updates too. What breakpoints and conditions need is loaded with the first of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from engine.debug import moves
from engine.debug.recordings import Recordings
from engine.debug.view import View, place_text
from engine.errors import InputError
from engine.language.expression import ExpressionError
from engine.model.blocks import Line, Point
from engine.text import clean

if TYPE_CHECKING:
    from engine.debug.breakpoints import Breakpoint
    from engine.debug.conditions import Predicate
    from engine.debug.stop_search import StopSearch, Tick
    from engine.debug.stops import Lines

SEARCHED = 1000
"""Iterations that a search for a breakpoint goes through at most."""


class Debugger(Recordings):
    """Steps through the forward pass, the loss, the backward pass and the update, iteration after iteration, and back.

    X is (N, T, D); y and the options are those of `Recordings`. Moves return whether anything changed; `view` is what the
    present point shows.
    """

    position: int = 0
    breakpoints: frozenset[Breakpoint] = frozenset()
    watches: tuple[Predicate, ...] = ()

    def __repr__(self) -> str:
        view = self.view
        return f"<Debugger: {place_text(view.point)}, of {view.tape!r}>"

    def _repr_html_(self) -> str | None:
        return None if View.drawn is None else View.drawn(self.view)

    @property
    def view(self) -> View:
        """What the present point shows."""
        return self.view_at(self.position)

    def view_at(self, position: int) -> View:
        """What another position shows; nothing moves."""
        point = self.program.point(position)
        tape = self.tape(point.iteration)
        return View(position, point, self.program.line_at(position), tape, self.breakpoints)

    # Moves

    def go(self, to: Point | int) -> bool:
        """Goes to a point or a position; InputError when there is no such point."""
        position = self.program.position(to) if isinstance(to, Point) else max(0, to)
        moved, self.position = position != self.position, position
        return moved

    def step(self, lines: int = 1) -> bool:
        """Moves by a number of lines, back when it is negative."""
        return self.go(self.position + lines)

    def next(self) -> bool:
        """The same line at the next time step in the order of execution; at the edge of a loop, the end of what follows it."""
        return self.go(moves.time_step(self.program, self.position, 1))

    def previous(self) -> bool:
        """The same line at the time step before; at the edge of a loop, the end of what precedes it."""
        return self.go(moves.time_step(self.program, self.position, -1))

    def finish(self) -> bool:
        """Goes to the end of the phase; from there to the end of the next phase."""
        return self.go(moves.end_of_phase(self.program, self.position))

    def start_of_phase(self) -> bool:
        """Goes to the first point of the phase; from there to the first point of the phase before."""
        return self.go(moves.start_of_phase(self.program, self.position))

    def iteration(self, direction: int) -> bool:
        """The same line at the same time step in the next iteration (1), or in the one before (−1)."""
        return self.go(moves.iteration(self.program, self.position, direction))

    def continue_(self, tick: Tick | None = None) -> bool:
        """Goes on to the next breakpoint; stays where it is when there is none."""
        position = self.search(1, tick)
        return position is not None and self.go(position)

    def reverse_continue(self, tick: Tick | None = None) -> bool:
        """Goes back to the previous breakpoint; stays where it is when there is none."""
        position = self.search(-1, tick)
        return position is not None and self.go(position)

    # Breakpoints

    def toggle(self, line: Line, t: int | None = None) -> bool:
        """Sets a breakpoint on a line (with `t` only where it writes that row), or removes it; whether it is set now.

        Raises InputError when the line never writes that row.
        """
        from engine.debug.breakpoints import Breakpoint

        if t is not None and not self.program.runs_at(line, t - line.equation.step):
            raise InputError(f"no line ever writes {line.name}@{t}")
        breakpoint_ = Breakpoint(line.block, line.index, t)
        self.breakpoints = self.breakpoints ^ {breakpoint_}
        return breakpoint_ in self.breakpoints

    def remove(self, stop: Breakpoint) -> None:
        """Takes a breakpoint away."""
        self.breakpoints -= {stop}

    def add(self, text: str, spelt: Callable[[str], str] = str, sample: int | None = None) -> list[Breakpoint]:
        """Sets the breakpoints that `text` means, see `engine.debug.breakpoints`, for a sample of the data where it names none and that
        makes a difference; InputError, with names as they are `spelt`, when it means none."""
        from engine.debug.breakpoints import hits, of_sample, parse_breakpoint

        named = parse_breakpoint(text, self.program, len(self._X), spelt)
        stops = [of_sample(stop, sample, self.tape(self._iteration())) for stop in named]
        for stop in stops:  # refuse now what does not fit these shapes
            hits(stop, self.tape(self._iteration()), self._iteration(), self.lines)
        self.breakpoints |= set(stops)
        return stops

    def watch(self, text: str, spelt: Callable[[str], str] = str) -> Predicate:
        """Adds a watch expression, to be evaluated at every stop; InputError, with names as they are `spelt`, when it is none."""
        from engine.debug.breakpoints import names_of
        from engine.debug.predicates import parse

        try:
            watched = parse(text, names_of(self.program), spelt)
        except ExpressionError as error:
            raise InputError(clean(str(error), 400)) from None
        self.watches = (*(kept for kept in self.watches if kept != watched), watched)
        return watched

    def watched(self, expression: Predicate, sample: int | None = None) -> str:
        """The value of a watch expression at the present point, in a few characters; of one sample of the data that is in the batch."""
        from engine.debug.breakpoints import shown, value_at

        iteration = self._iteration()
        offset = -1 if self.position == 0 else (self.position - 1) % self.program.length
        return shown(value_at(expression, self.tape(iteration), iteration, offset, self.lines, sample))

    def watch_name(self, expression: Predicate, sample: int | None = None) -> str:
        """What is said that value is of: the expression, and the sample where that makes a difference."""
        from engine.debug.breakpoints import named

        return named(expression, sample, self.tape(self._iteration()))

    def search(self, direction: int, tick: Tick | None = None, *, iterations: int = SEARCHED) -> int | None:
        """The nearest position after the present one (before it when `direction` is negative) at which a breakpoint stops.

        Looks through at most `iterations` further iterations. `tick` is called now and then with the iteration that is
        searched; an exception from it ends the search. None when nothing was found.
        """
        return self._stops.search(self.tape, self.breakpoints, self.position, direction, tick, iterations)

    def stops_in(self, iteration: int) -> list[int]:
        """The offsets at which an iteration stops, in order."""
        return self._stops.stops_in(self.tape, self.breakpoints, iteration)

    def stopping_at(self, iteration: int, offset: int) -> list[Breakpoint]:
        """The breakpoints that stop at an offset of an iteration."""
        stops = [stop for stop in self.breakpoints if not stop.log]
        return [stop for stop in stops if offset in self._stops.offsets(self.tape, stop, iteration)]

    def logged(self, start: int, stop: int) -> list[str]:
        """What logpoints print on the way from one position to a later one, the later one included; the last ones when there are many."""
        return self._stops.logged(self.tape, self.breakpoints, start, stop) if self.breakpoints else []

    @property
    def lines(self) -> Lines:
        """The line, phase and time step of every offset of an iteration."""
        return self._stops.lines

    @cached_property
    def _stops(self) -> StopSearch:
        from engine.debug.stop_search import StopSearch

        return StopSearch(self.program)

    def _iteration(self) -> int:
        return max(0, self.position - 1) // self.program.length
