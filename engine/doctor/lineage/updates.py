"""The updates of a run: which arrays were stepped, and by what.

A step adds an array to a leaf, or subtracts it. It is one only if the result takes the leaf's place: written in place, bound to the leaf's
name, or read again where the leaf was read first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.reading import Ids, Record, RecordedEvent, RecordedOperation

_SCALED = ("multiply", "divide")


@dataclass(frozen=True, eq=False)
class Step:
    """Numbers `ids` of a leaf, and the numbers `by` that were added to each (`sign` 1) or subtracted (-1), at operation `made`."""

    leaf: int
    ids: Ids
    by: Ids
    sign: float
    made: int
    sure: bool


@dataclass(frozen=True, eq=False)
class Update:
    """All steps of one leaf: `name` what the program calls it, `line` the (first) line that steps it."""

    name: str
    line: int
    leaf: int
    ids: Ids
    by: Ids
    signs: NDArray[np.float64]
    made: tuple[int, ...]
    sure: bool


def first_cut(record: Record) -> int:
    """The number at which the program begins its second round: what comes later is not looked at."""
    return min((time for time, _ in record.rounds), default=len(record.pool))


def found(record: Record) -> list[Update]:
    """The arrays that may have been stepped in the first round, in the order of their steps."""
    cut = first_cut(record)
    names = ArrayNames(record)
    steps: dict[int, list[Step]] = defaultdict(list)
    confirmed = {int(record.maker(number)) for _, number in record.rounds}
    lines = {record.operations[k].line for k in confirmed if k >= 0}
    before: dict[int, int] = {}
    for k, operation in enumerate(record.operations):
        if operation.start >= cut:
            break
        if operation.name in ("add", "subtract") and len(operation.operands) == 2:
            for step in _steps(record, k, operation, names, operation.line in lines or k in confirmed, before):
                steps[step.leaf].append(step)
    return [_joined(record, leaf, group, names) for leaf, group in steps.items()]


def _steps(
    record: Record, k: int, operation: RecordedOperation, names: ArrayNames, sure: bool, before: dict[int, int]
) -> Iterable[Step]:
    for which in (0, 1) if operation.name == "add" else (0,):
        stepped, by = operation.operands[which], operation.operands[1 - which]
        if stepped.shape != operation.shape or (by.size == 1 and stepped.size > 1):
            continue
        leaves = _from_leaves(record, stepped.ids().ravel())
        if leaves is None:
            continue
        added = np.broadcast_to(by.ids(), operation.shape).ravel()
        if (record.makers(added) < 0).all():
            continue
        sign = 1.0 if operation.name == "add" else -1.0
        in_place = operation.parameters == (1,)
        for leaf in np.unique(np.searchsorted(record.leaves[:, 0], leaves, "right") - 1):
            own = np.searchsorted(record.leaves[:, 0], leaves, "right") - 1 == leaf
            known = sure or in_place or names.bound_again(int(leaf), operation)
            yield Step(int(leaf), leaves[own], added[own], sign, k, known)


def _from_leaves(record: Record, ids: Ids) -> Ids | None:
    """The leaves that an array is, seen through gathering and through weight decay (a factor); None where it is none."""
    for _ in range(3):
        makers = record.makers(ids)
        if (makers < 0).all():
            constant = record.leaves[np.searchsorted(record.leaves[:, 0], ids, "right") - 1, 2] < 0
            return None if constant.any() else ids
        if makers.min() != makers.max():
            return None
        operation = record.operations[int(makers[0])]
        place = ids - operation.start
        if operation.name == "gather" or (
            operation.name in _SCALED
            and operation.operands[0].shape == operation.shape
            and operation.operands[1].size == 1
        ):
            ids = operation.operands[0].ids().ravel()[place]
        elif (
            operation.name == "multiply"
            and operation.operands[1].shape == operation.shape
            and operation.operands[0].size == 1
        ):
            ids = operation.operands[1].ids().ravel()[place]
        else:
            return None
    return None


def _joined(record: Record, leaf: int, steps: list[Step], names: ArrayNames) -> Update:
    first = record.operations[steps[0].made]
    signs = np.concatenate([np.full(len(s.ids), s.sign) for s in steps])
    ids, by = np.concatenate([s.ids for s in steps]), np.concatenate([s.by for s in steps])
    made = tuple(dict.fromkeys(s.made for s in steps))
    return Update(names.of(leaf), first.line, leaf, ids, by, signs, made, any(s.sure for s in steps))


class ArrayNames:
    """What leaves are called: the events in which they were seen."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.seen: dict[int, list[str]] = defaultdict(list)
        self.results: dict[int, list[str]] = defaultdict(list)
        starts = record.leaves[:, 0]
        for event in record.events:
            if not event.value.size or not event.name or event.site.kind == "increment":
                continue
            first = event.value.first
            if record.maker(first) < 0:
                leaf = int(np.searchsorted(starts, first, "right")) - 1
                self.seen[leaf].append(event.name)
            else:
                self.results[first].append(event.name)

    def of(self, leaf: int) -> str:
        """The first name of a leaf, else the line that it was made on."""
        names = self.seen.get(leaf)
        if names:
            return re.sub(r"\[:\]$", "", names[0])
        line = int(self.record.leaves[leaf, 2])
        return (
            f"an array made in line {self.record.lines[line].number}"
            if 0 < line < len(self.record.lines)
            else "an array"
        )

    def bound_again(self, leaf: int, operation: RecordedOperation) -> bool:
        """Whether a result was given a name that the leaf had."""
        mine = {_last(n) for n in self.seen.get(leaf, ())}
        return any(_last(n) in mine for n in self.results.get(operation.start, ()))


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def named_like_loss(event: RecordedEvent) -> bool:
    """Whether a value is called as losses are."""
    return bool(LOSS.search(event.name.rsplit(".", 1)[-1])) or bool(
        LOSS.search(event.site.function) and event.site.kind == "return"
    )


LOSS = re.compile(
    r"loss|cost|err|entropy|objective|^[JLE]$|^ce$|nll|mse|perdida|costo|verlust|fehler|coste|perte|custo|likelihood",
    re.I,
)
