"""Operations and events of a run as tables: a program that computes number by number has very many of them. What a row stands for is made
when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.arrays import (
    AnyNumber,
    ArrayTable,
    Ids,
    RecordedArray,
    in_order,
    ranges,
    single,
    whole_numbers,
)
from engine.doctor.recording.tracing.codes import CODES, NAMES
from engine.doctor.recording.tracing.store import LISTED

BLOCK = 1 << 14
"""So many rows are looked at at once."""
IN_PLACE = (1,)
"""What an operation's parameters are that puts its result in the place of its first operand."""


@dataclass(frozen=True, eq=False, slots=True)
class RecordedOperation:
    """An operation: its result has the ids from `start` on, in C order. It is made as often as it is asked for: by its result it is the
    same one."""

    name: str
    line: int
    start: int
    shape: tuple[int, ...]
    operands: tuple[RecordedArray, ...]
    parameters: tuple[int, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedOperation) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[int, int, str, tuple[int, ...]]:
        return self.start, self.line, self.name, self.shape

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def stop(self) -> int:
        return self.start + self.size

    @property
    def joins_a_list(self) -> bool:
        """Whether it makes one array of the numbers of a list that came from outside."""
        return self.name == "gather" and self.parameters == LISTED

    @property
    def result(self) -> RecordedArray:
        return RecordedArray(self.shape, self.start, in_order(self.shape))


@dataclass(frozen=True)
class RecordedSite:
    """A place in the text at which a value was seen; `kind` is assign, step, increment, append, argument or return."""

    file: str
    line: int
    kind: str
    target: str
    function: str
    text: str
    names: tuple[str, ...]
    value: str


@dataclass(frozen=True, eq=False, slots=True)
class RecordedEvent:
    """A value that was seen at a site. `part` counts from 1 where several were unpacked or returned; `time` is the id
    that came next; `place` is where it stands among all events of the run."""

    site: RecordedSite
    part: int
    time: int
    value: RecordedArray
    name: str
    """What the value is called there, "" where it has no name."""
    place: int = -1


@dataclass(frozen=True, eq=False, slots=True)
class OperationBlock:
    """Some rows of operations as lists: where Python goes through single numbers one after the other, these are quick. `wide` are the
    places, in the block, of those on arrays, `begin` that of its first row among the operations."""

    begin: int
    wide: list[int]
    starts: list[int]
    one: list[int]
    two: list[int]

    def stretches(self) -> Iterator[tuple[int, int, int]]:
        """From where to before where there are single numbers, and the place of the operation on arrays that follows, -1 after the last."""
        at = 0
        for k in self.wide:
            yield at, k, k
            at = k + 1
        yield at, len(self.starts), -1


class OnArrays:
    """What operations on arrays have beyond a row.

    A column each: `shapes` and `parameters` (places among all of these), and `begins`: `operands[begins[k]:begins[k + 1]]` are the places,
    among `arrays`, of what the k-th reads.
    """

    def __init__(
        self,
        all_shapes: Sequence[tuple[int, ...]],
        all_parameters: Sequence[tuple[int, ...]],
        columns: NDArray[np.int32],
        begins: NDArray[np.int64],
        operands: NDArray[np.int64],
        arrays: ArrayTable,
    ) -> None:
        self.all_shapes, self.all_parameters = all_shapes, all_parameters
        self.shapes, self.parameters = columns
        self.begins, self.operands, self.arrays = begins, operands, arrays
        self._made: list[RecordedOperation | None] = [None] * len(self.shapes)

    @cached_property
    def sizes(self) -> Ids:
        """How many numbers each made."""
        return np.array([prod(shape) for shape in self.all_shapes], np.int32)[self.shapes]

    def operation(self, k: int, code: int, line: int, start: int) -> RecordedOperation:
        """The k-th."""
        made = self._made[k]
        if made is None:
            read = whole_numbers(self.operands[self.begins[k] : self.begins[k + 1]])
            shape, parameters = self.all_shapes[int(self.shapes[k])], self.all_parameters[int(self.parameters[k])]
            operands = tuple([self.arrays[place] for place in read])
            made = self._made[k] = RecordedOperation(NAMES[code], line, start, shape, operands, parameters)
        return made


