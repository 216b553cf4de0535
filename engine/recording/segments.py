"""A recording that keeps checkpoints only, and computes a segment of steps again when one of its rows is asked for.

Kept at about every √T-th step are the rows that one step hands to the next: states going forward, their gradients going
backward, and each parameter's gradient as far as it is summed there; besides them what has no time axis, the read-out's
small arrays, and the norms of every row that pictures over all steps need (Chen, Xu, Zhang, Guestrin 2016: Training
deep nets with sublinear memory cost). A segment is a block of the plan, so its rows have the same bits whenever they
are computed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from engine.language.derive import NEXT
from engine.language.functions import Array
from engine.model.blocks import Phase, Quantity
from engine.recording.plan import Plan, Progress

SEGMENTS_KEPT = 4


class LazyArray:
    """Stands for an array, (rows, ...); its rows are computed again when they are read.

    Reading one row or a slice of rows computes just these; everything else that an array can do computes all of them.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], read: Callable[[int, int], Array]) -> None:
        self.shape = shape
        self.ndim = len(shape)
        self.dtype = dtype
        self._read = read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        keys = cast(tuple[Any, ...], key if isinstance(key, tuple) else (key,))
        first, rest = (keys[0], keys[1:]) if keys else (None, ())
        if isinstance(first, int):
            row = range(len(self))[first]
            return self._read(row, row + 1)[(0, *rest)]
        if isinstance(first, slice):
            low, high, stride = first.indices(len(self))
            if stride == 1:
                return self._read(low, max(low, high))[(slice(None), *rest)]
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        whole = self._read(0, len(self))
        return whole if dtype is None else whole.astype(dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


@dataclass
class _Figures:
    """Figures of one quantity: the norm of every row, that of every sample's row (rows, B), whether a row is finite, the largest
    magnitude, and that of the smallest row."""

    norms: Array
    by_sample: Array
    finite: Array
    largest: float = 0.0
    smallest: float = np.inf

    def add(self, rows: Array, low: int, high: int) -> None:
        by_sample = row_norms(rows.reshape(-1, *rows.shape[2:])).reshape(high - low, -1)
        self.by_sample[low:high] = by_sample
        self.norms[low:high] = by_sample[:, 0] if by_sample.shape[1] == 1 else row_norms(rows)
        largest = np.abs(rows).reshape(len(rows), -1).max(axis=1, initial=0.0)
        self.finite[low:high] = np.isfinite(largest)
        if not self.finite[low:high].all():
            magnitude = np.abs(rows[np.isfinite(rows)])
            self.largest = max(self.largest, float(magnitude.max(initial=0.0)))
            largest = largest[np.isfinite(largest)]
        self.largest = max(self.largest, float(largest.max(initial=0.0)))
        self.smallest = min(self.smallest, float(largest[largest > 0].min(initial=np.inf)))


class Segments(Mapping[str, Array]):
    """The arrays of a recording by name: a quantity in time that is not kept whole is a `LazyArray`."""

    def __init__(self, plan: Plan, arrays: dict[str, Array], parameters: Mapping[str, Array]) -> None:
        self.plan = plan
        self.kept = arrays
        self.parameters = parameters
        self.sums: dict[str, Array] = {}
        self._figures: dict[str, _Figures] = {}
        self._segments: OrderedDict[int, dict[str, Array]] = OrderedDict()
        quantities = plan.program.quantities
        self._lazy = {name: q for name, q in quantities.items() if not plan.whole(q)}
        self._up, self._down = plan.carried("forward"), plan.carried("backward")
        self._late = {name: plan.writes_step(name) == 0 for name in self._lazy}
        self._flows = [name for name in quantities if name.endswith(NEXT)]

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
        """A gradient summed over steps T down to t: what is kept of the segments after, and this one's terms."""
        number = (t - 1) // self.plan.block_steps
        low, high = self.plan.bounds[number]
        result = self.sums[name][number + 1].copy()
        with np.errstate(all="ignore"):
            self.plan.add_terms({**self._segment(number), name: result}, name, t - 1 - low, high - low)
        result.flags.writeable = False
        return result

    def record(self, progress: Progress | None = None) -> None:
        """Runs forward, loss and backward, two segments in memory at a time; what is to be kept is written into `kept` and `sums`."""
        plan, segments = self.plan, len(self.plan.bounds)
        gradients = plan.summed
        for name in gradients:
            self.kept[name][...] = 0
            self.sums[name] = np.zeros((segments + 1, *self.kept[name].shape), plan.network.dtype)
        self._figures = {
            name: _Figures(np.zeros(rows), np.zeros((rows, plan.batch)), np.ones(rows, bool))
            for name, rows in ((name, plan.shape(q)[0]) for name, q in self._lazy.items())
        }
        values = self._forward(progress)
        for number in reversed(range(segments)):
            if number < segments - 1:
                values = self._values(number)
                self._through("forward", values, number)
            self._backward(number, values)
            for name in gradients:
                self.sums[name][number] = self.kept[name]
            for name, quantity in self._lazy.items():
                low, high = self._owned(quantity, number)
                self._figures[name].add(self._local(values, quantity, number, low, high), low, high)
            if progress is not None:
                progress(1 - 2 * number / (3 * segments))
        self._once(values, 0, 1, after="backward")
        for array in (*self.kept.values(), *self.sums.values()):
            array.flags.writeable = False

    def _forward(self, progress: Progress | None) -> dict[str, Array]:
        """All segments forward, and what runs once before and after them; the last segment's values."""
        plan, segments, values = self.plan, len(self.plan.bounds), dict[str, Array]()
        every = plan.network.predict == "every"
        self.kept["loss"][...] = 0
        begun = self._values(0)
        self._once(begun, 0, 1, until="forward")
        for name in self._up:  # initial states may be learned
            self.kept[name][0] = begun[name][0]
        for number in range(segments):
            values = self._values(number)
            self._through("forward", values, number)
            if every:
                self._once(values, *self._span(number), after="forward", until="backward")
            for name in self._up:
                self.kept[name][number + 1] = values[name][-1]
            if progress is not None:
                progress((number + 1) / (3 * segments))
        if not every:
            last = self._span(segments - 1)[1]
            self._once(values, last - 1, last, after="forward", until="backward")
        for name in self._down:
            self.kept[name][segments] = values[name][-1]
        return values

    def _once(
        self, values: dict[str, Array], low: int, high: int, *, after: Phase | None = None, until: Phase | None = None
    ) -> None:
        """Runs the blocks between two loops through time, the update's left out."""
        program = self.plan.program
        first = program.blocks.index(program.looped(after)[-1]) + 1 if after else 0
        last = program.blocks.index(program.looped(until)[0]) if until else None
        for block in program.blocks[first:last]:
            if block.phase != "update":
                self.plan.run_block(block, values, low, high)

    def _through(self, phase: Phase, values: dict[str, Array], number: int) -> None:
        """Runs all layers through the steps of a segment."""
        for block in self.plan.program.looped(phase):
            self.plan.run_block(block, values, *self._span(number))

    def _backward(self, number: int, values: dict[str, Array]) -> None:
        for name in self._down:
            values[name][-1] = self.kept[name][number + 1]
        self._through("backward", values, number)
        for name in self._down:
            self.kept[name][number] = values[name][0]
        self._first_rows(number, values)

    def _first_rows(self, number: int, values: dict[str, Array]) -> None:
        for flow in self._flows if number == 0 else ():
            values[flow.removesuffix(NEXT)][0] = values[flow][0]

    def _span(self, number: int) -> tuple[int, int]:
        low, high = self.plan.bounds[number]
        return 0, high - low

    def _values(self, number: int, *, again: bool = False) -> dict[str, Array]:
        """The arrays of a segment with its initial rows filled; with `again` what is kept already is not written a second time."""
        low, high = self.plan.bounds[number]
        values = dict(self.parameters)
        for name, quantity in self.plan.program.quantities.items():
            kept = self.kept.get(name)
            if name in self._lazy:
                rows = high - low + (quantity.rows == "T+1")
                values[name] = array = np.empty((rows, *self.plan.shape(quantity)[1:]), self.plan.network.dtype)
                if quantity.rows == "T+1":
                    array[0] = array[-1] = 0
                if name in self._up and kept is not None:
                    array[0] = kept[number]
            elif kept is not None:
                values[name] = kept[low:high] if quantity.rows else kept
                once = quantity.given or name in self.plan.program.written_once
                if again and not once and (quantity.rows or name in self.sums):
                    values[name] = np.zeros_like(values[name])
        return values

    def _segment(self, number: int) -> dict[str, Array]:
        if number not in self._segments:
            values = self._values(number, again=True)
            with np.errstate(all="ignore"):
                self._through("forward", values, number)
                for name in self._down:
                    values[name][-1] = self.kept[name][number + 1]
                self._through("backward", values, number)
                self._first_rows(number, values)
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
        late = self._late[quantity.name]
        first, last = number == 0, high == self.plan.steps
        return (low + 1 - first, high + 1) if late else (low, high + last)

    def _local(self, values: Mapping[str, Array], quantity: Quantity, number: int, low: int, high: int) -> Array:
        base = self.plan.bounds[number][0]
        return values[quantity.name][low - base : high - base]

    def _rows(self, quantity: Quantity, low: int, high: int) -> Array:
        if low == high:
            return np.empty((0, *self.plan.shape(quantity)[1:]), self.plan.network.dtype)
        parts: list[Array] = []
        size = self.plan.block_steps
        # A row may belong to the segment before or after the one that its number alone would say.
        for number in range(max(0, low // size - 1), min(len(self.plan.bounds), high // size + 1)):
            first, stop = self._owned(quantity, number)
            if low < stop and high > first:
                rows = max(low, first), min(high, stop)
                parts.append(self._local(self._segment(number), quantity, number, *rows))
        if len(parts) == 1:
            return parts[0]
        joined = np.concatenate(parts)
        joined.flags.writeable = False
        return joined


def row_norms(rows: Array) -> Array:
    """‖row‖ over all but the first axis, for each row."""
    flat = np.abs(rows.reshape(len(rows), -1)).astype(np.float64, copy=False)
    largest = flat.max(axis=1, initial=0.0)
    # Squares of large numbers overflow and those of small ones vanish: each row is divided by its largest magnitude first.
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    with np.errstate(all="ignore"):
        scaled = flat / unit[:, None]
        return unit * np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
