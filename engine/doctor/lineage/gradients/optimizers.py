"""What optimizers do to a gradient before it is a step, place by place: limits, rates, clips, momentum, division by states."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients.gradients import DEEPEST, LIMITS, MOST_OPERATIONS
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.matching import compared, same
from engine.doctor.lineage.record.place_by_place import PlaceByPlace, made_place_by_place
from engine.doctor.lineage.record.reading import Floats, Ids, Record

RATE = re.compile(r"(^|[._\d])(lr|eta|alpha)($|[_\d\[])|rate|step_?size", re.I)
"""What a learning rate is called."""


def is_clipped(record: Record, ids: Ids, *, zero: bool = True) -> bool:
    """Whether a step went through a limit: a minimum, a maximum or a choice, place by place; with `zero` also of what is zero itself."""
    for _ in range(DEEPEST):
        made = made_place_by_place(record, ids)
        if made is None or made.name in LIMITS:
            is_choice = made is not None and made.name not in LIMITS[:2]
            return made is not None and (zero or is_choice or any(record.pool[a].any() for a in made.arrays))
        inside = [before for before in made.arrays if (record.makers(before) >= 0).all()]
        if not inside:
            return False
        ids = inside[0]
    return False


def unlimited(record: Record, ids: Ids) -> Ids:
    """An array before the limits that it went through as it is, place by place."""
    for _ in range(DEEPEST):
        made = made_place_by_place(record, ids)
        if made is None or made.name not in LIMITS[:2] or len(made.arrays) != 1:
            return ids
        ids = made.arrays[0]
    return ids


def bare(record: Record, ids: Ids, line: int, forward: NDArray[np.bool_]) -> Ids:
    """A step without the numbers that it was multiplied by on the update's own line: the gradient, as the program has it. A state times
    the error of a single output is one; what the loss was made from (`forward`) is none."""
    for scaled, before in _scalings(record, ids):
        if scaled.line != line or forward[before].any():
            break
        ids = before
    return ids


def behind_state(record: Record, ids: Ids, right: Floats, forward: NDArray[np.bool_]) -> Ids | None:
    """The gradient, perhaps times a number, that a step divides by an array or multiplies with one, as optimizers do with their states;
    None where it does not. `right` is what both are up to a factor: while gradients are tiny, such an array is nearly the same everywhere.
    What the loss was made from (`forward`) is no gradient, as a state is that an error is multiplied with."""
    crossed = False
    for _ in range(8):
        if crossed:
            return ids
        made = made_place_by_place(record, ids)
        if made is None or made.name not in ("multiply", "divide", "negative"):
            return None
        inside = made.arrays
        crossed = len(inside) == 2
        before = inside[: 1 if made.name == "divide" else None]
        before = [b for b in before if not forward[b].any()]
        like = [b for b in before if (match := compared(record.pool[b], right)) is not None and match.right]
        if not like:
            return None
        ids = like[0]
    return None


def before_momentum(record: Record, ids: Ids, right: Floats, forward: NDArray[np.bool_]) -> Ids:
    """The gradient in a step that is a sum of it and of an optimizer's state, as in `v = 0.8 * v - 0.1 * dW`: the part that is what it
    should be, without the number that it is multiplied by there; the same array where it is no such sum."""
    for _ in range(4):
        made = made_place_by_place(record, ids)
        if made is None or made.name not in ("add", "subtract"):
            return ids
        parts = made.arrays
        if len(parts) == 1 and made.numbers and record.pool[made.numbers[0]] == 0.0:  # `0.9 * m.get(k, 0) + 0.1 * dW`
            ids = bare(record, parts[0], made.line, forward)
            continue
        if len(parts) != 2:
            return ids
        like = [(m := compared(record.pool[part], right)) is not None and m.right for part in parts]
        state, gradient = (0, 1) if like[1] else (1, 0)
        is_state = like[state] or not record.pool[parts[state]].any()
        if not like[gradient] or not is_state:
            return ids
        if _scales(record, parts[gradient], parts[state]):  # `m += (0.9 - 1) * m + 0.1 * dW`
            ids = parts[gradient]
            continue
        if next(_scalings(record, parts[state]), None) is None:
            return ids
        ids = bare(record, parts[gradient], made.line, forward)
    return ids


def _scales(record: Record, ids: Ids, state: Ids) -> bool:
    """Whether one of the two parts of a sum is a multiple of this array."""
    made = made_place_by_place(record, ids)
    parts = made.arrays if made is not None and made.name in ("add", "subtract") else []
    return any(np.array_equal(before, state) for part in parts for _, before in _scalings(record, part))


def clip_of(record: Record, ids: Ids, forward: NDArray[np.bool_]) -> float:
    """By what a clip multiplied a gradient on its way to a step: numbers that were made from gradients, its own or another's, and what else
    their lines multiply it by, as the largest norm in `limit * g / norm`; 1 where there is none. `forward` is which numbers the loss was
    made from."""
    factor = 1.0
    every = list(_scalings(record, ids))
    clips = {o.line for o, _ in every if any(_is_of_gradients(record, n, forward) for n in o.numbers)}
    for scaled, _ in every:
        for number in scaled.numbers:
            if scaled.line in clips:
                value = float(record.pool[number])
                factor = factor / value if scaled.name == "divide" else factor * value
    return factor


def rates(record: Record) -> dict[int, str]:
    """What single numbers are called that are called rates."""
    events = record.events
    seen = events.at(np.flatnonzero(events.where(lambda kind: bool(RATE.search(kind.name))) & (events.sizes == 1)))
    return {event.value.first: event.name for event in seen}


def rate_in(record: Record, names: ArrayNames, ids: Ids, forward: NDArray[np.bool_]) -> float:
    """By what is called a rate, and has no part in the loss, an array was multiplied where it was summed up, as in `dW += rate * d`, or
    behind it. 1 where that is not the same for all its parts."""
    waiting, factors, seen = [(ids, 1.0)], list[float](), 0
    while waiting:
        ids, factor = waiting.pop()
        made, seen = made_place_by_place(record, ids), seen + 1
        parts = made.arrays if made is not None and not any(o is None for o in made.operands) else []
        if seen > MOST_OPERATIONS:
            return 1.0
        if made is not None and made.name in ("add", "subtract") and len(parts) == 2:
            waiting += [(part, factor) for part in parts]
        elif made is not None and made.name in ("multiply", "negative") and len(parts) == 1:
            called = [n for n in made.numbers if not forward[n] and RATE.search(names.of(np.array([n])))]
            by = float(np.prod(record.pool[called]))
            waiting.append((parts[0], factor * by))
        elif (error := _multiplied(record, ids, forward)) is not None:
            waiting.append((error, factor))
        elif record.pool[ids].any() or (record.makers(ids) >= 0).any():  # a sum begins with zeros
            factors.append(factor)
    return factors[0] if factors and factors[0] and all(same(f, factors[0]) for f in factors) else 1.0


def _multiplied(record: Record, ids: Ids, forward: NDArray[np.bool_]) -> Ids | None:
    """The error of which an array is the product with what the loss was made from; None where it is no such product."""
    k = record.maker(int(ids[0]))
    made = record.operations[k] if k >= 0 else None
    if made is None or made.name not in PRODUCTS or made.size != len(ids):
        return None
    errors = [r for r in made.operands if not forward[r.first]]
    return errors[0].ids().ravel() if len(errors) == 1 else None


def _scalings(record: Record, ids: Ids) -> Iterator[tuple[PlaceByPlace, Ids]]:
    """How an array was multiplied by single numbers, from the last time on, and what it was before each."""
    for _ in range(8):
        made = made_place_by_place(record, ids)
        if made is None or made.name not in ("multiply", "divide", "negative"):
            return
        scaled = made.arrays
        if len(ids) == 1 < len(scaled):  # a rate is a number as well: it was not computed
            scaled = [number for number in scaled if record.maker(int(number[0])) >= 0]
        if len(scaled) != 1 or any(o is None for o in made.operands):
            return
        ids = scaled[0]
        yield made, ids


def _is_of_gradients(record: Record, number: int, forward: NDArray[np.bool_]) -> bool:
    """Whether a number was made from an array that was computed on the way back, as the norm of a gradient is; an array of data is not
    made from what the forward pass computed."""
    for own in _made_from(record, record.maker(number)):
        if len(own) > 1 and (record.makers(own) >= 0).any() and not forward[own].any():
            makers = {int(k) for k in np.unique(record.makers(own)) if k >= 0}
            before = (ids for k in makers for ids in _made_from(record, k))
            if any(forward[ids].any() and (record.makers(ids) >= 0).any() for ids in before):
                return True
    return False


def _made_from(record: Record, k: int) -> Iterator[Ids]:
    """The arrays that an operation read, and those that they were made from, and so on."""
    seen, waiting = set[int](), [k]
    while waiting and len(seen) < MOST_OPERATIONS:
        k = waiting.pop()
        if k < 0 or k in seen:
            continue
        seen.add(k)
        for reference in record.operations[k].operands:
            own = reference.ids().ravel()
            yield own
            waiting += [int(m) for m in np.unique(record.makers(own))]
