"""A record of a run, read and checked: it was written in the process of the user's program, so nothing in it is
trusted."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from engine.doctor.recording.tracing.store import LISTED
from engine.errors import InputError
from engine.text import clean

Floats = NDArray[np.float64]
Ids = NDArray[np.int32]

AnyNumber = TypeVar("AnyNumber", bound=np.generic)

VERSION = 1
LARGEST_TEXT = 1 << 26
MOST_AXES = 32


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
        return self.base if self.kept is None else int(self.kept.flat[0])


@dataclass(frozen=True, eq=False, slots=True)
class RecordedOperation:
    """An operation: its result has the ids from `start` on, in C order."""

    name: str
    line: int
    start: int
    shape: tuple[int, ...]
    operands: tuple[RecordedArray, ...]
    parameters: tuple[int, ...] = ()

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
class UserLine:
    """A line of the user's."""

    file: str
    number: int


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
    that came next."""

    site: RecordedSite
    part: int
    time: int
    value: RecordedArray
    own: str = ""

    @property
    def name(self) -> str:
        """What the value is called there, "" where it has no name."""
        if 0 < self.part <= len(self.site.names):
            return self.site.names[self.part - 1]
        if self.part > 0 and self.site.kind == "assign" and self.site.target:
            return f"{self.site.target}[{self.part - 1}]"
        return self.own if self.part < 0 else self.site.target


@dataclass(frozen=True, eq=False)
class Record:
    """A run. `pool[i]` is the value of number i; `leaves` are the ranges of numbers that came from outside: start,
    size, line (-1 where they are written in the text); `rounds` when the program read a weight that was stepped where
    it had read it first: the number that came next, and the first of the weight's own; `again` a number of each list that was read, once it
    was stepped, where it had been read before; `earlier` the ranges, as leaves, of what was
    computed before the round that this is a part of; `constants` the numbers that are written in the program's text.
    """

    pool: Floats
    operations: tuple[RecordedOperation, ...]
    events: tuple[RecordedEvent, ...]
    leaves: NDArray[np.int32]
    lines: tuple[UserLine, ...]
    sites: tuple[RecordedSite, ...]
    lost: tuple[tuple[str, int, int], ...]
    outcome: dict[str, Any]
    rounds: tuple[tuple[int, int], ...] = ()
    again: frozenset[int] = frozenset()
    earlier: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 3), np.int32))
    constants: frozenset[int] = frozenset()
    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def modules(self) -> tuple[str, ...]:
        """What the program had loaded at its end from outside its own files."""
        told: object = self.outcome.get("modules")
        return tuple(str(name) for name in cast("list[object]", told)) if isinstance(told, list) else ()

    def maker(self, number: int) -> int:
        """Which operation made this number: its place in `operations`, -1 for one that came from outside."""
        place = number - self._first
        return int(self._maker[place]) if 0 <= place < len(self._maker) else -1

    def makers(self, ids: Ids) -> NDArray[np.int32]:
        """`maker` for many numbers."""
        if not self.operations:
            return np.full(ids.shape, -1, np.int32)
        places = ids - self._first
        inside = (places >= 0) & (places < len(self._maker))
        return np.where(inside, self._maker[np.where(inside, places, 0)], -1)

    def is_earlier(self, number: int) -> bool:
        """Whether a number was computed in an earlier round."""
        k = int(np.searchsorted(self.earlier[:, 0], number, "right")) - 1
        return k >= 0 and number < int(self.earlier[k, 0]) + int(self.earlier[k, 1])

    @cached_property
    def made(self) -> NDArray[np.int64]:
        """A row an operation: start, size, line."""
        rows = [(o.start, o.size, o.line) for o in self.operations]
        return np.array(rows, np.int64).reshape(-1, 3)

    @cached_property
    def _first(self) -> int:
        return int(self.starts[0]) if len(self.starts) else 0

    @cached_property
    def _maker(self) -> NDArray[np.int32]:
        """`maker` of every number from the first that was computed on: looked up for most of them, number by number."""
        starts, stops = self.made[:, 0] - self._first, self.made[:, 0] + self.made[:, 1] - self._first
        out = np.zeros(int(stops[-1]) + 1 if len(stops) else 0, np.int32)
        out[starts] = np.arange(len(starts))
        np.maximum.accumulate(out, out=out)
        following = np.append(starts[1:], len(out))
        gaps = np.flatnonzero(stops < following)
        for stop, start in zip(stops[gaps], following[gaps], strict=True):
            out[stop:start] = -1
        return out

    def leaf(self, number: int) -> int:
        """The leaf that a number belongs to: its place in `leaves`, for a number that came from outside."""
        return bisect_right(self._leaf_starts, number) - 1

    @cached_property
    def _leaf_starts(self) -> list[int]:
        return self.leaf_starts.tolist()

    @cached_property
    def leaf_starts(self) -> Ids:
        """The first numbers of the leaves."""
        return np.ascontiguousarray(self.leaves[:, 0])


class _Stream:
    """Whole numbers one after the other, with every range checked."""

    def __init__(self, numbers: NDArray[np.int32], refs: Ids, count: int) -> None:
        self.numbers = numbers.data
        self.at = 0
        self.refs = refs
        self.count = count
        self.singles: dict[int, RecordedArray] = {}
        """Single numbers, each once."""

    def following(self, numbers: NDArray[np.int32]) -> _Stream:
        """Another stream of the same record."""
        made = _Stream(numbers, self.refs, self.count)
        made.singles = self.singles
        return made

    def one(self) -> int:
        self.at += 1
        return self.numbers[self.at - 1]

    def several(self, count: int) -> tuple[int, ...]:
        if not 0 <= count <= len(self.numbers) - self.at:
            raise ValueError
        self.at += count
        return tuple(self.numbers[self.at - count : self.at].tolist()) if count else ()

    def shape(self) -> tuple[int, ...]:
        ndim = self.one()
        if not 0 <= ndim <= MOST_AXES:
            raise ValueError
        shape = self.several(ndim)
        size = 1
        for n in shape:
            size *= n
            if n < 0 or size > self.count * 64:
                raise ValueError
        return shape

    def reference(self) -> RecordedArray:
        kind, base = self.several(2)
        shape = self.shape()
        if kind == 0 and not shape and 1 <= base < self.count:
            return self.singles.get(base) or self.singles.setdefault(base, RecordedArray((), base))
        if kind == 1:
            size = prod(shape)
            if base < 0 or base + size > len(self.refs):
                raise ValueError
            return RecordedArray(shape, kept=self.refs[base : base + size].reshape(shape))
        strides = self.several(len(shape))
        spans = [(n - 1) * s for n, s in zip(shape, strides, strict=True) if n]
        low, high = base + sum(s for s in spans if s < 0), base + sum(s for s in spans if s > 0)
        if kind != 0 or low < 1 or high >= self.count:
            raise ValueError
        return RecordedArray(shape, base, strides)


def read(folder: Path) -> Record:
    """The record in a folder; InputError, one sentence, where it is none."""
    try:
        return _read(folder)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise InputError(
            "the record of the run is damaged: the program wrote over it, or ended while it was written"
        ) from None


def _read(folder: Path) -> Record:
    text = folder / "record.json"
    if text.stat().st_size > LARGEST_TEXT:
        raise ValueError
    content = cast("dict[str, Any]", json.loads(text.read_text(encoding="utf-8")))
    count = int(content["numbers"])
    if content["version"] != VERSION or not 1 <= count < 1 << 31:
        raise ValueError
    pool = np.fromfile(folder / "pool", np.float64)
    refs = np.fromfile(folder / "refs", np.int32)
    if len(pool) != count or (len(refs) and not (refs.min() >= 1 and refs.max() < count)):
        raise ValueError
    lines = tuple(UserLine(str(f), int(n)) for f, n in content["lines"])
    sites = tuple(_site(s) for s in content["sites"])
    stream = _Stream(np.fromfile(folder / "ops", np.int32), refs, count)
    operations = _operations(stream, len(lines))
    names = tuple(str(n) for n in content["names"])
    events = _events(stream.following(np.fromfile(folder / "events", np.int32)), sites, names)
    leaves = np.fromfile(folder / "leaves", np.int32).reshape(-1, 3)
    if len(leaves) and not (leaves[:, 0].min() >= 1 and (leaves[:, 0].astype(np.int64) + leaves[:, 1]).max() <= count):
        raise ValueError
    lost = tuple(
        (clean(str(w)), int(line) if 0 <= int(line) < len(lines) else 0, int(n)) for w, line, n in content["lost"]
    )
    outcome = dict(content["outcome"])
    rounds = tuple((int(t), int(n)) for t, n in content["rounds"])
    again = frozenset(int(n) for n in content["again"])
    starts = np.array([o.start for o in operations], np.int64)
    if len(starts) > 1 and (np.diff(starts) < 0).any():
        raise ValueError
    constants = frozenset(cast("list[int]", leaves[leaves[:, 2] < 0, 0].tolist()))
    return Record(
        pool, operations, events, leaves, lines, sites, lost, outcome, rounds, again, constants=constants, starts=starts
    )


def _site(row: list[Any]) -> RecordedSite:
    file, line, kind, target, function, text, names, value = row
    return RecordedSite(
        str(file), int(line), str(kind), str(target), str(function), str(text), tuple(str(n) for n in names), str(value)
    )


def _operations(stream: _Stream, lines: int) -> tuple[RecordedOperation, ...]:
    from engine.doctor.recording.tracing.codes import NAMES

    made: list[RecordedOperation] = []
    while stream.at < len(stream.numbers):
        code, line, start = stream.several(3)
        shape = stream.shape()
        size = prod(shape)
        if not 0 < code < len(NAMES) or not 0 <= line < lines or start < 1 or start + size > stream.count:
            raise ValueError
        operands = tuple(stream.reference() for _ in range(min(stream.one(), 64)))
        parameters = stream.several(stream.one())
        made.append(RecordedOperation(NAMES[code], line, start, shape, operands, parameters))
    return tuple(made)


def _events(stream: _Stream, sites: tuple[RecordedSite, ...], names: tuple[str, ...]) -> tuple[RecordedEvent, ...]:
    made: list[RecordedEvent] = []
    while stream.at < len(stream.numbers):
        site, part, time = stream.several(3)
        if site < 0:
            raise ValueError
        own = names[-1 - part] if part < 0 else ""
        made.append(RecordedEvent(sites[site], part, time, stream.reference(), own))
    return tuple(made)
