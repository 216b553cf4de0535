"""Which operations were made from which: what an operation makes is made from all that it reads, so that operations are looked through and
not numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.arrays import Ids, whole_numbers
from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.tables import BLOCK
from engine.remembered import remembered

SMALL = 64
"""The numbers of arrays up to this size are looked up for many arrays at once."""


class Dependence:
    """The operations of a record, each with those whose results it reads.

    Operations count from 1 here, 0 stands for what came from outside. `one` and `two` are the operations that made what an operation reads;
    where they are more than two, `two` is -1 minus the place of all of them in `more`. `arrays` are what operations on arrays read, each
    once, as places in the record's table of arrays: `users[i]` reads `used[i]`, a place among them. `sizes` are theirs.
    """

    def __init__(self, record: Record) -> None:
        operations = record.operations
        users, _, used = operations.reads
        self.table = operations.arrays
        self.arrays, self.used = np.unique(used, return_inverse=True)
        self.users = users.astype(np.int32) + 1
        self.sizes = self.table.sizes[self.arrays]
        self.more: list[tuple[int, ...]] = []
        self.one, self.two = np.zeros((2, len(operations) + 1), np.int32)
        rows = np.flatnonzero(operations.codes > 0)
        for made_by, operands in ((self.one, operations.one), (self.two, operations.two)):
            made_by[rows + 1] = record.makers(operands[rows]) + 1
        self._set_wide(operations.wide.astype(np.int32) + 1, *self._makers(record))

    def _makers(self, record: Record) -> tuple[Ids, dict[int, list[int]]]:
        """The operation that made the numbers of each array, -1 where they are several: all of them."""
        alone, high = (record.makers(column[self.arrays]) + 1 for column in (self.table.lowest, self.table.highest))
        several = dict[int, list[int]]()
        apart = np.flatnonzero((self.table.kept[self.arrays] | (alone != high)) & (self.sizes > 0))
        for part, ids in self.table.parts(self.arrays[apart]):
            some = apart[part]
            makers, sizes = record.makers(ids) + 1, self.sizes[some]
            begins = np.cumsum(sizes) - sizes
            alone[some] = np.minimum.reduceat(makers, begins)
            mixed = alone[some] < np.maximum.reduceat(makers, begins)
            keys = np.unique((np.repeat(some, sizes) << 32 | makers)[np.repeat(mixed, sizes) & (makers > 0)])
            which, own = keys >> 32, (keys & 0xFFFFFFFF).astype(np.int32)
            begins = np.flatnonzero(np.diff(which, prepend=-1))
            counts = np.diff(begins, append=len(keys))
            alone[which[begins]] = np.where(counts > 1, -1, own[begins])
            for begin, count in zip(begins[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True):
                several[int(which[begin])] = whole_numbers(own[begin : begin + count])
        alone[self.sizes == 0] = 0
        return alone, several

    def _set_wide(self, wide: Ids, alone: Ids, several: dict[int, list[int]]) -> None:
        """What each operation on arrays was made from."""
        begins = self.users.searchsorted(wide)
        counts = self.users.searchsorted(wide, "right") - begins
        operands = np.append(alone[self.used], 0)
        one = np.where(counts > 0, operands[begins], 0)
        two = np.where(counts > 1, operands[np.minimum(begins + 1, len(operands) - 1)], 0)
        for k in whole_numbers(np.flatnonzero((counts > 2) | (one < 0) | (two < 0))):
            read = whole_numbers(self.used[begins[k] : begins[k] + counts[k]])
            makers = {m for i in read for m in several.get(i) or whole_numbers(alone[i : i + 1]) if m}
            one[k], two[k] = (*makers, 0, 0)[:2]
            if len(makers) > 2:
                self.more.append(tuple(makers))
                one[k], two[k] = 0, -len(self.more)
        self.one[wide], self.two[wide] = one, two

    def readers(self, k: int) -> list[int]:
        """The places of the operations that read what the one at place k made."""
        begins, readers = self._readers
        return whole_numbers(readers[begins[k + 1] : begins[k + 2]] - 1)

    @cached_property
    def _readers(self) -> tuple[NDArray[np.int64], Ids]:
        """By operation where its readers begin, and the readers of all."""
        every = np.arange(len(self.one), dtype=np.int32)
        several = np.flatnonzero(self.two < 0)
        counts = [len(self.more[-1 - two]) for two in whole_numbers(self.two[several])]
        of_several = np.array(
            [maker for two in whole_numbers(self.two[several]) for maker in self.more[-1 - two]], np.int32
        )
        makers = np.concatenate((self.one, np.maximum(self.two, 0), of_several))
        readers = np.concatenate((every, every, np.repeat(several, counts).astype(np.int32)))
        order = makers.argsort(kind="stable")
        return makers[order].searchsorted(np.arange(len(self.one) + 2)), readers[order]

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

    @cached_property
    def depths(self) -> Ids:
        """How long the longest way is on which each was made: what an operation was made from is less deep."""
        return self.depths_with({})

    def depths_with(self, made_from: Mapping[int, Sequence[int]]) -> Ids:
        """The same where some operations were made from these alone."""
        made, more = np.zeros(len(self.one), np.int32), self.more
        of = made.data
        for first in range(1, len(made), BLOCK):
            some = slice(first, first + BLOCK)
            for k, (a, b) in enumerate(
                zip(whole_numbers(self.one[some]), whole_numbers(self.two[some]), strict=True), first
            ):
                if k in made_from:
                    of[k] = 1 + max([of[maker] for maker in made_from[k]], default=0)
                    continue
                one, two = of[a], of[b] if b >= 0 else max([of[maker] for maker in more[-1 - b]])
                of[k] = (one if one > two else two) + 1
        return made

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
        touched = self.table.touched(marked, self.arrays)
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
        small = self.sizes <= SMALL
        for bit in (np.uint32(1 << c) for c in range(every.bit_length())):
            rows = alone[(own & bit) != 0]
            marked[operations.one[rows]] |= bit
            marked[operations.two[rows]] |= bit
            of_arrays[self.used[(by_users & bit) != 0]] |= bit
            for _, numbers in self.table.parts(self.arrays[small & ((of_arrays & bit) != 0)]):
                marked[numbers] |= bit
        for k in whole_numbers(np.flatnonzero(~small & (of_arrays != 0))):
            array = self.table[int(self.arrays[k])]
            if array.kept is not None:
                marked[array.kept] |= of_arrays[k]
            else:
                view = array.of(marked)
                view |= of_arrays[k]
        marked[0] = 0


@remembered
def dependence(record: Record) -> Dependence:
    """The operations of a record with those whose results they read, made once."""
    return Dependence(record)
