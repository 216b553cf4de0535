"""A right verdict asked again from other first weights: where those of the program make different things look alike.

With W = 1 the product with W.T is that with W; with b = 0 a term with b in it is not seen; where all weights are tiny a derivative of
tanh is 1. Where they are small it is nearly 1: gradients that are right but for more than rounding, or all an odd multiple of what they
should be, may be wrong, and only another start shows what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.levels import levels_of
from engine.doctor.lineage.record.matching import SINGLE, same, tolerance
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.the_loss.loss import forward_of
from engine.doctor.lineage.verdict.over_versions import SINCE
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged

TINY = 1e-3
"""Weights that are all smaller make a network look linear."""
SMALL = 0.1
"""Of smaller numbers tanh is nearly linear."""
SHIFT = 0.3
"""How far entries are shifted, for a weight of one entry; the more entries it has, the less, so that sums over them stay as large."""
ROUNDING = 1e-10
"""A larger error of a gradient in float64 is not that of its rounding."""
LARGE, FURTHER = 1e-3, 3.0
"""How large the error of a mistake is from other weights that are shifted so many times as far: one of a small number in the program, as in
log(p + 1e-6), stays small."""
MOST, MOST_IN_DOUBT = 4_000_000, 32_000_000
"""A run of more numbers is not run again; of so many, where gradients are right, but for more than rounding."""
SOUGHT = (
    "the line was looked for from other first weights: with the program's own, changes of different lines look alike"
)
SEEN = "seen from other first weights: with the program's own, different gradients look alike"

Shift = tuple[int, int, float]
"""The first number of an array that comes from outside, its size, and how far its entries are shifted."""


def settled(runs: Runs, verdict: RunVerdict, taken: str = "") -> RunVerdict:
    """The verdict, or where it is right with weights that hide what is wrong, the one from other first weights if that is wrong."""
    record, loss = verdict.record, verdict.loss
    if verdict.verdict != "right" or record is None or loss is None or len(record.pool) > MOST_IN_DOUBT:
        return verdict
    if SINCE in verdict.conventions:  # one round shows no window's end
        return verdict
    odd = is_odd(verdict)
    nearly = any(_error(record, row) > ROUNDING for row in verdict.compared) or _is_linear(
        record, forward_of(record, loss)
    )
    if len(record.pool) > MOST and not (nearly or odd):
        return verdict
    shifts = list(_shifts(record, verdict, every=nearly or odd))
    if not shifts:
        return verdict
    options = {**runs.wishes.options, "shifts": shifts, "rounds": 1}
    _, again = replace(runs, wishes=replace(runs.wishes, options=options), progress=None).followed()
    if isinstance(again, str) or not np.isfinite(again.pool).all():
        return verdict
    other = judged(again, loss, taken)
    if other.verdict != "wrong" or (nearly and not odd and not _is_far(again, other)):
        return verdict
    return replace(other, shifted=True, conventions=(*other.conventions, SEEN))


def hide_the_line(verdict: RunVerdict) -> bool:
    """Whether a verdict is wrong by so little, or with weights so small, that changes of different lines would look alike."""
    record, loss = verdict.record, verdict.loss
    wrong = [row for row in verdict.compared if row.status == "wrong"]
    if verdict.shifted or not wrong or record is None or loss is None or len(record.pool) > MOST_IN_DOUBT:
        return False
    return any(0 < _error(record, row) < LARGE for row in wrong) or _is_linear(record, forward_of(record, loss))


def _is_linear(record: Record, forward: NDArray[np.bool_]) -> bool:
    """Whether the forward pass takes tanh of nothing but small numbers, of which it is nearly these numbers themselves."""
    operations = record.operations
    values = [record.pool[o.start : o.stop] for o in operations.at(operations.named(("tanh",))) if forward[o.start]]
    return len(values) > 0 and max(float(np.abs(each).max(initial=0.0)) for each in values) < SMALL


def is_odd(verdict: RunVerdict) -> bool:
    """Whether right gradients are such a multiple of dL/d(it) as no mean or sum over any axes of the forward pass makes them, nor the
    square of an error without its 2: a coincidence."""
    record, loss = verdict.record, verdict.loss
    bare = [abs(r.bare.factor) for r in verdict.compared if r.status == "right" and len(r.own) > 2 and r.bare]
    if record is None or loss is None or not bare or not all(same(f, bare[0]) for f in bare):
        return False
    forward = forward_of(record, loss)
    lengths = {n for o in record.operations.on_arrays() if o.size and forward[o.start] for n in o.shape} | {
        1,
        len(loss.seeds),
    }
    counts = {a * b for a in lengths for b in lengths}
    return not any(same(bare[0], factor) for n in counts for factor in (n, 1 / n, n / 2, 1 / (2 * n)))


def _error(record: Record, row: ComparedGradient) -> float:
    """How far a gradient is from the right one; 0 in single precision, where rounding is as large."""
    match = row.match or row.bare
    is_single = match is not None and tolerance(record.pool[row.gradient]) == SINGLE
    return 0.0 if match is None or is_single or len(row.own) <= 1 else match.error


def _is_far(record: Record, verdict: RunVerdict) -> bool:
    """Whether all that is wrong is far from right."""
    return all(_error(record, row) > LARGE for row in verdict.compared if row.status in ("wrong", "zero"))


def _shifts(record: Record, verdict: RunVerdict, *, every: bool) -> Iterator[Shift]:
    """How weights are shifted: `every` one, or those that hide something."""
    last = {row.name: row for row in verdict.rounds[-1].compared} if verdict.rounds else {}
    for row in verdict.compared:
        now = record.pool[last.get(row.name, row).own]
        is_shifted = row.status == "right" and len(row.own) > 1 and (every or _hides(now))
        leaf = came_from(record, row) if is_shifted else None
        if leaf is None:
            continue
        start, size = leaf
        first = float(np.abs(record.pool[start : start + size]).max())
        scale = float(np.abs(record.pool[row.own]).max()) / first if first else 1.0
        if not scale:
            continue
        by = (FURTHER if every else 1.0) * SHIFT / size**0.25 / scale
        yield (
            start,
            size,
            min(by, 0.1 * first) if first and _is_constant(now) else by,
        )  # what is all ones may have to stay positive


def came_from(record: Record, row: ComparedGradient) -> tuple[int, int] | None:
    """`outside` of the weight of a row."""
    update, own = row.update, RecordedArray(row.own.shape, kept=row.own)
    return outside(record, update.levels if update is not None else levels_of(record, own))


def outside(record: Record, levels: Sequence[Ids]) -> tuple[int, int] | None:
    """The first number and the size of the array from outside that an array is, perhaps scaled (`levels_of`), and that a run may start from
    otherwise; None where it is computed from several, or was added to before."""
    if not levels or record.maker(int(levels[-1][0])) >= 0:
        return None
    start, size, line = (int(n) for n in record.leaves[record.leaf(int(levels[-1][0]))])
    return (start, size) if line >= 0 else None


def _hides(values: Floats) -> bool:
    """Whether weights are such that different gradients look alike: all one number, tiny, or a matrix that is its own transpose."""
    side = isqrt(len(values))
    square = values.reshape(side, side) if side * side == len(values) else None
    symmetric = square is not None and np.abs(square - square.T).max() <= 1e-6 * np.abs(square).max()
    return bool(symmetric) or _is_constant(values) or float(np.abs(values).max()) < TINY


def _is_constant(values: Floats) -> bool:
    return float(np.ptp(values)) <= 1e-9 * float(np.abs(values).max())
