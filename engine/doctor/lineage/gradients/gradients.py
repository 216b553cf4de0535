"""The gradient that an update used, compared with dL/d(what it stepped).

The step itself may be it, up to a factor (plain gradient descent). Otherwise it is looked for in what the step was made
of: between it and the step there may only be what optimizers do, which works place by place, on numbers, on the array
that is stepped and on states that start equal.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.matching import Agreement, compared
from engine.doctor.lineage.record.place_by_place import PlaceByPlace, made_place_by_place
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, RecordedOperation
from engine.doctor.recording.tracing.codes import ELEMENTWISE

DEEPEST = 40
LIMITS = ("minimum", "maximum", "where")
EVEN = ("square", "power", "absolute")
MOST_SEEN = 64
MOST_OPERATIONS = 200
"""So far back it is looked whether a factor comes from the gradient itself."""


@dataclass(eq=False)
class Walk:
    """What was found on the way back from a step: `found` the ids of gradients, or of parts of them, that are right, and the places of
    these, `small` those of two numbers at most, which agree up to some factor easily, `other` the operations that explain nothing,
    `foreign` data, `states` what was left by earlier rounds, `seen` what the whole step was made of, place by place, `asked` of which
    ranges of numbers it was asked whether the loss was made from any of them, and the answers. `penalty` is whether a multiple of the
    weights was added, `beside` whether that was done before there was a gradient that is right alone."""

    found: list[tuple[Ids, NDArray[np.int64]]] = field(default_factory=list[tuple[Ids, NDArray[np.int64]]])
    small: list[tuple[Ids, Agreement]] = field(default_factory=list[tuple[Ids, Agreement]])
    other: list[int] = field(default_factory=list[int])
    foreign: list[int] = field(default_factory=list[int])
    states: list[int] = field(default_factory=list[int])
    seen: list[Ids] = field(default_factory=list[Ids])
    visited: set[int] = field(default_factory=set[int])
    asked: list[tuple[int, int, bool]] = field(default_factory=list[tuple[int, int, bool]])
    penalty: bool = False
    beside: bool = False
    clipped: bool = False
    nothing: bool = False
    uphill: bool = False

    def gradient(self, record: Record, right: Floats) -> tuple[Ids, Agreement] | None:
        """The first gradient that is right, put together of its parts where only these were found; None where there is more in the step."""
        whole = next((ids for ids, places in self.found if len(places) == len(right)), np.zeros(len(right), np.int32))
        if self.other or self.foreign or not self.found:
            return None
        if not whole.any():
            for ids, places in self.found:
                whole[places] = ids
        match = compared(record.pool[whole], right) if whole.all() else None
        return (whole, match) if match is not None and match.right else None

    def same_for(self, forward: NDArray[np.bool_]) -> bool:
        """Whether all answers are surely the same for another loss."""
        return all(
            forward[low:high].all() if answer else not forward[low:high].any() for low, high, answer in self.asked
        )

    def meets(self, forward: NDArray[np.bool_], ids: Ids) -> bool:
        """Whether the loss was made from any of these numbers."""
        answer = bool(forward[ids].any())
        self.asked.append((int(ids.min()), int(ids.max()) + 1, answer))
        return answer


@dataclass(frozen=True, eq=False)
class Target:
    """What a gradient should be: dL/d(the array), the array's own ids, which numbers the loss was made from, and the first numbers of
    velocities, of which it may be made, too."""

    right: Floats
    own: tuple[Ids, ...]
    forward: NDArray[np.bool_]
    velocities: frozenset[int] = frozenset()


def walked(record: Record, ids: Ids, target: Target) -> Walk:
    """Goes back from a step (the ids of what was added) to gradients that are right."""
    walk = Walk()
    _visit(record, ids, np.arange(len(ids)), target, walk, 0)
    return walk


def _visit(
    record: Record, ids: Ids, places: NDArray[np.int64], target: Target, walk: Walk, depth: int, *, even: bool = False
) -> None:
    """`even` is whether it was squared on the way: a step by that alone, as by the root of an optimizer's mean of squares, goes nowhere."""
    key = hash((ids.tobytes(), places.tobytes(), even))
    if key in walk.visited:
        return
    walk.visited.add(key)
    right = target.right[places]
    if len(places) == len(target.right) and len(walk.seen) < MOST_SEEN:
        walk.seen.append(ids)
    match = compared(record.pool[ids], right)
    if match is not None and match.right and (len(ids) > 2 or depth == 0):
        if not even:
            walk.found.append((ids, places))
        return
    if match is not None and match.right and len(places) == len(target.right) and not even:
        walk.small.append((ids, match))
    if any(np.array_equal(ids, own[places]) for own in target.own):
        walk.penalty = True
        return
    makers = record.makers(ids)
    several = makers.size > 0 and makers.min() != makers.max()
    alone = made_place_by_place(record, ids) if several and depth <= DEEPEST else None
    if alone is not None and all(operand is not None for operand in alone.operands):
        _numbers_alone(record, alone, ids, places, target, walk, depth, even=even)
        return
    for maker in np.unique(makers) if several else makers[:1]:
        chosen = makers == maker if several else slice(None)
        if maker < 0:
            _outside(record, ids[chosen], target, walk)
        else:
            _operation(record, int(maker), ids[chosen], places[chosen], target, walk, depth, even=even)


