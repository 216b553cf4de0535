"""The loss carried back over a record: dL/d(every number that it was made from)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.derivatives import share
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, RecordedOperation
from engine.doctor.lineage.record.tables import OperationBlock, whole_numbers
from engine.doctor.recording.tracing.codes import NAMES

Visit = Callable[[int, int, Floats, Floats, Floats], None]
"""Called with the operation's place, the operand's, dL/d(result), the share, and the running sum of shares of the operand."""


def carried_back(
    record: Record,
    seeds: Sequence[tuple[RecordedArray, Floats]],
    visit: Visit | None = None,
    stops: Mapping[int, int] | None = None,
) -> Floats:
    """dL/d(number) for every number of the record, 0 where the loss does not depend on it.

    `seeds` are arrays and dL/d(each): a loss is seeded with 1. Numbers that were made later than all seeds are not
    touched. `stops` are places of operations and of an operand of each to which nothing is handed on.
    """
    adjoint = np.zeros(len(record.pool))
    last = 0
    for reference, seed in seeds:
        ids = reference.ids()
        np.add.at(adjoint, ids, seed)
        last = max(last, int(ids.max(initial=0)))
    first = int(record.starts.searchsorted(last, "right"))
    with np.errstate(all="ignore"):
        for block in record.operations.blocks(first, 0):
            columns = _columns(record, block)
            for at, end, k in reversed(list(block.stretches())):
                if k >= 0:
                    k += block.begin
                    operation = record.operations[k]
                    g = adjoint[operation.start : operation.stop]
                    if holds(g):
                        stopped = stops.get(k, -1) if stops else -1
                        _hand_on(record, k, operation, g.reshape(operation.shape), adjoint, visit, stopped)
                if at < end:
                    _numbers_hand_on(columns, slice(at, end), block.begin, adjoint.data, visit)
    adjoint[0] = 0.0
    return adjoint


_NumberColumns = tuple[list[int], list[int], list[int], list[float], list[float]]
_NumberRow = tuple[int, int, int, float, float]


def _columns(record: Record, block: OperationBlock) -> _NumberColumns:
    """Of the rows of single numbers: the number, its operands (0 for what is written in the text), and by what dL/d(it) is multiplied for
    each."""
    slopes, both = np.zeros((2, len(block.starts))), np.array((block.one, block.two))
    codes = record.operations.codes[block.begin : block.begin + len(block.starts)]
    starts = np.array(block.starts)
    for code in whole_numbers(np.unique(codes[codes > 0])):
        for count in (1, 2):
            rows = np.flatnonzero((codes == code) & ((both[1] > 0) == (count == 2)))
            operands = [record.pool[numbers[rows]] for numbers in both[:count]]
            for which in range(count) if len(rows) else ():
                slopes[which, rows] = share(NAMES[code], np.ones(len(rows)), record.pool[starts[rows]], operands, which)
    both[np.isin(both, np.fromiter(record.constants, np.int64))] = 0
    return cast("_NumberColumns", (block.starts, *both.tolist(), *slopes.tolist()))


def _numbers_hand_on(
    columns: _NumberColumns, rows: slice, begin: int, adjoint: memoryview[Any], visit: Visit | None
) -> None:
    """Single numbers, the last first. What is not there, or is written in the text, is number 0."""
    each = cast("Iterator[_NumberRow]", zip(*(column[rows][::-1] for column in columns), strict=True))
    if visit is None:
        for number, one, two, p, q in each:
            g = adjoint[number]
            if g:
                adjoint[one] += g * p
                adjoint[two] += g * q
        return
    place = begin + rows.stop
    for number, one, two, p, q in each:
        place -= 1
        g = adjoint[number]
        for which, (operand, slope) in enumerate(((one, p), (two, q))) if g else ():
            if operand:
                adjoint[operand] += g * slope
                visit(place, which, np.asarray(g), np.asarray(g * slope), np.asarray(adjoint[operand]))


def _hand_on(
    record: Record,
    k: int,
    operation: RecordedOperation,
    g: Floats,
    adjoint: Floats,
    visit: Visit | None,
    stopped: int = -1,
) -> None:
    operands = [r.of(record.pool) for r in operation.operands]
    result = operation.result.of(record.pool)
    for which, reference in enumerate(operation.operands):
        if which == stopped or (reference.size == 1 and reference.first in record.constants):
            continue
        part = share(operation.name, g, result, operands, which, operation.parameters)
        add_to(adjoint, reference, part)
        if visit is not None:
            visit(k, which, g, part, reference.of(adjoint))


def share_of(record: Record, adjoint: Floats, k: int, which: int) -> Floats:
    """The share that operand `which` of operation k gets, from the finished adjoint of its result."""
    operation = record.operations[k]
    g = adjoint[operation.start : operation.stop].reshape(operation.shape)
    operands = [r.of(record.pool) for r in operation.operands]
    with np.errstate(all="ignore"):
        return share(operation.name, g, operation.result.of(record.pool), operands, which, operation.parameters)


def add_to(numbers: Floats, reference: RecordedArray, values: Floats) -> None:
    """Adds values to the numbers that an array is made of; a number that stands several times gets the sum."""
    if reference.kept is None and (0 not in reference.strides or reference.size == 1):
        view = reference.of(numbers)
        view += values
        return
    ids = reference.ids()
    if reference.repeats:
        np.add.at(numbers, ids.ravel(), np.broadcast_to(values, reference.shape).ravel())
    else:
        numbers[ids] += values


def reached(record: Record, targets: Iterable[RecordedArray]) -> NDArray[np.bool_]:
    """Which numbers these arrays were made from (themselves among them)."""
    return reached_by_each(record, [targets]) != 0


def reached_by_each(record: Record, groups: Sequence[Iterable[RecordedArray]]) -> NDArray[np.uint32]:
    """For up to 32 groups of arrays in one pass: bit c of a number is set if group c was made from it."""
    marked, last = np.zeros(len(record.pool), np.uint32), 0
    numbers = marked.data
    for c, group in enumerate(groups):
        for reference in group:
            ids = reference.ids()
            marked[ids] |= np.uint32(1 << c)
            last = max(last, int(ids.max(initial=0)))
    first = int(record.starts.searchsorted(last, "right"))
    for block in record.operations.blocks(first, 0):
        for at, end, k in reversed(list(block.stretches())):
            if k >= 0:
                _mark_operands(record.operations[block.begin + k], marked)
            if at < end:
                some = block.starts[at:end][::-1], block.one[at:end][::-1], block.two[at:end][::-1]
                for number, one, two in zip(*some, strict=True):
                    bits = numbers[number]
                    if bits:
                        numbers[one] |= bits
                        numbers[two] |= bits
    marked[0] = 0
    return marked


def _mark_operands(operation: RecordedOperation, marked: NDArray[np.uint32]) -> None:
    bits = _union(marked[operation.start : operation.stop])
    for reference in operation.operands if bits else ():
        if reference.kept is not None:
            marked[reference.kept] |= bits
        else:
            view = reference.of(marked)
            view |= bits


def depending(record: Record, sources: Iterable[Ids]) -> NDArray[np.bool_]:
    """Which numbers were made from any of these (themselves among them)."""
    marks = Marks(record)
    for ids in sources:
        marks.of[ids] = True
    marks.spread(len(record.operations))
    return marks.of


class Marks:
    """Which numbers are marked (`of`): what is made from them is, too, up to the operation to which the marks were spread."""

    def __init__(self, record: Record, but: NDArray[np.bool_] | None = None) -> None:
        """What was made together with a number that is in `but` is not marked."""
        self.of = np.zeros(len(record.pool), np.bool_)
        self._record = record
        self._but = but
        self._done = 0

    def spread(self, until: int) -> None:
        """Marks what was made from marked numbers by the operations before this one."""
        numbers, operations = self.of.view(np.uint8).data, self._record.operations
        for block in operations.blocks(self._done, until) if self._done < until else ():
            for at, end, k in block.stretches():
                if at < end:
                    for number, one, two in zip(
                        block.starts[at:end], block.one[at:end], block.two[at:end], strict=True
                    ):
                        if numbers[one] or numbers[two]:
                            numbers[number] = 1
                if k >= 0:
                    operation = operations[block.begin + k]
                    is_left = self._but is not None and holds(self._but[operation.start : operation.stop])
                    if not is_left and any(touched(self.of, r) for r in operation.operands):
                        self.of[operation.start : operation.stop] = True
        self._done = max(self._done, until)


def _union(bits: NDArray[np.uint32]) -> np.uint32:
    return np.bitwise_or.reduce(bits) if holds(bits) else np.uint32(0)


def holds(numbers: NDArray[Any]) -> bool:
    """Whether any number is not zero. Most arrays are small, and counting is four times as quick there as `any`."""
    return bool(np.count_nonzero(numbers))


def touched(marked: NDArray[np.bool_], reference: RecordedArray) -> bool:
    """Whether any number of an array is marked."""
    if not reference.shape:
        return bool(marked[reference.first])
    if reference.follows:
        return holds(marked[reference.base : reference.base + reference.size])
    return holds(reference.of(marked))
