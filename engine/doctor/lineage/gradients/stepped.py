"""What the updates of a run used, beside dL/d(what they stepped)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients import gradients, optimizers
from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.gradients import Target, Walk
from engine.doctor.lineage.record.array_names import NAMELESS, ArrayNames
from engine.doctor.lineage.record.matching import Agreement, compared, same
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedOperation
from engine.doctor.lineage.record.tables import IN_PLACE
from engine.doctor.lineage.record.updates import Step, Update, joined, scaled_from
from engine.doctor.lineage.the_loss.loss import ChosenLoss

ROUNDING = 1e-13
"""A derivative that is smaller than this times the largest of the program cannot be told from rounding."""
ONE = 1
"""So many numbers are a factor times any others."""

UPHILL = 0.5
"""The cosine between a step and dL/d(what it stepped) beyond which an optimizer's first step surely makes the loss grow."""

OPEN = "open"
"""The status of a row whose step is not right, before what it was made of is looked through."""
FITTED = 8
"""By fewer numbers it is not seen whether a gradient has a penalty in it: two factors fit anything."""
SMALLEST = 1e-7
"""So large is a penalty's part of a gradient at least, that it is no rounding."""
LAST = 4
"""So many walks of an update are kept: they hold arrays of its size."""

CHANGED = "it is right in line {}; what line {} makes of it before the step is not judged"
"""Of a gradient that is right and is not what the step was made of."""
ADDED = "it is right in line {}; what line {} adds to it is not judged"
"""Of one of several steps."""

MayWin = Callable[[int, int, int], bool]
"""Whether a loss with at most so many right gradients, at least so many that are not, and at most so many rows may still agree better
than the ones before it."""


def always(right: int, bad: int, most: int) -> bool:
    """For a loss that is compared whatever comes out."""
    del right, bad, most
    return True


