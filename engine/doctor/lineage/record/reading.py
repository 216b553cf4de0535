"""A record of a run, read and checked: it was written in the process of the user's program, so nothing in it is
trusted."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.tables import (
    Events,
    Floats,
    Ids,
    Operations,
    RecordedArray,
    RecordedEvent,
    RecordedOperation,
    RecordedSite,
    Spot,
    in_order,
    whole_numbers,
)
from engine.doctor.recording.tracing.codes import NAMES, OF_NUMBERS
from engine.doctor.recording.tracing.store import EVENT_ROW, KEPT, OPERATION_ROW, VIEW
from engine.errors import InputError
from engine.text import clean

__all__ = [
    "Events",
    "Floats",
    "Ids",
    "Operations",
    "Record",
    "RecordedArray",
    "RecordedEvent",
    "RecordedOperation",
    "RecordedSite",
    "UserLine",
    "in_order",
    "read",
]

VERSION = 2
LARGEST_TEXT = 1 << 26
MOST_AXES = 32
MOST_NAMES = 1 << 30
ROWS = 1 << 16
"""So many rows of a table are read at once."""


@dataclass(frozen=True)
class UserLine:
    """A line of the user's."""

    file: str
    number: int


@dataclass(frozen=True, eq=False)
class Record:
    """A run. `pool[i]` is the value of number i; `leaves` are the ranges of numbers that came from outside: start,
    size, line (-1 where they are written in the text); `rounds` when the program read a weight that was stepped where
    it had read it first: the number that came next, and the first of the weight's own; `again` a number of each array
    or list that was read, once it was stepped, where it had been read before; `earlier` the operations before the round
    that this is a part of, whose results are leaves here; `constants` the numbers that are written in the program's text.
    """

    pool: Floats
    operations: Operations
    events: Events
    leaves: NDArray[np.int32]
    lines: tuple[UserLine, ...]
    sites: tuple[RecordedSite, ...]
    lost: tuple[tuple[str, int, int], ...]
    outcome: dict[str, Any]
    rounds: tuple[tuple[int, int], ...] = ()
    again: frozenset[int] = frozenset()
    earlier: Operations = field(default_factory=lambda: Operations.of(()))
    constants: frozenset[int] = frozenset()

    @property
    def starts(self) -> Ids:
        """The first numbers of what the operations made."""
        return self.operations.starts

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
        k = int(self.earlier.starts.searchsorted(number, "right")) - 1
        return k >= 0 and number < self.earlier[k].stop

    @cached_property
    def _first(self) -> int:
        return int(self.starts[0]) if len(self.starts) else 0

    @cached_property
    def _maker(self) -> NDArray[np.int32]:
        """`maker` of every number from the first that was computed on: looked up for most of them, number by number."""
        starts = self.operations.starts - self._first
        stops = starts + self.operations.sizes
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
        return bisect_right(self.leaf_starts.data, number) - 1

    @cached_property
    def leaf_starts(self) -> Ids:
        """The first numbers of the leaves."""
        return np.ascontiguousarray(self.leaves[:, 0])


