"""The loss carried back over a record: dL/d(every number that it was made from)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.arrays import any_from, whole_numbers
from engine.doctor.lineage.record.dependence import dependence
from engine.doctor.lineage.record.derivatives import share, shares
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, RecordedOperation
from engine.doctor.lineage.record.tables import BLOCK
from engine.doctor.recording.tracing.codes import NAMES

TOGETHER = 1 << 22
"""Numbers of one operand that are handed on at once."""
LARGE, FEW = 1 << 12, 4
"""Operations of which each makes more numbers are carried back one by one, and so are so few of a kind."""
Visit = Callable[[int, int, Floats, Floats, Floats], None]
"""Called with the operation's place, the operand's, dL/d(result), the share, and the running sum of shares of the operand."""


class CutOperands:
    """Operations, by their places, and an operand of each to which nothing is handed on."""

    def __init__(self, record: Record, of: Mapping[int, int]) -> None:
        graph = dependence(record)
        self.operand = np.full(len(record.operations), -1, np.int8)
        self.operand[list(of)] = list(of.values())
        self.depths = (
            graph.depths_with({k + 1: _makers_but(record, k, which) for k, which in of.items()}) if of else graph.depths
        )
        """How deep each operation is where what nothing is handed on to counts as given; they count from 1."""


def _makers_but(record: Record, k: int, which: int) -> list[int]:
    """The operations, counted from 1, that made the operands of one, but for an operand."""
    others = [r.ids().ravel() for place, r in enumerate(record.operations[k].operands) if place != which]
    return whole_numbers(np.unique(record.makers(np.concatenate([*others, np.zeros(0, np.int32)])) + 1))


def carried_back(
    record: Record,
    seeds: Sequence[tuple[RecordedArray, Floats]],
    visit: Visit | None = None,
    stops: CutOperands | None = None,
    *,
    down_to: int = 0,
) -> Floats:
    """dL/d(number) for every number of the record, 0 where the loss does not depend on it.

    `seeds` are arrays and dL/d(each): a loss is seeded with 1. Numbers that were made later than all seeds are not
    touched. `stops` are where nothing is handed on. Through the number `down_to` and those before it
    nothing is carried on.
    """
    adjoint = np.zeros(len(record.pool))
    last, had_part = 0, np.zeros(len(record.operations) + 1, np.uint32)
    for reference, seed in seeds:
        ids = reference.ids()
        np.add.at(adjoint, ids, seed)
        had_part[record.makers(ids) + 1] = 1
        last = max(last, int(ids.max(initial=0)))
    dependence(record).back(had_part)
    had_part[: int(record.starts.searchsorted(down_to, "right")) + 1] = 0
    if visit is None:
        _by_depth(record, adjoint, np.flatnonzero(had_part[1:]), stops or CutOperands(record, {}))
        adjoint[0] = 0.0
        return adjoint
    first = int(record.starts.searchsorted(last, "right"))
    with np.errstate(all="ignore"):
        for block in record.operations.blocks(first, 0):
            codes = record.operations.codes[block.begin : block.begin + len(block.starts)]
            columns = _columns(record, codes, block.starts, block.one, block.two)
            parts = had_part[block.begin + 1 : block.begin + 1 + len(block.starts)].tolist()
            for at, end, k in reversed(list(block.stretches())):
                if k >= 0 and parts[k]:
                    k += block.begin
                    operation = record.operations[k]
                    g = adjoint[operation.start : operation.stop]
                    if holds(g):
                        stopped = -1 if stops is None else int(stops.operand[k])
                        _hand_on(record, k, operation, g.reshape(operation.shape), adjoint, visit, stopped)
                if at < end:
                    _numbers_hand_on(columns, slice(at, end), block.begin, adjoint.data, visit)
    adjoint[0] = 0.0
    return adjoint


def _by_depth(record: Record, adjoint: Floats, places: NDArray[np.int64], stops: CutOperands) -> None:
    """The loss carried back through these operations, the deepest first: those of one depth know nothing of one another, and what does the
    same to arrays of the same form, with nothing handed on to the same operand, is carried back at once."""
    operations = record.operations
    kind, wide = np.full(len(places), -1, np.int64), operations.codes[places] < 0
    on_arrays = operations.wide.searchsorted(places[wide])
    kind[wide] = operations.alike[on_arrays]
    is_large = operations.sizes[places] > LARGE
    kind[wide & (is_large | (kind < 0))] = -2
    kind += np.where(kind < 0, 0, (1 + int(kind.max(initial=0))) * (1 + stops.operand[places].astype(np.int64)))
    depths = stops.depths[places + 1]
    order = np.lexsort((kind, wide, -depths))
    places, kind, wide, depths = places[order], kind[order], wide[order], depths[order]
    edges = np.flatnonzero((np.diff(kind) != 0) | ((np.diff(depths) != 0) & wide[1:]) | (kind[1:] == -2)) + 1
    begins, ends = [0, *edges.tolist()], [*edges.tolist(), len(places)]
    with np.errstate(all="ignore"):
        for begin, end in zip(begins, ends, strict=True):
            own = places[begin:end]
            if begin < end and kind[begin] == -1:
                _single_numbers(record, own, adjoint)
            elif end - begin < FEW or not _hand_on_together(record, own, adjoint, int(stops.operand[own[0]])):
                for k in whole_numbers(own):
                    operation = record.operations[k]
                    g = adjoint[operation.start : operation.stop]
                    if holds(g):
                        _hand_on(record, k, operation, g.reshape(operation.shape), adjoint, None, int(stops.operand[k]))


def _single_numbers(record: Record, places: NDArray[np.int64], adjoint: Floats) -> None:
    """Through operations on single numbers, in this order."""
    for k in range(0, len(places), BLOCK):
        some = places[k : k + BLOCK][::-1]
        operations = record.operations
        columns = (whole_numbers(column[some]) for column in (operations.starts, operations.one, operations.two))
        _numbers_hand_on(_columns(record, operations.codes[some], *columns), slice(0, len(some)), 0, adjoint.data, None)


def _hand_on_together(record: Record, places: NDArray[np.int64], adjoint: Floats, stopped: int) -> bool:
    """Through operations that do the same to arrays of the same form, of which none was made from another, but for the operand that is
    `stopped`; whether that can be."""
    operations, arrays = record.operations, record.operations.arrays
    first = operations[int(places[0])]
    most = max(1, TOGETHER // max(first.size, *(operand.size for operand in first.operands)))
    if len(places) > most:
        parts = (places[k : k + most] for k in range(0, len(places), most))
        return all(_hand_on_together(record, part, adjoint, stopped) for part in parts)
    starts = operations.starts[places]
    ids = starts[:, None] + np.arange(first.size)
    moving = adjoint[ids].any(axis=1)
    places, ids = places[moving], ids[moving]
    count = len(places)
    if not count:
        return True
    g, r = (numbers[ids].reshape(count, *first.shape) for numbers in (adjoint, record.pool))
    rows = operations.wide.searchsorted(places)
    read = [operations.operands[which][rows] for which in range(len(first.operands))]
    given = [each[:1] if (each == each[0]).all() else each for each in read]
    numbers = [arrays.numbers(each).reshape(len(each), *o.shape) for each, o in zip(given, first.operands, strict=True)]
    operands = [record.pool[each] for each in numbers]
    made = list[tuple[Ids, Floats]]()
    for which, own in enumerate(numbers):
        if which == stopped:
            continue
        part = shares(first.name, g, r, operands, which, first.parameters)
        if part is None:
            return False
        made.append((own, part))
    for own, part in made:
        if own.size == len(own):  # single numbers, which may be written in the text
            written = np.isin(own.ravel(), np.fromiter(record.constants, np.int64))
            written = np.broadcast_to(written, (count,)).reshape(count, *(1,) * (part.ndim - 1))
            part = np.where(written, 0.0, part)  # which may be one number, repeated
        if len(own) == 1 < count:
            part = part.sum(axis=0, keepdims=True)
        np.add.at(adjoint, own.ravel(), part.ravel())
    return True


_NumberColumns = tuple[list[int], list[int], list[int], list[float], list[float]]
_NumberRow = tuple[int, int, int, float, float]


def _columns(
    record: Record, codes: NDArray[np.int32], numbers: list[int], one: list[int], two: list[int]
) -> _NumberColumns:
    """Of the rows of single numbers: the number, its operands (0 for what is written in the text), and by what dL/d(it) is multiplied for
    each."""
    slopes, both, starts = np.zeros((2, len(numbers))), np.array((one, two)), np.array(numbers)
    for code in whole_numbers(np.unique(codes[codes > 0])):
        for count in (1, 2):
            rows = np.flatnonzero((codes == code) & ((both[1] > 0) == (count == 2)))
            operands = [record.pool[numbers[rows]] for numbers in both[:count]]
            for which in range(count) if len(rows) else ():
                slopes[which, rows] = share(NAMES[code], np.ones(len(rows)), record.pool[starts[rows]], operands, which)
    both[np.isin(both, np.fromiter(record.constants, np.int64))] = 0
    return cast("_NumberColumns", (numbers, *both.tolist(), *slopes.tolist()))


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
    marked, operations = np.zeros(len(record.pool), np.uint32), np.zeros(len(record.operations) + 1, np.uint32)
    for c, group in enumerate(groups):
        for reference in group:
            ids = reference.ids()
            marked[ids] |= np.uint32(1 << c)
            operations[record.makers(ids) + 1] |= np.uint32(1 << c)
    graph = dependence(record)
    graph.back(operations)
    graph.read_by(record, operations, marked)
    return marked


def reading(record: Record, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which operations read a number that is marked."""
    return dependence(record).touching(record, marked)[1:]


