"""Expressions: parsed once from NumPy's own syntax, then printed, differentiated, compiled and explained from the tree.

`parse("x @ Wx + a_prev @ Wa + ba")` gives a tree of immutable nodes. `a_prev` is the quantity `a` one step earlier; every
other name is a quantity of the same step, a parameter or a dimension. The grammar is closed: names, numbers, `+ - * / ** @`,
comparisons with `>`, the functions it is given, and `.T`. Nothing else is accepted, and nothing is ever evaluated as Python.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeAlias

from engine.language.operators import by_syntax

PREVIOUS = "_prev"
MAX_SOURCE = 2_000
SHOWN = 200
"""Characters of an expression that a message repeats."""
MAX_DEPTH = 100


class ExpressionError(ValueError):
    """An expression that is not in the language; `column` counts from 1."""

    def __init__(self, message: str, source: str, column: int) -> None:
        super().__init__(f"{message} (column {column} of {source[:SHOWN]!r})")
        self.column = column


@dataclass(frozen=True)
class Name:
    """A quantity, a parameter or a dimension; `step` is its distance in time from the step at hand (−1 for `a_prev`).

    In a line that belongs to no time step it is the step itself.
    """

    name: str
    step: int = 0


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Negative:
    """−operand."""

    operand: Expression


@dataclass(frozen=True)
class Binary:
    """left operator right; the operator is one of `+ - * / ** @ >`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Call:
    """A function of `engine.language.functions` applied to arguments."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Derivative:
    """function'(argument): one factor of an explanation; `body` is its formula, by which it is shown and computed."""

    function: str
    arguments: tuple[Expression, ...]
    body: Expression


@dataclass(frozen=True)
class Transpose:
    """The matrix with rows and columns exchanged."""

    operand: Expression


@dataclass(frozen=True)
class Sum:
    """The sum over one named axis, `Σ_b` for axis "B"; `position` is the place of that axis in the operand."""

    axis: str
    operand: Expression
    position: int = 0


Expression: TypeAlias = Name | Number | Negative | Binary | Call | Derivative | Transpose | Sum


def parse(source: str, functions: frozenset[str] | None = None, *, masks: bool = False) -> Expression:
    """The tree of `source`.

    `functions` are the names that may be called; None admits any name (their existence is checked where axes are inferred). `masks`
    admits `<= == & %` too, in which masks are written (`engine.tables.given`).
    Raises ExpressionError with the column for everything outside the language.
    """
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"longer than {MAX_SOURCE} characters", source[:40] + "…", MAX_SOURCE + 1)
    lead = len(source) - len(source.lstrip())
    try:
        body = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError("not an expression", source, lead + (getattr(error, "offset", None) or 1)) from None
    return _ExpressionParser(source, functions, by_syntax(masks=masks)).convert(body, MAX_DEPTH)


class _ExpressionParser:
    def __init__(self, source: str, functions: frozenset[str] | None, symbols: Mapping[type[ast.AST], str]) -> None:
        self.source = source
        self.symbols = symbols
        self.functions = functions

    def convert(self, node: ast.expr, depth: int) -> Expression:
        if depth == 0:
            raise self.error(f"nested more than {MAX_DEPTH} deep", node)
        depth -= 1
        match node:
            case ast.Name(id=name) if name != PREVIOUS:
                return Name(name.removesuffix(PREVIOUS), -1) if name.endswith(PREVIOUS) else Name(name)
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return Number(self.finite(value, node))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if value > 0:
                return Number(-self.finite(value, node))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Negative(self.convert(operand, depth))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in self.symbols:
                return Binary(self.symbols[type(sign)], self.convert(left, depth), self.convert(right, depth))
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in self.symbols:
                return Binary(self.symbols[type(sign)], self.convert(left, depth), self.convert(right, depth))
            case ast.Attribute(value=value, attr="T") if not isinstance(value, ast.Constant):
                return Transpose(self.convert(value, depth))
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                if self.functions is not None and function not in self.functions:
                    raise self.error(f"there is no function {function!r}", node)
                return Call(function, tuple(self.convert(a, depth) for a in arguments))
            case _:
                raise self.error("this does not belong to the language of equations", node)

    def finite(self, value: float, node: ast.expr) -> float:
        """The number, which must not be larger than a float can be."""
        if abs(value) > sys.float_info.max:
            raise self.error("a number too large", node)
        return value

    def error(self, message: str, node: ast.expr) -> ExpressionError:
        # ast counts bytes from the start of a line; people count characters from the start of the text.
        text = self.source.strip()
        lines = text.splitlines(keepends=True)
        before = "".join(lines[: node.lineno - 1])
        column = len(lines[node.lineno - 1].encode()[: node.col_offset].decode()) if lines else 0
        lead = len(self.source) - len(self.source.lstrip())
        return ExpressionError(message, self.source, lead + len(before) + column + 1)


