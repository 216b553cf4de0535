"""What a number is by which a line multiplies and should not: of steps, of samples, the rate of the updates, or one that acts at every
step of the way back anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from engine.doctor.lineage.record.carry_back import touched
from engine.doctor.lineage.record.matching import same
from engine.doctor.lineage.record.reading import Record, RecordedOperation
from engine.doctor.mending.naming.correction import Correction


def scale_name(c: Correction) -> str:
    """The name of a number that a line multiplies or divides by too much; "" where none is seen."""
    record = c.verdict.record if c.verdict is not None else None
    if record is None:
        return ""
    left = _left_over(record, c.before, c.corrected)
    if not left:
        return ""
    if _acts_on_itself(record, left):
        return "scaled-every-step"
    name, number = _by(record, left[0])
    return of_factor(c, 1 / number if name == "divide" and number else number)


def of_factor(c: Correction, factor: float) -> str:
    """The name of a factor that a gradient has too much."""
    roles, record = c.roles, c.verdict.record if c.verdict is not None else None
    if roles is None or record is None or not factor:
        return ""
    rates = {float(record.pool[r.first]) for o in record.operations if _steps(c, o) for r in o.operands if r.size == 1}
    factor, many = abs(factor), max(abs(factor), 1 / abs(factor))
    if any(same(factor, rate) for rate in rates):
        return "learning-rate-in-gradient"
    if same(many, roles.samples) or (factor > 1 and same(many, roles.samples * roles.steps)):
        return "batch-averaged-twice" if factor < 1 else "batch-not-averaged"
    return "averaged-over-time" if factor < 1 and same(many, roles.steps) else ""


def _by(record: Record, operation: RecordedOperation) -> tuple[str, float]:
    number = next((r for r in operation.operands if r.size == 1), None)
    return operation.name, float(record.pool[number.first]) if number is not None else 0.0


def _left_over(
    record: Record, before: Sequence[RecordedOperation], after: Sequence[RecordedOperation]
) -> list[RecordedOperation]:
    """The operations by a number that the line has more often than its correction."""
    scaled = [[o for o in some if o.name in ("multiply", "divide") and o.size > 1] for some in (before, after)]
    old, new = ([o for o in some if sum(r.size == 1 for r in o.operands) == 1] for some in scaled)
    if len(old) <= len(new):
        return []
    number, _ = Counter(_by(record, o) for o in old).most_common(1)[0]
    return [o for o in old if _by(record, o) == number]


def _acts_on_itself(record: Record, scaled: Sequence[RecordedOperation]) -> bool:
    """Whether what one of these operations made goes into a later one."""
    starts = {o.start for o in scaled}
    marked = np.zeros(len(record.pool), bool)
    for operation in record.operations:
        if operation.start >= scaled[0].start and any(touched(marked, r) for r in operation.operands):
            if operation.start in starts:
                return True
            marked[operation.start : operation.stop] = True
        elif operation.start == scaled[0].start:
            marked[operation.start : operation.stop] = True
    return False


def _steps(c: Correction, operation: RecordedOperation) -> bool:
    """Whether an operation scales the step of an update."""
    assert c.verdict is not None
    by = {int(row.update.by.flat[0]) for row in c.verdict.compared if row.update is not None}
    return operation.start in by and operation.name in ("multiply", "divide")
