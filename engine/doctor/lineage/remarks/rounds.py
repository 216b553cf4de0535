"""Remarks about rounds: a state that is kept, weights that are stepped twice or never, a penalty that no step has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.doctor.lineage.gradients.gradients import Target, walked
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.carry_back import reached, touched
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.reading import Ids, Record, RecordedOperation, UserLine
from engine.doctor.lineage.record.tables import IN_PLACE
from engine.doctor.lineage.record.updates import found, scaled_from
from engine.doctor.lineage.remarks.remark import Remark, RemarkedRun
from engine.doctor.lineage.the_loss import penalty
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss, candidates, forward_of, is_summand
from engine.doctor.lineage.verdict.over_versions import RUNS_ON

STATE_KEPT = "state-kept"


def begins_with(line: int, past: str) -> str:
    """What is said of a state that `line` left in the round, or the call, before."""
    return (
        f"it begins with the state that line {line} left in the {past} before, and no error is carried back there: "
        f"right where this {past} continues the sequences of the last one"
    )


def state_kept(seen: RemarkedRun) -> Iterator[Remark]:
    """What the forward pass made of weights in one round, and the forward pass of the next one begins with."""
    if len(seen.verdict.rounds) < 2 or RUNS_ON in seen.verdict.conventions:  # errors are carried back there
        return
    later = seen.verdict.rounds[1]
    if later.record is None or later.loss is None:
        return
    forward = forward_of(later.record, later.loss)
    kept = seen.forward & seen.depends & ~seen.weights
    kept[: seen.record.starts[0] if len(seen.record.starts) else 0] = False
    for operation in later.record.operations:
        if not forward[operation.start : operation.stop].any():
            continue
        for reference in operation.operands:
            fewest = 1 if operation.name in PRODUCTS else 2  # the one output that a Jordan network keeps, and no loss
            if reference.size < fewest or reference.first >= later.record.starts[0] or not kept[reference.ids()].all():
                continue
            made = seen.record.maker(reference.first)
            if made < 0:
                continue
            line = seen.place(seen.record.operations[made]).number
            yield Remark(STATE_KEPT, later.record.lines[operation.line], begins_with(line, "round"))
            return


def stepped_twice(seen: RemarkedRun) -> Iterator[Remark]:
    """A weight that is stepped by its gradient, and once more by the same before anything else reads it."""
    whole = seen.whole
    steps = [(row, row.update) for row in seen.compared if row.update is not None and row.status == "right"]
    made = [(row, update.made[0 if update.further else -1]) for row, update in steps]
    waiting = {operation.start: (row, operation) for row, operation in made}
    fresh = np.zeros(len(whole.pool), bool)
    for _, operation in waiting.values():
        fresh[operation.start : operation.stop] = True
    begin, end = whole.starts.searchsorted((min(waiting, default=0), seen.until))
    for operation in whole.operations[int(begin) + 1 : int(end)]:
        for reference in [r for r in operation.operands if touched(fresh, r)]:
            found = waiting.get(reference.first) if fresh[reference.ids()].all() else None
            fresh[reference.ids()] = False
            if found is None or operation.name not in ("add", "subtract") or reference.shape != operation.shape:
                continue
            row, before = found
            steps = [r for r in operation.operands if r is not reference and r.shape == operation.shape]
            target = Target(row.right, (row.own, reference.ids().ravel()), seen.forward)
            if not steps or _is_moved_since(whole, steps[0].ids().ravel(), before):
                continue
            if not walked(whole, steps[0].ids().ravel(), target).found:
                continue
            if operation.parameters == IN_PLACE or ArrayNames(whole).bound_again([reference.ids().ravel()], operation):
                says = f"{row.name} is stepped by its gradient a second time, after line {seen.place(before).number}"
                yield Remark("stepped-twice", whole.lines[operation.line], says)


def _is_moved_since(record: Record, ids: Ids, step: RecordedOperation) -> bool:
    """Whether an array is a multiple of one that was itself stepped after a step: a velocity, by which the next round begins."""
    first = scaled_from(record, ids)
    k = record.maker(first)
    made = record.operations[k] if k >= 0 and first > step.start else None
    return made is not None and made.name in ("add", "subtract") and made.parameters == IN_PLACE


def never_stepped(seen: RemarkedRun) -> Iterator[Remark]:
    """Weights whose gradients were compared, and that no update steps where others are stepped."""
    rows = seen.verdict.compared
    if not any(row.update is not None and len(row.own) > 1 for row in rows):
        return
    steps = (s for group in found(seen.record, ArrayNames(seen.record)) for s in group if s.sure)
    stepped = {int(ids[0]) for step in steps for ids in step.levels}
    for row in rows:
        if row.update is None and row.status != "zero" and int(row.own[0]) not in stepped:
            yield Remark("never-updated", seen.first_read(row.own), f"{row.name} has a gradient, and is never updated")


def stepped_unread(seen: RemarkedRun) -> Iterator[Remark]:
    """Arrays that are stepped where the weights are, and that nothing else reads: a bias that the forward pass leaves out."""
    whole, read, names = seen.whole, seen.whole.operations.first_read, ArrayNames(seen.record)
    lines = {o.line for row in seen.compared if row.update is not None for o in row.update.made}
    steps = [s for group in found(seen.record, names) for s in group if s.sure and s.made.line in lines]
    for step in steps:
        own, size = step.levels[-1], len(step.by)
        is_last = read(int(own[0]), size) == step.made.start and size == step.made.size > 1
        again = read(step.made.start, size) if is_last else None
        if again is None or seen.forward[own].any():
            continue
        operation = whole.operations[whole.maker(again)]
        is_same = (operation.line, operation.name) == (step.made.line, step.made.name)
        if is_same and len(operation.operands) == 2 and all(r.size == size for r in operation.operands):
            yield Remark(
                "stepped-unread", whole.lines[step.made.line], f"{names.of(own)} is stepped, and nothing else reads it"
            )


def penalty_without_gradient(seen: RemarkedRun) -> Iterator[Remark]:
    """A part of the loss, computed from weights alone or from what they made, where the gradients are those of the rest."""
    if any(row.walk is not None and row.walk.penalty for row in seen.compared):
        return
    looked_at: set[int] = set()
    for stated in candidates(seen.record, [row.own for row in seen.compared]):
        is_whole = not seen.loss.assumed and is_summand(seen.record, seen.loss, stated)
        if not is_whole and not NAMED.search(stated.name):
            continue
        parts = (part for reference, _ in stated.seeds for part in penalty.parts(seen.record, reference.first))
        for part in parts:
            if part.line in looked_at or seen.forward[part.start]:  # a line is the same for each sample
                continue
            looked_at.add(part.line)
            says = "a penalty on the weights is added to the loss, and no gradient has it"
            if not penalty.is_of_weights(seen.record, part, seen.weights):
                if not is_whole or not seen.depends[part.start] or seen.verdict.verdict != "right":
                    continue
                if _is_of_other_losses(seen, part):
                    continue
                says = "what is added to the loss here depends on the weights, too, and no gradient has it"
            yield Remark("penalty-without-gradient", UserLine(stated.file, stated.line), says)
            return


def named_losses(seen: RemarkedRun) -> list[ChosenLoss]:
    """What the program computes and calls a loss, the likeliest first."""
    return [c for c in candidates(seen.record, [row.own for row in seen.compared]) if NAMED.search(c.name)]


def _is_of_other_losses(seen: RemarkedRun, part: RecordedOperation) -> bool:
    """Whether a number was made from what was made before where the loss was, as a running mean of losses is."""
    numbers = [e for e in seen.record.events if e.value.size == 1]
    own = set(seen.loss.ids.tolist())
    places = {(id(e.site), e.part) for e in numbers if e.value.first in own}
    marked = reached(seen.record, [part.result])
    return any(bool(marked[e.value.first]) for e in numbers if (id(e.site), e.part) in places)
