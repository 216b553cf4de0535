"""Evaluates a condition at one point, or at many points at once: every value has the points as its first axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engine.debug.conditions import Apply, Cells, Condition, Constant, Junction, Operation, Predicate, Read, Word
from engine.debug.predicates import ELEMENTWISE, REDUCTIONS
from engine.language.expression import ExpressionError
from engine.language.functions import Array
from engine.language.operators import OPERATORS

_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    **{sign: getattr(np, entry.ufunc) for sign, entry in OPERATORS.items() if sign != "@"},
    "<": np.less,
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(frozen=True, eq=False)
class Value:
    """The value at many points: the points are the first axis of `array`; `exists` says at which of them it is computed."""

    array: Array
    exists: Array


class Points(Protocol):
    """The points at which an expression is evaluated, and the values that exist there. See `engine.debug.stops`."""

    count: int

    def word(self, name: str) -> Array:
        """(points,) numbers, or texts for phase and line."""
        ...

    def latest(self, name: str) -> Value:
        """The row of a quantity computed last, at each point."""
        ...

    def rows(self, name: str, rows: Array) -> Value:
        """The row that is asked for at each point."""
        ...

    def all_rows(self, name: str) -> Value:
        """All rows computed so far; only where there is one point."""
        ...

    def of_all_samples(self) -> Points:
        """These points with the rows of all samples, where they have those of one alone."""
        ...


def evaluate(predicate: Predicate, points: Points) -> Value:
    """The value of an expression at every one of `points`; ExpressionError where it does not fit the shapes."""
    with np.errstate(all="ignore"):
        return _Evaluator(predicate, points).value(predicate.tree)


def truth(predicate: Predicate, points: Points) -> Array:
    """(points,) booleans: whether a condition holds; false where something is not computed yet."""
    value = evaluate(predicate, points)
    if value.array.ndim != 1 or value.array.dtype.kind != "b":
        if value.array.ndim > 1:
            name = predicate.spelt(predicate.reads[0].name)
            kind, remedy = "an array", f"compare its size: max|{name}| < 0.1 or norm({name}) < 0.1, or use any or all"
        elif value.array.dtype.kind == "U":
            kind, remedy = "text", f"compare it, for example: {predicate.told} == 'backward'"
        else:
            kind, remedy = "a number", f"compare it, for example: {predicate.told} < 0.1"
        raise predicate.error(f"this gives {kind}, not true or false; {remedy}", 1)
    return value.array & value.exists


class _Evaluator:
    def __init__(self, predicate: Predicate, points: Points) -> None:
        self.predicate, self.points = predicate, points

    def value(self, node: Condition) -> Value:
        match node:
            case Constant(value=value):
                return self._everywhere(np.full(self.points.count, value))
            case Word(name=name):
                return self._everywhere(self.points.word(name))
            case Read():
                return self._read(node)
            case Cells():
                return self._cells(node)
            case Apply():
                return self._apply(node)
            case Operation():
                return self._operation(node)
            case Junction(every=every, operands=operands, column=column):
                values = [self._truth(operand, column) for operand in operands]
                join = np.logical_and if every else np.logical_or
                return Value(join.reduce([v.array for v in values]), np.logical_and.reduce([v.exists for v in values]))

    def _everywhere(self, array: Array) -> Value:
        return Value(array, np.ones(self.points.count, bool))

    def _read(self, node: Read) -> Value:
        if node.all_rows:
            return self.points.all_rows(node.name)
        if node.row is None:
            return self.points.latest(node.name)
        row = self.value(node.row)
        if row.array.ndim != 1 or row.array.dtype.kind not in "fiu":
            raise self._error("a time step is a number", node.column)
        whole = np.nan_to_num(row.array, nan=-1.0, posinf=-1.0, neginf=-1.0)
        read = self.points.rows(node.name, np.where(np.abs(whole) < 1e15, whole, -1).astype(np.int64))
        return Value(read.array, read.exists & row.exists & (whole == np.floor(whole)))

    def _cells(self, node: Cells) -> Value:
        points = self.points.of_all_samples() if node.names_sample else self.points
        value = _Evaluator(self.predicate, points).value(node.operand)
        shape = value.array.shape[1:]
        if len(node.index) > len(shape):
            raise self._error(f"{len(node.index)} indices for the axes {shape}", node.column)
        for place, length in zip(node.index, shape, strict=False):
            if place is not None and not 0 <= place < length:
                raise self._error(f"the index {place} lies outside the axes {shape}", node.column)
        chosen = tuple(slice(None) if place is None else place for place in node.index)
        return Value(value.array[(slice(None), *chosen)], value.exists)

    def _apply(self, node: Apply) -> Value:
        if node.function == "not":
            value = self._truth(node.operand, node.column)
            return Value(~value.array, value.exists)
        value = self.value(node.operand)
        array = value.array
        if array.dtype.kind == "U" or (array.dtype.kind == "b" and node.function not in ("all", "any", "sum", "mean")):
            raise self._error(f"{node.function} takes numbers", node.column)
        if node.function == "-":
            return Value(-array, value.exists)
        if node.function in ELEMENTWISE:
            return Value(ELEMENTWISE[node.function](array.astype(np.float64, copy=False)), value.exists)
        axes = tuple(range(1, array.ndim))
        if array.ndim == 1 and node.function == "argmax":
            return Value(np.zeros(len(array), np.int64), value.exists)
        return Value(np.asarray(REDUCTIONS[node.function](array, axes)), value.exists)

    def _operation(self, node: Operation) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        texts = [side.array.dtype.kind == "U" for side in (left, right)]
        if any(texts) and (not all(texts) or node.operator not in ("==", "!=")):
            raise self._error("a text can only be compared with another one, by == or !=", node.column)
        if any(side.array.dtype.kind == "b" for side in (left, right)) and node.operator not in ("==", "!="):
            raise self._error("truth values are joined by and, or, not", node.column)
        sides = [side.array if all(texts) else _number(side.array) for side in (left, right)]
        most = max(side.ndim for side in sides)
        # The points stay the first axis; the axes of a row are matched from the last one on, as in NumPy.
        fitted = [side.reshape(len(side), *(1,) * (most - side.ndim), *side.shape[1:]) for side in sides]
        try:
            result = _OPERATIONS[node.operator](*fitted)
        except ValueError:
            shapes = " and ".join(str(side.shape[1:]) for side in sides)
            raise self._error(f"{shapes} do not fit", node.column) from None
        return Value(np.asarray(result), left.exists & right.exists)

    def _truth(self, node: Condition, column: int) -> Value:
        value = self.value(node)
        if value.array.ndim != 1 or value.array.dtype.kind != "b":
            raise self._error("and, or, not join truth values; compare, or use any or all", column)
        return value

    def _error(self, message: str, column: int) -> ExpressionError:
        return self.predicate.error(message, column)


def _number(array: Array) -> Array:
    return array if array.dtype.kind == "b" else array.astype(np.float64, copy=False)
