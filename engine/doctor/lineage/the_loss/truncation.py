"""Backpropagation through time that is cut on purpose: each output's error goes back a given number of steps and no further, or to where
its window begins.

A step back in time is a way through a recurrent weight, one whose products reach later products of it. The errors are carried back one
such step at a time: adjoints of ways with no step, one step, two steps, ... whose sums are what gradients cut there should be. A window is
a part of the forward pass with the part of the backward pass that follows it, before the forward pass goes on: Williams and Peng, An
efficient gradient-based algorithm for on-line training of recurrent network trajectories (1990).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.carry_back import CutOperands, carried_back, depending, reached, share_of
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray
from engine.doctor.lineage.record.windows import window

FEWEST = 2
"""Fewer steps than these are no choice: nothing carried, or only what came last."""
MOST_STEPS = 40
VANISHED = 1e-12
"""What is handed on no longer counts beside what was handed on first."""
MOST_NUMBERS = 400_000_000


def shortened(
    record: Record,
    seeds: Sequence[tuple[RecordedArray, Floats]],
    weights: Sequence[Ids],
    forward: NDArray[np.bool_],
    gradients: Sequence[Ids] = (),
    *,
    later: bool = False,
) -> Iterator[tuple[int, Floats, bool]]:
    """(steps, dL/d(every number) over ways of at most so many steps through `weights`, whether that may be a choice), while there are
    longer ones. Fewer than `FEWEST` are none.

    Where all errors begin at the last step, one that leaves out the first step alone is a mistake and no choice. In a round after one
    that was right, the state that was kept may be taken as given, as in Elman's networks, however many steps made it: only one of them
    has a part in the loss by itself then, and no gradient (`gradients` are all of them) is made from what the others began with."""
    uses = _recurrent(record, weights, forward)
    if not uses:
        return
    stops = CutOperands(record, uses)
    total, largest = np.zeros(len(record.pool)), 0.0
    left, begun = set(uses), 0
    back = reached(record, [RecordedArray(ids.shape, kept=ids) for ids in gradients]) & ~forward
    read = {r.first for o in record.operations if back[o.start] for r in o.operands if r.size}
    for steps in range(most_steps(record)):
        adjoint = carried_back(record, seeds, stops=stops)
        total += adjoint
        handed = {k: _handed(record, adjoint, k, which) for k, which in uses.items()}
        seeds = [(reference, part) for reference, part in handed.values() if part.any()]
        left -= {k for k, (_, part) in handed.items() if part.any()}
        begun = begun or len(seeds)
        del adjoint  # one at a time
        size = max((float(np.abs(part).max()) for _, part in seeds), default=0.0)
        largest = max(largest, size)
        is_given = later and begun <= 1 and not any(record.operations[k].operands[uses[k]].first in read for k in left)
        yield steps, total, is_given or (steps >= FEWEST and size > VANISHED * largest and not 0 < len(left) <= begun)
        if size <= VANISHED * largest:
            return


def most_steps(record: Record) -> int:
    """So many lengths of the way back are tried."""
    return min(MOST_STEPS, max(1, MOST_NUMBERS // len(record.pool)))


def in_windows(
    record: Record,
    seeds: Sequence[tuple[RecordedArray, Floats]],
    weights: Sequence[Ids],
    forward: NDArray[np.bool_],
    gradients: Sequence[Ids],
) -> Floats | None:
    """dL/d(every number) where no error goes back further than its window begins; None where there are no windows of several steps."""
    uses = _recurrent(record, weights, forward)
    begins = _windows(record, uses, forward, gradients)
    if len(begins) <= 1 or len(begins) * len(record.pool) > MOST_NUMBERS:
        return None
    products = [record.operations[k] for k in uses]
    states = depending(record, [np.arange(o.start, o.stop, dtype=np.int32) for o in products])
    total = np.zeros(len(record.pool))
    for reference, seed in seeds:
        np.add.at(total, reference.ids(), seed)
    for begin, end in zip(reversed(begins), reversed([*begins[1:], len(record.pool)]), strict=True):
        ids = np.arange(begin, end, dtype=np.int32)
        adjoint = carried_back(window(record, begin, end), [(RecordedArray(ids.shape, kept=ids), total[begin:end])])
        is_state = states[:begin].copy()
        computed = np.flatnonzero(is_state & (adjoint[:begin] != 0)).astype(np.int32)
        is_single = record.operations.sizes[record.makers(computed)] == 1
        is_state[computed[is_single]] = False  # it is a loss that is added up
        total[:begin] += np.where(is_state, 0.0, adjoint[:begin])
        total[begin:end] = adjoint[begin:end]
    return total


def _windows(
    record: Record, uses: Mapping[int, int], forward: NDArray[np.bool_], gradients: Sequence[Ids]
) -> list[int]:
    """The number with which each window begins: what is made from there on has recurrent products of several steps, and then the first
    operations of a backward pass."""
    back = reached(record, [RecordedArray(ids.shape, kept=ids) for ids in gradients])
    is_back = np.logical_or.reduceat(back, record.starts) & ~np.logical_or.reduceat(forward, record.starts)
    begins, last = [0], -1
    steps: Counter[int] = Counter()
    for k in sorted(uses):
        between = np.flatnonzero(is_back[last + 1 : k])
        if last >= 0 and len(between):
            if max(steps.values()) < FEWEST:
                return []
            begins.append(record.operations[last + 1 + int(between[-1])].stop)
            steps.clear()
        steps[record.operations[k].operands[1 - uses[k]].first] += 1
        last = k
    return begins


def _handed(record: Record, adjoint: Floats, k: int, which: int) -> tuple[RecordedArray, Floats]:
    """What a product hands on to the operand that is not the weight."""
    operation = record.operations[k]
    if not adjoint[operation.start : operation.stop].any():
        return operation.operands[which], np.zeros(1)
    return operation.operands[which], share_of(record, adjoint, k, which)


def _recurrent(record: Record, weights: Sequence[Ids], forward: NDArray[np.bool_]) -> dict[int, int]:
    """The forward pass's products with recurrent weights: which operand of each is not the weight."""
    made: dict[int, int] = {}
    owner = np.full(len(record.pool), -1, np.int32)
    for n, ids in enumerate(weights):
        owner[ids] = n
    every: list[dict[int, int]] = [{} for _ in weights]
    products: list[int] = record.operations.named(PRODUCTS).tolist()
    for k in products:
        operation = record.operations[k]
        if len(operation.operands) == 2 and forward[operation.start : operation.stop].any():
            one, two = (int(owner[r.first]) if r.size else -1 for r in operation.operands)
            if one != two:
                every[one].update({k: 1} if one >= 0 else {})
                every[two].update({k: 0} if two >= 0 else {})
    for uses in every:
        if len(uses) > FEWEST and _reaches(record, uses):
            made.update(uses)
    return made


def _reaches(record: Record, uses: dict[int, int]) -> bool:
    first = min(uses)
    operation = record.operations[first]
    after = depending(record, [np.arange(operation.start, operation.stop, dtype=np.int32)])
    return any(bool(after[record.operations[k].operands[which].ids()].any()) for k, which in uses.items() if k != first)