def _numbers_alone(
    record: Record,
    made: PlaceByPlace,
    ids: Ids,
    places: NDArray[np.int64],
    target: Target,
    walk: Walk,
    depth: int,
    *,
    even: bool,
) -> None:
    """Numbers that a loop made one by one, in the same way, from those at their places."""
    if walk.meets(target.forward, ids):
        walk.other.append(record.maker(int(ids[0])))
        return
    walk.clipped = walk.clipped or made.name in LIMITS
    inside = made.arrays[1:] if made.name == "where" else made.arrays
    is_square = made.name == "multiply" and len(inside) == 2 and np.array_equal(inside[0], inside[1])
    even = even or is_square or made.name in EVEN
    for operand in inside:
        _visit(record, operand, places, target, walk, depth + 1, even=even)


def _outside(record: Record, ids: Ids, target: Target, walk: Walk) -> None:
    """A leaf: a state that starts equal everywhere, as an optimizer's do, or that an earlier round left, says nothing; data do not belong
    into a gradient."""
    values = record.pool[ids]
    met = walk.meets(target.forward, ids) and int(ids[0]) not in target.velocities
    if record.is_earlier(int(ids[0])) and not met:
        walk.states.append(int(ids[0]))
    elif len(ids) > 1 and (float(values.min()) != float(values.max()) or met):
        walk.foreign.append(int(ids[0]))
    else:
        walk.nothing = True


def _operation(
    record: Record, k: int, ids: Ids, places: NDArray[np.int64], target: Target, walk: Walk, depth: int, *, even: bool
) -> None:
    operation = record.operations[k]
    even = even or _is_even(operation)
    if (
        (operation.name not in ELEMENTWISE and operation.name != "gather")
        or depth > DEEPEST
        or walk.meets(target.forward, ids)
    ):
        walk.other.append(k)
        return
    if operation.name in LIMITS:
        walk.clipped = True
    first = 1 if operation.name == "where" else 0
    for operand in operation.operands[first:]:
        if operand.size == 1 and (operation.size > 1 or len(operation.operands) > 1):
            continue  # a rate, a norm, a factor
        try:
            inside = operand.at(ids - operation.start, operand.shape if operation.name == "gather" else operation.shape)
        except ValueError:
            walk.other.append(k)
            return
        _visit(record, inside, places, target, walk, depth + 1, even=even)


def _is_even(operation: RecordedOperation) -> bool:
    """Whether an operation makes the same of a number and of its negative."""
    if operation.name == "multiply":
        one, two = operation.operands
        return (one.first, one.shape) == (two.first, two.shape)
    return operation.name in EVEN


