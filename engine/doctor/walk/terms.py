"""A number taken apart, from the record: the terms that add up to it, and, for dL/d(a number), what came back from where it was used.

Every term is a product; what it is a product of can be taken apart in turn, down to data and weights, or up to the loss. Numbers that
have no name in the program are passed through where that leaves a sum of products.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from engine.doctor.lineage.record.derivatives import share
from engine.doctor.lineage.record.reading import Floats, Record, RecordedOperation
from engine.doctor.walk.indices import OF_PRODUCTS, read_for, went_into
from engine.doctor.walk.places import Places

MOST = 4096
"""So many terms are made at most; then numbers without a name are no longer passed through."""
MOST_FACTORS = 2
"""So many numbers may stand beside the dL/d(result) of a term."""


@dataclass(frozen=True)
class RecordedNumber:
    """A number of the record, or dL/d(that number)."""

    number: int
    gradient: bool = False


@dataclass(frozen=True)
class NumberTerm:
    """`scale` times the product of `factors`; with a `function` the function's value of them. `shares` are d(the whole)/d(each factor)."""

    value: float
    scale: float
    factors: tuple[RecordedNumber, ...]
    shares: tuple[float, ...]
    function: str = ""


class Terms:
    """Terms of the numbers of one record, with dL/d(each number)."""

    def __init__(self, places: Places, adjoint: Floats, seeds: Mapping[int, float]) -> None:
        """`adjoint` is dL/d(every number), `seeds` the numbers that add up to L, with dL/d(each)."""
        self.places = places
        self.record: Record = places.record
        self.adjoint = adjoint
        self.seeds = seeds
        self._kept: dict[RecordedNumber, list[NumberTerm]] = {}

    def value(self, asked: RecordedNumber) -> float:
        """The number itself."""
        return float((self.adjoint if asked.gradient else self.record.pool)[asked.number])

    def of(self, asked: RecordedNumber) -> list[NumberTerm]:
        """The terms, the largest first; none for what came from outside, or for the loss itself."""
        if asked not in self._kept:
            with np.errstate(all="ignore"):
                made = self._back(asked.number) if asked.gradient else self._forward(asked.number)
                self._kept[asked] = sorted(made, key=lambda term: -abs(term.value))
        return self._kept[asked]

    # What a number was made of

    def _forward(self, number: int) -> Iterator[NumberTerm]:
        left = MOST
        waiting = [(number, 1.0)]
        while waiting:
            at, scale = waiting.pop()
            for term in self._made_of(at):
                left -= 1
                inner = term.factors[0].number if len(term.factors) == 1 else 0
                passes = inner and not term.function and left > 0 and self.record.maker(inner) >= 0
                if passes and self.places.named(inner) is None:
                    waiting.append((inner, scale * term.scale))
                else:
                    yield self._scaled(term, scale)

    def _scaled(self, term: NumberTerm, scale: float) -> NumberTerm:
        shares = tuple(scale * one for one in term.shares)
        return replace(term, value=scale * term.value, scale=scale * term.scale, shares=shares)

    def _made_of(self, number: int) -> list[NumberTerm]:
        """One operation taken apart at one of its numbers."""
        k = self.record.maker(number)
        if k < 0:
            return []
        operation = self.record.operations[k]
        products = self._products(operation, number - operation.start)
        if products is not None:
            return [self._product(scale, ids) for scale, ids in products]
        read = np.concatenate(read_for(operation, number - operation.start)).tolist()
        shares = tuple(self._derivative(operation, number, n) for n in read)
        numbers = tuple(RecordedNumber(n) for n in read)
        return [NumberTerm(float(self.record.pool[number]), 1.0, numbers, shares, operation.name)]

    def _products(self, operation: RecordedOperation, place: int) -> list[tuple[float, list[int]]] | None:
        """The products that one result is the sum of: the scale of each and the numbers in it; None where it is no such sum."""
        name, read = operation.name, read_for(operation, place)
        if name in ("add", "subtract", "negative", "gather"):
            last = 1.0 if name in ("add", "gather") else -1.0
            scales = [*[1.0] * (len(read) - 1), last]
            return [(scale, ids.tolist()) for scale, ids in zip(scales, read, strict=True)]
        if name in OF_PRODUCTS:
            return [(1.0, [int(n) for n in ids]) for ids in zip(*read, strict=True)]
        if name in ("sum", "mean", "cumsum"):
            scale = 1.0 / len(read[0]) if name == "mean" else 1.0
            return [(scale, [n]) for n in read[0].tolist()]
        if name == "where":
            chosen = read[1] if self.record.pool[read[0]][0] != 0 else read[2]
            return [(1.0, chosen.tolist())]
        return None

    def _derivative(self, operation: RecordedOperation, result: int, number: int) -> float:
        """d(one result)/d(one of the numbers that it was computed from)."""
        places = range(len(operation.operands))
        return sum(self._through(operation, result, which, number) for which in places)

    def _through(self, operation: RecordedOperation, result: int, which: int, number: int) -> float:
        """The same through one operand."""
        here = operation.operands[which].ids() == number
        if not here.any():
            return 0.0
        g = np.zeros(operation.shape)
        g.flat[result - operation.start] = 1.0
        operands = [r.of(self.record.pool) for r in operation.operands]
        whole = operation.result.of(self.record.pool)
        return float(share(operation.name, g, whole, operands, which, operation.parameters)[here].sum())

    def _product(self, scale: float, ids: list[int]) -> NumberTerm:
        values = self.record.pool[ids].tolist()
        shares = tuple(scale * prod(values[:k] + values[k + 1 :]) for k in range(len(values)))
        numbers = tuple(RecordedNumber(int(n)) for n in ids)
        return NumberTerm(scale * prod(values), scale, numbers, shares)

    # What dL/d(a number) was made of

    def _back(self, number: int) -> Iterator[NumberTerm]:
        left = MOST
        waiting: list[tuple[int, float, tuple[int, ...]]] = [(number, 1.0, ())]
        if number in self.seeds:
            yield NumberTerm(self.seeds[number], self.seeds[number], (), (), "the loss")
        while waiting:
            at, scale, before = waiting.pop()
            for result, factor, others in self._uses(at):
                left -= 1
                passes = left > 0 and result not in self.seeds and len(before + others) <= MOST_FACTORS
                if passes and self.places.named(result) is None:
                    waiting.append((result, scale * factor, before + others))
                else:
                    yield self._handed_back(result, scale * factor, before + others)

    def _handed_back(self, result: int, scale: float, others: tuple[int, ...]) -> NumberTerm:
        values = [float(self.adjoint[result]), *self.record.pool[list(others)].tolist()]
        shares = tuple(scale * prod(values[:k] + values[k + 1 :]) for k in range(len(values)))
        factors = (RecordedNumber(result, gradient=True), *(RecordedNumber(n) for n in others))
        return NumberTerm(scale * prod(values), scale, factors, shares)

    def _uses(self, number: int) -> Iterator[tuple[int, float, tuple[int, ...]]]:
        """Where a number was used and the loss depends on the result: the result, and d(result)/d(number), as a factor and the numbers that
        it is a product of."""
        for k, which in self.places.readers(number):
            operation = self.record.operations[k]
            if number in self.record.constants or not self.adjoint[operation.start : operation.stop].any():
                continue
            for place in went_into(operation, which, number):
                result = operation.start + place
                if self.adjoint[result]:
                    yield from self._use(operation, result, which, number)

    def _use(
        self, operation: RecordedOperation, result: int, which: int, number: int
    ) -> Iterator[tuple[int, float, tuple[int, ...]]]:
        place = result - operation.start
        if operation.name in OF_PRODUCTS:
            for ids in zip(*read_for(operation, place), strict=True):
                if ids[which] == number:
                    yield result, 1.0, tuple(int(n) for k, n in enumerate(ids) if k != which)
            return
        read = read_for(operation, place)[which]
        if operation.name in ("add", "subtract", "negative", "gather", "sum", "mean", "cumsum"):
            scale = (self._products(operation, place) or [])[-1 if which else 0][0]
            yield result, scale * int((read == number).sum()), ()
        else:
            yield result, self._through(operation, result, which, number), ()
