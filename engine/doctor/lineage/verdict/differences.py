"""The loss carried back, held against the program itself, run once more from weights a little beside its own: its loss must change by what
dL/d(weights) says, and what seems to come from outside must not change. Else some number on the way has lost where it came from, and
nothing that was compared counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.carry_back import reached
from engine.doctor.lineage.record.levels import levels_of
from engine.doctor.lineage.record.reading import Floats, Record, RecordedArray
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.record.updates import found
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of, forward_of
from engine.doctor.lineage.verdict.other_weights import MOST, Shift, came_from, outside
from engine.doctor.lineage.verdict.run_verdict import RunVerdict

STEP = 1e-7
"""How far weights are moved, relative to their largest entry: rounding and curvature are both small beside the change of the loss."""
TOLERANCE = 1e-3
NEARER = 8.0
"""Where the loss changes otherwise, the weights are moved so many times less as well."""
BENDS = 0.1
"""So much of a difference between what is seen and what is told may change from the one to the other."""
NEAR = 1e-3
"""What differs by more, relative to the largest entry, was drawn anew, and does not follow the weights."""
NOISE = 1e3 * float(np.finfo(np.float64).eps)
"""Rounding in the loss, relative to what it is the sum of."""


def disagreement(runs: Runs, verdict: RunVerdict) -> str:
    """What changes otherwise than the loss carried back says, as a sentence; "" where nothing does, or where it cannot be seen: in a
    program that draws other numbers each time, in one of single precision, in a long run."""
    first = verdict.rounds[0] if verdict.rounds else verdict
    record, loss = first.record, first.loss
    if record is None or loss is None or len(record.pool) > MOST or _is_single(record.pool[loss.ids]):
        return ""
    adjoint = adjoint_of(record, loss)
    shifts, scales = [*_shifts(record, first, adjoint), *_stepped_beside(record, first, loss)], _scales(record, first)
    seen = _beside(runs, record, adjoint, shifts, scales, loss) if shifts else None
    if isinstance(seen, str):
        return seen
    if seen is None or seen.agrees:
        return ""
    nearer = _beside(runs, record, adjoint, [(start, size, by / NEARER) for start, size, by in shifts], scales, loss)
    if not isinstance(nearer, LossChange):
        return ""
    bends = abs(nearer.seen * NEARER - seen.seen)
    if bends > min(BENDS * abs(seen.seen - seen.told), 10 * TOLERANCE * abs(seen.seen)):
        return ""  # the loss bends between the two, and that may be all
    return (
        f"from weights a little beside its own, the program's {loss.name} changes by {seen.seen:.3g}; the loss carried back says "
        f"{seen.told:.3g}: some number on the way was not followed"
    )


@dataclass(frozen=True)
class LossChange:
    """By how much the loss changed, by how much it should, and whether that is so up to rounding."""

    seen: float
    told: float
    agrees: bool


def _beside(
    runs: Runs, record: Record, adjoint: Floats, shifts: Sequence[Shift], scales: Sequence[Shift], loss: ChosenLoss
) -> LossChange | str | None:
    """What a run from shifted weights shows: the change of the loss, or, as a sentence, what was not followed. None where it shows
    nothing. First weights may be scaled by what was computed from them (`scales`), as by their largest eigenvalue."""
    options = {**runs.wishes.options, "shifts": list(shifts), "rounds": 1}
    _, again = replace(runs, wishes=replace(runs.wishes, options=options), progress=None).followed()
    if isinstance(again, str) or len(again.pool) <= int(loss.ids.max()):
        return None
    shifts = [*shifts, *(scale for scale in scales if scale[0] not in {start for start, _, _ in shifts})]
    followed = _not_followed(record, again, adjoint, shifts, int(loss.ids.max()))
    return _changed(record, again, adjoint, shifts, loss) if followed == "" else followed


def _shifts(record: Record, verdict: RunVerdict, adjoint: Floats) -> Iterator[Shift]:
    """The arrays that come from outside and hold what was compared, each with how far it is moved."""
    for start, size in dict.fromkeys(came_from(record, row) or (0, 0) for row in verdict.compared if len(row.own) > 1):
        if adjoint[start : start + size].any():
            yield from _shift(record, start, size)


def _stepped_beside(record: Record, verdict: RunVerdict, chosen: ChosenLoss) -> Iterator[Shift]:
    """The arrays that come from outside and are stepped after the loss, which is not seen to depend on them: it may yet, through complex
    numbers or a function whose results are not followed."""
    forward = forward_of(record, chosen)
    steps = [s for group in found(record, ArrayNames(record)) for s in group if s.sure and len(s.by) > 2]
    beside = [
        s.levels for s in steps if s.made.start > chosen.ids.max() and not any(forward[i].any() for i in s.levels)
    ]
    for start, size in dict.fromkeys(outside(record, levels) or (0, 0) for levels in beside):
        yield from _shift(record, start, size)


def _shift(record: Record, start: int, size: int) -> Iterator[Shift]:
    values = record.pool[start : start + size]
    if size and np.isfinite(values).all() and not (values.any() and _is_single(values)):
        yield start, size, STEP * (float(np.abs(values).max()) or 1.0)


def _scales(record: Record, verdict: RunVerdict) -> list[Shift]:
    """What comes from outside, other than weights, and was made a number of by which weights were scaled before they were first read."""
    scales: list[RecordedArray] = []
    for row in verdict.compared:
        own = RecordedArray(row.own.shape, kept=row.own)
        for level in row.update.levels if row.update is not None else levels_of(record, own):
            k = record.maker(int(level.flat[0]))
            scales += [r for r in (record.operations[k].operands if k >= 0 else ()) if r.size == 1]
    numbers = np.flatnonzero(reached(record, scales)).astype(np.int32)
    leaves = record.leaf_starts.searchsorted(numbers[record.makers(numbers) < 0], "right") - 1
    return [(int(start), int(size), 0.0) for start, size, _ in record.leaves[np.unique(leaves)]]


def _is_single(values: Floats) -> bool:
    """Whether numbers are those of single precision, in which small changes are lost."""
    return np.array_equal(values.astype(np.float32), values)


def _not_followed(record: Record, again: Record, adjoint: Floats, shifts: Sequence[Shift], last: int) -> str | None:
    """Where an array seems to come from outside but changes a little with the weights, as a sentence; "" where none does, None where the
    second run is not the first."""
    moved, said = {start for start, _, _ in shifts}, ""
    for mine, other in zip(record.leaves, again.leaves, strict=False):
        start, size, line = (int(n) for n in mine)
        if start > last:
            break
        if not np.array_equal(mine[:2], other[:2]):
            return None
        one, two = record.pool[start : start + size], again.pool[start : start + size]
        if start in moved or np.array_equal(one, two, equal_nan=True):
            continue
        largest = float(np.abs(one[np.isfinite(one)]).max(initial=0))
        if not np.allclose(one, two, rtol=0, atol=NEAR * largest, equal_nan=True):
            return None
        if adjoint[start : start + size].any() and not said and 0 < line < len(record.lines):
            said = (
                f"what line {record.lines[line].number} reads changes with the weights, but was not followed from them"
            )
    return said


def _changed(
    record: Record, again: Record, adjoint: Floats, shifts: Sequence[Shift], loss: ChosenLoss
) -> LossChange | None:
    seeds = np.concatenate([np.broadcast_to(np.ravel(seed), reference.size) for reference, seed in loss.seeds])
    seen = float(seeds @ (again.pool[loss.ids] - record.pool[loss.ids]))
    moved = np.concatenate([np.arange(start, start + size) for start, size, _ in shifts])
    shares = adjoint[moved] * (again.pool[moved] - record.pool[moved])
    told, scale = float(shares.sum()), float(np.sqrt(shares @ shares))
    noise = NOISE * float(np.abs(seeds * record.pool[loss.ids]).sum())
    if not np.isfinite([seen, told]).all() or noise > TOLERANCE * scale:
        return None
    return LossChange(seen, told, abs(seen - told) <= TOLERANCE * scale)
