"""Which numbers of its operands one result of an operation was computed from, and which results one number went into.

Every operation but the cumulated ones is a rule about axes, as in an einsum: the axes of each operand and those of the result have labels;
labels that the result lacks are summed (or reduced) over, an axis of length 1 is repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.reading import RecordedArray, RecordedOperation

NumberGrid = NDArray[np.int64]
CUMULATED = ("cumsum", "cumprod")
OF_PRODUCTS = ("multiply", "matmul", "dot", "einsum")
REDUCED = ("sum", "mean", "prod")


@dataclass(frozen=True)
class AxisLabels:
    """The labels of the axes of the result and of each operand, and how long the axis of each label is."""

    result: tuple[str, ...]
    operands: tuple[tuple[str, ...], ...]
    lengths: dict[str, int]

    @property
    def reduced(self) -> list[str]:
        """The labels that the result lacks, in the order of the operands."""
        found = dict.fromkeys(label for labels in self.operands for label in labels)
        return [label for label in found if label not in self.result]


def labelled(operation: RecordedOperation) -> AxisLabels:
    """An operation as a rule about axes."""
    shapes = [r.shape for r in operation.operands]
    result, operands = _labels(operation, shapes)
    lengths: dict[str, int] = {}
    for labels, shape in zip(operands, shapes, strict=True):
        for label, n in zip(labels, shape, strict=True):
            lengths[label] = max(n, lengths.get(label, 1))
    return AxisLabels(tuple(result), tuple(tuple(labels) for labels in operands), lengths)


def _labels(
    operation: RecordedOperation, shapes: Sequence[tuple[int, ...]]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    match operation.name:
        case "einsum":
            inside, out = "".join(map(chr, operation.parameters)).split("->")
            return out, inside.split(",")
        case "matmul":
            x, y = shapes
            batch = [f"b{k}" for k in range(max(len(x), len(y)) - 2)][::-1]
            first = [*batch[len(batch) - max(0, len(x) - 2) :], *(["i"] if len(x) > 1 else []), "k"]
            second = [*batch[len(batch) - max(0, len(y) - 2) :], "k", *(["j"] if len(y) > 1 else [])]
            return [*batch, *(["i"] if len(x) > 1 else []), *(["j"] if len(y) > 1 else [])], [first, second]
        case "dot":
            x, y = shapes
            rows = [f"i{k}" for k in range(len(x) - 1)]
            columns = [f"j{k}" for k in range(len(y) - 1)]
            second = [*columns[:-1], "k", *columns[-1:]] if columns else ["k"]
            return [*rows, *columns], [[*rows, "k"], second]
        case name if name in REDUCED:
            labels = [str(a) for a in range(len(shapes[0]))]
            return [label for a, label in enumerate(labels) if a not in operation.parameters], [labels]
        case _:
            ndim = len(operation.shape)
            return [str(a) for a in range(ndim)], [[str(a) for a in range(ndim - len(s), ndim)] for s in shapes]


def read_for(operation: RecordedOperation, place: int) -> list[NumberGrid]:
    """What one result (its place, in C order) was computed from: for each operand the numbers, in the order of what is reduced over."""
    if operation.name in CUMULATED:
        index = np.unravel_index(place, operation.shape)
        axis = operation.parameters[0]
        places = [np.arange(int(i) + 1) if a == axis else np.asarray(int(i)) for a, i in enumerate(index)]
        return [taken(operation.operands[0], places).reshape(-1)]
    rule = labelled(operation)
    at: dict[str, NumberGrid] = {}
    shape = tuple(rule.lengths.get(label, 1) for label in rule.result)
    for label, i in zip(rule.result, np.unravel_index(place, shape) if shape else (), strict=True):
        at[label] = np.asarray(int(i))
    free = [rule.lengths[label] for label in rule.reduced]
    count = prod(free)
    for label, along in zip(rule.reduced, np.indices(free).reshape(len(free), count), strict=True):
        at[label] = along
    return [
        np.broadcast_to(taken(reference, [at[label] for label in labels]), (count,))
        for reference, labels in zip(operation.operands, rule.operands, strict=True)
    ]


def went_into(operation: RecordedOperation, which: int, number: int) -> list[int]:
    """The places of the results that a number of operand `which` went into, in C order."""
    found: dict[int, None] = {}
    reference = operation.operands[which]
    for index in np.argwhere(reference.ids() == number):
        places: Any = [int(i) for i in index]
        grid = np.arange(operation.size)
        if operation.name in CUMULATED:
            axis = operation.parameters[0]
            places[axis] = slice(places[axis], None)
            grid = grid.reshape(operation.shape)
        else:
            rule = labelled(operation)
            labels = rule.operands[which]
            fixed = {
                label: i
                for label, i, n in zip(labels, places, reference.shape, strict=True)
                if n == rule.lengths[label]
            }
            grid = grid.reshape(tuple(rule.lengths.get(label, 1) for label in rule.result))
            places = [fixed.get(label, slice(None)) for label in rule.result]
        found.update(dict.fromkeys(np.asarray(grid[tuple(places)]).reshape(-1).tolist()))
    return list(found)


def taken(reference: RecordedArray, places: Sequence[NumberGrid]) -> NDArray[np.int64]:
    """The numbers at these places along each axis; an axis of length 1 is repeated."""
    within = [p if n > 1 else np.zeros_like(p) for p, n in zip(places, reference.shape, strict=True)]
    if reference.kept is not None:
        return np.asarray(reference.kept[tuple(within)], np.int64)
    found = np.asarray(reference.base, np.int64)
    for place, stride in zip(within, reference.strides, strict=False):
        found = found + place * stride
    return found
