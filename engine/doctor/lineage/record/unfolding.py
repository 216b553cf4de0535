"""What does not fit into a row of a record, read and checked: operations on arrays, and arrays that were seen.

Whatever is laid out alike (as many axes, operands, parameters) is read at once, so that it takes a few calls for each layout and not one
for each operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.arrays import ArrayForm, ArrayTable, Ids, whole_numbers
from engine.doctor.lineage.record.tables import Events, OnArrays, Operations, Spot
from engine.doctor.recording.tracing.store import KEPT, VIEW

MOST_AXES = 32
ROWS = 1 << 14
"""So many are read at once."""


def unfolded(
    rows: NDArray[np.int32], seen: NDArray[np.int32], kinds: list[Spot], numbers: Ids, refs: Ids, count: int
) -> tuple[Operations, Events]:
    """Operations and events, by their rows and what stands beside them in `numbers`. An array that is told of several times is one."""
    stream = _Stream(numbers, refs, count)
    wide, arrays = np.flatnonzero(rows[0] < 0), np.flatnonzero(seen[2] < 0)
    columns, begins = stream.operations(*(rows[k][wide] for k in (2, 3, 4)))
    stream.seen(-1 - seen[2][arrays].astype(np.int64))
    forms, bases = (np.concatenate([np.zeros(0, np.int32), *parts]) for parts in (stream.forms, stream.bases))
    own, places = np.unique(forms.astype(np.int64) << 32 | bases, return_inverse=True)
    table = ArrayTable([ArrayForm(*form) for form in stream.known], *_halves(own), refs)
    rows[3, wide], rows[4, wide] = np.arange(len(wide)), 0
    seen[2, arrays] = -1 - places[begins[-1] :]
    operands = places[: begins[-1]]
    on_arrays = OnArrays(list(stream.shapes), list(stream.parameters), columns, begins, operands, table)
    return Operations(rows, on_arrays), Events(kinds, seen[:3], table)


def _halves(keys: NDArray[np.int64]) -> tuple[Ids, Ids]:
    return (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)


def _alike(block: Ids, rows: NDArray[np.int64], column: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """What stands in a column of these rows, with the rows in which it does."""
    values = block[rows, column]
    if (values == values[0]).all():
        yield int(values[0]), rows
        return
    for value in whole_numbers(np.unique(values)):
        yield value, rows[values == value]


class _Stream:
    """Reads what stands in `numbers`, with every range checked; `forms` and `bases` are those of the arrays that were told of so far."""

    def __init__(self, numbers: Ids, refs: Ids, count: int) -> None:
        self.numbers, self.refs, self.count = numbers, refs, count
        self.known = dict[tuple[tuple[int, ...], tuple[int, ...] | None], int]()
        self.shapes, self.parameters = dict[tuple[int, ...], int](), dict[tuple[int, ...], int]()
        self.sizes = list[int]()
        """Of the shapes."""
        self.forms, self.bases = list[Ids](), list[Ids]()

    def operations(self, starts: Ids, places: Ids, lengths: Ids) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The columns of shapes and parameters, and where the operands of each begin."""
        if ((places < 0) | (lengths < 3) | (places > len(self.numbers) - lengths)).any():
            raise ValueError
        if lengths.sum(dtype=np.int64) > len(self.numbers):
            raise ValueError
        columns, counts = np.zeros((2, len(places)), np.int32), np.zeros(len(places), np.int64)
        operands = list[tuple[NDArray[np.int64], int, Ids, Ids]]()
        for length in whole_numbers(np.unique(lengths)):
            every = np.flatnonzero(lengths == length)
            for some in (every[k : k + ROWS] for k in range(0, len(every), ROWS)):
                block = self.numbers[places[some][:, None] + np.arange(length)]
                for rows, shape, ats, end in self._layouts(block):
                    if (block[rows, end] != length - end - 1).any():
                        raise ValueError
                    own = some[rows]
                    columns[0, own], sizes = self._shapes(block[rows, 1 : shape + 1])
                    if (starts[own].astype(np.int64) + sizes > self.count).any():
                        raise ValueError
                    columns[1, own] = _places(block[rows, end + 1 :], self.parameters)
                    counts[own] = len(ats)
                    operands += ((own, k, *self._arrays(block[rows], at)) for k, at in enumerate(ats))
        begins = np.concatenate([[0], np.cumsum(counts)])
        forms, bases = np.zeros((2, int(begins[-1])), np.int32)
        for own, k, form, base in operands:
            forms[begins[own] + k], bases[begins[own] + k] = form, base
        self.forms.append(forms)
        self.bases.append(bases)
        return columns, begins

    def seen(self, places: NDArray[np.int64]) -> None:
        """The arrays of events."""
        if (places < 0).any() or (places > len(self.numbers) - 3).any():
            raise ValueError
        forms, bases = np.zeros((2, len(places)), np.int32)
        heads = self.numbers[places[:, None] + np.arange(3)] if len(places) else np.zeros((0, 3), np.int32)
        every = np.arange(len(places))
        for kind, alike in _alike(heads, every, 0) if len(places) else ():
            for ndim, rows in _alike(heads, alike, 2):
                width = _width(kind, ndim)
                for some in (rows[k : k + ROWS] for k in range(0, len(rows), ROWS)):
                    block = self.numbers[places[some][:, None] + np.arange(width)]
                    forms[some], bases[some] = self._arrays(block, 0)
        self.forms.append(forms)
        self.bases.append(bases)

    def _layouts(self, block: Ids) -> Iterator[tuple[NDArray[np.int64], int, tuple[int, ...], int]]:
        """Rows that are laid out alike: how many axes their results have, where each operand begins, and where the parameters do."""
        for ndim, some in _alike(block, np.arange(len(block)), 0):
            _check_axes(ndim)
            for operands, rows in _alike(block, some, ndim + 1):
                if not 0 <= operands <= block.shape[1]:
                    raise ValueError
                for own, ats, end in self._operands(block, rows, ndim + 2, operands, ()):
                    yield own, ndim, ats, end

    def _operands(
        self, block: Ids, rows: NDArray[np.int64], at: int, left: int, ats: tuple[int, ...]
    ) -> Iterator[tuple[NDArray[np.int64], tuple[int, ...], int]]:
        if not left:
            yield rows, ats, at
            return
        for kind, some in _alike(block, rows, at):
            for ndim, own in _alike(block, some, at + 2):
                yield from self._operands(block, own, at + _width(kind, ndim), left - 1, (*ats, at))

    def _shapes(self, shapes: Ids) -> tuple[Ids, NDArray[np.int64]]:
        """The places of these shapes among all, and their sizes."""
        places = _places(shapes, self.shapes)
        self.sizes += [self._size(shape) for shape in islice(self.shapes, len(self.sizes), None)]
        return places, np.array(self.sizes, np.int64)[places]

    def _arrays(self, block: Ids, at: int) -> tuple[Ids, Ids]:
        """The forms of the arrays that are told of from a column on, laid out alike, and the first number of each, or the place of that."""
        kind, ndim = int(block[0, at]), int(block[0, at + 2])
        bases, laid = block[:, at + 1].astype(np.int64), block[:, at + 3 : at + _width(kind, ndim)]
        forms = np.zeros(len(block), np.int32)
        for told, rows in _rows_alike(laid):
            shape, strides = told[:ndim], told[ndim:] if kind == VIEW else None
            size, low, high = self._size(shape), int(bases[rows].min()), int(bases[rows].max())
            if strides is None:
                is_inside = low >= 0 and high + size <= len(self.refs)
            else:
                along = [max(n - 1, 0) * step for n, step in zip(shape, strides, strict=True)]
                low += sum(step for step in along if step < 0)
                high += sum(step for step in along if step > 0)
                is_inside = low >= 1 and high < self.count
            if not is_inside:
                raise ValueError
            forms[rows] = self.known.setdefault((shape, strides), len(self.known))
        return forms, bases.astype(np.int32)

    def _size(self, shape: tuple[int, ...]) -> int:
        size = 1
        for n in shape:
            size *= n
            if n < 0 or size > self.count * 64:
                raise ValueError
        return size


def _check_axes(ndim: int) -> None:
    if not 0 <= ndim <= MOST_AXES:
        raise ValueError


def _width(kind: int, ndim: int) -> int:
    """How many numbers tell of an array."""
    _check_axes(ndim)
    if kind not in (VIEW, KEPT):
        raise ValueError
    return 3 + (2 * ndim if kind == VIEW else ndim)


def _rows_alike(rows: Ids) -> Iterator[tuple[tuple[int, ...], Any]]:
    """The rows that there are, with the places of each."""
    if (rows == rows[0]).all():
        yield tuple(rows[0].tolist()), slice(None)
        return
    own, which = np.unique(rows, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    edges = np.cumsum(np.bincount(which.ravel()))[:-1]
    for told, places in zip(own.tolist(), np.split(order, edges), strict=True):
        yield tuple(told), places


def _places(rows: Ids, known: dict[tuple[int, ...], int]) -> Ids:
    """The place of each row among those that are known."""
    made = np.zeros(len(rows), np.int32)
    for told, places in _rows_alike(rows):
        made[places] = known.setdefault(told, len(known))
    return made
