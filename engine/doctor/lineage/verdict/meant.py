"""Which loss is meant: one that the chosen one is a part of, those of other networks, and one with a penalty on the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.stepped import ONE
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.updates import Step
from engine.doctor.lineage.the_loss import loss, penalty
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss
from engine.doctor.lineage.verdict.factors import ADDED, PENALTY
from engine.doctor.lineage.verdict.run_verdict import GradientRows, RunVerdict, with_loss

STEPPED = "it is stepped"
"""So begins what is said of a weight of another network whose step is not by its gradient."""
OF_ANOTHER = (
    STEPPED + ", the loss of line {} does not depend on it, and its gradient is not that of the loss of line {}"
)
GROWS = STEPPED + " so that the loss of line {} grows: right where that is meant, as in adversarial training"
ANOTHER_PENALTY = "it is right but for the penalty, which is not the derivative of the one in the loss"


def meant(record: Record, verdict: RunVerdict, steps: Sequence[Sequence[Step]], compare: GradientRows) -> RunVerdict:
    """The verdict with another loss than the one that agrees best, where that is only a part of it or a measure beside it: one that it is a
    summand of, where weights that are stepped have a part in the whole alone, with gradients that are right for it; or one of the same
    forward pass that the program calls its loss, where it calls this one otherwise."""
    part = verdict.loss
    if verdict.verdict != "right" or part is None or part.assumed:
        return verdict
    inside = loss.forward_of(record, part)
    apart = [ids for group in steps for s in group if s.sure for ids in s.levels if not inside[ids].any()]
    beside = not loss.is_called_so(part)
    for other in loss.candidates(record, loss.sources(steps)) if apart or beside else ():
        forward = loss.forward_of(record, other)
        whole = any(forward[ids].any() for ids in apart) and loss.is_summand(record, part, other)
        if not whole and not (beside and loss.is_called_so(other) and _is_beside_it(record, part, other)):
            continue
        told = with_loss(record, other, forward, compare, None, trusted=True)
        if told is not None and (
            not whole or any(r.status == "right" and not inside[r.own].any() for r in told.compared)
        ):
            return told
    return verdict


def _is_beside_it(record: Record, one: ChosenLoss, other: ChosenLoss) -> bool:
    """Whether two losses come of one forward pass, and neither is a summand of the other."""
    forwards = [loss.forward_of(record, each) for each in (one, other)]
    if forwards[0][other.ids].any() or loss.is_summand(record, one, other):
        return False
    products = record.starts[record.operations.named(PRODUCTS)]
    ran = [forward[products] for forward in forwards]
    return bool(ran[0].any()) and np.array_equal(ran[0], ran[1])


def with_other_losses(
    record: Record, verdict: RunVerdict, steps: Sequence[Sequence[Step]], compare: GradientRows
) -> RunVerdict:
    """A right verdict with the weights that another loss steps, as those of the second of two networks: they are compared with that, and
    told where they are not right for it. What is stepped towards other weights, as their running mean is, has no loss."""
    if verdict.verdict != "right" or verdict.loss is None:
        return verdict
    inside = loss.forward_of(record, verdict.loss)
    sure = [s for group in steps for s in group if s.sure and len(s.by) > 2]
    apart = [
        s for s in sure if not any(inside[ids].any() for ids in s.levels) and not _is_running_mean(record, s, sure)
    ]
    rows = {int(row.own[0]): row for row in verdict.compared}
    for other in loss.candidates(record, [s.levels[-1] for s in apart]) if apart else ():
        forward = loss.forward_of(record, other)
        if not NAMED.search(other.name) or not any(forward[ids].any() for s in apart for ids in s.levels):
            continue
        told = with_loss(record, other, forward, compare, None, trusted=True)
        for row in told.compared if told is not None else ():
            before, row = rows.get(int(row.own[0])), unless_it_grows(row, other)
            if row.status in ("wrong", "zero"):
                row = replace(row, status="not compared", reason=OF_ANOTHER.format(verdict.loss.line, other.line))
            if not inside[row.own].any() and (before is None or before.status != "right"):
                rows[int(row.own[0])] = row
    left = [f"{r.name}: {r.reason}" for r in rows.values() if r.status == "not compared"]
    said = "undecided" if left else verdict.verdict
    return replace(verdict, verdict=said, compared=tuple(rows.values()), not_compared=tuple(left))


def unless_it_grows(row: ComparedGradient, chosen: ChosenLoss) -> ComparedGradient:
    """The row of a second network's weight, not compared where its loss grows: one of two may be there to make it grow."""
    return replace(row, status="not compared", reason=GROWS.format(chosen.line)) if row.reason == ADDED else row


def _is_running_mean(record: Record, step: Step, steps: Sequence[Step]) -> bool:
    """Whether an array is stepped by a multiple of others that are stepped, or of their difference to it."""
    weights = {s.made.start for s in steps} | {int(ids[0]) for s in steps for ids in s.levels}
    k = record.maker(int(step.by[0]))
    operands = record.operations[k].operands if k >= 0 else ()
    inner = [record.maker(r.first) for r in operands if r.size > 1]
    operands = (*operands, *(r for m in inner if m >= 0 for r in record.operations[m].operands))
    return any(r.size > 1 and r.first in weights for r in operands)


def with_its_penalty(
    record: Record, verdict: RunVerdict, steps: Sequence[Sequence[Step]], compare: GradientRows
) -> RunVerdict:
    """The verdict, where gradients are right but for a multiple of the weights: if the loss, or what the program calls so and this one is a
    summand of, has a penalty on the weights, that multiple is to be its derivative. One that only the step adds to what is right for the
    whole is the optimizer's."""
    added = {int(r.own[0]) for r in verdict.compared if r.walk is not None and r.walk.penalty and len(r.own) > ONE}
    if not added or verdict.loss is None or verdict.loss.assumed:
        return verdict
    weights = np.zeros(len(record.pool), bool)
    for row in verdict.compared:
        for ids in (row.own, *(row.update.levels if row.update is not None else ())):
            weights[ids] = True
    others = [c for c in loss.candidates(record, loss.sources(steps)) if NAMED.search(c.name)]
    for whole in (verdict.loss, *(c for c in others if loss.is_summand(record, verdict.loss, c))):
        parts = (part for reference, _ in whole.seeds for part in penalty.parts(record, reference.first))
        if not any(penalty.is_of_weights(record, part, weights) for part in parts):
            continue
        told = verdict
        if whole is not verdict.loss:
            told = with_loss(record, whole, loss.forward_of(record, whole), compare, None, trusted=True) or verdict
        bad = [r for r in told.compared if r.status == "wrong" or (r.walk is not None and r.walk.beside)]
        bad = [r for r in bad if int(r.own[0]) in added]
        rows = tuple(replace(r, status="wrong", reason=ANOTHER_PENALTY) if r in bad else r for r in told.compared)
        said = tuple(each for each in told.conventions if each != PENALTY or not bad)
        return replace(told, verdict="wrong" if bad else told.verdict, compared=rows, conventions=said)
    return verdict