def made_from_right(record: Record, ids: Ids, target: Target) -> tuple[int, int] | None:
    """The lines (their numbers in the record) on which a gradient that is right was made, and on which something was first made from it, on
    the way to a step, that is not made place by place or not from it alone: what centers a gradient, multiplies it by a matrix made of it,
    or adds noise. None where there is no such gradient, or where the step was made from other values of the forward pass, or gradients."""
    own = {int(o.flat[0]) for o in target.own}
    waiting, met = list[int](), set[int]()

    def made_by(numbers: Ids) -> None:
        for k in {int(k) for k in np.unique(record.makers(numbers)) if k >= 0} - met:
            met.add(k)
            heapq.heappush(waiting, -k)  # the last operation comes first, and what it was made from after it

    made_by(ids)
    found, changed = 0, 0
    while waiting:
        operation = record.operations[-heapq.heappop(waiting)]
        made = record.pool[operation.start : operation.stop]
        match = compared(made, target.right) if operation.size == len(ids) else None
        if match is not None and match.right:
            found = operation.line
            continue
        if operation.name not in ELEMENTWISE and operation.name != "gather":
            changed = operation.line
        for operand in operation.operands:
            numbers = operand.ids().ravel()
            if not numbers.size or (operand.size == 1 and operation.size > 1):
                continue
            if target.forward[numbers].any():
                if int(numbers[0]) not in own:
                    return None
                continue
            made_by(numbers)
            if operation.name in ("add", "subtract") and _is_noise(record, numbers, target.forward):
                changed = operation.line
    return (found, changed) if found and changed else None


def _is_noise(record: Record, ids: Ids, forward: NDArray[np.bool_]) -> bool:
    """Whether an array was made of nothing but what came from outside and had no part in the loss, and is not the same throughout."""
    waiting, seen = [ids], set[int]()
    while waiting and len(seen) < MOST_OPERATIONS:
        numbers = waiting.pop()
        if not numbers.size or forward[numbers].any() or record.is_earlier(int(numbers[0])):
            return False
        for k in {int(k) for k in np.unique(record.makers(numbers)) if k >= 0} - seen:
            seen.add(k)
            waiting += [r.ids().ravel() for r in record.operations[k].operands]
    return not waiting and bool(np.ptp(record.pool[ids]) > 0)


def same_place(record: Record, step: Ids, gradient: Ids, other: Ids) -> Ids | None:
    """What stands in the making of another step, of a single number, where the gradient stands in the making of this one: both steps were
    made by the same operations. None where it is not found."""
    waiting, seen, wanted = [(int(step[0]), int(other[0]))], set[tuple[int, int]](), int(gradient[0])
    while waiting and len(seen) < MOST_OPERATIONS:
        pair = waiting.pop()
        if pair[0] == wanted:
            return np.array(pair[1:], np.int32)
        makers = [record.maker(number) for number in pair]
        if pair in seen or min(makers) < 0:
            continue
        seen.add(pair)
        one, two = (record.operations[k] for k in makers)
        if one.name != two.name or len(one.operands) != len(two.operands):
            continue
        for operands in zip(one.operands, two.operands, strict=True):
            inside = [_at(o, r, n) for o, r, n in zip((one, two), operands, pair, strict=True)]
            if inside[0] is not None and inside[1] is not None:
                waiting.append((inside[0], inside[1]))
    return None


def _at(operation: RecordedOperation, operand: RecordedArray, number: int) -> int | None:
    """The number of an operand that one of an element-wise result was made from."""
    if operation.name not in ELEMENTWISE and operation.name != "gather":
        return None
    shape = operand.shape if operation.name == "gather" else operation.shape
    try:
        return int(operand.at(np.array([number - operation.start]), shape)[0])
    except ValueError:
        return None


def kept(record: Record, walk: Walk, gradient: Ids, right: Floats) -> int:
    """The first number of what an earlier round left, where a gradient, or what an optimizer's step was made of, is that plus dL/d(the
    array), up to a factor: it was never reset. 0 where there is none; an optimizer's states, which are scaled or are made from squares, are
    not that."""
    for ids in (gradient, *walk.seen):
        given = record.pool[ids]
        alone = compared(given, right)
        if alone is not None and alone.right:
            continue  # beside it what is left is nothing, as the squares of tiny gradients are
        for first in walk.states:
            before = record.pool[first : first + len(given)]
            if len(before) == len(given):
                with np.errstate(all="ignore"):
                    match = compared(given - before, right)
                if match is not None and match.right:
                    return first
    return 0
