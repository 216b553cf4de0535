"""right, wrong or undecided: what was compared with what, and what could not be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage import gradients, loss, returned
from engine.doctor.lineage.carry_back import carried_back, reached
from engine.doctor.lineage.gradients import Target, Walk
from engine.doctor.lineage.loss import ChosenLoss
from engine.doctor.lineage.matching import Agreement, compared, same
from engine.doctor.lineage.reading import Floats, Ids, Record
from engine.doctor.lineage.updates import ArrayNames, Step, Update, cut_of, found, joined


@dataclass(frozen=True, eq=False)
class ComparedGradient:
    """One gradient: of what, where it was used or seen (`line`), and how it compares. `gradient` are the ids of the gradient itself.

    `status` is right, wrong, zero (it is zero and should not be) or "not compared"; `reason` says why.
    """

    name: str
    line: int
    status: str
    match: Agreement | None
    own: Ids
    gradient: Ids
    reason: str = ""
    update: Update | None = None
    walk: Walk | None = None
    bare: Agreement | None = None


@dataclass(frozen=True, eq=False)
class RunVerdict:
    """`verdict` is right, wrong or undecided; `adjoint` is dL/d(every number) for the loss that was chosen."""

    verdict: str
    loss: ChosenLoss | None
    compared: tuple[ComparedGradient, ...] = ()
    conventions: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    adjoint: Floats = field(default_factory=lambda: np.zeros(0))
    reason: str = ""


def judged(record: Record) -> RunVerdict:
    """The verdict on the first round of a run."""
    names = ArrayNames(record)
    updates = found(record, names)
    cut = cut_of(record)
    best: RunVerdict | None = None
    for chosen in loss.candidates(record, updates, cut):
        verdict = _with(record, chosen, updates, names, cut)
        if verdict is not None and (best is None or _better(verdict, best)):
            best = verdict
        if best is not None and best.verdict == "right":
            break
    if best is None:
        return RunVerdict("undecided", None, reason=_why(record))
    return best


def _why(record: Record) -> str:
    if record.outcome.get("ended") == "error":
        return f"the program stopped: {record.outcome.get('kind')}: {record.outcome.get('text')}"
    return "the program computes no loss from weights that it steps"


def _better(one: RunVerdict, other: RunVerdict) -> bool:
    def score(v: RunVerdict) -> tuple[int, int]:
        right = sum(c.status == "right" for c in v.compared)
        return right, -sum(c.status in ("wrong", "zero") for c in v.compared)

    return score(one) > score(other)


def _with(
    record: Record, chosen: ChosenLoss, updates: Sequence[Sequence[Step]], names: ArrayNames, cut: int
) -> RunVerdict | None:
    adjoint = carried_back(record, chosen.seeds)
    forward = np.zeros(len(record.pool), bool)
    for reference, _ in chosen.seeds:
        forward |= reached(record, reference)
    rows = [row for u in updates if (row := _stepped(record, u, adjoint, forward, names)) is not None]
    if not rows:
        rows = returned.compared_with(record, chosen, adjoint, forward, names, cut)
    if not rows:
        return None
    rows, conventions = _one_factor(rows)
    verdict = "right" if all(r.status == "right" for r in rows) else "wrong"
    left = [f"{r.name}: {r.reason}" for r in rows if r.status == "not compared"]
    if left and verdict == "wrong" and not any(r.status in ("wrong", "zero") for r in rows):
        verdict = "undecided" if not any(r.status == "right" for r in rows) else "right"
    return RunVerdict(verdict, chosen, tuple(rows), tuple(conventions), tuple(left), adjoint)


def _stepped(
    record: Record, steps: Sequence[Step], adjoint: Floats, forward: NDArray[np.bool_], names: ArrayNames
) -> ComparedGradient | None:
    """One update against dL/d(what it stepped); None where it is no update of this loss."""
    steps = [s for s in steps if not forward[record.operations[s.made].start : record.operations[s.made].stop].any()]
    if not steps:
        return None
    update = joined(record, steps)
    level = next((ids for ids in update.levels if forward[ids].any()), None)
    if level is None:
        return None
    right = adjoint[level]
    line = record.lines[update.line].number
    name = names.of(level)
    step = record.pool[update.by] * update.signs
    gradient = gradients.bare(record, update.by, update.line)
    if not right.any():
        return ComparedGradient(
            name, line, "not compared", None, level, gradient, "it is zero, and so is dL/d(it)", update
        )
    match = compared(step, right)
    if match is not None and match.right:
        alone = compared(record.pool[gradient], right)
        return ComparedGradient(name, line, "right", match, level, gradient, "", update, None, alone)
    if not update.sure:
        return None
    if not step.any():
        return ComparedGradient(name, line, "zero", None, level, gradient, "the gradient that is used is zero", update)
    walk = gradients.walked(record, update.by, Target(right, update.levels, forward))
    if walk.right:
        ids, match = walk.found[0]
        return ComparedGradient(name, line, "right", None, level, ids, "", update, walk, match)
    return ComparedGradient(
        name, line, "wrong", match, level, gradient, "", update, walk, compared(record.pool[gradient], right)
    )


def _one_factor(rows: Sequence[ComparedGradient]) -> tuple[list[ComparedGradient], list[str]]:
    """One common factor over all gradients is a convention, a factor on some is a mistake."""
    conventions: list[str] = []
    direct = [r for r in rows if r.status == "right" and r.match is not None]
    made = list(rows)
    factor = gradients.common([r.match.factor for r in direct if r.match])
    odd = [r for r in direct if r.match and factor is not None and not same(r.match.factor, factor)]
    if odd:
        alone = gradients.common([r.bare.factor for r in direct if r.bare])
        odd = [r for r in direct if r.bare is None or alone is None or not same(r.bare.factor, alone)]
        if not odd:
            conventions.append("each update has a rate of its own")
        factor = None
    for row in odd:
        why = "its factor is not the one that the other gradients have"
        made[made.index(row)] = replace(row, status="wrong", reason=why)
    if any(r.walk is not None and r.walk.penalty for r in rows):
        conventions.append("a penalty on the weights is added to the gradient")
    if any(r.walk is not None and r.walk.clipped and r.status == "right" for r in rows):
        conventions.append("gradients are clipped")
    if factor is not None and factor > 0 and any(r.update is not None for r in direct):
        conventions.append("the update adds the gradient")
    return made, conventions
