"""Conditions and watch expressions: parsed like equations, with a few words more.

    norm(da) < 1e-3        any(isnan(z))        norm(da@t) / norm(da@(t+1)) > 2        t == 3 and phase == 'backward'

A quantity `q` is its row computed last at the point, `q@k` its row k (k may use t), `q[:]` all rows computed so far, `q[0,5]` a
cell. Beside quantities there are `t`, `iteration`, `phase` and `line`, numbers, arithmetic, comparisons, `and`, `or`, `not`, and the
functions below; as on paper, `|x|` is abs(x), `max|x|` max(abs(x)), `||x||` norm(x). Nothing else: no attribute, no other call, nothing
that runs code. What is not computed yet makes a condition false.

`predicate_values` evaluates them.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from engine.debug.conditions import (
    Apply,
    Cells,
    Condition,
    Constant,
    Index,
    Junction,
    Operation,
    Predicate,
    Read,
    Word,
    error_in,
)
from engine.language.derive import gradient
from engine.language.expression import ExpressionError
from engine.language.functions import Array
from engine.language.operators import OPERATORS
from engine.text import listed_near

MAX_SOURCE = 500
MAX_NODES = 120
MAX_DEPTH = 40
WORDS = ("t", "iteration", "phase", "line")
"""What a condition may ask about the point."""


def _norm(value: Array, axes: tuple[int, ...]) -> Array:
    return np.sqrt(np.sum(np.square(value, dtype=np.float64), axis=axes))


REDUCTIONS: Mapping[str, Callable[[Array, tuple[int, ...]], Array]] = {
    "all": lambda value, axes: np.all(value, axis=axes),
    "any": lambda value, axes: np.any(value, axis=axes),
    "argmax": lambda value, axes: value.reshape(len(value), -1).argmax(axis=1),
    "max": lambda value, axes: np.max(value, axis=axes),
    "mean": lambda value, axes: np.mean(value, axis=axes),
    "min": lambda value, axes: np.min(value, axis=axes),
    "norm": _norm,
    "sum": lambda value, axes: np.sum(value, axis=axes),
}
ELEMENTWISE: Mapping[str, Callable[[Array], Array]] = {
    "abs": np.abs,
    "exp": np.exp,
    "isfinite": np.isfinite,
    "isnan": np.isnan,
    "log": np.log,
    "sqrt": np.sqrt,
}
FUNCTIONS = tuple(sorted((*REDUCTIONS, *ELEMENTWISE)))

_NORM = re.compile(r"(\w*)\s*(?:\|\|([^|]+)\|\||‖([^‖]+)‖)")
_MAGNITUDE = re.compile(r"(\w*)\s*\|([^|]+)\|()")

_ARITHMETIC: Mapping[type[ast.AST], str] = {OPERATORS[sign].syntax: sign for sign in ("+", "-", "*", "/", "**")}
_COMPARISONS: Mapping[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def parse(source: str, quantities: Mapping[str, Any], spelt: Callable[[str], str] = str) -> Predicate:
    """The predicate or watch expression `source` over `quantities` (their names count).

    Raises ExpressionError, with the column, for all that is not in the language; in it names are as they are `spelt`.
    """
    shown = {name: spelt(name) for name in quantities}
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"longer than {MAX_SOURCE} characters", source[:40] + "…", MAX_SOURCE + 1)
    source = _written_out(source)
    text = source.strip()
    lead = len(source) - len(source.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about texts that are refused anyway
            body = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = lead + min(max(1, getattr(error, "offset", None) or 1), len(text) + 1)
        raise error_in(f"not an expression; {_remedy(source, shown)}", source, column, shown) from None
    parser = _ConditionParser(source, text, lead, shown)
    return Predicate(source, parser.convert(body, MAX_DEPTH), spelt)


def _written_out(source: str) -> str:
    """The functions that bars stand for."""

    def written(function: str, bars: re.Match[str]) -> str:
        before, inside = bars[1], f"{function}({bars[2] or bars[3]})"
        return f"{before}({inside})" if before in FUNCTIONS else f"{before} {inside}".lstrip()

    return _MAGNITUDE.sub(partial(written, "abs"), _NORM.sub(partial(written, "norm"), source))


def _remedy(source: str, shown: Mapping[str, str]) -> str:
    """What to write instead: brackets where a function has none, else an example with a name that there is."""
    bare = re.search(rf"\b({'|'.join(FUNCTIONS)})\s+(\w+)", source)
    if bare and bare[2] in shown:
        return f"{bare[1]} takes brackets: {bare[1]}({shown[bare[2]]})"
    slopes = [gradient(name) for name in shown if gradient(name) in shown]
    example = next(iter([*slopes[1:], *slopes, *shown]), "")  # the first is dL/d(input), if that is there
    return f"write for example: norm({shown.get(example, 'h')}) < 0.1"


class _ConditionParser:
    def __init__(self, source: str, text: str, lead: int, shown: Mapping[str, str]) -> None:
        self.source, self.text, self.lead = source, text, lead
        self.shown = shown
        self.nodes = 0

    def convert(self, node: ast.expr, depth: int) -> Condition:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.error(f"more than {MAX_NODES} parts", node)
        if depth == 0:
            raise self.error(f"nested more than {MAX_DEPTH} deep", node)
        depth -= 1
        column = self.column(node)
        match node:
            case ast.Constant(value=bool() | str() as value):
                return Constant(value)
            case ast.Constant(value=int() | float() as value):
                return Constant(self._number(value, node))
            case ast.Name(id=name):
                return Word(name) if name in WORDS and name not in self.shown else self._read(name, node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Apply("-", self.convert(operand, depth), column)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Apply("not", self.convert(operand, depth), column)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self._row_of(left, right, depth)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
                symbol = _ARITHMETIC[type(sign)]
                return Operation(symbol, self.convert(left, depth), self.convert(right, depth), column)
            case ast.Compare(left=left, ops=signs, comparators=rights):
                return self._comparison(left, signs, rights, depth, column)
            case ast.BoolOp(op=sign, values=values):
                return Junction(isinstance(sign, ast.And), tuple(self.convert(v, depth) for v in values), column)
            case ast.Call(func=ast.Name(id=name), args=[operand], keywords=[]) if name in FUNCTIONS:
                return Apply(name, self.convert(operand, depth), column)
            case ast.Call(func=func) if not isinstance(func, ast.Name) or func.id in self.shown:
                raise self.error("the place of a number stands in square brackets, as in [2,4]", node)
            case ast.Call(func=ast.Name(id=name)) if name not in FUNCTIONS:
                raise self.error(f"there is no function {name}; there are {', '.join(FUNCTIONS)}", node)
            case ast.Call():
                raise self.error("a function takes one value", node)
            case ast.Subscript(value=ast.Name(id=name) as value, slice=ast.Slice(lower=None, upper=None, step=None)):
                return Read(self._read(name, value).name, column, all_rows=True)
            case ast.Subscript(value=value, slice=index):
                return Cells(self.convert(value, depth), self._index(index), column)
            case _:
                remedy = _remedy(self.source, self.shown)
                raise self.error(f"this does not belong to the language of conditions; {remedy}", node)

    def _number(self, value: float, node: ast.expr) -> float:
        try:
            return float(value)
        except OverflowError:
            raise self.error("a number too large", node) from None

    def _read(self, name: str, node: ast.expr) -> Read:
        if name not in self.shown:
            raise self.error(f"there is no quantity {name}; there are {listed_near(name, self.shown.values())}", node)
        return Read(name, self.column(node))

    def _row_of(self, left: ast.expr, right: ast.expr, depth: int) -> Condition:
        """`@` applies to the name just before it, whatever stands further left: `-da@t`, `2 * da@t`; Python's `@` binds less tightly."""
        if depth == 0:
            raise self.error(f"nested more than {MAX_DEPTH} deep", left)
        column = self.column(left)
        match left:
            case ast.Name(id=name):
                if isinstance(right, ast.BinOp) and isinstance(right.op, ast.Pow):
                    base = self._row(self._read(name, left), right.left, depth)
                    return Operation("**", base, self.convert(right.right, depth), column)
                return self._row(self._read(name, left), right, depth)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Apply("-", self._row_of(operand, right, depth - 1), column)
            case ast.BinOp(left=first, op=sign, right=second) if type(sign) in _ARITHMETIC:
                symbol = _ARITHMETIC[type(sign)]
                return Operation(symbol, self.convert(first, depth - 1), self._row_of(second, right, depth - 1), column)
            case _:
                raise self.error("@ takes a row of a quantity: write its name before it", left)

    def _row(self, read: Read, right: ast.expr, depth: int) -> Condition:
        """`da@t`, `da@(t+1)`, and `da@3[0,5]`, where the index belongs to the row and not to the 3."""
        if isinstance(right, ast.Subscript):
            return Cells(self._row(read, right.value, depth), self._index(right.slice), self.column(right))
        return Read(read.name, read.column, self.convert(right, depth))

    def _comparison(
        self, left: ast.expr, signs: list[ast.cmpop], rights: list[ast.expr], depth: int, column: int
    ) -> Condition:
        pairs: list[Condition] = []
        for sign, first, second in zip(signs, [left, *rights], rights, strict=False):
            if type(sign) not in _COMPARISONS:
                raise self.error("comparisons are < <= > >= == !=", second)
            symbol = _COMPARISONS[type(sign)]
            pairs.append(Operation(symbol, self.convert(first, depth), self.convert(second, depth), column))
        return pairs[0] if len(pairs) == 1 else Junction(True, tuple(pairs), column)

    def _index(self, node: ast.expr) -> Index:
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        index: list[int | None] = []
        for part in parts:
            match part:
                case ast.Constant(value=int() as value) if not isinstance(value, bool) and value < 1 << 31:
                    index.append(value)
                case ast.Slice(lower=None, upper=None, step=None):
                    index.append(None)
                case _:
                    raise self.error("an index is a whole number from 0, or : for all", part)
        return tuple(index)

    def column(self, node: ast.expr) -> int:
        lines = self.text.splitlines(keepends=True)
        before = "".join(lines[: node.lineno - 1])
        inside = lines[node.lineno - 1].encode()[: node.col_offset].decode(errors="ignore") if lines else ""
        return self.lead + len(before) + len(inside) + 1

    def error(self, message: str, node: ast.expr) -> ExpressionError:
        return error_in(message, self.source, self.column(node), self.shown)
