"""Every array of which it is known what it should be: dL/d(each forward value), each use's share, the running sums of
shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.carry_back import carried_back
from engine.doctor.lineage.record.derivatives import BINARY
from engine.doctor.lineage.record.place_by_place import made_place_by_place
from engine.doctor.lineage.record.reading import Floats, Record, RecordedArray
from engine.doctor.lineage.the_loss.loss import ChosenLoss
from engine.doctor.lineage.the_loss.terms import carried_apart
from engine.doctor.recording.trials import fingerprints

MOST = 400_000
PIECES = 4
"""Of so many pieces an array may be put together."""
OUTPUTS = 12
"""So many outputs' errors are carried back one by one."""
STEPS = 100
"""Products over more steps at once are not taken apart."""
PRODUCTS = ("matmul", "dot")
SLOPES: Mapping[str, Callable[[Floats], Floats]] = {
    "tanh": lambda r: 1 - r * r,
    "divide": lambda r: r * (1 - r),
    "expit": lambda r: r * (1 - r),
    "maximum": lambda r: np.asarray(r > 0, np.float64),
}
"""The derivatives of activations, of what they made: programs have functions for them."""

fingerprint = cast("Callable[[Floats], tuple[float, float, float] | None]", fingerprints.fingerprint)


def totals(record: Record, adjoint: Floats, forward: NDArray[np.bool_]) -> Floats:
    """The table of dL/d(each forward value) alone, of what was seen and what operations made."""
    seen = [e.value.ids() for e in record.events if e.value.size > 1 and forward[e.value.first]]
    made = [(o.start, o.stop, o.shape) for o in record.operations if o.size > 1 and forward[o.start : o.stop].any()]
    values = [*(adjoint[ids] for ids in seen), *(adjoint[start:stop].reshape(shape) for start, stop, shape in made)]
    rows = [(float(v.size), *found) for v in values if (found := fingerprint(np.ascontiguousarray(v))) is not None]
    return np.unique(np.array(rows), axis=0) if rows else np.zeros((0, 4))


class KnownValues(Protocol):
    """Whether an array is a right one; None where nothing can be said of it."""

    def has(self, value: Floats) -> bool | None: ...


def known(rows: Floats, factors: Sequence[float], allowed: float) -> KnownValues:
    """Looks arrays up in a table of right ones."""
    return cast("KnownValues", fingerprints.RightTable(rows, factors, allowed))


