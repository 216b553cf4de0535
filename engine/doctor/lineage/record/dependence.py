"""Which operations were made from which: what an operation makes is made from all that it reads, so that operations are looked through and
not numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.reading import Ids, Record, RecordedArray
from engine.doctor.lineage.record.tables import BLOCK, whole_numbers
from engine.remembered import remembered

SMALL = 64
"""The numbers of arrays up to this size are looked up for many arrays at once."""
MANY = 1 << 18
"""About so many numbers of arrays are looked up at once."""


class Dependence:
    """The operations of a record, each with those whose results it reads.

    Operations count from 1 here, 0 stands for what came from outside. `one` and `two` are the operations that made what an operation reads;
    where they are more than two, `two` is -1 minus the place of all of them in `more`. `arrays` are what operations on arrays read, each
    once: `users[i]` reads `used[i]`, a place among them. `follows`, `firsts` and `sizes` are told of each.
    """

    def __init__(self, record: Record) -> None:
        operations = record.operations
        places = dict[RecordedArray, int]()
        read = [tuple([places.setdefault(r, len(places)) for r in o.operands]) for o in operations.on_arrays()]
        wide = operations.wide.astype(np.int32) + 1
        self.arrays = list(places)
        self.users = np.repeat(wide, [len(each) for each in read])
        self.used = np.fromiter((k for each in read for k in each), np.int32)
        self.follows = np.fromiter((r.follows for r in places), bool, len(places))
        self.sizes = np.fromiter((r.size for r in places), np.int32, len(places))
        self.firsts = np.fromiter((r.first if r.size else 0 for r in places), np.int32, len(places))
        self.more: list[tuple[int, ...]] = []
        self.one, self.two = np.zeros((2, len(operations) + 1), np.int32)
        rows = np.flatnonzero(operations.codes > 0)
        for made_by, operands in ((self.one, operations.one), (self.two, operations.two)):
            made_by[rows + 1] = record.makers(operands[rows]) + 1
        self._set_wide(wide, np.array([len(each) for each in read], np.int64), self._makers(record))

    def _makers(self, record: Record) -> list[tuple[int, ...]]:
        """By which operations the numbers of each array were made."""
        low, high = (record.makers(n) + 1 for n in (self.firsts, self.firsts + np.maximum(self.sizes, 1) - 1))
        apart = np.flatnonzero(~(self.follows & (low == high)) & (self.sizes > 0))
        several = list[int]()
        filled = np.cumsum(self.sizes[apart], dtype=np.int64) // MANY
        for some in np.split(apart, np.flatnonzero(np.diff(filled)) + 1) if len(apart) else ():
            makers = record.makers(np.concatenate([self.arrays[i].ids().ravel() for i in whole_numbers(some)])) + 1
            begins = np.cumsum(self.sizes[some]) - self.sizes[some]
            low[some] = np.minimum.reduceat(makers, begins)
            several += whole_numbers(some[low[some] < np.maximum.reduceat(makers, begins)])
        low[self.sizes == 0] = 0
        made: list[tuple[int, ...]] = [(k,) if k else () for k in whole_numbers(low)]
        for k in several:
            makers = np.unique(record.makers(self.arrays[k].ids()))
            made[k] = tuple(whole_numbers(makers[makers >= 0] + 1))
        return made

    def _set_wide(self, wide: Ids, counts: NDArray[np.int64], made: list[tuple[int, ...]]) -> None:
        """What each operation on arrays was made from."""
        alone = np.fromiter((each[0] if len(each) == 1 else 0 if not each else -1 for each in made), np.int32)
        operands, begins = np.append(alone[self.used], 0), np.cumsum(counts) - counts
        one = np.where(counts > 0, operands[begins], 0)
        two = np.where(counts > 1, operands[np.minimum(begins + 1, len(operands) - 1)], 0)
        for k in whole_numbers(np.flatnonzero((counts > 2) | (one < 0) | (two < 0))):
            makers = {m for i in whole_numbers(self.used[begins[k] : begins[k] + counts[k]]) for m in made[i]}
            one[k], two[k] = (*makers, 0, 0)[:2]
            if len(makers) > 2:
                self.more.append(tuple(makers))
                one[k], two[k] = 0, -len(self.more)
        self.one[wide], self.two[wide] = one, two

    def back(self, bits: NDArray[np.uint32]) -> None:
        """The bits of each operation are set for all that it was made from."""
        of = bits.data
        more = self.more
        last = int(np.flatnonzero(bits).max(initial=0)) + 1
        for begin in reversed(range(0, last, BLOCK)):
            end = min(begin + BLOCK, last)
            ones, twos = (whole_numbers(made[begin:end])[::-1] for made in (self.one, self.two))
            for k, one, two in zip(range(end - 1, begin - 1, -1), ones, twos, strict=True):
                own = of[k]
                if own:
                    of[one] |= own
                    if two >= 0:
                        of[two] |= own
                    else:
                        for maker in more[-1 - two]:
                            of[maker] |= own
        bits[0] = 0

    def on(self, marked: NDArray[np.bool_], begin: int, end: int, but: NDArray[np.bool_] | None = None) -> None:
        """Of the operations from `begin` to before `end`, those are marked that were made from any that is; `but` those that never are."""
        of = marked.view(np.uint8).data
        more = self.more
        for first in range(begin, end, BLOCK):
            some = slice(first, min(first + BLOCK, end))
            one, two = (
                made[some] if but is None else np.where(but[some], 0, made[some]) for made in (self.one, self.two)
            )
            for k, (a, b) in enumerate(zip(whole_numbers(one), whole_numbers(two), strict=True), first):
                if of[a] or (of[b] if b >= 0 else any(of[maker] for maker in more[-1 - b])):
                    of[k] = 1

    def touching(self, record: Record, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which operations read a number that is marked."""
        found = np.zeros(len(self.one), bool)
        operations = record.operations
        rows = np.flatnonzero(operations.codes > 0)
        found[rows + 1] = marked[operations.one[rows]] | (marked[operations.two[rows]] & (operations.two[rows] > 0))
        touched = self.follows & any_from(marked, self.firsts, self.sizes)
        for k in whole_numbers(np.flatnonzero(~self.follows & (self.sizes > 0))):
            touched[k] = bool(np.count_nonzero(self.arrays[k].of(marked)))
        found[self.users[touched[self.used]]] = True
        return found

    def read_by(self, record: Record, bits: NDArray[np.uint32], marked: NDArray[np.uint32]) -> None:
        """Sets the bits of operations for the numbers that they read."""
        operations = record.operations
        every = int(np.bitwise_or.reduce(bits))
        alone = np.flatnonzero(operations.codes > 0)
        own = bits[alone + 1]
        of_arrays = np.zeros(len(self.arrays), np.uint32)
        by_users = bits[self.users]
        small = self.follows & (self.sizes <= SMALL)
        for bit in (np.uint32(1 << c) for c in range(every.bit_length())):
            rows = alone[(own & bit) != 0]
            marked[operations.one[rows]] |= bit
            marked[operations.two[rows]] |= bit
            of_arrays[self.used[(by_users & bit) != 0]] |= bit
            for numbers in self._numbers(np.flatnonzero(small & ((of_arrays & bit) != 0))):
                marked[numbers] |= bit
        for k in whole_numbers(np.flatnonzero(~small & (of_arrays != 0))):
            array = self.arrays[k]
            if array.kept is not None:
                marked[array.kept] |= of_arrays[k]
            else:
                view = array.of(marked)
                view |= of_arrays[k]
        marked[0] = 0

    def _numbers(self, arrays: NDArray[np.int64]) -> Iterator[Ids]:
        """The numbers of these arrays, whose numbers follow one another."""
        for k in range(0, len(arrays), BLOCK):
            firsts, sizes = self.firsts[arrays[k : k + BLOCK]], self.sizes[arrays[k : k + BLOCK]]
            stops = np.cumsum(sizes, dtype=np.int32)
            yield np.repeat(firsts - stops + sizes, sizes) + np.arange(stops[-1], dtype=np.int32)


def any_from(marked: NDArray[np.bool_], firsts: Ids, sizes: Ids) -> NDArray[np.bool_]:
    """Whether any of so many numbers from each first one on is marked."""
    counts = np.cumsum(marked, dtype=np.int32)
    lasts = firsts + np.maximum(sizes, 1) - 1
    return (sizes > 0) & (counts[lasts] - counts[firsts] + marked[firsts] > 0)


@remembered
def dependence(record: Record) -> Dependence:
    """The operations of a record with those whose results they read, made once."""
    return Dependence(record)