class Operations(Sequence[RecordedOperation]):
    """The operations of a run, or of a round of it, in their order.

    A column each: `codes`, `lines`, `starts`, and the operands of those that make a single number of one or two others, `one` and `two` (0
    where there is none). The others, `wide`, have a code below 0, and the place among those `on_arrays` in the column of `one`.
    """

    def __init__(self, table: NDArray[np.int32], on_arrays: OnArrays) -> None:
        self.codes, self.lines, self.starts, self._one, self.two = table
        self._table = table
        self._on_arrays = on_arrays

    @classmethod
    def of(cls, operations: Sequence[RecordedOperation]) -> Operations:
        """A table of these."""
        rows = [(-CODES[o.name], o.line, o.start, k, 0) for k, o in enumerate(operations)]
        arrays = list(dict.fromkeys(array for o in operations for array in o.operands))
        place = {array: k for k, array in enumerate(arrays)}
        columns = np.stack([np.arange(len(operations), dtype=np.int32)] * 2)
        begins = np.cumsum([0, *(len(o.operands) for o in operations)])
        operands = np.array([place[array] for o in operations for array in o.operands], np.int64)
        shapes, parameters = [o.shape for o in operations], [o.parameters for o in operations]
        on_arrays = OnArrays(shapes, parameters, columns, begins, operands, ArrayTable.of(arrays))
        return cls(np.array(rows, np.int32).reshape(-1, 5).T, on_arrays)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, key: int) -> RecordedOperation: ...
    @overload
    def __getitem__(self, key: slice) -> Operations: ...
    def __getitem__(self, key: int | slice) -> RecordedOperation | Operations:
        if isinstance(key, slice):
            return Operations(self._table[:, key], self._on_arrays)
        return self._row(*self._table[:, key].tolist())

    def _row(self, code: int, line: int, start: int, one: int, two: int) -> RecordedOperation:
        if code < 0:
            return self._on_arrays.operation(one, -code, line, start)
        return RecordedOperation(NAMES[code], line, start, (), (single(one), single(two)) if two else (single(one),))

    def __iter__(self) -> Iterator[RecordedOperation]:
        return self.at(slice(None))

    def __reversed__(self) -> Iterator[RecordedOperation]:
        return self.at(slice(None, None, -1))

    def at(self, places: NDArray[np.integer[Any]] | slice) -> Iterator[RecordedOperation]:
        """Those at these places."""
        table = self._table[:, places]
        for k in range(0, table.shape[1], BLOCK):
            for row in table[:, k : k + BLOCK].T.tolist():
                yield self._row(*row)

    def on_arrays(self) -> Iterator[RecordedOperation]:
        """Those that are not of single numbers alone."""
        return self.at(self.wide)

    def blocks(self, first: int, last: int) -> Iterator[OperationBlock]:
        """The rows from `first` to before `last`, so many at a time. Also backwards, where `first` is beyond `last`: then to `last`."""
        low, high = min(first, last), max(first, last)
        begins = range(low, high, BLOCK)
        for begin in begins if first < last else reversed(begins):
            columns = self._table[:, begin : min(begin + BLOCK, high)]
            wide = np.flatnonzero(columns[0] < 0).tolist()
            yield OperationBlock(begin, wide, *columns[2:].tolist())

    def named(self, names: Iterable[str]) -> NDArray[np.int64]:
        """The places of those of these names."""
        return np.flatnonzero(np.isin(np.abs(self.codes), [CODES[name] for name in names]))

    @cached_property
    def one(self) -> Ids:
        """The first operands of what makes single numbers of such."""
        return np.where(self.codes > 0, self._one, 0)

    @cached_property
    def wide(self) -> NDArray[np.int64]:
        """The places of those on arrays."""
        return np.flatnonzero(self.codes < 0)

    @property
    def arrays(self) -> ArrayTable:
        """What operations on arrays read, also those of the run that are not among these."""
        return self._on_arrays.arrays

    @cached_property
    def reads(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """What operations on arrays read, operand by operand: the place of the operation, which of its operands it is, and the array's
        place among `arrays`."""
        rows, begins = self._one[self.wide], self._on_arrays.begins
        counts = begins[rows + 1] - begins[rows]
        which = ranges(np.zeros(len(rows), np.int64), counts)
        return np.repeat(self.wide, counts), which, self._on_arrays.operands[np.repeat(begins[rows], counts) + which]

    @cached_property
    def operands(self) -> Ids:
        """The places, among `arrays`, of the first three operands of each operation on arrays, -1 where it has fewer."""
        rows, begins = self._one[self.wide], self._on_arrays.begins
        made = np.full((3, len(rows)), -1, np.int32)
        for which, places in enumerate(made):
            has = begins[rows + 1] - begins[rows] > which
            places[has] = self._on_arrays.operands[begins[rows[has]] + which]
        return made

    @cached_property
    def alike(self) -> NDArray[np.int64]:
        """For each operation on arrays a number that those share which do the same to arrays of the same forms; below 0 where three are
        read."""
        rows, on_arrays = self._one[self.wide], self._on_arrays
        made = on_arrays.shapes[rows].astype(np.int64) << 32 | on_arrays.parameters[rows]
        forms = np.append(self.arrays.forms, -1)  # for what is not there
        for column in (self.codes[self.wide], forms[self.operands[0]], forms[self.operands[1]]):
            _, made = np.unique(made, return_inverse=True)
            made = made.astype(np.int64) << 32 | (column.astype(np.int64) & 0xFFFFFFFF)
        _, made = np.unique(made, return_inverse=True)
        return np.where(self.operands[2] < 0, made, -1)

    @cached_property
    def sums_on_arrays(self) -> NDArray[np.int64]:
        """The places of sums and differences of arrays."""
        sums = self.named(("add", "subtract"))
        return sums[self.codes[sums] < 0]

    @cached_property
    def _first_reads(self) -> tuple[NDArray[np.int64], Ids]:
        """The arrays of several numbers that are operands, by their first numbers and how many there are, and the first number of what was
        made of each first."""
        users, _, used = self.reads
        firsts, sizes = self.arrays.firsts[used], self.arrays.sizes[used]
        several = np.flatnonzero(sizes > 1)
        keys, at = np.unique(firsts[several].astype(np.int64) << 32 | sizes[several], return_index=True)
        return keys, self.starts[users[several[at]]]

    def first_read(self, first: int, size: int) -> int | None:
        """The first number of what was made first of an array of several numbers, told by its first number and how many there are."""
        keys, starts = self._first_reads
        place = int(keys.searchsorted(key := first << 32 | size))
        return int(starts[place]) if place < len(keys) and keys[place] == key else None

    def have(self, parameters: tuple[int, ...]) -> NDArray[np.bool_]:
        """Which have these parameters."""
        on_arrays, made = self._on_arrays, np.full(len(self), parameters == ())
        known = np.array([p == parameters for p in on_arrays.all_parameters], bool)
        made[self.wide] = known[on_arrays.parameters[self._one[self.wide]]]
        return made

    @cached_property
    def sums(self) -> dict[int, int]:
        """By the first number of arrays of several numbers: the place of what adds another of their shape to them, or subtracts it, if
        nothing was made of them before."""
        rows, arrays = self.sums_on_arrays, self.arrays
        one, two, three = self.operands[:, self.wide.searchsorted(rows)]
        shapes, sizes, (keys, starts) = arrays.shapes, arrays.sizes[one], self._first_reads
        own = np.flatnonzero((two >= 0) & (three < 0) & (shapes[one] == shapes[two]) & (sizes > 1))
        rows, firsts, sizes = rows[own], arrays.firsts[one[own]], sizes[own]
        begun = starts[keys.searchsorted(firsts.astype(np.int64) << 32 | sizes)]
        is_first = begun == self.starts[rows]
        return dict(zip(whole_numbers(firsts[is_first]), whole_numbers(rows[is_first]), strict=True))

    @cached_property
    def sizes(self) -> Ids:
        """How many numbers each made."""
        made = np.ones(len(self), np.int32)
        made[self.wide] = self._on_arrays.sizes[self._one[self.wide]]
        return made


class Spot:
    """What events have in common that were seen at one site, as the same part of what was there."""

    def __init__(self, site: RecordedSite, part: int, names: Sequence[str] = ()) -> None:
        """A part below 0 has a name of its own: -1 is the first of `names`."""
        self.site = site
        self.part = part
        self.name = names[-1 - part] if part < 0 else site.target
        if 0 < part <= len(site.names):
            self.name = site.names[part - 1]
        elif part > 0 and site.kind == "assign" and site.target:
            self.name = f"{site.target}[{part - 1}]"


class Events(Sequence[RecordedEvent]):
    """What was seen in a run, or in a round of it, in its order.

    A column each: `spots` (places in `kinds`), `times`, and the number that was seen, where it is one. Arrays have -1 minus their place
    among `arrays` there. `begin` is the place of the first one among all events of the run.
    """

    def __init__(self, kinds: Sequence[Spot], table: NDArray[np.int32], arrays: ArrayTable, begin: int = 0) -> None:
        self.kinds = kinds
        self.spots, self.times, self._numbers = table
        self._table = table
        self._arrays = arrays
        self._begin = begin

    @classmethod
    def none(cls) -> Events:
        """Nothing was seen."""
        return cls((), np.zeros((3, 0), np.int32), ArrayTable.of(()))

    def __len__(self) -> int:
        return len(self.spots)

    @overload
    def __getitem__(self, key: int) -> RecordedEvent: ...
    @overload
    def __getitem__(self, key: slice) -> Events: ...
    def __getitem__(self, key: int | slice) -> RecordedEvent | Events:
        if isinstance(key, slice):
            first, last, _ = key.indices(len(self))
            return Events(self.kinds, self._table[:, first:last], self._arrays, self._begin + first)
        key = range(len(self))[key]
        return self._row(key, *self._table[:, key].tolist())

    def _row(self, place: int, spot: int, time: int, number: int) -> RecordedEvent:
        kind, value = self.kinds[spot], self._arrays[-1 - number] if number < 0 else single(number)
        return RecordedEvent(kind.site, kind.part, time, value, kind.name, self._begin + place)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return self.at(np.arange(len(self)))

    def __reversed__(self) -> Iterator[RecordedEvent]:
        return self.at(np.arange(len(self))[::-1])

    def at(self, places: NDArray[np.integer[Any]]) -> Iterator[RecordedEvent]:
        """Those at these places."""
        for k in range(0, len(places), BLOCK):
            some = places[k : k + BLOCK]
            for place, row in zip(some.tolist(), self._table[:, some].T.tolist(), strict=True):
                yield self._row(place, *row)

    def until(self, begin: int, end: int) -> Events:
        """Those that were seen after number `begin` was the next one, and before `end` was or when it was."""
        first, last = self.times.searchsorted((begin, end), "right").tolist()
        return self[first:last]

    def where(self, asked: Callable[[Spot], bool]) -> NDArray[np.bool_]:
        """Which were seen where this is so."""
        return np.array([asked(kind) for kind in self.kinds], bool)[self.spots]

    @property
    def seen_kinds(self) -> list[Spot]:
        """Those of the kinds of events that there are."""
        return [self.kinds[k] for k in whole_numbers(np.unique(self.spots))]

    @cached_property
    def firsts(self) -> Ids:
        """The first number of what was seen, 0 where that is empty."""
        return self._of_each(self._arrays.firsts, self._numbers)

    @cached_property
    def sizes(self) -> Ids:
        """How many numbers each is of."""
        return self._of_each(self._arrays.sizes, np.ones(len(self), np.int32))

    def _of_each(self, of_arrays: Ids, numbers: Ids) -> Ids:
        """A column of the arrays that were seen; for single numbers what is given."""
        arrays, made = np.flatnonzero(self._numbers < 0), numbers.copy()
        made[arrays] = of_arrays[-1 - self._numbers[arrays]]
        return made

    def of_each(self, asked: Callable[[RecordedArray], int], numbers: NDArray[AnyNumber]) -> NDArray[AnyNumber]:
        """What is asked of the arrays that were seen, of each once; for single numbers what is given."""
        arrays = np.flatnonzero(self._numbers < 0)
        own, which = np.unique(self._numbers[arrays], return_inverse=True)
        made = numbers.copy()
        made[arrays] = np.array([asked(self._arrays[-1 - k]) for k in whole_numbers(own)], made.dtype)[which]
        return made

    def each_once(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of these events those that show what none of those before shows."""
        return places[np.sort(np.unique(self._numbers[places], return_index=True)[1])]

    @cached_property
    def _by_first(self) -> tuple[NDArray[np.int64], Ids]:
        order = np.argsort(self.firsts, kind="stable")
        return order, self.firsts[order]

    @cached_property
    def _runs(self) -> NDArray[np.int64]:
        order = np.argsort(self.spots, kind="stable")
        spots, made = self.spots[order], np.zeros(len(order), np.int64)
        made[order] = np.arange(len(order)) - spots.searchsorted(spots)
        return made

    def before(self, event: RecordedEvent) -> int:
        """How often the same was seen before at the same site."""
        return int(self._runs[event.place - self._begin])

    def beginning(self, first: int, last: int | None = None) -> NDArray[np.int64]:
        """The places of those whose first number is this one, or one of those up to before `last`, in their order."""
        order, firsts = self._by_first
        low, high = firsts.searchsorted((first, first + 1 if last is None else last)).tolist()
        return order[low:high] if last is None else np.sort(order[low:high])
