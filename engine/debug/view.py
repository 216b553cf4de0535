"""What can be seen at a point, and what a point is called in few words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from engine.errors import InputError
from engine.language.derive import NEXT, OUT
from engine.language.functions import Array
from engine.model.blocks import START, Line, Point
from engine.model.program import Program, when_written
from engine.recording.tape import Tape
from engine.text import clean, listed

if TYPE_CHECKING:
    from engine.debug.breakpoints import Breakpoint


@dataclass(frozen=True, eq=False)
class View:
    """What can be seen at a point. Immutable: a front end may keep it."""

    position: int
    point: Point
    line: Line | None
    tape: Tape
    breakpoints: frozenset[Breakpoint]

    drawn: ClassVar[Callable[[View], str] | None] = None
    """Draws what can be seen as HTML, where a front end that can has been imported."""

    def __repr__(self) -> str:
        return f"<View: {place_text(self.point)}, of {self.tape!r}>"

    def _repr_html_(self) -> str | None:
        return None if View.drawn is None else View.drawn(self)

    @property
    def program(self) -> Program:
        """The program being stepped through."""
        return self.tape.plan.program

    @property
    def row(self) -> int | None:
        """The step of the row that the present line writes, `da@5` at t = 6; None where it writes no row of its own."""
        step = 0 if self.line is None else self.line.equation.step
        return None if self.point.t is None else self.point.t + step

    @property
    def offset(self) -> int:
        """The number of the line that ran last within this iteration; −1 at the start."""
        return -1 if self.position == 0 else (self.position - 1) % self.program.length

    def ran(self, line: Line) -> bool:
        """Whether every run of a line in this iteration is over."""
        block = self.program.blocks[line.block]
        runs = block.runs(self.program.steps, len(self.program.parameters))
        return self.offset >= self.program.offset(line) + (runs - 1) * len(block.lines)

    def computed(self, name: str) -> Array:
        """For a quantity in time: (rows,) booleans, which rows are computed at this point. Else a single boolean (a 0-d array)."""
        return np.asarray(self.offset >= self.written(name))

    def written(self, name: str) -> Array:
        """After which line of the iteration each row of a quantity (or the whole of it) is computed; −1: known from the start."""
        return when_written(self.program, name)

    def value(self, name: str, t: int | None = None) -> Array | None:
        """A quantity at step t as it is at this point: None while it is not computed, gradients as far as they are summed.

        For a quantity in time, t must be given; all its rows are `tape[name]`, of which `computed(name)` says which are computed.
        """
        quantity = self.program.quantities.get(name)
        if name in self.program.updates:
            return self.tape.updates[name] if self.offset >= self.program.update_offset(name) else None
        if quantity is None:
            return self.parameter(name) if name in self.tape.parameters else self._flow(name, t)
        if quantity.rows and t is None:
            raise InputError(f"{name} is in time; name the step too, or take tape[{name!r}] and computed({name!r})")
        steps = quantity.steps(self.program.steps)
        if t is not None and steps and t not in steps:
            raise InputError(f"{name} has the time steps {steps[0]} to {steps[-1]}, not {t}")
        if name in self._accumulating:
            return self.gradient(name)
        row = quantity.row(t) if quantity.rows and t is not None else ()
        return self.tape.at(name, t) if self.computed(name)[row] else None

    def parameter(self, name: str) -> Array:
        """A parameter as it is at this point: the old one until its update line has run."""
        done = self.offset >= self.program.update_offset(name)
        return self.tape.updates[name] if done else self.tape.parameters[name]

    def summed_to(self, name: str) -> int | None:
        """The time step up to which, as they run, a gradient is summed at this point; None before its first term."""
        (line,) = self.program.writers(name)
        if self.offset < self.program.offset(line):
            return None
        steps = self.program.summed(line)
        runs = (self.offset - self.program.offset(line)) // self.program.run_length(line)
        return steps[min(runs, len(steps) - 1)]

    def so_far(self, name: str) -> int | None:
        """`summed_to` of a gradient that is still being summed; None when its sum is complete, or not begun."""
        reached = self.summed_to(name)
        (line,) = self.program.writers(name)
        return None if reached == self.program.summed(line)[-1] else reached

    def gradient(self, name: str) -> Array | None:
        """dL/dparameter (by the gradient's name) as far as it is summed at this point."""
        t = self.summed_to(name)
        return None if t is None else self.tape.partial(name, t)

    def term(self, name: str, t: int) -> Array | None:
        """The term that step t adds to a gradient, `dWa@t`; None while that step has not been reached."""
        reached = self.summed_to(name)
        (line,) = self.program.writers(name)
        done = reached is not None and t in self.program.summed(line, reached)
        return self.tape.term(line, t) if done else None

    @cached_property
    def _accumulating(self) -> frozenset[str]:
        return frozenset(line.name for line in self.program.lines if line.equation.accumulate)

    def _flow(self, name: str, t: int | None) -> Array | None:
        if name not in self.tape:
            raise InputError(f"there is no quantity '{clean(name, 40)}'; there are {listed(self.program.quantities)}")
        base = next(name.removesuffix(suffix) for suffix in (OUT, NEXT) if name.endswith(suffix))
        return None if self.value(base, t) is None else self.tape.at(name, t)


def short_place(point: Point) -> str:
    """A point in few characters: `3 · t=7 dz`."""
    when = "" if point.t is None else f"t={point.t} "
    return START if point.line == START else f"{point.iteration} · {when}{point.parameter or point.line}"


def place_text(point: Point) -> str:
    """A point in a few words: `iteration 3, backward, t = 7, dz`."""
    if point.line == START:
        return START
    parts = [f"iteration {point.iteration}", point.phase, *([] if point.t is None else [f"t = {point.t}"])]
    return ", ".join((*parts, point.parameter or point.line))
