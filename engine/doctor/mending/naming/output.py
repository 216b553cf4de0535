"""Names of lines with which the way back begins: what the output gets."""

from __future__ import annotations

import re

from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.reading import RecordedArray
from engine.doctor.lineage.the_loss.loss import adjoint_of
from engine.doctor.mending.naming.correction import Correction, read_by


def of_delta(c: Correction) -> str:
    if "(1 - " in c.old and c.old.count(" - ") == 1 and ".sum(" in c.mended:
        return "softmax-jacobian-diagonal"
    if _is_gradient_of_output(c):
        return "delta-before-softmax"
    if "(1 - " in c.old:
        return "mse-delta-with-cross-entropy" if c.old.count(" - ") > 1 else "softmax-jacobian-diagonal"
    if " / " in c.old and "-" in c.old:
        return "delta-before-softmax"
    return "delta-sign" if " - " in c.old else "delta-without-target"


def _is_gradient_of_output(c: Correction) -> bool:
    """Whether the line made dL/d(what the output's activation made) rightly, in the place of dL/d(what it was applied to)."""
    record, loss = (
        c.verdict.record if c.verdict is not None else None,
        c.verdict.loss if c.verdict is not None else None,
    )
    if record is None or loss is None or c.roles is None:
        return False
    adjoint, forward = adjoint_of(record, loss), c.roles.forward
    read = {r.first for o in c.before for r in o.operands}
    made = [record.pool[o.start : o.stop] for o in c.before if o.size > 1 and o.start not in read]
    rights = [adjoint[o.start : o.stop] for o in record.operations if forward[o.start] and o.size > 1]
    pairs = ((m, r) for m in made for r in rights if len(m) == len(r))
    return any((match := compared(m, r)) is not None and match.right for m, r in pairs)


def of_exchange(c: Correction) -> str:
    """A product the other way round is the transposed one; a difference has the other sign."""
    if re.search(r"@|dot|outer|matmul", c.old):
        return "dwa-transposed" if c.row is not None else ""
    is_delta = " - " in c.old and c.roles is not None and all(_is_output(c, r) for r in read_by(c.before))
    return "delta-sign" if is_delta else ""


def _is_output(c: Correction, array: RecordedArray) -> bool:
    assert c.roles is not None
    return c.roles.is_forward(array) or c.roles.is_given(array)