class _Stream:
    """What does not fit into a row, with every range checked. An array that is read often is the same one each time."""

    def __init__(self, numbers: NDArray[np.int32], refs: Ids, count: int) -> None:
        self.numbers = numbers.data
        self.refs = refs
        self.count = count
        self.arrays: dict[tuple[int, ...], RecordedArray] = {}

    def reference(self, numbers: Sequence[int], at: int) -> tuple[RecordedArray, int]:
        """The array that is told of from a place on, and the place that follows."""
        ndim = numbers[at + 2]
        if not 0 <= ndim <= MOST_AXES:
            raise ValueError
        end = at + 3 + (ndim if numbers[at] else 2 * ndim)
        key = tuple(numbers[at:end])
        found = self.arrays.get(key)
        if found is None:
            if len(key) != end - at:
                raise ValueError
            found = self.arrays[key] = self._array(key, ndim)
        return found, end

    def _array(self, key: tuple[int, ...], ndim: int) -> RecordedArray:
        kind, base, shape, strides = *key[:2], key[3 : 3 + ndim], key[3 + ndim :]
        size = self.size(shape)
        if kind == KEPT:
            if base < 0 or base + size > len(self.refs):
                raise ValueError
            return RecordedArray(shape, kept=self.refs[base : base + size].reshape(shape))
        low = high = base
        for n, stride in zip(shape, strides, strict=True):
            if stride < 0:
                low += max(n - 1, 0) * stride
            else:
                high += max(n - 1, 0) * stride
        if kind != VIEW or low < 1 or high >= self.count:
            raise ValueError
        return RecordedArray(shape, base, strides)

    def size(self, shape: Sequence[int]) -> int:
        size = 1
        for n in shape:
            size *= n
            if n < 0 or size > self.count * 64:
                raise ValueError
        return size

    def operation(self, code: int, line: int, start: int, place: int, length: int) -> RecordedOperation:
        if not 0 <= place <= len(self.numbers) - length:
            raise ValueError
        numbers = self.numbers[place : place + length].tolist()
        at = numbers[0] + 2
        shape = tuple(numbers[1 : at - 1])
        if not 0 <= numbers[0] <= MOST_AXES or start + self.size(shape) > self.count:
            raise ValueError
        operands: list[RecordedArray] = []
        for _ in range(numbers[at - 1]):
            one, at = self.reference(numbers, at)
            operands.append(one)
        parameters = tuple(numbers[at + 1 :])
        if numbers[at] != len(parameters):
            raise ValueError
        return RecordedOperation(NAMES[code], line, start, shape, tuple(operands), parameters)

    def seen(self, place: int) -> RecordedArray:
        """The array of an event."""
        if not 0 <= place < len(self.numbers):
            raise ValueError
        return self.reference(self.numbers[place : place + 3 + 2 * MOST_AXES].tolist(), 0)[0]


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
    stream = _Stream(np.fromfile(folder / "wide", np.int32), refs, count)
    operations = _operations(_rows(folder / "ops", OPERATION_ROW), stream, len(lines))
    names = tuple(str(n) for n in content["names"])
    events = _events(_rows(folder / "events", EVENT_ROW), stream, sites, names)
    leaves = np.fromfile(folder / "leaves", np.int32).reshape(-1, 3)
    if len(leaves) and not (leaves[:, 0].min() >= 1 and (leaves[:, 0].astype(np.int64) + leaves[:, 1]).max() <= count):
        raise ValueError
    lost = tuple(
        (clean(str(w)), int(line) if 0 <= int(line) < len(lines) else 0, int(n)) for w, line, n in content["lost"]
    )
    outcome = dict(content["outcome"])
    rounds = tuple((int(t), int(n)) for t, n in content["rounds"])
    again = frozenset(int(n) for n in content["again"])
    constants = frozenset(cast("list[int]", leaves[leaves[:, 2] < 0, 0].tolist()))
    return Record(pool, operations, events, leaves, lines, sites, lost, outcome, rounds, again, constants=constants)


def _site(row: list[Any]) -> RecordedSite:
    file, line, kind, target, function, text, names, value = row
    return RecordedSite(
        str(file), int(line), str(kind), str(target), str(function), str(text), tuple(str(n) for n in names), str(value)
    )


def _rows(file: Path, width: int) -> NDArray[np.int32]:
    """The columns of a table."""
    count, rest = divmod(file.stat().st_size, 4 * width)
    if rest:
        raise ValueError
    table = np.empty((width, count), np.int32)
    with file.open("rb") as stream:
        for k in range(0, count, ROWS):
            some = np.fromfile(stream, np.int32, ROWS * width).reshape(-1, width)
            table[:, k : k + len(some)] = some.T
    return table


def _operations(table: NDArray[np.int32], stream: _Stream, lines: int) -> Operations:
    codes, made_on, starts, one, two = table
    wide, count = np.flatnonzero(codes < 0), stream.count
    known = (codes != 0) & (np.abs(codes) < len(NAMES)) & (made_on >= 0) & (made_on < lines) & (starts >= 1)
    known &= (starts < count) | (codes < 0)
    known &= (codes < 0) | (np.isin(codes, list(OF_NUMBERS)) & (one >= 1) & (one < count) & (two >= 0) & (two < count))
    if not known.all() or (np.diff(starts) < 0).any():
        raise ValueError
    made = [stream.operation(-code, *rest) for code, *rest in table[:, wide].T.tolist()]
    one[wide], two[wide] = np.arange(len(wide)), 0
    return Operations(table, made)


def _events(
    table: NDArray[np.int32], stream: _Stream, sites: tuple[RecordedSite, ...], names: tuple[str, ...]
) -> Events:
    number, parts, times, values = table
    if ((number < 0) | (number >= len(sites)) | (parts < -len(names)) | (values >= stream.count)).any():
        raise ValueError
    if (np.diff(times) < 0).any() or (values == 0).any() or (abs(parts) > MOST_NAMES).any():
        raise ValueError
    kinds: dict[tuple[int, int], int] = {}
    for k in range(0, len(number), ROWS):
        some = slice(k, k + ROWS)
        own, which = np.unique(number[some].astype(np.int64) << 32 | (parts[some] + MOST_NAMES), return_inverse=True)
        keys = [(key >> 32, (key & 0xFFFFFFFF) - MOST_NAMES) for key in whole_numbers(own)]
        number[some] = np.array([kinds.setdefault(key, len(kinds)) for key in keys], np.int32)[which]
    wide = np.flatnonzero(values < 0)
    made: dict[RecordedArray, int] = {}
    for k, place in zip(wide.tolist(), whole_numbers(values[wide]), strict=True):
        values[k] = -1 - made.setdefault(stream.seen(-1 - place), len(made))
    parts[:], times[:] = times, values
    return Events([Spot(sites[site], part, names) for site, part in kinds], table[:3], list(made))