def children(expression: Expression) -> tuple[Expression, ...]:
    """The operands of a node, left to right."""
    match expression:
        case Binary(left=left, right=right):
            return (left, right)
        case Negative(operand=operand) | Transpose(operand=operand) | Sum(operand=operand) | Derivative(body=operand):
            return (operand,)
        case Call(arguments=arguments):
            return arguments
        case Name() | Number():
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """Every node, parents before children, left to right."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def names(expression: Expression) -> tuple[Name, ...]:
    """The distinct names it reads, in the order of first appearance."""
    return tuple(dict.fromkeys(node for node in walk(expression) if isinstance(node, Name)))


def rewrite(expression: Expression, change: Callable[[Expression], Expression | None]) -> Expression:
    """A copy in which every node for which `change` gives another node is replaced by it (outermost first)."""
    changed = change(expression)
    if changed is not None:
        return changed
    updates: dict[str, Expression | tuple[Expression, ...]] = {}
    assert is_dataclass(expression)
    for field in fields(expression):
        value = getattr(expression, field.name)
        if isinstance(value, tuple):
            updates[field.name] = tuple(rewrite(v, change) for v in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        elif is_dataclass(value):
            updates[field.name] = rewrite(value, change)  # pyright: ignore[reportArgumentType]
    return replace(expression, **updates)  # pyright: ignore[reportArgumentType]


def computed(expression: Expression) -> Expression:
    """The tree with every derivative as its formula: what is computed, in just that order."""
    return rewrite(expression, lambda node: computed(node.body) if isinstance(node, Derivative) else None)


def substitute(expression: Expression, values: dict[Expression, Expression]) -> Expression:
    """`expression` with every occurrence of a key replaced by its value."""
    return rewrite(expression, values.get)


def addends(expression: Expression) -> tuple[Expression, ...]:
    """The terms of a sum, differences as negated terms; one term for everything else."""
    match expression:
        case Binary("+", left, right):
            return (*addends(left), *addends(right))
        case Binary("-", left, right):
            return (*addends(left), *(Negative(term) for term in addends(right)))
        case _:
            return (expression,)


def factors(expression: Expression) -> tuple[Expression, ...]:
    """The factors of an element-wise product; one factor for everything else."""
    if isinstance(expression, Binary) and expression.operator == "*":
        return (*factors(expression.left), *factors(expression.right))
    return (expression,)


def total(terms: list[Expression] | tuple[Expression, ...]) -> Expression:
    """The sum of one or more terms, as one tree."""
    result, *rest = terms
    for term in rest:
        result = Binary("-", result, term.operand) if isinstance(term, Negative) else Binary("+", result, term)
    return result


def product(terms: list[Expression] | tuple[Expression, ...]) -> Expression:
    """The element-wise product of one or more factors; a factor 1 is left out, divisions come at the end, a minus sign in front."""
    if any(isinstance(term, Negative) for term in terms):
        signs = sum(isinstance(term, Negative) for term in terms)
        plain = product([term.operand if isinstance(term, Negative) else term for term in terms])
        return Negative(plain) if signs % 2 else plain
    divisors = [term.right for term in terms if isinstance(term, Binary) and term.operator == "/"]
    kept = [term.left if isinstance(term, Binary) and term.operator == "/" else term for term in terms]
    kept = sorted((term for term in kept if term != Number(1)), key=lambda term: not isinstance(term, Number))
    result: Expression = kept[0] if kept else Number(1)
    for factor in kept[1:]:
        result = Binary("*", result, factor)
    for divisor in divisors:
        result = Binary("/", result, divisor)
    return result