def depending(record: Record, sources: Iterable[Ids]) -> NDArray[np.bool_]:
    """Which numbers were made from any of these (themselves among them)."""
    numbers = np.zeros(len(record.pool), bool)
    for ids in sources:
        numbers[ids] = True
    return Marks(record, numbers).numbers()


class Marks:
    """Which operations made something from marked numbers, up to the one to which the marks were spread."""

    def __init__(
        self, record: Record, numbers: NDArray[np.bool_] | None = None, but: NDArray[np.bool_] | None = None
    ) -> None:
        """`numbers` are those that are marked at first. What was made together with a number that is in `but` is not marked."""
        self._record = record
        self._graph = dependence(record)
        self._at_first = np.zeros(len(record.pool), bool) if numbers is None else numbers
        self._of = self._graph.touching(record, self._at_first)
        self._but = None if but is None else self._made_with(but)
        if self._but is not None:
            self._of &= ~self._but
        self._done = 1

    def _made_with(self, numbers: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which operations made any of these numbers."""
        operations, made = self._record.operations, np.zeros(len(self._of), bool)
        rows = np.flatnonzero(operations.sizes)
        made[rows + 1] = any_from(numbers, operations.starts[rows], operations.sizes[rows])
        return made

    def mark(self, k: int) -> None:
        """What operation k made is marked."""
        self._of[k + 1] = True

    def is_marked(self, k: int) -> bool:
        """Whether operation k made something from what is marked; its marks and those of all before it are spread."""
        if self._done < k + 2:
            self._graph.on(self._of, self._done, k + 2, self._but)
            self._done = k + 2
        return bool(self._of[k + 1])

    def numbers(self) -> NDArray[np.bool_]:
        """Which numbers are marked, once the marks are spread over all operations."""
        operations = self._record.operations
        if operations:
            self.is_marked(len(operations) - 1)
        rows = np.flatnonzero(self._of[1:] & (operations.sizes > 0))
        starts, sizes = operations.starts[rows], operations.sizes[rows]
        steps = np.zeros(len(self._at_first) + 1, np.int8)
        steps[starts] += 1
        steps[starts + sizes] -= 1
        return np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_) | self._at_first


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
