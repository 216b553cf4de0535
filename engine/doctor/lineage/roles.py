"""What arrays of a record are to the network, told by what was computed from what and never by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.carry_back import depending, holds, touched
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.reading import Ids, Record, RecordedArray, RecordedOperation
from engine.doctor.lineage.the_loss.loss import ChosenLoss, forward_of

ACTIVATIONS = ("tanh", "expit", "maximum", "softplus", "arctan", "where")
_DEEPEST = 6


@dataclass(frozen=True, eq=False)
class Weight:
    """A parameter as the forward pass uses it: `recurrent` where what it multiplies was made with it, `inner` where what it makes goes
    into such a product; `uses` are the products."""

    own: frozenset[int]
    recurrent: bool
    inner: bool
    uses: Sequence[RecordedOperation]

    @property
    def last(self) -> RecordedOperation:
        return self.uses[-1]


class Roles:
    """The roles of a round's arrays. `parameters` are the ids of what is compared."""

    def __init__(self, record: Record, loss: ChosenLoss, parameters: Sequence[Ids]) -> None:
        self.record = record
        self.forward: NDArray[np.bool_] = forward_of(record, loss)
        parameters = self._without_inputs(parameters)
        self.depends = depending(record, parameters)
        computed = [o for o in record.operations if holds(self.forward[o.start : o.stop])]
        self.weights = [w for ids in parameters if (w := self._weight(ids, computed)) is not None]

    def _without_inputs(self, parameters: Sequence[Ids]) -> list[Ids]:
        """Those that are no data and no first states: these are multiplied by others that are used whole, more often or with fewer axes."""
        own = [frozenset(ids.ravel().tolist()) for ids in parameters]
        uses = [0] * len(own)
        pairs: set[tuple[int, int, bool, bool]] = set()
        operations = self.record.operations
        for operation in operations.at(operations.named(PRODUCTS)):
            if not self.forward[operation.start]:
                continue
            which = [next((k for k, o in enumerate(own) if r.first in o), -1) for r in operation.operands[:2]]
            for k in {k for k in which if k >= 0}:
                uses[k] += 1
            if len(which) == 2 and min(which) >= 0 and which[0] != which[1]:
                for (one, other), r, q in ((which, *operation.operands[:2]), (which[::-1], *operation.operands[1::-1])):
                    pairs.add((one, other, r.size < len(own[one]), len(r.shape) > len(q.shape)))
        inputs = {
            one
            for one, other, in_parts, more_axes in pairs
            if in_parts or uses[one] < uses[other] or (more_axes and uses[one] == uses[other])
        }
        return [ids for k, ids in enumerate(parameters) if k not in inputs]

    def _weight(self, ids: Ids, computed: Sequence[RecordedOperation]) -> Weight | None:
        """What a parameter is by the operations of the forward pass."""
        own = frozenset(ids.ravel().tolist())
        uses: list[RecordedOperation] = []
        marked = np.zeros(len(self.record.pool), bool)
        recurrent = inner = False
        for operation in computed:
            inside = [r for r in operation.operands if r.size and r.first in own]
            others = [r for r in operation.operands if r.size and r.first not in own]
            comes = any(touched(marked, r) for r in others)
            if operation.name in PRODUCTS and inside and operation.operands:
                uses.append(operation)
                recurrent = recurrent or comes
            elif operation.name in PRODUCTS and comes and any(self.record.maker(r.first) < 0 for r in others):
                inner = True
            if inside or comes:
                marked[operation.start : operation.stop] = True
        return Weight(own, recurrent, inner, uses) if uses else None

    def of(self, record: Record) -> Roles:
        """The same roles for another run of the same forward pass."""
        other = copy(self)
        other.record = record
        size = min(len(record.pool), len(self.forward))
        other.forward = np.zeros(len(record.pool), bool)
        other.forward[:size] = self.forward[:size]
        other.depends = depending(record, [np.fromiter(w.own, np.int32) for w in self.weights])
        return other

    def weight(self, reference: RecordedArray) -> Weight | None:
        """The parameter that an array is, if it is one."""
        if not reference.size or reference.size == 1:
            return None
        return next((w for w in self.weights if reference.first in w.own), None)

    def weight_behind(self, reference: RecordedArray) -> Weight | None:
        """The parameter of the product that a value of the backward pass was last made by."""
        for operation in self._behind(reference):
            if operation.name in PRODUCTS:
                return next((w for r in operation.operands if (w := self.weight(r)) is not None), None)
        return None

    def _behind(self, reference: RecordedArray) -> Iterator[RecordedOperation]:
        """The operations that made a value, the last first, down to a product, within the backward pass."""
        waiting = [(reference, 0)]
        while waiting:
            array, depth = waiting.pop(0)
            k = self.record.maker(array.first) if array.size else -1
            if k < 0 or depth > _DEEPEST or self.forward[array.first]:
                continue
            operation = self.record.operations[k]
            yield operation
            if operation.name not in PRODUCTS:
                waiting += [(r, depth + 1) for r in operation.operands]

    def is_forward(self, reference: RecordedArray) -> bool:
        """Whether the loss was made from it."""
        return bool(reference.size) and bool(self.forward[reference.first])

    def is_given(self, reference: RecordedArray) -> bool:
        """Whether no weight had a part in an array: data, a mask, a first state."""
        return bool(reference.size) and not self.depends[reference.first]

    def are_mask(self, references: Sequence[RecordedArray]) -> bool:
        """Whether arrays hold zeros and one other number alone, and no weight had a part in them."""
        values = np.unique(np.concatenate([r.of(self.record.pool).ravel() for r in references]))
        return len(values) == 2 and 0.0 in values and all(self.is_given(r) for r in references)

    def is_activated(self, reference: RecordedArray) -> bool:
        """Whether an array is what an activation made."""
        return self.argument(reference) is not None

    def argument(self, reference: RecordedArray) -> int | None:
        """The first number of what an activation was applied to, None where an array is none's result."""
        k = self.record.maker(reference.first) if reference.size else -1
        if k < 0:
            return None
        operation = self.record.operations[k]
        if operation.name in ACTIVATIONS:
            offset = reference.first - operation.start
            inside = next((r for r in operation.operands if r.shape == operation.shape), None)
            return None if inside is None else int(inside.ids().flat[offset])
        if operation.name in ("divide", "reciprocal"):  # 1 / (1 + exp(-z))
            return self._exponent(operation, reference.first - operation.start)
        return None

    def _exponent(self, operation: RecordedOperation, offset: int) -> int | None:
        name, number = operation.name, operation.operands[-1]
        if number.shape != operation.shape:
            return None
        first = int(number.ids().flat[offset])
        for wanted in ("add", "exp", "negative"):
            k = self.record.maker(first)
            if k < 0 or self.record.operations[k].name != wanted:
                return None
            inner = self.record.operations[k]
            inside = next((r for r in inner.operands if r.shape == inner.shape), None)
            if inside is None:
                return None
            first = int(inside.ids().flat[first - inner.start])
        return first if name else None

    def feeds_activation(self, reference: RecordedArray) -> bool:
        """Whether an activation was applied to an array."""
        return any(
            o.name in ACTIVATIONS and any(r.size and r.first == reference.first for r in o.operands)
            for o in self.record.operations
            if self.forward[o.start]
        )

    def is_factor(self, reference: RecordedArray) -> bool:
        """Whether the forward pass multiplies an array entry by entry by another that weights had a part in, as gates are."""
        return any(
            o.name == "multiply"
            and o.operands[0].first != o.operands[1].first
            and all(self.depends[r.first] for r in o.operands)
            for o in self.record.operations
            if self.forward[o.start] and any(r.size and r.first == reference.first for r in o.operands)
        )

    def place(self, reference: RecordedArray) -> int:
        """The how manieth of what its line made an array is, counted from 1; 0 for what came from outside."""
        k = self.record.maker(reference.first)
        if k < 0:
            return 0
        own = self.record.operations[k]
        return sum(o.line == own.line and o.name == own.name for o in self.record.operations[: k + 1])

    def siblings(self, one: RecordedArray, two: RecordedArray) -> bool:
        """Whether two arrays are the same thing at two steps: made on one line, or entries of one array that was given."""
        a, b = self.record.maker(one.first), self.record.maker(two.first)
        if (a < 0) != (b < 0):
            return False
        if a < 0:
            leaves = self.record.leaves[:, 0]
            places = np.searchsorted(leaves, [one.first, two.first], "right")
            return bool(places[0] == places[1])
        return self.record.operations[a].line == self.record.operations[b].line

    def follows(self, one: RecordedArray, two: RecordedArray) -> bool:
        """Whether one of two arrays was made from the other, as a state was from an earlier one."""
        return any(bool(depending(self.record, [a.ids()])[b.ids()].any()) for a, b in ((one, two), (two, one)))

    @cached_property
    def steps(self) -> int:
        """How many recurrent products are made one of the other: 0 where there are none."""
        starts = {k.start for w in self.weights if w.recurrent for k in w.uses}
        depth = np.zeros(len(self.record.pool), np.int32)
        deepest = 0
        for operation in self.record.operations if starts else ():
            if self.forward[operation.start : operation.stop].any():
                before = max((int(depth[r.ids()].max()) for r in operation.operands if r.size), default=0)
                depth[operation.start : operation.stop] = before + (operation.start in starts)
                deepest = max(deepest, before + (operation.start in starts))
        return deepest

    @property
    def samples(self) -> int:
        """How many samples the recurrent products are made for, in rows, columns or one after the other."""
        weight = next((w for w in self.weights if w.recurrent), None)
        if weight is None or not self.steps:
            return 1
        shape, columns = weight.last.shape, weight.last.operands[0].first in weight.own
        return len(weight.uses) // self.steps * (shape[-1 if columns else 0] if len(shape) == 2 else 1)
