"""Operations and events of a run as tables: a program that computes number by number has very many of them. What a row stands for is made
when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

from engine.doctor.recording.tracing.codes import CODES, NAMES
from engine.doctor.recording.tracing.store import LISTED

Floats = NDArray[np.float64]
Ids = NDArray[np.int32]

AnyNumber = TypeVar("AnyNumber", bound=np.generic)

BLOCK = 1 << 14
"""So many rows are looked at at once."""


def in_order(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array whose entries follow one another in C order."""
    strides: list[int] = []
    step = 1
    for n in reversed(shape):
        strides.insert(0, step)
        step *= n
    return tuple(strides)


@dataclass(frozen=True, eq=False)
class RecordedArray:
    """Which numbers an array was made of: a strided view of ids that follow one another (`strides`), or ids kept one by
    one (`kept`)."""

    shape: tuple[int, ...]
    base: int = 0
    strides: tuple[int, ...] = ()
    kept: Ids | None = None

    @property
    def size(self) -> int:
        return prod(self.shape)

    def ids(self) -> Ids:
        """The ids, in the array's shape."""
        if self.kept is not None:
            return self.kept
        if self.follows:
            return np.arange(self.base, self.base + self.size, dtype=np.int32).reshape(self.shape)
        out = np.full(self.shape, self.base, np.int32)
        for axis, (length, stride) in enumerate(zip(self.shape, self.strides, strict=True)):
            along = np.arange(length, dtype=np.int32) * stride
            out += along.reshape((length,) + (1,) * (len(self.shape) - axis - 1))
        return out

    @cached_property
    def follows(self) -> bool:
        """Whether the ids follow one another in C order."""
        return self.kept is None and self.strides == in_order(self.shape)

    def holds(self, number: int) -> bool:
        """Whether a number stands in it."""
        return self.base <= number < self.base + self.size if self.follows else number in self.ids()

    def number(self, place: int) -> int:
        """The id at one place, counted in C order."""
        return self.base + place if self.follows or not self.shape else int(self.ids().flat[place])

    def at(self, places: NDArray[np.integer[Any]], shape: tuple[int, ...]) -> Ids:
        """The ids at these places of the array repeated to a shape, counted in C order. ValueError where it cannot be."""
        if self.follows and shape == self.shape:
            return (places + self.base).astype(np.int32)
        return np.broadcast_to(self.ids(), shape).ravel()[places]

    def of(self, numbers: NDArray[AnyNumber]) -> NDArray[AnyNumber]:
        """The array's entries out of one that has a place for every number: a view where the ids follow one another, else a copy."""
        if self.kept is not None:
            return numbers[self.kept]
        width = numbers.itemsize
        strides = [width * s for s in self.strides]
        return np.ndarray(self.shape, numbers.dtype, numbers, width * self.base, strides)

    @cached_property
    def repeats(self) -> bool:
        """Whether a number stands in it more than once."""
        if self.kept is None:
            return self.size > 1 and 0 in self.strides
        following = np.diff(self.kept.ravel())
        return not (following > 0).all() and bool((np.diff(np.sort(self.kept, axis=None)) == 0).any())

    @property
    def first(self) -> int:
        return self.base if self.kept is None or not self.kept.size else int(self.kept.flat[0])


def whole_numbers(numbers: NDArray[np.integer[Any]]) -> list[int]:
    """As Python's."""
    return cast("list[int]", numbers.tolist())


def single(number: int) -> RecordedArray:
    """A single number. There are very many: nothing is set but what tells it from others."""
    made = object.__new__(RecordedArray)
    made.__dict__.update(shape=(), base=number)
    return made


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


class Operations(Sequence[RecordedOperation]):
    """The operations of a run, or of a round of it, in their order.

    A column each: `codes`, `lines`, `starts`, and the operands of those that make a single number of one or two others, `one` and `two` (0
    where there is none). The others, `wide`, have a code below 0, and the place among `made` in the column of `one`.
    """

    def __init__(self, table: NDArray[np.int32], made: Sequence[RecordedOperation]) -> None:
        self.codes, self.lines, self.starts, self._one, self.two = table
        self._table = table
        self._made = made

    @classmethod
    def of(cls, operations: Sequence[RecordedOperation]) -> Operations:
        """A table of these."""
        rows = [(-CODES[o.name], o.line, o.start, k, 0) for k, o in enumerate(operations)]
        return cls(np.array(rows, np.int32).reshape(-1, 5).T, operations)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, key: int) -> RecordedOperation: ...
    @overload
    def __getitem__(self, key: slice) -> Operations: ...
    def __getitem__(self, key: int | slice) -> RecordedOperation | Operations:
        if isinstance(key, slice):
            return Operations(self._table[:, key], self._made)
        return self._row(*self._table[:, key].tolist())

    def _row(self, code: int, line: int, start: int, one: int, two: int) -> RecordedOperation:
        if code < 0:
            return self._made[one]
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

    @cached_property
    def read(self) -> dict[tuple[int, int], int]:
        """The arrays of several numbers that are operands: their first numbers and how many there are, with the first number of what was
        made of each first."""
        operands = ((r, operation.start) for operation in self.on_arrays() for r in operation.operands)
        read: dict[tuple[int, int], int] = {}
        for reference, start in operands:
            if reference.size > 1:
                read.setdefault((reference.first, reference.size), start)
        return read

    @cached_property
    def sums(self) -> dict[int, RecordedOperation]:
        """By the first number of arrays of several numbers: what adds another of their shape to them, or subtracts it, if nothing was made
        of them before."""
        sums: dict[int, RecordedOperation] = {}
        for operation in self.on_arrays():
            if operation.name in ("add", "subtract") and len(operation.operands) == 2 and operation.size > 1:
                one, two = operation.operands
                if one.shape == two.shape == operation.shape and self.read[one.first, one.size] == operation.start:
                    sums[one.first] = operation
        return sums

    @cached_property
    def sizes(self) -> Ids:
        """How many numbers each made."""
        made = np.ones(len(self), np.int32)
        made[self.wide] = [self._made[k].size for k in whole_numbers(self._one[self.wide])]
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

    def __init__(
        self, kinds: Sequence[Spot], table: NDArray[np.int32], arrays: Sequence[RecordedArray], begin: int = 0
    ) -> None:
        self.kinds = kinds
        self.spots, self.times, self._numbers = table
        self._table = table
        self._arrays = arrays
        self._begin = begin

    @classmethod
    def none(cls) -> Events:
        """Nothing was seen."""
        return cls((), np.zeros((3, 0), np.int32), ())

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
        return self.of_each(lambda array: array.first if array.size else 0, self._numbers)

    @cached_property
    def sizes(self) -> Ids:
        """How many numbers each is of."""
        return self.of_each(lambda array: array.size, np.ones(len(self), np.int32))

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
