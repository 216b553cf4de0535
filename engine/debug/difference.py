"""By how much a run with edited numbers differs from the original one, and where first.

difference(debugger.tape(0), branch.tape(0), "dWa")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.debug.replay import same
from engine.language.functions import Array
from engine.model.blocks import Line, Point
from engine.model.program import when_written
from engine.recording.tape import Tape
from engine.tables.given import GIVEN


@dataclass(frozen=True, eq=False)
class Difference:
    """A quantity in two recordings: `values` is edited − original, 0 where both hold the same.

    `offset` is the line of the iteration after which they first differ (−1: from the start), `point` the same as a point; None when
    they never do.
    """

    name: str
    original: Array
    edited: Array
    values: Array
    offset: int | None
    point: Point | None

    @property
    def count(self) -> int:
        """How many numbers differ."""
        return int(np.count_nonzero(~same(self.original, self.edited)))


def difference(original: Tape, edited: Tape, name: str) -> Difference:
    """By how much a quantity differs, in its own shape, and where it does so first in the order of execution."""
    before, after = np.asarray(original[name]), np.asarray(edited[name])
    offset = first_offset(original, edited, name)
    point = None if offset is None else original.plan.program.point(1 + offset)
    return Difference(name, before, after, minus(after, before), offset, point)


class _Minus(Mapping[str, Array]):
    """The differences of recorded arrays, computed when asked for; masks and other arrays that depend on lengths and
    options alone are left as they are."""

    def __init__(self, original: Tape, edited: Tape) -> None:
        self._original, self._edited = original, edited
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            quantity = self._edited.plan.program.quantities[name]
            kept = quantity.given and name in GIVEN
            before, after = self._original.arrays[name], self._edited.arrays[name]
            self._made[name] = after if kept else minus(after, before)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._edited.arrays)

    def __len__(self) -> int:
        return len(self._edited.arrays)


@dataclass(frozen=True, eq=False)
class Differences(Tape):
    """The differences of two recordings, edited − original, in the shape of a tape."""

    both: tuple[Tape, ...] = ()

    @cached_property
    def updates(self) -> Mapping[str, Array]:
        """The differences of what the update writes."""
        original, edited = self.both
        return {name: minus(value, original.updates[name]) for name, value in edited.updates.items()}

    def term(self, line: Line, t: int | None, sample: int | None = None) -> Array:
        """The difference of the term that a run of a line adds."""
        original, edited = self.both
        return minus(edited.term(line, t, sample), original.term(line, t, sample))

    def partial(self, name: str, t: int) -> Array:
        """The difference of a gradient as far as it is summed."""
        original, edited = self.both
        return minus(edited.partial(name, t), original.partial(name, t))


def differences(original: Tape, edited: Tape) -> Differences:
    """The differences of two recordings, see `Differences`."""
    parameters = {name: minus(value, original.parameters[name]) for name, value in edited.parameters.items()}
    return Differences(
        edited.plan,
        _Minus(original, edited),
        parameters,
        edited.updates_before,
        samples=edited.samples,
        both=(original, edited),
    )


def minus(edited: Array, original: Array) -> Array:
    """edited − original, 0 where both are equal, infinite or not."""
    before, after = np.asarray(original), np.asarray(edited)  # with checkpoints they are no NumPy arrays yet
    with np.errstate(all="ignore"):
        change = np.subtract(after, before, dtype=np.result_type(before, np.float32))
        return np.where(same(before, after), change.dtype.type(0), change)


def first_offset(original: Tape, edited: Tape, name: str) -> int | None:
    """After which line of the iteration a quantity first differs; −1 from the start, None never."""
    program = original.plan.program
    equal = same(np.asarray(original[name]), np.asarray(edited[name]))
    if equal.all():
        return None
    if name in program.parameters:
        return -1
    if name in program.updates:
        return program.update_offset(name)
    line = next(program.writers(name), None)
    if line is not None and line.equation.accumulate:
        return program.offset(line, _first_term(original, edited, line))
    written = when_written(program, name)
    if not written.ndim:
        return int(written)
    rows = ~equal.reshape(len(equal), -1).all(axis=1)
    return int(written[rows].min())


def _first_term(original: Tape, edited: Tape, line: Line) -> int:
    """The first time step as they run whose term of a gradient differs; the last one where only the finished sum does."""
    steps, quantities = original.plan.steps, original.plan.program.quantities
    order = original.plan.program.summed(line)
    first_run = len(order) - 1
    for read in line.equation.reads:
        if read.name in quantities and quantities[read.name].rows:
            first = quantities[read.name].row(1) + read.step
            rows = slice(first, first + steps)
            changed = ~same(np.asarray(original[read.name][rows]), np.asarray(edited[read.name][rows])).reshape(
                steps, -1
            ).all(axis=1)
            first_run = min([first_run, *(order.index(int(row) + 1) for row in np.flatnonzero(changed))])
    return order[first_run]
