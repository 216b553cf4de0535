"""The terms that a loss is the sum of, one for each output, and programs that carry each of them back on its own: a loop over the outputs
with a loop back through time in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.arrays import single
from engine.doctor.lineage.record.carry_back import carried_back
from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of, forward_of
from engine.remembered import last_remembered

Seed = tuple[RecordedArray, Floats]
"""A part of a loss, and dL/d(it)."""
MOST = 12
"""So many terms are carried back one by one."""
MOST_TERMS, FEWEST = 10_000, 3
"""Of so many terms at most, and of no fewer, it is asked which goes back when."""
APART = 1e-3
"""So far dL/d(a value) and what one term has of it lie apart at least, relative to the largest entry, where they are two things."""
NONE, SEVERAL = -1, -2


@dataclass(frozen=True, eq=False)
class TermsApart:
    """The terms that are carried back first, each with dL/d(it), in that order; `until` is the first number of the way back of the one
    after them."""

    seeds: tuple[Seed, ...]
    until: int


@last_remembered(2)
def carried_apart(record: Record, loss: ChosenLoss) -> TermsApart | None:
    """The terms of a loss that the program carries back one by one; None where it is not seen to: then all go back together."""
    terms = [*_terms(record, loss)]
    if not FEWEST <= len(terms) <= MOST_TERMS:
        return None
    terms.sort(key=lambda term: int(term[0].ids().min()))
    begun = _begun(record, loss, _own(record, loss, terms))
    order = sorted(begun, key=begun.__getitem__)
    if len(order) < FEWEST or not _is_apart(record, loss, terms[order[1]], begun[order[1]], begun[order[2]]):
        return None
    until = begun[order[MOST]] if len(order) > MOST else len(record.pool)
    return TermsApart(tuple(terms[n] for n in order[:MOST]), until)


def _terms(record: Record, loss: ChosenLoss) -> Iterator[Seed]:
    """What a loss is the sum of: its seeds, or what was added up to the single number that it is."""
    if len(loss.seeds) > 1 or loss.ids.size > 1:
        yield from loss.seeds
        return
    reference, seed = next(iter(loss.seeds))
    waiting = [(reference.first, float(np.ravel(seed)[0]))]
    for _ in range(2 * MOST_TERMS):
        if not waiting:
            return
        number, weight = waiting.pop()
        k = record.maker(number)
        operation = record.operations[k] if k >= 0 else None
        if operation is None or operation.size != 1 or any(r.size != 1 for r in operation.operands):
            if k >= 0:
                yield single(number), np.array(weight)
            continue
        one, *others = (r.first for r in operation.operands)
        if operation.name in ("add", "subtract"):
            waiting += [(one, weight), (others[0], weight if operation.name == "add" else -weight)]
        elif operation.name in ("multiply", "divide") and record.maker(others[0]) < 0:
            by = float(record.pool[others[0]])
            waiting.append((one, weight * by if operation.name == "multiply" else weight / by))
        else:
            yield single(number), np.array(weight)


def _own(record: Record, loss: ChosenLoss, terms: Sequence[Seed]) -> NDArray[np.int32]:
    """For every number which term it goes into, if it goes into one alone; else `SEVERAL`, or `NONE`."""
    of = np.full(len(record.pool), NONE, np.int32)
    for n, (reference, _) in enumerate(terms):
        of[reference.ids()] = n
    forward, operations = forward_of(record, loss), record.operations
    last = int(operations.starts.searchsorted(int(loss.ids.max()), "right"))
    is_forward = np.logical_or.reduceat(forward, operations.starts)[:last] if last else np.zeros(0, bool)
    for operation in operations.at(np.flatnonzero(is_forward)[::-1]):
        own = of[operation.start : operation.stop].reshape(operation.shape)
        some = np.unique(own[own != NONE])
        for operand in operation.operands if some.size else ():
            ids = operand.ids()
            handed = own if operand.shape == operation.shape else some[0] if some.size == 1 else SEVERAL
            before = of[ids]
            of[ids] = np.where(before == NONE, handed, np.where((before == handed) | (handed == NONE), before, SEVERAL))
    return of


def _begun(record: Record, loss: ChosenLoss, of: NDArray[np.int32]) -> dict[int, int]:
    """With which number the way back of each term begins: the first that is made of its numbers alone."""
    begun, operations = dict[int, int](), record.operations
    first = int(operations.starts.searchsorted(int(loss.ids.max()), "right"))
    for operation in operations.at(np.arange(first, len(operations))):
        for operand in operation.operands:
            own: Ids = of[operand.ids()]
            if not own.size or own.max() < 0:
                continue
            if own.min() == own.max():
                begun.setdefault(int(own.flat[0]), operation.start)
            if own.shape == operation.shape:
                of[operation.start : operation.stop] = own.ravel()
    return begun


def _is_apart(record: Record, loss: ChosenLoss, term: Seed, begin: int, end: int) -> bool:
    """Whether a value of the way back between these numbers is what one term alone has of dL/d(a value), of which others have more. What is
    read several times, as a state by its output and by the next step, has as much through one of these."""
    alone, total, forward = carried_back(record, [term]), adjoint_of(record, loss), forward_of(record, loss)
    operations = record.operations
    rows, _, used = operations.reads
    firsts, counts = np.unique(operations.arrays.firsts[used[forward[operations.starts[rows]]]], return_counts=True)
    once = np.isin(operations.starts, firsts[counts == 1]) & forward[operations.starts] & (operations.sizes > 2)
    sought: dict[int, list[Floats]] = {}
    for operation in operations.at(np.flatnonzero(once & (alone[operations.starts] != 0))):
        right, whole = (values[operation.start : operation.stop] for values in (alone, total))
        if np.abs(whole - right).max() > APART * np.abs(whole).max():
            sought.setdefault(operation.size, []).append(right)
    for event in record.events.until(begin, end):
        value = record.pool[event.value.ids()].ravel()
        matches = (compared(value, right) for right in sought.get(event.value.size, ()))
        if any(match is not None and match.right for match in matches):
            return True
    return False
