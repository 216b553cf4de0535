"""The loss carried back over a record: dL/d(every number that it was made from)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.derivatives import share
from engine.doctor.lineage.record.reading import Floats, Record, RecordedArray, RecordedOperation

Visit = Callable[[int, int, Floats, Floats, Floats], None]
"""Called with the operation's place, the operand's, dL/d(result), the share, and the running sum of shares of the operand."""


def carried_back(
    record: Record,
    seeds: Sequence[tuple[RecordedArray, Floats]],
    visit: Visit | None = None,
    stops: Mapping[int, int] | None = None,
) -> Floats:
    """dL/d(number) for every number of the record, 0 where the loss does not depend on it.

    `seeds` are arrays and dL/d(each): a loss is seeded with 1. Numbers that were made later than all seeds are not
    touched. `stops` are places of operations and of an operand of each to which nothing is handed on.
    """
    adjoint = np.zeros(len(record.pool))
    last = 0
    for reference, seed in seeds:
        ids = reference.ids()
        np.add.at(adjoint, ids, seed)
        last = max(last, int(ids.max(initial=0)))
    first = int(np.searchsorted(record.starts, last, "right"))
    with np.errstate(all="ignore"):
        for k in range(first - 1, -1, -1):
            operation = record.operations[k]
            g = adjoint[operation.start : operation.stop]
            if holds(g):
                _hand_on(
                    record, k, operation, g.reshape(operation.shape), adjoint, visit, stops.get(k, -1) if stops else -1
                )
    adjoint[0] = 0.0
    return adjoint


def _hand_on(
    record: Record,
    k: int,
    operation: RecordedOperation,
    g: Floats,
    adjoint: Floats,
    visit: Visit | None,
    stopped: int = -1,
) -> None:
    operands = [r.of(record.pool) for r in operation.operands]
    result = operation.result.of(record.pool)
    for which, reference in enumerate(operation.operands):
        if which == stopped or (reference.size == 1 and reference.first in record.constants):
            continue
        part = share(operation.name, g, result, operands, which, operation.parameters)
        add_to(adjoint, reference, part)
        if visit is not None:
            visit(k, which, g, part, reference.of(adjoint))


def share_of(record: Record, adjoint: Floats, k: int, which: int) -> Floats:
    """The share that operand `which` of operation k gets, from the finished adjoint of its result."""
    operation = record.operations[k]
    g = adjoint[operation.start : operation.stop].reshape(operation.shape)
    operands = [r.of(record.pool) for r in operation.operands]
    with np.errstate(all="ignore"):
        return share(operation.name, g, operation.result.of(record.pool), operands, which, operation.parameters)


def add_to(numbers: Floats, reference: RecordedArray, values: Floats) -> None:
    """Adds values to the numbers that an array is made of; a number that stands several times gets the sum."""
    if reference.kept is None and (0 not in reference.strides or reference.size == 1):
        view = reference.of(numbers)
        view += values
        return
    ids = reference.ids()
    if reference.repeats:
        np.add.at(numbers, ids.ravel(), np.broadcast_to(values, reference.shape).ravel())
    else:
        numbers[ids] += values


def reached(record: Record, targets: Iterable[RecordedArray]) -> NDArray[np.bool_]:
    """Which numbers these arrays were made from (themselves among them)."""
    return reached_by_each(record, [targets]) != 0


def reached_by_each(record: Record, groups: Sequence[Iterable[RecordedArray]]) -> NDArray[np.uint32]:
    """For up to 32 groups of arrays in one pass: bit c of a number is set if group c was made from it."""
    marked, last = np.zeros(len(record.pool), np.uint32), 0
    for c, group in enumerate(groups):
        for reference in group:
            ids = reference.ids()
            marked[ids] |= np.uint32(1 << c)
            last = max(last, int(ids.max(initial=0)))
    first = int(np.searchsorted(record.starts, last, "right"))
    for k in range(first - 1, -1, -1):
        operation = record.operations[k]
        single = not operation.shape
        bits = marked[operation.start] if single else _union(marked[operation.start : operation.stop])
        if bits:
            for reference in operation.operands:
                if not reference.shape:
                    marked[reference.first] |= bits
                elif reference.kept is not None:
                    marked[reference.kept] |= bits
                else:
                    view = reference.of(marked)
                    view |= bits
    return marked


def _union(bits: NDArray[np.uint32]) -> np.uint32:
    return np.bitwise_or.reduce(bits) if holds(bits) else np.uint32(0)


def holds(numbers: NDArray[Any]) -> bool:
    """Whether any number is not zero. Most arrays are small, and counting is four times as quick there as `any`."""
    return bool(np.count_nonzero(numbers))


def touched(marked: NDArray[np.bool_], reference: RecordedArray) -> bool:
    """Whether any number of an array is marked."""
    if not reference.shape:
        return bool(marked[reference.first])
    if reference.follows:
        return holds(marked[reference.base : reference.base + reference.size])
    return holds(reference.of(marked))
