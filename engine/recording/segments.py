"""A recording that keeps checkpoints only, and computes a segment of steps again when one of its rows is asked for.

Kept at about every √T-th step are the rows that one step hands to the next: states going forward, their gradients going
backward, and each parameter's gradient as far as it is summed there; besides them what has no time axis, the read-out's
small arrays, and the norms of every row that pictures over all steps need (Chen, Xu, Zhang, Guestrin 2016: Training
deep nets with sublinear memory cost). A segment is a block of the plan, so its rows have the same bits whenever they
are computed.

The loops of a program run through the segments in sweeps. With one direction there are two, the forward and the backward pass;
where the other direction begins, so does another sweep. For what a sweep reads, a segment goes through the earlier ones again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from typing import cast

import numpy as np

from engine.language.derive import NEXT
from engine.language.expression import Name
from engine.language.functions import Array
from engine.model.blocks import Block, Loop, Quantity
from engine.recording.figures import Figures
from engine.recording.lazy import LazyArray
from engine.recording.plan import Plan, Progress
from engine.recording.schedule import carried, is_carried

SEGMENTS_KEPT = 4


@dataclass(frozen=True)
class _Sweep:
    """Loops over time that follow each other in the program and run through the steps in one order, so that a segment can go through all of
    them at once; or the blocks between them, which run once.

    `before` are the earlier sweeps that compute what it reads and what is not kept. `carried` is what a segment hands to the next.
    """

    blocks: tuple[Block, ...]
    before: tuple[_Sweep, ...]

    @property
    def in_time(self) -> bool:
        """Whether it goes through the segments."""
        return self.blocks[0].in_time

    @property
    def up(self) -> bool:
        """Whether it begins at the first step."""
        return self.blocks[0].loop is Loop.UP

    @cached_property
    def carried(self) -> set[str]:
        """What a segment hands to the one that runs after it."""
        return {name for block in self.blocks for name in carried(block)}

    @cached_property
    def written(self) -> set[str]:
        """What its lines write."""
        return {line.name for block in self.blocks for line in block.lines if not is_carried(line.equation)}


class Segments(Mapping[str, Array]):
    """The arrays of a recording by name: a quantity in time that is not kept whole is a `LazyArray`."""

    def __init__(self, plan: Plan, arrays: dict[str, Array], parameters: Mapping[str, Array]) -> None:
        self.plan = plan
        self.kept = arrays
        self.parameters = parameters
        self.sums: dict[str, Array] = {}
        self._figures: dict[str, Figures] = {}
        self._segments: OrderedDict[int, dict[str, Array]] = OrderedDict()
        quantities = plan.program.quantities
        self._lazy = {name: q for name, q in quantities.items() if not plan.whole(q)}
        # A row at a bound belongs to the segment after it where it is that of the step that its line runs at.
        self._late = {name: (plan.writes_step(name) == 0) != q.reverse for name, q in self._lazy.items()}
        self._sweeps = self._in_order()

    def __getitem__(self, name: str) -> Array:
        quantity = self._lazy.get(name)
        if quantity is None:
            return self.kept[name]
        shape, dtype = self.plan.shape(quantity), np.dtype(self.plan.network.dtype)
        return cast(Array, LazyArray(shape, dtype, lambda low, high: self._rows(quantity, low, high)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.plan.program.quantities)

    def __len__(self) -> int:
        return len(self.plan.program.quantities)

    def where(self, present: Array, name: str) -> Array:
        """A quantity in time where `present` (rows,), else zero."""
        whole = self[name]

        def read(low: int, high: int) -> Array:
            rows = np.where(present[low:high, None, None], whole[low:high], 0)
            rows.flags.writeable = False
            return rows

        return cast(Array, LazyArray(whole.shape, whole.dtype, read))

    def norms(self, name: str, sample: int | None = None) -> Array | None:
        """`Tape.norms` of a quantity that is not kept whole; None for others."""
        figures = self._figures.get(name)
        return None if figures is None else figures.norms if sample is None else figures.by_sample[:, sample]

    def scale(self, name: str) -> float | None:
        """`Tape.scale`, likewise."""
        return None if name not in self._figures else self._figures[name].largest or 1.0

    def finite(self, name: str) -> Array | None:
        """`Tape.finite`, likewise."""
        return None if name not in self._figures else self._figures[name].finite

    def depth(self, name: str) -> float | None:
        """`Tape.depth`, likewise."""
        figures = self._figures.get(name)
        if figures is None:
            return None
        return figures.smallest / (figures.largest or 1.0) if np.isfinite(figures.smallest) else 1.0

    def partial(self, name: str, t: int) -> Array:
        """A gradient as far as it is summed when step t is done: what is kept of the segments that ran before, and this one's terms."""
        number = self.plan.block_of(t - 1)
        low, high = self.plan.bounds[number]
        block = self.plan.program.blocks[next(self.plan.program.writers(name)).block]
        rows = self.plan.reached(block, (low, high), t)
        result = self.sums[name][number if block.loop is Loop.UP else number + 1].copy()
        with np.errstate(all="ignore"):
            self.plan.add_terms({**self._segment(number), name: result}, name, rows.start - low, rows.stop - low)
        result.flags.writeable = False
        return result

    def record(self, progress: Progress | None = None) -> None:
        """Runs forward, loss and backward, two segments in memory at a time; what is to be kept is written into `kept` and `sums`."""
        plan, segments = self.plan, range(len(self.plan.bounds))
        for name in plan.summed:
            self.kept[name][...] = 0
            self.sums[name] = np.zeros((len(segments) + 1, *self.kept[name].shape), plan.network.dtype)
        self._figures = {
            name: Figures(np.zeros(rows), np.zeros((rows, plan.batch)), np.ones(rows, bool))
            for name, rows in ((name, plan.shape(q)[0]) for name, q in self._lazy.items())
        }
        done, whole = 0, len(segments) * sum(1 + len(sweep.before) for sweep in self._sweeps if sweep.in_time)
        for sweep in self._sweeps:
            if not sweep.in_time:
                self._once(sweep)
                continue
            if plan.beforehand and sweep is self._backward[0]:
                self._carry_losses()
            for number in segments if sweep.up else reversed(segments):
                self._record(sweep, number)
                done += 1 + len(sweep.before)
                if progress is not None:
                    progress(done / whole)
        for array in (*self.kept.values(), *self.sums.values()):
            array.flags.writeable = False

    def _in_order(self) -> list[_Sweep]:
        """The blocks of the program but the update's, those together that can be."""
        sweeps: list[_Sweep] = []
        blocks = (block for block in self.plan.program.blocks if block.phase != "update")
        for _, group in groupby(blocks, lambda block: block.loop if block.in_time else None):
            together = tuple(group)
            sweeps.append(_Sweep(together, self._before(together, sweeps)))
        return sweeps

    def _before(self, blocks: Sequence[Block], sweeps: Sequence[_Sweep]) -> tuple[_Sweep, ...]:
        """The sweeps through which a segment must have gone before these blocks can run on it."""
        wanted, needed = self._read(blocks), list[_Sweep]()
        for sweep in reversed(sweeps):
            if sweep.in_time and sweep.written & wanted:
                needed.append(sweep)
                wanted |= self._read(sweep.blocks)
        return tuple(reversed(needed))

    def _read(self, blocks: Sequence[Block]) -> set[str]:
        """What blocks read that is not kept whole."""
        lines = (line for block in blocks for line in block.lines)
        return {name.name for line in lines for name in line.equation.reads} & {*self._lazy}

    def _record(self, sweep: _Sweep, number: int) -> None:
        """Runs a sweep through one segment, and keeps what it hands on, the sums so far, and the figures of what it wrote."""
        values = self._after(sweep.before, number)
        self._through(sweep, values, number)
        row, bound = (-1, number + 1) if sweep.up else (0, number)
        for name in sweep.carried:
            self.kept[name][bound] = values[name][row]
        for name in sweep.written & {*self.sums}:
            self.sums[name][bound] = self.kept[name]
        for name in sweep.written & {*self._lazy}:
            low, high = self._owned(self._lazy[name], number)
            self._figures[name].add(self._local(values, self._lazy[name], number, low, high), low, high)

    def _once(self, sweep: _Sweep) -> None:
        """Runs the blocks between two loops through time. Where each step has a loss, it adds up over the segments."""
        plan, values = self.plan, {**self.parameters, **self.kept}
        for block in sweep.blocks:
            if block.phase == "loss" and plan.network.predict == "every":
                self.kept["loss"][...] = 0
                for low, high in plan.bounds:
                    plan.run_block(block, values, low, high)
                continue
            t = block.step(0, plan.steps) or plan.steps
            rows: dict[str, Array] = {}
            for line in block.lines:
                for name in (*line.equation.reads, Name(line.name, line.equation.step)):
                    if (quantity := self._lazy.get(name.name)) is not None:
                        rows[name.name] = self._at_an_end(quantity, t + name.step, sweep)
            plan.run_block(
                block, values | {name: _repeated(row, plan.steps + 1) for name, row in rows.items()}, t - 1, t
            )

    def _at_an_end(self, quantity: Quantity, t: int, sweep: _Sweep) -> Array:
        """The row of the first step or the last one, or of an initial state, after the sweeps before this one."""
        row = quantity.row(t)
        if quantity.name in self.kept:
            return self.kept[quantity.name][-1 if row else 0]
        number = self.plan.block_of(row)
        return self._after(sweep.before, number)[quantity.name][row - self.plan.bounds[number][0]]

    def _after(self, sweeps: Sequence[_Sweep], number: int) -> dict[str, Array]:
        """The values of a segment when it has gone through some sweeps again."""
        low, high = self.plan.bounds[number]
        values, again = dict(self.parameters), {name for sweep in sweeps for name in sweep.written}
        values |= self.plan.part(self._lazy, high - low)
        for name, quantity in self.plan.program.quantities.items():
            kept = self.kept.get(name)
            if name in self._lazy:
                if quantity.rows == "T+1":
                    values[name][0] = values[name][-1] = 0
            elif kept is not None:
                part = kept[low : high + (quantity.rows == "T+1")] if quantity.rows else kept
                values[name] = (
                    np.zeros_like(part) if name in again else part
                )  # what is kept is not written a second time
        for sweep in sweeps:
            self._through(sweep, values, number)
        return values

    @property
    def _backward(self) -> list[_Sweep]:
        return [sweep for sweep in self._sweeps if sweep.in_time and sweep.blocks[0].phase == "backward"]

    def _carry_losses(self) -> None:
        """What is cut off of each loss, before the backward pass: the losses of a segment go through the others, two of which are there at
        a time, or three, with what the forward pass computes in them again."""
        plan = self.plan
        ahead = self._sweeps[: self._sweeps.index(self._backward[0])]
        rows = {name: quantity.rows for name, quantity in plan.program.quantities.items()}
        there = {*self.parameters, *self.kept}.union(*(sweep.written for sweep in ahead))

        @lru_cache(maxsize=3)
        def alone(number: int) -> dict[str, Array]:
            values = self._after([sweep for sweep in ahead if sweep.in_time], number)
            return {name: value for name, value in values.items() if name in there}

        @lru_cache(maxsize=1)
        def joined(first: int, last: int) -> dict[str, Array]:
            *before, end = [alone(number) for number in range(first, last + 1)]
            counts = [stop - start for start, stop in plan.bounds[first:last]]
            return {
                name: np.concatenate([*(v[name][:count] for v, count in zip(before, counts, strict=True)), value])
                if rows.get(name)
                else value
                for name, value in end.items()
            }

        def part(low: int, high: int) -> dict[str, Array]:
            first, last = plan.block_of(low), plan.block_of(high - 1)
            base = plan.bounds[first][0]
            values = alone(first) if first == last else joined(first, last)
            ends = {"T": high - base, "T+1": high - base + 1}
            return {n: value[low - base : ends[rows[n]]] if rows.get(n) else value for n, value in values.items()}

        plan.carry_losses_by(part, {name: self.kept[name] for name in plan.beforehand})

    def _through(self, sweep: _Sweep, values: dict[str, Array], number: int) -> None:
        """Runs a sweep through one segment, from what the segment before handed on."""
        low, high = self.plan.bounds[number]
        row, bound = (0, number) if sweep.up else (-1, number + 1)
        for name in sweep.carried:
            values[name][row] = self.kept[name][bound]
        for block in sweep.blocks:
            self.plan.run_block(block, values, 0, high - low)
        if high == self.plan.steps if sweep.up else low == 0:
            for flow in [name for name in sweep.written if name.endswith(NEXT)]:
                values[flow.removesuffix(NEXT)][-1 - row] = values[flow][
                    -1 - row
                ]  # an initial state has this flow alone

    def _segment(self, number: int) -> dict[str, Array]:
        if number not in self._segments:
            with np.errstate(all="ignore"):
                values = self._after([sweep for sweep in self._sweeps if sweep.in_time], number)
            for name in self._lazy:
                values[name].flags.writeable = False
            self._segments[number] = values
            if len(self._segments) > SEGMENTS_KEPT:
                self._segments.popitem(last=False)
        self._segments.move_to_end(number)
        return self._segments[number]

    def _owned(self, quantity: Quantity, number: int) -> tuple[int, int]:
        """The rows of the whole array that a segment writes: row t of a state belongs to step t, of a flow to the step after."""
        low, high = self.plan.bounds[number]
        if quantity.rows == "T":
            return low, high
        first, last = number == 0, high == self.plan.steps
        return (low + 1 - first, high + 1) if self._late[quantity.name] else (low, high + last)

    def _local(self, values: Mapping[str, Array], quantity: Quantity, number: int, low: int, high: int) -> Array:
        base = self.plan.bounds[number][0]
        return values[quantity.name][low - base : high - base]

    def _rows(self, quantity: Quantity, low: int, high: int) -> Array:
        if low == high:
            return np.empty((0, *self.plan.shape(quantity)[1:]), self.plan.network.dtype)
        parts: list[Array] = []
        # A row may belong to the segment before or after the one that its number alone would say.
        for number in range(max(0, self.plan.block_of(low) - 1), self.plan.block_of(high) + 1):
            first, stop = self._owned(quantity, number)
            if low < stop and high > first:
                rows = max(low, first), min(high, stop)
                parts.append(self._local(self._segment(number), quantity, number, *rows))
        if len(parts) == 1:
            return parts[0]
        joined = np.concatenate(parts)
        joined.flags.writeable = False
        return joined


def _repeated(row: Array, rows: int) -> Array:
    """An array all of whose rows are one and the same, which is written where it is."""
    return np.lib.stride_tricks.as_strided(row, (rows, *row.shape), (0, *row.strides))
