"""With which factor the way back begins."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.reading import Floats, Record
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of, forward_of

BEGIN, LAST = 16, 16
"""So many values of the way back are compared with so many of the forward pass, to see by what they are multiplied."""


def at_the_begin(record: Record, loss: ChosenLoss) -> list[float]:
    """By what the first values of the way back are dL/d(a forward value): not 1 where each gradient is divided by the number of samples
    only at its own line, say."""
    forward, adjoint = forward_of(record, loss), adjoint_of(record, loss)
    known: dict[int, list[Floats]] = defaultdict(list)
    factors: list[float] = []
    tried = 0
    for event in record.events:
        ids = event.value.ids().ravel() if event.value.size > 2 else np.zeros(0, np.int32)
        if not ids.size or tried >= BEGIN:
            continue
        if forward[ids].all():
            known[ids.size].append(adjoint[ids])
        elif (maker := record.maker(int(ids[0]))) >= 0 and not forward[ids].any():
            direct = any(r.size and forward[r.first] for r in record.operations[maker].operands)
            tried += direct
            matches = [compared(record.pool[ids], right) for right in known[ids.size][-LAST:] if direct]
            factors += [m.factor for m in matches if m is not None and m.right]
    return factors