class RightValues:
    """A table with a row (size, norm, spread, order) of every right array, with `parts` also of what lines may make on the way to one: a
    step's part of a sum over all steps, one output's part of all, the derivative of an activation. Such a part is no gradient of
    anything.
    """

    def __init__(self, record: Record, loss: ChosenLoss, forward: NDArray[np.bool_], *, parts: bool = False) -> None:
        self.parts = parts
        self.rows: list[tuple[float, float, float, float]] = []
        self.record = record
        self.left = MOST
        self._begun: dict[tuple[int, tuple[int, ...]], tuple[Floats, Floats]] = {}
        """By operand what was there before its first share, and after it."""
        self._by_line: dict[int, dict[int, float]] = {}
        """By single number its shares: from each line that computes with single numbers their sum."""
        self._of_all(carried_back(record, loss.seeds, self._seen), forward)
        apart = carried_apart(record, loss) if parts else None
        few = loss.seeds if parts and 1 < len(loss.seeds) <= OUTPUTS else ()
        for seed in few if apart is None else apart.seeds:  # each output's error goes back on its own
            self._of_all(carried_back(record, [seed], None if apart is None else self._share), forward)
        for operation in record.operations if parts else ():
            if operation.name in SLOPES and forward[operation.start : operation.stop].any():
                self.add(SLOPES[operation.name](operation.result.of(record.pool)))
        if self._by_line:
            self._of_lists(forward)

    def _of_all(self, adjoint: Floats, forward: NDArray[np.bool_]) -> None:
        """dL/d(each forward value), and of each part of one that the backward pass reads, as a step's row of an array of all."""
        done: set[tuple[int, int]] = set()
        for event in self.record.events:
            value = event.value
            key = (value.first if value.size else 0, value.size)
            if value.size and key not in done and forward[value.first]:
                done.add(key)
                self.add(adjoint[value.ids()])
        for operation in self.record.operations:
            if forward[operation.start : operation.stop].any():
                self.add(adjoint[operation.start : operation.stop].reshape(operation.shape))
            elif self.parts:
                for value in operation.operands:
                    key = (value.first, value.size)
                    if value.size > 1 and key not in done and forward[value.first]:
                        done.add(key)
                        self.add(adjoint[value.ids()])

    def _of_lists(self, forward: NDArray[np.bool_]) -> None:
        """Of lists whose numbers were made one by one: each line's shares, and the derivative of an activation."""
        events = self.record.events
        lists = events.each_once(np.flatnonzero((events.sizes > 1) & forward[events.firsts]))
        for value in (event.value for event in events.at(lists)):
            ids = value.ids()
            each = [self._by_line.get(int(i), {}) for i in ids.flat]
            for line in dict.fromkeys(line for shares in each for line in shares):
                self.add(np.array([shares.get(line, 0.0) for shares in each]).reshape(value.shape))
            made = made_place_by_place(self.record, ids.ravel()) if self.parts else None
            if made is not None and made.name in SLOPES:
                self.add(SLOPES[made.name](value.of(self.record.pool)))

    def _share(self, k: int, which: int, g: Floats, part: Floats, total: Floats) -> None:
        del k, which, g, total
        self.add(part)

    def _seen(self, k: int, which: int, g: Floats, part: Floats, total: Floats) -> None:
        self.add(part)
        operation = self.record.operations[k]
        if not operation.shape and not operation.operands[which].shape:
            shares = self._by_line.setdefault(operation.operands[which].first, {})
            shares[operation.line] = shares.get(operation.line, 0.0) + float(part)
        if total.shape == part.shape and total.size:
            self.add(total)
            self._without_first(operation.operands[which], part, total)
        if (
            operation.name in BINARY
            and operation.operands[which].shape != operation.shape
            and len(operation.operands) == 2
        ):
            whole = self._whole(k, which, g)
            self.add(whole)
            if whole.ndim - part.ndim > 1:
                self._by_steps(None, whole, part)
        elif operation.name in PRODUCTS and which == 1 and part.ndim == 2 and g.ndim > 2:
            self._by_steps(operation.operands[0].of(self.record.pool), g, part)

    def _by_steps(self, x: Floats | None, g: Floats, part: Floats) -> None:
        """A share that is a sum over several axes at once (of g, or of the products of x and g), as a program sums it step by step: each
        step's, and what has been added up so far, in both directions."""
        if not self.parts:
            return
        for axis in range(g.ndim - (1 if x is not None else part.ndim)):
            steps = g.shape[axis]
            if not 1 < steps <= STEPS or (x is not None and x.shape[axis] != steps):
                continue
            shares = np.zeros((steps, *part.shape))
            for t in range(steps):
                own = g.take(t, axis).reshape(-1, *part.shape[-1:] if x is not None else part.shape)
                shares[t] = own.sum(0) if x is None else x.take(t, axis).reshape(-1, x.shape[-1]).T @ own
            for rows in (shares, shares.cumsum(0)[1:-1], shares[::-1].cumsum(0)[1:-1]):
                for t in range(len(rows)):
                    self.add(np.asarray(rows[t]))

    def _without_first(self, operand: RecordedArray, part: Floats, total: Floats) -> None:
        """Sums of the operand's own shares, and those without the first: what comes from the step after, without the output's."""
        if operand.size <= 1:
            return
        key = (operand.first, operand.shape)
        if key not in self._begun:
            self._begun[key] = total - part, total.copy()
            return
        before, after = self._begun[key]
        if before.any():
            self.add(total - before)
        self.add(total - after)
        self._in_pieces(operand, total - before)

    def _in_pieces(self, operand: RecordedArray, values: Floats) -> None:
        """The pieces of what was put together by writing into it, as states and inputs in one array: each has a gradient of its own."""
        if operand.kept is None:
            return
        makers = self.record.makers(operand.kept)
        found = np.unique(makers)
        if 1 < len(found) <= PIECES:
            for maker in found:
                self.add(values[makers == maker])

    def _whole(self, k: int, which: int, g: Floats) -> Floats:
        """A share before it is summed over the axes along which the operand was repeated."""
        operation = self.record.operations[k]
        x, y = (r.of(self.record.pool) for r in operation.operands)
        with np.errstate(all="ignore"):
            return np.broadcast_to(
                BINARY[operation.name][which](g, operation.result.of(self.record.pool), x, y), operation.shape
            )

    def add(self, values: Floats) -> None:
        """One more right array."""
        if self.left <= 0:
            return
        made = fingerprint(np.ascontiguousarray(values, np.float64))
        if made is not None:
            self.left -= 1
            self.rows.append((float(values.size), *made))

    def table(self) -> Floats:
        """The rows, each once."""
        if not self.rows:
            return np.zeros((0, 4))
        return np.unique(np.array(self.rows), axis=0)
