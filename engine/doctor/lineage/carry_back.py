"""The loss carried back over a record: dL/d(every number that it was made from)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.derivatives import share
from engine.doctor.lineage.reading import Floats, Record, RecordedArray, RecordedOperation

Visit = Callable[[int, int, Floats, Floats], None]
"""Called with the operation's place, the operand's, the share, and the running sum of shares of the operand."""


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
            if g.any():
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
    constants = _constants(record)
    for which, reference in enumerate(operation.operands):
        if which == stopped or (reference.size == 1 and constants[reference.first]):
            continue
        part = share(operation.name, g, result, operands, which, operation.parameters)
        add_to(adjoint, reference, part)
        if visit is not None:
            visit(k, which, part, reference.of(adjoint))


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
    ids = reference.ids().ravel()
    flat = np.broadcast_to(values, reference.shape).ravel()
    if len(ids) > 1 and (np.diff(np.sort(ids)) == 0).any():
        np.add.at(numbers, ids, flat)
    else:
        numbers[ids] += flat


def _constants(record: Record) -> NDArray[np.bool_]:
    """Which numbers are written in the program's text."""
    cached = record.__dict__.get("constants")
    if cached is None:
        cached = np.zeros(len(record.pool), bool)
        cached[record.leaves[record.leaves[:, 2] < 0, 0]] = True
        record.__dict__["constants"] = cached
    return cached


def reached(record: Record, targets: RecordedArray) -> NDArray[np.bool_]:
    """Which numbers these were made from (themselves among them)."""
    marked = np.zeros(len(record.pool), bool)
    ids = targets.ids()
    marked[ids] = True
    first = int(np.searchsorted(record.starts, int(ids.max(initial=0)), "right"))
    for k in range(first - 1, -1, -1):
        operation = record.operations[k]
        if marked[operation.start : operation.stop].any():
            for reference in operation.operands:
                mark(marked, reference)
    return marked


def mark(marked: NDArray[np.bool_], reference: RecordedArray) -> None:
    """Marks the numbers of an array."""
    if reference.kept is not None:
        marked[reference.kept] = True
    else:
        np.lib.stride_tricks.as_strided(marked[reference.base :], reference.shape, reference.strides)[...] = True


def touched(marked: NDArray[np.bool_], reference: RecordedArray) -> bool:
    """Whether any number of an array is marked."""
    if not reference.size:
        return False
    if reference.kept is not None:
        return bool(marked[reference.kept].any())
    return bool(np.lib.stride_tricks.as_strided(marked[reference.base :], reference.shape, reference.strides).any())
