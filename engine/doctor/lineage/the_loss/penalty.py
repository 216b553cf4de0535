"""The parts of a loss, and which of them is a penalty on the weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.carry_back import depending, reached, touched
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.reading import Ids, Record, RecordedOperation


def parts(record: Record, number: int) -> Iterator[RecordedOperation]:
    """The operations that made the parts of a sum of single numbers."""
    waiting, known = [number], set[int]()
    while waiting and len(known) < 64:
        k = record.maker(waiting.pop())
        if k < 0 or k in known:
            continue
        known.add(k)
        operation = record.operations[k]
        if operation.name in ("add", "subtract") and all(r.size == 1 for r in operation.operands):
            waiting += [r.first for r in operation.operands]
        else:
            yield operation


def is_of_weights(record: Record, part: RecordedOperation, weights: NDArray[np.bool_]) -> bool:
    """Whether a number was made from weights, and from nothing else but numbers of which none is put through weights: those are data."""
    marked = reached(record, [part.result])
    if not (marked & weights).any():
        return False
    given = marked & ~depending(record, [np.flatnonzero(weights).astype(np.int32)])
    products = (o for o in record.operations if o.name in PRODUCTS and marked[o.start : o.stop].any())
    if any(touched(given, operand) for product in products for operand in product.operands):
        return False
    outside: Ids = np.flatnonzero(marked & ~weights).astype(np.int32)
    outside = outside[record.makers(outside) < 0]
    owners = record.leaf_starts.searchsorted(outside, "right") - 1
    return bool((record.leaves[owners, 1] == 1).all())
