"""The products of a run's forward pass: what each weight multiplies, what is added to the result, and in which order they ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, RecordedOperation
from engine.doctor.lineage.roles import Roles
from engine.doctor.lineage.the_loss.loss import ChosenLoss


@dataclass(frozen=True, eq=False)
class ProductUse:
    """One product with a weight: `other` is what it multiplies, as rows, `shape` what rows there were before they were joined, `result`
    the numbers of the product in the same rows; `turned` says that rows are columns in the program. Of rows that are looked up, and are no
    operation of their own, `operation` is the sum that they are `in_sum` added in."""

    operation: int
    other: Floats
    computed: NDArray[np.bool_]
    result: Ids
    shape: tuple[int, ...]
    turned: bool
    in_sum: bool = False


@dataclass(frozen=True, eq=False)
class UsedWeight:
    """A weight, or the part of one that is multiplied at a time: its numbers, (inputs, outputs), and its uses in the order of the run.

    `computed` says of each input whether it was computed from weights at the last use: a state is, the data are not.
    """

    ids: Ids
    uses: tuple[ProductUse, ...]
    recurrent: bool

    @property
    def computed(self) -> NDArray[np.bool_]:
        return self.uses[-1].computed

    @cached_property
    def ones(self) -> NDArray[np.bool_]:
        """Which inputs are 1 throughout: they make a bias of a row of the weights."""
        return np.all([(use.other == 1).all(axis=0) for use in self.uses], axis=0)

    @property
    def joined(self) -> str:
        """What is multiplied at once, in order: h the state, x the input, 1 what makes a bias; "" for one thing alone."""
        letters = ["h" if c else "1" if o else "x" for c, o in zip(self.computed, self.ones, strict=True)]
        word = "".join(letter for k, letter in enumerate(letters) if k == 0 or letters[k - 1] != letter)
        return word if len(word) > 1 else ""


@dataclass(frozen=True, eq=False)
class ProductSum:
    """The sum that a product goes into: the operation that ends it, and what else is added there."""

    end: int
    added: tuple[RecordedArray, ...]


class ForwardProducts:
    """The weights of a round as its forward pass uses them. `parameters` are the ids of what may be a weight."""

    def __init__(self, record: Record, loss: ChosenLoss, parameters: Sequence[Ids]) -> None:
        self.record = record
        self._roles = Roles(record, loss, parameters).of(record)
        self._parameters = parameters
        self.weights = tuple(self._weights())

    def _weights(self) -> list[UsedWeight]:
        uses: dict[tuple[int, int], list[tuple[Ids, ProductUse]]] = defaultdict(list)
        recurrent: dict[tuple[int, int], bool] = {}
        for k, operation in enumerate(self.record.operations):
            if not self._is_forward(operation) or len(operation.operands) != 2:
                continue
            for which, operand in enumerate(operation.operands):
                found = self._used(k, operation, which)
                if found is not None:
                    matrix, use = found
                    key = int(matrix.min()), matrix.size
                    uses[key].append((matrix, use))
                    weight = self._roles.weight(operand)
                    recurrent[key] = weight is not None and weight.recurrent
                    break
        return [UsedWeight(found[0][0], tuple(u for _, u in found), recurrent[key]) for key, found in uses.items()]

    def _used(self, k: int, operation: RecordedOperation, which: int) -> tuple[Ids, ProductUse] | None:
        """The weight that an operand of an operation is, inputs first, and how it is used; None where it is none."""
        operand = operation.operands[which]
        if operation.name in PRODUCTS:
            is_weight = self._roles.weight(operand) is not None and len(operand.shape) <= 2
            return self._use(k, operation, which) if is_weight else None
        if operation.name == "multiply":
            return self._scaled(k, operation, which)
        return self._looked_up(k, operation, which) if operation.name == "add" else None

    def _scaled(self, k: int, operation: RecordedOperation, which: int) -> tuple[Ids, ProductUse] | None:
        """A vector of weights times one number of each sample: a product with one input."""
        own, other = operation.operands[which].ids(), operation.operands[1 - which].ids()
        known = self._vectors.get(int(own.min()), 0) == own.size > 1 and own.size == max(own.shape)
        if not known or operation.size != own.size * other.size or self._roles.depends[other].any():
            return None
        result, turned = operation.result.ids(), own.ndim == 2 and own.shape[1] == 1
        rows = (result.T if turned else result).reshape(other.size, -1)
        return own.reshape(1, -1), self._made(k, other.reshape(-1, 1), rows, (other.size,), turned)

    def _looked_up(self, k: int, operation: RecordedOperation, which: int) -> tuple[Ids, ProductUse] | None:
        """Rows of a matrix that are added, or columns: a product with rows of which one entry is 1 and all others are 0."""
        ids = self._gathered(operation.operands[which].ids())
        if ids.size < 2 or ids.size != operation.size or (self.record.makers(ids) >= 0).any():
            return None
        matrix = self._matrix_of(ids)
        if matrix is None:
            return None
        for inputs_first, turned in ((matrix, False), (matrix.T, ids.ndim == 2)):
            rows = (ids.T if turned else ids).reshape(-1, inputs_first.shape[1]) if _fits(ids, inputs_first) else None
            places = {int(row[0]): place for place, row in enumerate(inputs_first)}
            if rows is not None and all(int(row[0]) in places for row in rows):
                found = np.array([places[int(row[0])] for row in rows])
                if np.array_equal(inputs_first[found], rows):
                    hot = np.eye(len(inputs_first))[found]
                    result = operation.result.ids()
                    result = (result.T if turned else result).reshape(rows.shape)
                    unknown = np.zeros(len(inputs_first), bool)
                    return inputs_first, ProductUse(k, hot, unknown, result, (len(rows),), turned, in_sum=True)
        return None

    def _is_forward(self, operation: RecordedOperation) -> bool:
        return bool(self._roles.forward[operation.start : operation.stop].any())

    def _use(self, k: int, operation: RecordedOperation, which: int) -> tuple[Ids, ProductUse] | None:
        """The weight's numbers, inputs first, and the use of it; None for shapes that are no product of a matrix."""
        ids, other = operation.operands[which].ids(), operation.operands[1 - which]
        first = which == 0
        matrix = ids.reshape((1, -1) if first else (-1, 1)) if ids.ndim == 1 else ids
        matrix = matrix.T if first else matrix
        turned = first and len(other.shape) == 2
        if first and len(other.shape) > 2:
            return None
        numbers = other.ids().T if turned else other.ids()
        rows = numbers.reshape(-1, len(matrix)) if numbers.size % len(matrix) == 0 else None
        result = operation.result.ids()
        if rows is None or operation.size != len(rows) * matrix.shape[1]:
            return None
        result = (result.reshape(matrix.shape[1], -1).T if turned else result).reshape(len(rows), -1)
        return matrix, self._made(k, rows, result, numbers.shape[:-1], turned)

    def is_turned(self, weight: UsedWeight) -> bool:
        """Whether a weight has its outputs first where it first has a name."""
        matrix = next((m for m in self._matrices if m.min() <= weight.ids.min() and weight.ids.max() <= m.max()), None)
        if matrix is None or matrix.shape[0] == 1:
            return False
        along = int(weight.ids[min(1, len(weight.ids) - 1), 0]) - int(weight.ids[0, 0])
        return along == int(matrix[0, 1]) - int(matrix[0, 0])

    def _matrix_of(self, ids: Ids) -> Ids | None:
        """The matrix of weights that an array is a part of."""
        low, high = ids.min(), ids.max()
        return next((m for m in self._matrices if m.min() <= low and high <= m.max() and m.size > ids.size), None)

    def _gathered(self, ids: Ids) -> Ids:
        """The numbers of which an array holds copies, where it does."""
        makers = self.record.makers(ids)
        k = int(makers.flat[0]) if ids.size else -1
        if k < 0 or (makers != k).any() or self.record.operations[k].name != "gather":
            return ids
        operation = self.record.operations[k]
        return operation.operands[0].ids().ravel()[ids - operation.start]

    def _made(self, k: int, rows: Ids, result: Ids, shape: tuple[int, ...], turned: bool) -> ProductUse:
        return ProductUse(k, self.record.pool[rows], np.any(self._roles.depends[rows], axis=0), result, shape, turned)

    @cached_property
    def _vectors(self) -> dict[int, int]:
        """The vectors that may be weights: how long they are, by their first number."""
        return {int(ids.min()): ids.size for ids in self._parameters}

    @cached_property
    def _matrices(self) -> list[Ids]:
        """The matrices that may be weights, as the program has them."""
        first = {int(ids.min()): ids.size for ids in self._parameters}
        found: dict[int, Ids] = {}
        for event in self.record.events:
            shape, size = event.value.shape, event.value.size
            if len(shape) == 2 and min(shape) > 1 and first.get(event.value.first) == size:
                found.setdefault(event.value.first, event.value.ids())
        return list(found.values())

    @cached_property
    def _users(self) -> dict[int, list[int]]:
        """Operations by the first number of what they read."""
        users: dict[int, list[int]] = defaultdict(list)
        for k, operation in enumerate(self.record.operations):
            for operand in operation.operands:
                if operand.size:
                    users[int(operand.ids().min())].append(k)
        return users

    def read_by(self, k: int, name: str) -> tuple[int, RecordedArray] | None:
        """The operation of that name that reads what operation k made, and its other operand."""
        start = self.record.operations[k].start
        for j in self._users.get(start, ()):
            operation = self.record.operations[j]
            if name == "add" and not self._is_forward(operation):
                continue
            if operation.name == name and len(operation.operands) == 2:
                others = [o for o in operation.operands if int(o.ids().min()) != start]
                if len(others) == 1:
                    return j, others[0]
        return None

    def sum_of(self, use: ProductUse) -> ProductSum:
        """The sum that a product goes into."""
        k, added = use.operation, list[RecordedArray]()
        while (found := self.read_by(k, "add")) is not None:
            k = found[0]
            added.append(found[1])
        return ProductSum(k, tuple(added))

    def biases(self, added: Sequence[RecordedArray], size: int) -> list[Ids]:
        """The vectors of so many entries that are added and come from outside, by their numbers."""
        found = [array.ids().ravel() for array in added]
        given = [ids for ids in found if len(ids) == size and (self.record.makers(ids) < 0).all()]
        return [ids for ids in given if self._matrix_of(ids) is None]

    def weighted(self, size: int) -> Iterator[tuple[RecordedOperation, Floats, Floats]]:
        """What was computed, arrays of so many numbers or a multiple, and multiplied by what comes from outside: the operation, both; the
        last first."""
        for operation in reversed(self.record.operations):
            if operation.name == "multiply" and self._is_forward(operation) and operation.size % size == 0:
                computed = [self._roles.depends[o.ids()].any() for o in operation.operands]
                if sorted(computed) == [False, True] and all(o.shape == operation.shape for o in operation.operands):
                    values, factors = (o.of(self.record.pool) for o in operation.operands)
                    yield operation, *((values, factors) if computed[0] else (factors, values))

    @property
    def states(self) -> list[UsedWeight]:
        """The weights that multiply a state that was computed with them."""
        return [w for w in self.weights if w.recurrent and w.computed.any()]

    @property
    def of_data(self) -> list[UsedWeight]:
        """Those that multiply data alone."""
        return [w for w in self.weights if not w.computed.any()]

    @property
    def read_out(self) -> UsedWeight | None:
        """The one that multiplies what was computed, and does not come back to it; None where there are several, or none."""
        found = [w for w in self.weights if not w.recurrent and w.computed.all()]
        return found[0] if len(found) == 1 else None


def _fits(ids: Ids, matrix: Ids) -> bool:
    """Whether an array may be of whole rows of a matrix."""
    return ids.size % matrix.shape[1] == 0
