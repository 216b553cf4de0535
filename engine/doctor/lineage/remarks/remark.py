"""A remark, and what of a run remarks are made from."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.carry_back import depending
from engine.doctor.lineage.record.reading import Ids, Record, RecordedArray, RecordedOperation, UserLine
from engine.doctor.lineage.the_loss.loss import ChosenLoss, forward_of
from engine.doctor.lineage.verdict.run_verdict import RunVerdict

PASSED_ON = ("gather",)
"""Operations after which an array is what it was."""


@dataclass(frozen=True)
class Remark:
    """What was seen at a line: `id` is its name in the catalogue."""

    id: str
    place: UserLine
    says: str


class RemarkedRun:
    """The first round of a run that was judged: which numbers its loss was made from (`forward`), which are `weights`, and which were
    made with them (`depends`). The second round ends at number `until`; `whole` is the record of all rounds, `trees` the syntax of the
    files that ran, by the names that records have for them.
    """

    def __init__(self, whole: Record, verdict: RunVerdict, loss: ChosenLoss, trees: Mapping[str, ast.Module]) -> None:
        first = verdict.rounds[0]
        assert first.record is not None
        self.whole, self.verdict, self.loss, self.trees = whole, verdict, loss, trees
        self.record = first.record
        self.compared = first.compared
        self.forward: NDArray[np.bool_] = forward_of(self.record, loss)
        weights = [ids for row in verdict.compared for ids in (row.own, *(row.update.levels if row.update else ()))]
        self.weights = np.zeros(len(whole.pool), bool)
        for ids in weights:
            self.weights[ids] = True
        self.depends = depending(self.record, weights)
        last = verdict.rounds[:2][-1].record or self.record
        self.until = last.operations[-1].stop if last.operations else 0

    def of_the_forward_pass(self, *names: str) -> Iterator[RecordedOperation]:
        """The operations of these names that the loss was made from."""
        operations = self.record.operations
        return (o for o in operations.at(operations.named(names)) if o.size and self.forward[o.start])

    def maker(self, ids: Ids) -> tuple[RecordedOperation, Ids] | None:
        """The one operation that made these numbers, and their places in its result; copies are seen through."""
        while ids.size:
            makers = self.record.makers(ids)
            if makers.min() != makers.max() or makers.flat[0] < 0:
                return None
            operation = self.record.operations[int(makers.flat[0])]
            places = ids - operation.start
            if operation.name not in PASSED_ON:
                return operation, places
            ids = operation.operands[0].ids().ravel()[places]
        return None

    def is_given(self, reference: RecordedArray) -> bool:
        """Whether no weight had a part in an array."""
        return bool(reference.size) and not self.depends[reference.ids()].any()

    def first_read(self, ids: Ids) -> UserLine:
        """Where the forward pass first reads an array."""
        first = int(ids.flat[0])
        read = (
            o
            for o in self.record.operations
            if self.forward[o.start] and any(r.size and r.first == first for r in o.operands)
        )
        return next((self.place(o) for o in read), UserLine("", 0))

    def place(self, operation: RecordedOperation) -> UserLine:
        """The user's line of an operation."""
        return self.record.lines[operation.line]
