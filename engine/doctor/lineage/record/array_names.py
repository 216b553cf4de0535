"""What the arrays of a run are called: the events in which they were seen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.arrays import whole_numbers
from engine.doctor.lineage.record.moved import as_before
from engine.doctor.lineage.record.reading import Ids, Record, RecordedOperation
from engine.doctor.lineage.record.tables import IN_PLACE, Spot

NAMELESS = ("the array made in", "an array")
"""How arrays without a name are called."""
_NAME = re.compile(r"^[^\W\d][\w.]*(\[[^()]*\])*([.][\w.]+(\[[^()]*\])*)*$")


class ArrayNames:
    """What arrays are called: the events in which they were seen."""

    def __init__(self, record: Record, known: Mapping[int, str] | None = None) -> None:
        """`known` are the names of arrays by their first number: what stepped versions are called."""
        self.record = record
        self.known = known or {}
        self._is_named = record.events.where(
            lambda kind: bool(_NAME.match(kind.name)) and kind.site.kind != "increment"
        )
        self._results: dict[tuple[int, bool], list[str]] = {}
        self._wholes: dict[tuple[int, int], list[str]] = {}
        self._leaves: dict[int, list[str]] = {}
        self._last_parts: dict[tuple[int, bool], frozenset[str]] = {}
        self._parts_at_first: dict[tuple[int, int], frozenset[str]] = {}

    def _named(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of these events those in which something was seen under a name."""
        return places[self._is_named[places] & (self.record.events.sizes[places] > 0)]

    def _kinds(self, places: NDArray[np.int64]) -> list[Spot]:
        events = self.record.events
        return [events.kinds[k] for k in whole_numbers(events.spots[places])]

    def results(self, first: int, is_one: bool) -> list[str]:
        """The names of arrays by their first number, and whether it is the only one: `w[i]` is not what the array is called that begins
        with it."""
        found = self._results.get((first, is_one))
        if found is None:
            events = self.record.events
            places = self._named(events.beginning(first))
            places = places[(events.sizes[places] == 1) == is_one]
            found = self._results[first, is_one] = [kind.name for kind in self._kinds(places)]
        return found

    def leaf(self, leaf: int) -> list[str]:
        """The names of what begins in a leaf."""
        found = self._leaves.get(leaf)
        if found is None:
            record, starts = self.record, self.record.leaf_starts
            last = int(starts[leaf + 1]) if leaf + 1 < len(starts) else len(record.pool)
            places = self._named(record.events.beginning(int(starts[leaf]) if leaf >= 0 else 0, last))
            places = places[record.makers(record.events.firsts[places]) < 0]
            found = self._leaves[leaf] = [kind.name for kind in self._kinds(places)]
        return found

    def whole(self, first: int, size: int) -> list[str]:
        """The names by the first number and how many there are: a part that begins with the same number has another name. What is returned
        and then assigned is called as what it is assigned to, and no longer as in the function."""
        found = self._wholes.get((first, size))
        if found is None:
            found, returned = list[str](), False
            places = self._named(self.record.events.beginning(first))
            for kind in self._kinds(places[self.record.events.sizes[places] == size]):
                if returned and kind.site.kind == "assign":
                    found.clear()
                found.append(kind.name)
                returned = kind.site.kind == "return"
            self._wholes[first, size] = found
        return found

    def all_of(self, ids: Ids) -> list[str]:
        """Every name that an array was seen under, in the order of the run."""
        first = int(ids.flat[0])
        k = self.record.maker(first)
        if ids.size == 1 and k >= 0 and self.record.operations[k].joins_a_list:
            return self.results(self.record.operations[k].start, False)
        names = self.results(first, ids.size == 1)
        return names or (self.leaf(self.record.leaf(first)) if self.record.maker(first) < 0 else [])

    def last_parts(self, ids: Ids) -> frozenset[str]:
        """The last part of each name of an array: an array that a loop reads is seen very often, under few names."""
        key = int(ids.flat[0]), ids.size == 1
        found = self._last_parts.get(key)
        if found is None:
            found = self._last_parts[key] = frozenset(map(_last, self.all_of(ids)))
        return found

    def of(self, ids: Ids) -> str:
        """The first name of an array, else the line that it was made on; of one whose entries were moved and moved back, the one before."""
        ids = as_before(self.record, ids) if ids.size > 1 else ids
        if int(ids.flat[0]) in self.known:
            return self.known[int(ids.flat[0])]
        names = self.whole(int(ids.flat[0]), ids.size) or self.all_of(ids)
        if not names and ids.size > 1:  # its first number was changed, as by a check
            k = self.record.maker(int(ids.flat[-1]))
            names = self.all_of(self.record.operations[k].result.ids() if k >= 0 else ids[-1:])
        if names:
            return re.sub(r"\[:\]$", "", max(names[:8], key=_specific))
        line = self.made(int(ids.flat[0]))
        return f"the array made in line {line}" if line else "an array"

    def made(self, number: int) -> int:
        """The number of the line that made a number, 0 where it is not known."""
        k = self.record.maker(number)
        line = self.record.operations[k].line if k >= 0 else int(self.record.leaves[self.record.leaf(number), 2])
        return self.record.lines[line].number if 0 < line < len(self.record.lines) else 0

    def renamed(self, levels: Sequence[Ids]) -> bool:
        """Whether an array is a scaled or gathered copy under a name of its own: `dW = decay * W` is another array than W, and what
        `w *= decay` makes is not."""
        maker = self.record.maker(int(levels[0].flat[0]))
        if maker >= 0 and self.record.operations[maker].parameters == IN_PLACE:
            return False
        own = self.last_parts(levels[0])
        origin = next((n for level in levels[:0:-1] if (n := self.last_parts(level))), frozenset[str]())
        return bool(own) and bool(origin) and not own & origin

    def bound_again(self, levels: list[Ids], operation: RecordedOperation) -> bool:
        """Whether a result was given a name that the array had before anything was made of it; one number, that of an entry of it. What an
        array of zeros is called on the way back, that the first state was, too, is no name of the state."""
        after = {_last(n) for n in self.results(operation.start, operation.size == 1)}
        if operation.size == 1:
            after |= {n.split("[", 1)[0] for n in after}
        return bool(after) and any(after & self._at_first(level) for level in levels)

    def _at_first(self, ids: Ids) -> frozenset[str]:
        """`last_parts` of the names that an array of several numbers had before anything was made of it."""
        first, size = int(ids.flat[0]), ids.size
        found = self._parts_at_first.get((first, size))
        if found is None:
            until = self.record.operations.first_read(first, size)
            named = frozenset[str]()
            if until is not None:
                events = self.record.events
                places = self._named(events.beginning(first))
                places = places[(events.sizes[places] > 1) & (events.times[places] <= until)]
                named = frozenset(_last(kind.name) for kind in self._kinds(places))
            found = self._parts_at_first[first, size] = named or self.last_parts(ids)
        return found


def _specific(name: str) -> tuple[bool, bool]:
    """Attributes and entries say more than the names of arguments do; of two alike the first."""
    return ("." in name or "[" in name, not name.startswith("return"))


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]
