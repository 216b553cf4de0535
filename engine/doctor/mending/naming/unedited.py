"""Mistakes that no edit of a backward line corrects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.doctor.lineage.gradients import gradients
from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.carry_back import reached
from engine.doctor.lineage.record.matching import compared, same
from engine.doctor.lineage.record.reading import Floats, Record, RecordedArray, RecordedOperation
from engine.doctor.lineage.roles import Roles
from engine.doctor.lineage.the_loss.loss import adjoint_of, forward_of
from engine.doctor.lineage.verdict.factors import ADDED
from engine.doctor.lineage.verdict.given_back import NEGATED
from engine.doctor.lineage.verdict.run_verdict import RunVerdict


def without_edit(verdict: RunVerdict) -> Iterator[tuple[str, int]]:
    """Mistakes that no edit of a backward line corrects, with the number of a line in the record: gradients that are added to the weights,
    gradients in which those of the round before are left, and weights that are stepped while gradients are still made with them."""
    if line := _stepped_early(verdict):
        yield "weights-updated-during-backward", line
    for row in verdict.compared:
        if row.reason == ADDED and row.update is not None:
            opposite = row.bare is not None and row.bare.factor < 0 and bool((row.update.signs < 0).all())
            line = _delta_line(verdict) if opposite else 0
            yield ("delta-sign", line) if line else ("gradients-added", row.update.line)
        elif row.reason == NEGATED and (line := _delta_line(verdict)):
            yield "delta-sign", line
        elif row.status == "wrong" and verdict.round > 0 and (line := _kept_from_before(verdict, row)):
            yield "gradients-not-reset", line


FAR = 100.0
"""So many times as far as weights were stepped, relative to their largest entry, a gradient that only takes them stepped may be off."""


def _stepped_early(verdict: RunVerdict) -> int:
    """The line of an update whose result a gradient that is wrong was made from, in the same round, where that may be all that is wrong
    with it; 0 where there is none."""
    record, loss = verdict.record, verdict.loss
    wrong = [row for row in verdict.compared if row.status == "wrong" and row.gradient.size]
    if record is None or loss is None or not wrong:
        return 0
    forward = forward_of(record, loss)
    made = reached(record, [RecordedArray(row.gradient.shape, kept=row.gradient) for row in wrong]) & ~forward
    nearest = min((found.error for row in wrong if (found := row.bare or row.match) is not None), default=0.0)
    judged = [row for row in verdict.compared if row.status in ("right", "wrong")]  # `y - p` looks like a step of y
    for row in judged:
        for step in row.update.made if row.update is not None else ():
            read = made[step.start : step.stop].any() and nearest <= FAR * _moved(record, step)
            if read and not any(np.isin(w.gradient, np.arange(step.start, step.stop)).any() for w in wrong):
                return step.line
    return 0


def _moved(record: Record, step: RecordedOperation) -> float:
    """How far a step moves weights, relative to their largest entry."""
    before, after = step.operands[0].of(record.pool), record.pool[step.start : step.stop]
    largest, moved = float(np.abs(before).max()), after - np.broadcast_to(before, step.shape).ravel()
    return float(np.abs(moved).max()) / largest if largest else float("inf")


def _delta_line(verdict: RunVerdict) -> int:
    """The line that makes what an output gets, with the wrong sign: a difference from its target; 0 where there is none."""
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None:
        return 0
    roles = Roles(record, loss, [row.own for row in verdict.compared])
    adjoint = adjoint_of(record, loss)
    rights = [adjoint[o.start : o.stop] for o in record.operations if roles.forward[o.start]]
    for event in record.events:
        ids = event.value.ids().ravel() if event.value.size else np.zeros(0, np.int32)
        if not ids.size or roles.forward[ids].any():
            continue
        maker = record.maker(int(ids[-1]))
        if maker >= 0 and any(len(r) == ids.size and _is_negative(record.pool[ids], r) for r in rights):
            return record.operations[maker].line  # what is made of it has the wrong sign, too, and comes later
    return 0


def _is_negative(values: Floats, right: Floats) -> bool:
    """Whether values are right but for their sign, and for a factor where they are several."""
    match = compared(values, right)
    return match is not None and match.right and match.factor < 0 and (len(right) > 1 or same(match.factor, -1.0))


def _kept_from_before(verdict: RunVerdict, row: ComparedGradient) -> int:
    """The line that adds to what was left of the round before, 0 where there is none."""
    record = verdict.record
    first = gradients.kept(record, row.walk, row.gradient, row.right) if record and row.walk else 0
    if record is None or not first:
        return 0
    reads = (o.line for o in record.operations if any(r.size and r.first == first for r in o.operands))
    return next(reads, row_line(row))


def row_line(row: ComparedGradient) -> int:
    """The number of the update's line."""
    return row.update.line if row.update is not None else 0
