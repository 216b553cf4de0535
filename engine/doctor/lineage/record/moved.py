"""Weights that are moved, entry by entry, and moved back, as a numerical check of gradients does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.arrays import whole_numbers
from engine.doctor.lineage.record.beginning import begin_of
from engine.doctor.lineage.record.carry_back import Marks
from engine.doctor.lineage.record.reading import Ids, Record
from engine.doctor.recording.tracing.codes import CODES, MULTIPLY
from engine.remembered import remembered

ROUNDING = 1e-12
"""So near to where it was a weight is again that was moved and moved back."""


@remembered
def moved_for_a_check(record: Record) -> NDArray[np.bool_]:
    """Which numbers were made from an entry of an array that was read before and was then moved by a number that comes alone from outside;
    until it is moved back."""
    moved, back = np.zeros((2, len(record.pool)), bool)
    for made, origin in _moves(record).items():
        (back if _is_back(record, made, origin) else moved)[made] = True
    return Marks(record, moved, back).numbers() if moved.any() else moved


def as_before(record: Record, ids: Ids) -> Ids:
    """Numbers, and in the place of those that were moved and moved back what they were before."""
    moves = _moved_back(record)
    if not moves:
        return ids
    at = np.fromiter(moves, np.int32)
    order = np.argsort(at)
    origins = np.fromiter(moves.values(), np.int32)[order]
    places = np.minimum(at[order].searchsorted(ids), len(at) - 1)
    return np.where(at[order][places] == ids, origins[places], ids)


@remembered
def _moved_back(record: Record) -> dict[int, int]:
    """By a number that is what an entry of an array was before it was moved: that entry."""
    return {made: origin for made, origin in _moves(record).items() if _is_back(record, made, origin)}


def _is_back(record: Record, made: int, origin: int) -> bool:
    return bool(np.isclose(record.pool[made], record.pool[origin], rtol=ROUNDING, atol=ROUNDING))


@remembered
def _moves(record: Record) -> dict[int, int]:
    """By what an entry of an array was moved to: that entry."""
    operations, alone = record.operations, record.leaves[record.leaves[:, 1] == 1, 0]
    rows = operations.named(("add", "subtract"))
    rows = rows[(operations.codes[rows] > 0) & _come_alone(record, operations.two[rows], alone)]
    one = operations.one[rows]
    at_first = ((record.makers(one) < 0) | (one < begin_of(record))) & ~np.isin(one, alone)
    rows = rows[at_first | np.isin(one, operations.starts[rows])]
    origins = dict[int, int]()
    for made, number in zip(whole_numbers(operations.starts[rows]), whole_numbers(operations.one[rows]), strict=True):
        origins[made] = origins.get(number, number)
    in_arrays = _in_arrays(record, np.fromiter(origins, np.int32)) if origins else ()
    moves = {made: origins[made] for made in in_arrays}
    checked = {
        origin for made, origin in moves.items() if _is_back(record, made, origin) or _was_read(record, origin, made)
    }
    return {made: origin for made, origin in moves.items() if origin in checked}


def _was_read(record: Record, number: int, before: int) -> bool:
    """Whether the array in which a number came was read as a whole before another number was made."""
    first = record.operations.first_read(*_array_of(record, number))
    return first is not None and first < before


def _array_of(record: Record, number: int) -> tuple[int, int]:
    """The first number, and how many there are, of what a number came with, or was made with."""
    k = record.maker(number)
    if k >= 0:
        return record.operations[k].start, record.operations[k].size
    start, size, _ = (int(n) for n in record.leaves[record.leaf(number)])
    return start, size


def _come_alone(record: Record, numbers: Ids, alone: Ids) -> NDArray[np.bool_]:
    """Which of these numbers come `alone` from outside, or are products or quotients of two that do, as `2 * 1e-5` is."""
    operations, are = record.operations, np.isin(numbers, alone)
    makers = record.makers(numbers)
    codes = np.where(makers >= 0, operations.codes[makers], 0) if len(operations) else np.zeros(len(numbers), np.int32)
    own = np.flatnonzero(np.isin(codes, (MULTIPLY, CODES["divide"])))
    both = (column[makers[own]] for column in (operations.one, operations.two))
    are[own] = np.logical_and(*(np.isin(column, alone) for column in both))
    return are


def _in_arrays(record: Record, numbers: Ids) -> list[int]:
    """Those of these numbers that stand in arrays, among others."""
    arrays = record.operations.arrays
    kept = np.flatnonzero(arrays.kept & (arrays.sizes > 1))
    found = [numbers[np.isin(numbers, ids)] for _, ids in arrays.parts(kept)]
    return whole_numbers(np.unique(np.concatenate(found))) if found else []
