"""Weights that no update steps: the loss is made from them in every round, and they stay what they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients import returned
from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.gradients.stepped import always
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.arrays import ranges, whole_numbers
from engine.doctor.lineage.record.carry_back import reading, touched
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, RecordedOperation
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of, depending, forward_of, without_targets

MOST_OPERATIONS = 2_000
"""So far back it is looked what an array of the next round was made of."""
NO_GRADIENT = "it moves the loss, no update steps it, and no gradient of it was found"
NO_MOVE = "no update steps it, and dL/d(it) is zero"
NOT_SEEN = "it is another array in the next round, and it was not seen how it was stepped"


def never_stepped(
    record: Record, later: Record | None, chosen: ChosenLoss, compared: Sequence[ComparedGradient]
) -> tuple[list[ComparedGradient], list[str]]:
    """Their gradients, where some were made, and a sentence on each that has none. `record` is a round, `later` the next one, if any.

    A weight, other than data or targets, is read several times by a line, where it meets different arrays, and again in the next round, if
    there is one; or it meets what was computed. What is multiplied by weights that are stepped is data, what has no numbers but 0 and
    another is a mask, and what only makes the targets, as a teacher's matrix does, is given like these.
    """
    stepped = np.zeros(len(record.pool), bool)
    for row in compared:
        for ids in (row.own, *(row.update.levels if row.update is not None else ())):
            stepped[ids] = True
    forward = forward_of(record, chosen)
    again = returned.read_again(record, forward)
    every = inputs(record)
    met = _met(record, forward, [int(ids[0]) for ids in every])

    def is_read_again(ids: Ids) -> bool:
        first = int(ids[0])
        is_again = (first, len(ids)) in again and len(met[first]) > 1
        if later is None:
            return is_again
        return _is_read(later, ids) and (is_again or any(record.maker(other) >= 0 for other in met[first]))

    weights = [ids for ids in every if not stepped[ids].any() and not _is_mask(record.pool[ids])]
    weights = [ids for ids in weights if not any(stepped[other] for other in met[int(ids[0])]) and is_read_again(ids)]
    weights = [ids for ids in without_targets(record, weights) if _is_joined(record, forward, ids, stepped)]
    names = ArrayNames(record)
    unseen = (
        [f"{names.of(ids)}: {NOT_SEEN}" for ids in _stepped_unseen(record, later, forward, stepped)] if later else []
    )
    if not weights:
        return [], unseen
    adjoint = adjoint_of(record, chosen)
    rows = {int(row.own[0]): row for row in returned.rows(record, names)(chosen, lambda: adjoint, forward, always)}
    moving = [ids for ids in weights if adjoint[ids].any()]
    made = [row for ids in moving if (row := rows.get(int(ids[0]))) is not None and row.status != "not compared"]
    seen = {int(row.own[0]) for row in made}
    left = [(ids, NO_GRADIENT if adjoint[ids].any() else NO_MOVE) for ids in weights if int(ids[0]) not in seen]
    return made, [*unseen, *(f"{names.of(ids)}: {why}" for ids, why in left)]


def _is_joined(record: Record, forward: NDArray[np.bool_], ids: Ids, stepped: NDArray[np.bool_]) -> bool:
    """Whether what is made of an array meets what is made of stepped weights in a product or a sum of the forward pass; outputs and targets
    meet in a difference."""
    known = np.flatnonzero(stepped).astype(np.int32)
    of_it, of_weights = depending(record, [ids]), depending(record, [known])
    reads_it, reads_weights = (
        reading(record, one & ~other) for one, other in ((of_it, of_weights), (of_weights, of_it))
    )
    operations = record.operations
    meet = operations.named((*PRODUCTS, "add"))
    is_forward = (operations.sizes[meet] > 0) & forward[np.minimum(operations.starts[meet], len(forward) - 1)]
    return bool((reads_it[meet] & reads_weights[meet] & is_forward).any())


def _stepped_unseen(record: Record, later: Record, forward: NDArray[np.bool_], stepped: NDArray[np.bool_]) -> list[Ids]:
    """Arrays of which products of the forward pass are made, where in the next round another array stands that was made from them, and
    not by the forward pass, as a state is."""
    places: dict[tuple[int, int, tuple[int, ...]], RecordedArray] = {}
    known = np.flatnonzero(stepped).astype(np.int32)
    operations = record.operations
    products = operations.named(PRODUCTS)
    made = ranges(operations.starts[products], operations.sizes[products]).astype(np.int32)
    computed = depending(record, [known, made])

    def is_given(users: NDArray[np.int64], used: NDArray[np.int64]) -> NDArray[np.bool_]:
        given = forward[np.minimum(operations.starts[users], len(forward) - 1)] & (operations.arrays.sizes[used] > 2)
        given[given] = ~operations.arrays.touched(computed, used[given])
        return given

    for operation, which, operand in _products(record, is_given):
        places[operation.line, which, operand.shape] = operand
    found: dict[int, Ids] = {}
    for operation, which, operand in _products(later, lambda users, used: np.ones(len(users), bool)):
        before = places.pop((operation.line, which, operand.shape), None)
        if before is None or operand.first <= before.first or touched(forward, operand):
            continue
        if _is_made_of(record, later, operand, before.first, forward, stepped):
            found[before.first] = before.ids().ravel()
    return list(found.values())


def _products(
    record: Record, asked: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
) -> Iterator[tuple[RecordedOperation, int, RecordedArray]]:
    """The products of a round, with the place of each operand, that are `asked` for (by the operations' places, and the arrays'): of each
    line, place and shape the first."""
    operations = record.operations
    users, which, used = operations.reads
    own = np.flatnonzero(np.isin(users, operations.named(PRODUCTS)))
    own = own[asked(users[own], used[own])]
    keys = np.stack((operations.lines[users[own]], which[own], operations.arrays.shapes[used[own]]))
    for k in whole_numbers(own[np.sort(np.unique(keys, axis=1, return_index=True)[1])]):
        yield operations[int(users[k])], int(which[k]), operations.arrays[int(used[k])]


def _is_made_of(
    record: Record,
    later: Record,
    array: RecordedArray,
    number: int,
    forward: NDArray[np.bool_],
    stepped: NDArray[np.bool_],
) -> bool:
    """Whether an array of the later round was made of a number of the round before, other than through what its forward pass made, or
    another pass with the weights that are stepped."""
    waiting, seen = [array], set[tuple[bool, int]]()
    while waiting and len(seen) < MOST_OPERATIONS:
        ids = waiting.pop().ids().ravel()
        if number in ids:
            return True
        for part in (later, record):
            for k in {int(k) for k in np.unique(part.makers(ids)) if k >= 0}:
                operation = part.operations[k]
                is_of_a_pass = operation.name in PRODUCTS and any(touched(stepped, r) for r in operation.operands)
                if (part is later, k) not in seen and not forward[operation.start] and not is_of_a_pass:
                    seen.add((part is later, k))
                    waiting += operation.operands
    return False


def _is_mask(values: Floats) -> bool:
    others = values[values != 0]
    return 0 < len(others) < len(values) and bool((others == others[0]).all())


def _is_read(record: Record, ids: Ids) -> bool:
    return record.operations.first_read(int(ids[0]), len(ids)) is not None


def _met(record: Record, forward: NDArray[np.bool_], asked: Sequence[int]) -> defaultdict[int, set[int]]:
    """By the first numbers of the arrays that are asked for, those of what the forward pass multiplies them by, or adds to them."""
    met: defaultdict[int, set[int]] = defaultdict(set)
    operations = record.operations
    pairs = operations.named((*PRODUCTS, "add"))
    is_asked = np.isin(operations.one[pairs], asked) | np.isin(operations.two[pairs], asked)
    users, _, used = operations.reads
    is_asked |= np.isin(pairs, users[np.isin(operations.arrays.firsts[used], asked)])
    for operation in operations.at(pairs[is_asked]):
        is_pair = len(operation.operands) == 2 and operation.size
        if is_pair and forward[operation.start : operation.stop].any():
            one, two = (r.first for r in operation.operands)
            met[one].add(two)
            met[two].add(one)
    return met
