"""Evaluates conditions over a whole iteration at once.

A condition can change only where something that it reads changes; all points between two such changes are called one
state. So the states of an iteration are evaluated, many at a time, instead of its points.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from engine.debug.conditions import Predicate, Read
from engine.debug.predicate_values import Value, truth
from engine.language.functions import Array
from engine.model.program import Program, when_written
from engine.recording.tape import Tape

CHUNK = 1 << 20
"""About how many values of one quantity are evaluated together."""


class Lines:
    """The block, time step, line and phase of every offset of an iteration, as arrays."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.offsets = np.arange(program.length)

    @cached_property
    def block(self) -> Array:
        """The number of the block."""
        lengths = [len(self.program.block_range(n)) for n in range(len(self.program.blocks))]
        return np.repeat(np.arange(len(lengths)), lengths)

    @cached_property
    def t(self) -> Array:
        """The time step, NaN where there is none."""
        parts: list[Array] = []
        for number, block in enumerate(self.program.blocks):
            count, lines = len(self.program.block_range(number)), len(block.lines)
            steps = [block.step(run, self.program.steps) for run in range(count // lines)]
            parts.append(np.repeat(np.array(steps, float), lines))
        return np.concatenate(parts)

    @cached_property
    def line(self) -> Array:
        """The quantity that the line writes."""
        return np.concatenate(
            [
                np.resize([line.name for line in block.lines], len(self.program.block_range(number)))
                for number, block in enumerate(self.program.blocks)
            ]
        )

    @cached_property
    def phase(self) -> Array:
        """forward, loss, backward or update."""
        return np.array([block.phase for block in self.program.blocks])[self.block]

    def changes(self, name: str) -> Array:
        """The offsets at which a quantity gets another value or row; −1 for what is known from the start."""
        program = self.program
        if name in program.updates or name in program.parameters:
            return np.array([-1, program.update_offset(name)])
        offsets = np.asarray(when_written(program, name))
        if not offsets.ndim and program.quantities[name].rows == "" and self._accumulates(name):
            (line,) = program.writers(name)
            return np.arange(int(offsets), program.block_range(line.block).stop, program.run_length(line))
        return np.unique(offsets)

    def _accumulates(self, name: str) -> bool:
        return any(line.equation.accumulate for line in self.program.writers(name))


class TapePoints:
    """Some points of one iteration, for evaluating conditions (`predicate_values.Points`); with `sample`, only that sample's rows, of what
    has a row for each.
    """

    def __init__(self, tape: Tape, iteration: int, offsets: Array, lines: Lines, sample: int | None = None) -> None:
        self.tape = tape
        self.iteration = iteration
        self.offsets = offsets
        self.lines = lines
        self.sample = sample
        self.count = len(offsets)

    @property
    def program(self) -> Program:
        """The program whose points they are."""
        return self.lines.program

    def word(self, name: str) -> Array:
        if name == "iteration":
            return np.full(self.count, float(self.iteration))
        start = self.offsets < 0
        values = getattr(self.lines, name)[np.maximum(self.offsets, 0)]
        if not start.any():
            return values
        at_start = {"t": 0.0, "phase": "forward", "line": "start"}[name]
        return np.where(start, at_start, values)

    def latest(self, name: str) -> Value:
        program = self.program
        if name in program.parameters:
            return self._parameter(name)
        if name in program.updates:
            return self._constant(name, self.tape.updates[name], self.offsets >= program.update_offset(name))
        when = when_written(program, name)
        if not when.ndim:
            if self.lines._accumulates(name):  # pyright: ignore[reportPrivateUsage]
                return self._partial(name)
            return self._constant(name, self.tape[name], self.offsets >= when)
        quantity = program.quantities.get(name)
        if quantity is not None and quantity.given:
            t = self.word("t")
            return self.rows(name, np.where(np.isnan(t), -1, t).astype(np.int64))
        order = np.argsort(when, kind="stable")
        place = np.searchsorted(when[order], self.offsets, side="right") - 1
        return self._gathered(name, order[np.maximum(place, 0)], place >= 0)

    def _is_in_time(self, name: str) -> bool:
        """Whether it has a row for each step; weights and what the update makes have none."""
        program = self.program
        return name not in program.parameters and name not in program.updates and when_written(program, name).ndim > 0

    def rows(self, name: str, rows: Array) -> Value:
        if not self._is_in_time(name):
            return Value(self.latest(name).array, np.zeros(self.count, bool))
        when = when_written(self.program, name)
        row = rows - self.program.steps_of(name).start
        valid = (row >= 0) & (row < len(when))
        row = np.where(valid, row, 0)
        return self._gathered(name, row, valid & (when[row] <= self.offsets))

    def all_rows(self, name: str) -> Value:
        if not self._is_in_time(name):
            return self.latest(name)
        if self.count != 1:
            raise AssertionError("all rows are looked at one point at a time")
        when = when_written(self.program, name)
        exists = when <= self.offsets[0]
        if not exists.any():  # any value of the right shape: it does not exist at that point
            return Value(np.zeros_like(self.tape[name][None, :1]), np.array([False]))
        return Value(self._of_sample(name, self.tape[name][exists])[None], np.array([True]))

    def of_all_samples(self) -> TapePoints:
        return TapePoints(self.tape, self.iteration, self.offsets, self.lines)

    def _gathered(self, name: str, rows: Array, exists: Array) -> Value:
        return Value(self._of_sample(name, self.tape[name][rows]), exists)

    def _of_sample(self, name: str, values: Array) -> Array:
        if self.sample is None or not by_sample(name, self.tape):
            return values
        return values[:, self.sample : self.sample + 1]

    def _constant(self, name: str, array: Array, exists: Array) -> Value:
        array = self._of_sample(name, array[None])[0]
        return Value(np.broadcast_to(array, (self.count, *array.shape)), exists)

    def _parameter(self, name: str) -> Value:
        after = self.offsets >= self.program.update_offset(name)
        if not after.any():
            return self._constant(name, self.tape.parameters[name], ~after)
        both = np.stack([self.tape.parameters[name], self.tape.updates[name]])
        return Value(both[after.astype(int)], np.ones(self.count, bool))

    def _partial(self, name: str) -> Value:
        """A gradient as far as it is summed at each point; terms are added up one step after another."""
        program = self.program
        (line,) = program.writers(name)
        first, length, order = program.offset(line), program.run_length(line), program.summed(line)
        reached = np.clip((self.offsets - first) // length, 0, len(order) - 1)
        exists = self.offsets >= first
        if self.count == 1:
            summed = self.tape.partial(name, order[int(reached[0])]) if exists[0] else np.zeros_like(self.tape[name])
            return self._constant(name, summed, exists)
        result = np.zeros((self.count, *self.tape[name].shape), self.tape[name].dtype)
        if not exists.any():
            return Value(result, exists)
        wanted = np.unique(reached[exists])
        total = self.tape.partial(name, order[int(wanted[0])])
        for run in range(int(wanted[0]), int(wanted[-1]) + 1):
            if run != wanted[0]:
                total = total + self.tape.term(line, order[run])
            result[exists & (reached == run)] = total
        return Value(result, exists)


def by_sample(name: str, tape: Tape) -> bool:
    """Whether a quantity has a row for each sample of the batch."""
    return tape.plan.axes.get(name, ("B",))[:1] == ("B",)


def states(predicate: Predicate, lines: Lines) -> Array:
    """The offsets within an iteration, from −1 (its beginning), at which something that the predicate reads changes, in order."""
    offsets = [np.array([-1])]
    for read in predicate.reads:
        offsets.append(lines.changes(read.name))
        quantity = lines.program.quantities.get(read.name)
        if quantity is not None and quantity.given and quantity.rows:
            offsets.append(_where_changed(np.nan_to_num(lines.t)))
    for word in predicate.words - {"iteration"}:
        values = np.nan_to_num(lines.t) if word == "t" else getattr(lines, word)
        offsets.append(_where_changed(values))
    return np.unique(np.concatenate(offsets))


def _where_changed(values: Array) -> Array:
    return np.concatenate([[0], 1 + np.flatnonzero(values[1:] != values[:-1])])


def holds(
    predicate: Predicate, tape: Tape, iteration: int, offsets: Array, lines: Lines, sample: int | None = None
) -> Array:
    """Whether a condition holds at each offset of an iteration, evaluated some at a time."""
    size = 1 if any(read.all_rows for read in predicate.reads) else _chunk(predicate, tape)
    parts = [
        truth(predicate, TapePoints(tape, iteration, offsets[start : start + size], lines, sample))
        for start in range(0, len(offsets), size)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def _chunk(predicate: Predicate, tape: Tape) -> int:
    """How many points to evaluate at a time, so that this many of the largest rows read stay within `CHUNK`."""
    largest = max((_row_size(read, tape) for read in predicate.reads), default=1)
    return max(1, CHUNK // largest)


def _row_size(read: Read, tape: Tape) -> int:
    array = tape[read.name]
    in_time = when_written(tape.plan.program, read.name).ndim if read.name in tape.plan.program.quantities else 0
    return int(np.prod(array.shape[1:])) if in_time else int(array.size) or 1


def spread(hits: Array, at: Array, length: int) -> Array:
    """(length,) booleans for every offset from those at the offsets where the state changes."""
    which = np.searchsorted(at, np.arange(length), side="right") - 1
    return hits[which]
