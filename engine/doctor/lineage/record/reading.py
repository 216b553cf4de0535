"""A record of a run, read and checked: it was written in the process of the user's program, so nothing in it is
trusted."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.arrays import Floats, Ids, RecordedArray, in_order, whole_numbers
from engine.doctor.lineage.record.tables import (
    Events,
    Operations,
    RecordedEvent,
    RecordedOperation,
    RecordedSite,
    Spot,
)
from engine.doctor.lineage.record.unfolding import unfolded
from engine.doctor.recording.tracing.codes import NAMES, OF_NUMBERS
from engine.doctor.recording.tracing.store import EVENT_ROW, OPERATION_ROW
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
    "with_rounds",
]

VERSION = 2
LARGEST_TEXT = 1 << 26
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
    or list that was read, once it was stepped, where it had been read before; `stepping` the lines that made these; `earlier` the
    operations before the round that this is a part of, whose results are leaves here; `constants` the numbers that are written in the
    program's text.
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
    stepping: frozenset[int] = frozenset()
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

    @property
    def classes(self) -> dict[str, int]:
        """The program's own classes of arrays, which are not followed, each with the line on which one was seen first."""
        told: object = self.outcome.get("classes")
        found = cast("dict[str, object]", told) if isinstance(told, dict) else {}
        return {clean(name, 60): n for name, n in found.items() if isinstance(n, int) and 0 <= n < len(self.lines)}

    @property
    def half(self) -> int:
        """The line on which an array of half precision was seen first, 0 where there was none."""
        told: object = self.outcome.get("half")
        return told if isinstance(told, int) and 0 < told < len(self.lines) else 0

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
    names = tuple(str(n) for n in content["names"])
    rows, seen = (_rows(folder / name, width) for name, width in (("ops", OPERATION_ROW), ("events", EVENT_ROW)))
    _check_operations(rows, len(lines), count)
    kinds = _kinds(seen, sites, names, count)
    operations, events = unfolded(rows, seen, kinds, np.fromfile(folder / "wide", np.int32), refs, count)
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
    record = Record(pool, operations, events, leaves, lines, sites, lost, outcome, rounds, again, constants=constants)
    return with_rounds(record, rounds, again)


def with_rounds(record: Record, rounds: tuple[tuple[int, int], ...], again: frozenset[int]) -> Record:
    """A record in which these are the rounds, and what came round."""
    makers = {record.maker(number) for number in (*again, *(first for _, first in rounds))}
    stepping = frozenset(int(record.operations.lines[k]) for k in makers if k >= 0)
    return replace(record, rounds=rounds, again=again, stepping=stepping)


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


def _check_operations(table: NDArray[np.int32], lines: int, count: int) -> None:
    codes, made_on, starts, one, two = table
    known = (codes != 0) & (np.abs(codes) < len(NAMES)) & (made_on >= 0) & (made_on < lines) & (starts >= 1)
    known &= (starts < count) | (codes < 0)
    known &= (codes < 0) | (np.isin(codes, list(OF_NUMBERS)) & (one >= 1) & (one < count) & (two >= 0) & (two < count))
    if not known.all() or (np.diff(starts) < 0).any():
        raise ValueError


def _kinds(table: NDArray[np.int32], sites: tuple[RecordedSite, ...], names: tuple[str, ...], count: int) -> list[Spot]:
    """The kinds of events that there are, after which the columns are those of `Events`, but for the numbers of arrays."""
    number, parts, times, values = table
    if ((number < 0) | (number >= len(sites)) | (parts < -len(names)) | (values >= count)).any():
        raise ValueError
    if (np.diff(times) < 0).any() or (values == 0).any() or (abs(parts) > MOST_NAMES).any():
        raise ValueError
    kinds: dict[tuple[int, int], int] = {}
    for k in range(0, len(number), ROWS):
        some = slice(k, k + ROWS)
        own, which = np.unique(number[some].astype(np.int64) << 32 | (parts[some] + MOST_NAMES), return_inverse=True)
        keys = [(key >> 32, (key & 0xFFFFFFFF) - MOST_NAMES) for key in whole_numbers(own)]
        number[some] = np.array([kinds.setdefault(key, len(kinds)) for key in keys], np.int32)[which]
    parts[:], times[:] = times, values
    return [Spot(sites[site], part, names) for site, part in kinds]