class SteppedRows:
    """Compares the updates of a record, for one loss after the other."""

    def __init__(self, record: Record, steps: Sequence[Sequence[Step]], names: ArrayNames) -> None:
        self.record = record
        self.steps = steps
        self.names = names
        self.wrong: dict[tuple[RecordedOperation, ...], list[tuple[Floats, Walk]]] = {}
        """By the operations of an update: what it should have been for losses before, and the walks that did not find it."""
        self.velocities: frozenset[int] = frozenset()
        """The first numbers of arrays by which weights are moved, for the loss of now."""

    def __call__(
        self, chosen: ChosenLoss, adjoint: Callable[[], Floats], forward: NDArray[np.bool_], may_win: MayWin
    ) -> list[ComparedGradient] | None:
        """A row an update of the loss; None as soon as it cannot win. The loss is carried back (`adjoint`) only if it may, and what a step
        was made of is looked through only where the step itself is not right."""
        del chosen
        moves, groups, moving = self._moves(forward), list[Sequence[Step]](), list[Step]()
        for group in self.steps:
            if any(self._is_move(step, moves) for step in group):
                moving += group
            else:
                groups.append(group)
        self.velocities = frozenset(int(level[0]) for step in moving for level in step.levels)
        updates = [found for group in groups if (found := self._of_loss(group, forward)) is not None]
        if not updates or not may_win(len(updates), 0, len(updates)):
            return None
        carried = adjoint()
        largest = max(float(carried.max()), -float(carried.min()))
        made_on = Counter(self._step_line(update) for update, _ in updates)

        def at_once(update: Update, level: Ids) -> ComparedGradient | None:
            if update.further:
                return self._of_several(update, forward, lambda own: at_once(own, level))
            return self._at_once(update, level, carried, largest, forward, made_on)

        tried = (at_once(update, level) for update, level in updates)
        rows = [row for row in tried if row is not None]
        for k, row in enumerate(rows):
            if row.status == OPEN:
                if not may_win(*_at_best(rows)):
                    return None
                rows[k] = self._walked(row, forward)
        rows = self._last([self._as_others(row, rows, forward) for row in rows])
        rows = [self._without_rate(row, forward) for row in rows]
        return [self._unstepped(row, rows) if row.status == "wrong" and len(row.own) > ONE else row for row in rows]

    def _as_others(
        self, row: ComparedGradient, rows: Sequence[ComparedGradient], forward: NDArray[np.bool_]
    ) -> ComparedGradient:
        """The row of a single number that an optimizer steps: any number is a multiple of its derivative, so its gradient is what stands
        where that of an array stands which is stepped in the same line."""
        if len(row.own) > ONE or row.status != "right" or row.match is None or row.update is None:
            return row
        for other in rows:
            is_inside = other.status == "right" and other.match is None and other.walk is not None
            if not is_inside or len(other.own) <= ONE or other.update is None or other.update.line != row.update.line:
                continue
            ids = gradients.same_place(self.record, other.update.by, other.gradient, row.update.by)
            match = None if ids is None else compared(self.record.pool[ids], row.right)
            if ids is not None and match is not None:
                alone = self._unscaled(ids, row.right, forward) or match
                return replace(row, match=None, gradient=ids, walk=other.walk, bare=alone)
        return row

    def _without_rate(self, row: ComparedGradient, forward: NDArray[np.bool_]) -> ComparedGradient:
        """A right row whose step is its gradient, told without the rate that the program multiplied the gradient by."""
        if row.status != "right" or row.match is None or row.bare is None or same(abs(row.bare.factor), 1.0):
            return row
        if not same(abs(row.match.factor), abs(row.bare.factor)):  # the step has a rate of its own: this is another one
            return row
        rate = optimizers.rate_in(self.record, self.names, row.gradient, forward)
        return replace(row, bare=replace(row.bare, factor=row.bare.factor / rate))

    def _unstepped(self, row: ComparedGradient, rows: Sequence[ComparedGradient]) -> ComparedGradient:
        """A row that is wrong, told of its gradient and not of the step: what an optimizer makes of a gradient is seen from one that is
        right beside it, found inside a step if there is such a one."""
        update, pool = row.update, self.record.pool
        for other in sorted(rows, key=lambda other: other.match is not None):
            step = other.update
            if update is None or step is None or step.line != update.line or other.status != "right":
                continue
            first = gradients.same_place(self.record, step.by, other.gradient, update.by)
            k = self.record.maker(int(first[0])) if first is not None and len(other.own) > ONE else -1
            made = self.record.operations[k] if k >= 0 else None
            beside = compared(pool[other.gradient], other.right)
            if made is None or made.size != len(row.own) or beside is None or other.bare is None:
                continue
            ids = made.result.ids().ravel()
            match = compared(pool[ids], row.right)
            if match is None:
                continue
            number = other.bare.factor / beside.factor
            told = replace(match, factor=number * match.factor, cosine=float(np.sign(number)) * match.cosine)
            return replace(row, gradient=ids, bare=told)
        return row

    def _moves(self, forward: NDArray[np.bool_]) -> dict[tuple[int, int], bool]:
        """The first numbers, and how many there are, of arrays that are added, as they are or scaled, to others that the loss is made from,
        and whether that is surely a step."""
        steps = [s for group in self.steps for s in group if len(s.by) > 1]
        sure = [s for s in steps if s.sure and not forward[s.every[-1].start]]
        again = {int(level[0]) for s in sure for level in s.levels}  # what was moved before the loss was made
        made = dict[tuple[int, int], bool]()
        for step in steps:
            is_last = not forward[step.every[-1].start] or step.made.start in again
            if not is_last or not any(forward[level].any() for level in step.levels):
                continue
            of = {int(level[0]) for level in step.levels}
            for ids in (step.by, *(f.by for f in step.further)):
                if (first := scaled_from(self.record, ids)) not in of:
                    made[first, len(ids)] = made.get((first, len(ids)), False) or step.sure
        return made

    def _is_move(self, step: Step, moves: Mapping[tuple[int, int], bool]) -> bool:
        """Whether an array that is stepped is itself what another one is stepped by, after its own step or before it: the velocity of an
        optimizer, of which the loss is made where weights are moved by it first."""
        size = len(step.by)
        return step.sure and (
            (step.every[-1].start, size) in moves or any(moves.get((int(level[0]), size)) for level in step.levels)
        )

    def _of_loss(self, steps: Sequence[Step], forward: NDArray[np.bool_]) -> tuple[Update, Ids] | None:
        """An update of what the loss was made from, and that array; None where it is none."""
        steps = [s for s in steps if not forward[s.made.start : s.made.stop].any()]
        steps = [s for s in steps if s.sure] or steps  # a weight is added to in the forward pass of a sample, too
        if len(steps) > 1 and steps[0].sure and not forward[steps[0].made.start :].any():
            last = {(int(s.levels[0][0]), len(s.by)): s for s in steps}  # of several rates tried from the same weights
            steps = list(last.values())
        if not any(forward[level].any() for s in steps for level in s.levels):
            return None
        update = joined(steps)
        level = next((ids for ids in update.levels if forward[ids].any()), None)
        return None if level is None else (update, level)

    def _step_line(self, update: Update) -> int:
        """The line that made what an update adds, its own or another."""
        maker = self.record.maker(int(update.by[0]))
        return self.record.operations[maker].line if maker >= 0 else update.line

    def _at_once(
        self,
        update: Update,
        level: Ids,
        adjoint: Floats,
        largest: float,
        forward: NDArray[np.bool_],
        made_on: Mapping[int, int],
    ) -> ComparedGradient | None:
        """The step itself against dL/d(what it stepped); `OPEN` where it is not right. A line that makes the steps of several arrays is an
        optimizer's (`made_on` says how many each makes): what it multiplies by is a rate, as on the update's own line."""
        record, right = self.record, adjoint[level]
        called = [n for ids in (level, *update.levels) if (n := self.names.of(ids)) and not n.startswith(NAMELESS)]
        name = called[0] if called else self.names.of(level)
        line = record.lines[update.line].number
        step_line = self._step_line(update)
        scaled_on = step_line if made_on[step_line] > 1 else update.line
        gradient = optimizers.bare(record, update.by, update.line, forward)
        gradient = optimizers.bare(record, gradient, scaled_on, forward)
        row = ComparedGradient(name, line, "not compared", None, level, gradient, right, "", update)
        if not right.any():
            return replace(row, reason="it is zero, and so is dL/d(it)") if update.sure else None
        if not np.isfinite(right).all():
            return replace(row, reason="dL/d(it) is not finite") if update.sure else None
        step = record.pool[update.by] * update.signs
        match = compared(step, right)
        if match is not None and match.right and not update.sure and (match.factor > 0 or len(level) <= ONE):
            return None  # a gradient with a penalty, `dW + decay * W`, rather than a step uphill; any two numbers that are added
        if match is not None and match.right:
            divided = optimizers.behind_state(record, update.by, right, forward)
            alone = self._unscaled(divided, right, forward) if divided is not None else None
            if alone is None:
                alone = self._unclipped(optimizers.before_momentum(record, gradient, right, forward), right, forward)
            limited = Walk(clipped=True) if len(level) <= ONE and optimizers.is_clipped(record, update.by) else None
            if limited is not None:
                alone = self._unclipped(optimizers.unlimited(record, gradient), right, forward)
            return replace(row, status="right", match=match, walk=limited, bare=alone)
        if not update.sure:
            return None
        if np.abs(right).max() <= ROUNDING * largest:
            return replace(row, reason="dL/d(it) is lost in rounding")
        if not step.any() and optimizers.is_clipped(record, update.by, zero=False):
            return replace(row, reason="a limit or a choice between it and the step made the step zero")
        if not step.any():
            return replace(row, status="zero", reason="the gradient that is used is zero")
        return replace(row, status=OPEN, match=match)

    def _walked(self, row: ComparedGradient, forward: NDArray[np.bool_]) -> ComparedGradient:
        """What a step was made of against dL/d(what it stepped)."""
        update = row.update
        assert update is not None
        before = self.wrong.setdefault(update.made, [])
        walk = next((w for r, w in before if w.same_for(forward) and _is_multiple(row.right, r)), None)
        if walk is None:
            walk = gradients.walked(self.record, update.by, Target(row.right, update.levels, forward, self.velocities))
            found = walk.gradient(self.record, row.right)
            if found is not None and not gradients.kept(self.record, walk, row.gradient, row.right):
                ids, match = found
                walk.uphill = row.match is not None and row.match.cosine > UPHILL and not (walk.states or walk.penalty)
                alone = self._unscaled(ids, row.right, forward) or match
                return replace(row, status="right", match=None, gradient=ids, walk=walk, bare=alone)
            before[:] = [*before[1 - LAST :], (row.right, walk)]
        for scaled in reversed((row.gradient, *walk.seen)):  # the rate of an optimizer comes last
            ids = self._bare(scaled, forward)
            alone = self._beside_a_penalty(row, ids)
            if alone is not None and self._is_made_of(update, ids, forward):
                return replace(
                    row, status="right", match=None, gradient=ids, walk=Walk(penalty=True, beside=True), bare=alone
                )
        if (
            lines := gradients.made_from_right(
                self.record, update.by, Target(row.right, update.levels, forward, self.velocities)
            )
        ) is not None:
            made, changed = (self.record.lines[line].number for line in lines)
            return replace(row, status="not compared", reason=CHANGED.format(made, changed))
        return replace(row, status="wrong", walk=walk, bare=compared(self.record.pool[row.gradient], row.right))

    def _of_several(
        self, update: Update, forward: NDArray[np.bool_], at_once: Callable[[Update], ComparedGradient | None]
    ) -> ComparedGradient | None:
        """Of several steps that one after the other makes of an array the one that is right, if the others only add what optimizers add;
        else all that they add."""
        rows = list[ComparedGradient]()
        for own, whole in update.one_by_one():
            row = at_once(own)
            if row is None:
                return None
            rows.append(replace(self._walked(row, forward) if row.status == OPEN else row, update=whole))
        right = [row for row in rows if row.status == "right"]
        if not right:
            return self._in_all(next((row for row in rows if row.status == "wrong"), rows[0]), update, forward)
        others = [row for row in rows if row.status not in ("right", "zero")]
        walks = [row.walk for row in others if row.walk is not None and not (row.walk.other or row.walk.foreign)]
        if len(walks) == len(others):
            if any(walk.penalty for walk in walks):
                return replace(right[0], walk=replace(right[0].walk or Walk(), penalty=True))
            return right[0]
        added = self.record.lines[others[0].update.line].number if others[0].update is not None else 0
        return replace(right[0], status="not compared", reason=ADDED.format(right[0].line, added))

    def _in_all(self, row: ComparedGradient, update: Update, forward: NDArray[np.bool_]) -> ComparedGradient:
        """The sum of several steps, of which none is right alone."""
        match = compared(update.step(self.record), row.right)
        if match is None or not match.right:
            return row
        steps = [own for own, _ in update.one_by_one()]
        bare = (own.signs * self.record.pool[optimizers.bare(self.record, own.by, own.line, forward)] for own in steps)
        alone = compared(float(update.signs[0]) * np.sum([*bare], axis=0), row.right)
        return replace(row, status="right", reason="", match=match, walk=None, bare=alone)

    def _beside_a_penalty(self, row: ComparedGradient, ids: Ids) -> Agreement | None:
        """A gradient to which a multiple of the weights was added, however often, in the direction that makes them smaller: it without
        that; None where it is not that."""
        given, own = self.record.pool[ids], self.record.pool[row.own]
        if len(given) < FITTED or not (own.any() and np.isfinite(given).all() and np.isfinite(row.right).all()):
            return None
        (_, decay), *_ = np.linalg.lstsq(np.stack([row.right, own], axis=1), given, rcond=None)
        match = compared(given - decay * own, row.right)
        is_there = np.abs(decay * own).max() > SMALLEST * np.abs(given).max()
        return match if match is not None and match.right and match.factor * decay > 0 and is_there else None

    def _is_made_of(self, update: Update, ids: Ids, forward: NDArray[np.bool_]) -> bool:
        """Whether between an array and a step there is only what optimizers do."""
        right = self.record.pool[ids]
        walk = gradients.walked(self.record, update.by, Target(right, update.levels, forward, self.velocities))
        return walk.gradient(self.record, right) is not None

    def _unscaled(self, ids: Ids, right: Floats, forward: NDArray[np.bool_]) -> Agreement | None:
        """A gradient that an optimizer's line scales, `0.1 * grad`, as it was before, and before a clip by its own norm;
        `2 * (p - y)`, if it is dL/d(it) itself, is not scaled."""
        if self.record.maker(int(ids[0])) < 0:
            return None
        alone = compared(self.record.pool[ids], right)
        if alone is not None and alone.right and same(abs(alone.factor), 1.0):
            return alone
        return self._unclipped(
            optimizers.before_momentum(self.record, self._bare(ids, forward), right, forward), right, forward
        )

    def _unclipped(self, ids: Ids, right: Floats, forward: NDArray[np.bool_]) -> Agreement | None:
        """A gradient against what it should be, before a clip by its own norm."""
        alone = compared(self.record.pool[ids], right)
        return alone and replace(alone, factor=alone.factor / optimizers.clip_of(self.record, ids, forward))

    def _bare(self, ids: Ids, forward: NDArray[np.bool_]) -> Ids:
        """An array without the numbers that the line which made it multiplies it by."""
        maker = self.record.maker(int(ids[0]))
        return ids if maker < 0 else optimizers.bare(self.record, ids, self.record.operations[maker].line, forward)

    def _last(self, rows: Sequence[ComparedGradient]) -> list[ComparedGradient]:
        """Of the rows of one array one: within an update's line a penalty may look like a step of its own."""
        last: dict[int, ComparedGradient] = {}
        for row in rows:
            before = last.get(int(row.own[0]))
            if before is None or self._is_step(row) >= self._is_step(before):
                last[int(row.own[0])] = row
        return list(last.values())

    def _is_step(self, row: ComparedGradient) -> tuple[bool, bool, int]:
        """What speaks for an addition being the update itself: it is written in place, or sure, or the last one."""
        assert row.update is not None
        made = row.update.made[-1]
        return made.parameters == IN_PLACE, row.update.sure, made.start


def _at_best(rows: Sequence[ComparedGradient]) -> tuple[int, int, int]:
    """The most that can be right, the fewest that are not, the most rows, whatever comes of those that are open."""
    several = Counter(int(row.own[0]) for row in rows)
    right = {int(row.own[0]) for row in rows if row.status in ("right", OPEN) and len(row.own) > 2}
    bad = sum(row.status in ("wrong", "zero") and several[int(row.own[0])] == 1 for row in rows)
    return len(right), bad, len(several)


def _is_multiple(one: Floats, other: Floats) -> bool:
    match = compared(one, other, ROUNDING) if len(one) == len(other) else None
    return match is not None and match.right
