"""What an array was before it was scaled, shifted by a number or gathered, down to what the program begins with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.beginning import begin_of
from engine.doctor.lineage.record.derivatives import UNARY
from engine.doctor.lineage.record.moved import as_before
from engine.doctor.lineage.record.reading import Ids, Record, RecordedArray, RecordedOperation
from engine.doctor.recording.tracing.codes import ADD, CODES, GATHER, MULTIPLY, SUBTRACT
from engine.remembered import remembered

DIVIDE = CODES["divide"]
DEEPEST = 4
"""So many times an array may have been scaled, or gathered."""


def levels_of(record: Record, array: RecordedArray, by_vectors: bool = False) -> list[Ids]:
    """The array, and what it was before it was scaled or gathered, down to a leaf; [] where it goes back to no leaf. `by_vectors` is
    whether it may have been scaled by arrays, as the columns of an orthogonal matrix are by signs."""
    if array.size == 0:
        return []
    if array.size == 1:
        return [np.array([number], np.int32) for number in _levels_of_one(record, array.first)]
    first, begin = record.maker(array.first), begin_of(record)
    if array.first >= begin and first >= 0 and _kept(record, record.operations[first], by_vectors) is None:
        return []  # as nearly always: one number tells it, without a look at the others
    ids = array.ids().ravel()
    levels = [ids]
    for _ in range(DEEPEST):
        makers = record.makers(ids)
        if (makers < 0).all():
            constant = record.leaves[record.leaf_starts.searchsorted(ids, "right") - 1, 2] < 0
            return [] if constant.any() else levels
        if makers.min() != makers.max():
            before = as_before(record, ids)
            if not np.array_equal(before, ids):
                ids = before
                levels.append(ids)
                continue
            return levels if ids.max() < begin or _is_tried_out(record, ids, makers) else []
        operation = record.operations[int(makers[0])]
        if operation.joins_a_list:
            return levels
        kept = _kept(record, operation, by_vectors)
        if kept is None:
            return levels if operation.stop <= begin else []
        ids = operation.operands[kept].ids().ravel()[ids - operation.start]
        levels.append(ids)
    return levels if ids.max() < begin else []


def may_go_back(record: Record, numbers: Ids, alone: bool = True) -> NDArray[np.bool_]:
    """Which of these numbers, `alone` or the first of arrays, may go back to a leaf, as `levels_of` sees it, as far as what made them
    tells."""
    operations, makers = record.operations, record.makers(numbers)
    may = ~np.isin(numbers, list(record.constants))
    computed = makers >= 0
    made_by = makers[computed]
    codes = operations.codes[made_by]
    scaled = np.isin(np.abs(codes), (GATHER, MULTIPLY, DIVIDE))
    is_sum = np.isin(np.abs(codes), (ADD, SUBTRACT))
    if alone:
        is_sum &= (codes < 0) | (record.makers(operations.two[made_by]) < 0)
    may[computed] = keeping(record)[0][made_by] & (scaled | is_sum)
    return may | (computed & (numbers < begin_of(record)))


def _is_tried_out(record: Record, ids: Ids, makers: NDArray[np.int32]) -> bool:
    """Whether all but a few numbers of an array are those of a weight, and these were changed one by one, as a numerical check does it."""
    found, counts = np.unique(makers, return_counts=True)
    most = int(found[counts.argmax()])
    changed = [record.operations[int(k)] for k in found if k not in (most, -1)]
    if 2 * counts.max() < len(makers) or len(changed) != len(found) - 1 or not changed:
        return False
    if not all(o.size == 1 and o.name in ("add", "subtract") for o in changed):
        return False
    rest = ids[makers == most]
    return bool(levels_of(record, RecordedArray(rest.shape, kept=rest)))


def _levels_of_one(record: Record, number: int) -> list[int]:
    """`levels_of` for a single number: where a program computes number by number, there are very many. A list's goes back to the list."""
    levels = [number]
    for _ in range(DEEPEST):
        k = record.maker(number)
        if k < 0:
            return [] if number in record.constants else levels
        operation = record.operations[k]
        if operation.joins_a_list:
            return levels
        kept = scaled(operation)
        if kept is None:
            return []
        if operation.name in ("add", "subtract") and record.maker(operation.operands[1 - kept].first) >= 0:
            return []  # a step before this one
        number = operation.operands[kept].number(number - operation.start)
        levels.append(number)
    return []


def _kept(record: Record, operation: RecordedOperation, by_vectors: bool) -> int | None:
    """The operand that an operation leaves what it was, but for a scale or the order of its entries."""
    kept = scaled(operation)
    return _scaled_by_given(record, operation) if kept is None and by_vectors else kept


def scaled(operation: RecordedOperation) -> int | None:
    """The operand that an operation only scales, shifts by a number or gathers."""
    if operation.name == "gather":
        return 0
    if operation.name in ("multiply", "divide", "add", "subtract") and len(operation.operands) == 2:
        one, two = operation.operands
        if one.shape == operation.shape and two.size == 1:
            return 0
        if two.shape == operation.shape and one.size == 1 and operation.name != "divide":
            return 1
    return None


def _scaled_by_given(record: Record, operation: RecordedOperation) -> int | None:
    """The operand that an operation multiplies by an array in which no sum or product of others is."""
    if operation.name not in ("multiply", "divide") or operation.operands[0].shape != operation.shape:
        return None
    k = record.maker(operation.operands[1].first)
    for _ in range(DEEPEST):
        if k < 0:
            return 0
        if record.operations[k].name not in ("gather", *UNARY):
            break
        k = record.maker(record.operations[k].operands[0].first)
    return None


@remembered
def keeping(record: Record) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which operations may leave an operand what it was, but for a scale or the order of its entries, as far as sizes tell (all on single
    numbers); and which also if it may have been scaled by an array."""
    operations, arrays, wide = record.operations, record.operations.arrays, record.operations.wide
    both, codes = operations.operands[:2], np.abs(operations.codes[wide])
    scales = (arrays.sizes[both] == 1) & (arrays.sizes[both[::-1]] == operations.sizes[wide])
    scales &= (both[1] >= 0) & (operations.operands[2] < 0)
    scales[0] &= codes != DIVIDE
    products = np.isin(codes, (MULTIPLY, DIVIDE))
    kept = np.ones(len(operations), bool)
    kept[wide] = (codes == GATHER) | (scales.any(axis=0) & (products | np.isin(codes, (ADD, SUBTRACT))))
    by_arrays = kept.copy()
    by_arrays[wide] |= products
    return kept, by_arrays
