"""Writes an expression as text: one function that knows where parentheses are needed, and a `Syntax` that says how
leaves and operators look.

There are two syntaxes: symbols of a textbook (`engine.notation.Symbols`) and a NumPy program that people read (`engine.codegen.source`,
with `NumpySyntax`). The compiled plan writes calls into arrays and no expressions (`engine.recording.emit`); of this file it needs only
NumPy's words.
"""

from __future__ import annotations

import re
from typing import Protocol

from engine.language.expression import (
    Binary,
    Call,
    Derivative,
    Expression,
    Name,
    Negative,
    Number,
    Sum,
    Transpose,
)
from engine.language.operators import ATOM, OPERATORS, UNARY


class Syntax(Protocol):
    """How the leaves and the operators are written: one way of writing trees, see the module's docstring."""

    @property
    def minus(self) -> str: ...
    def name(self, name: Name) -> str: ...
    def number(self, value: float) -> str: ...
    def operator(self, node: Binary) -> str: ...
    def power(self, base: str, exponent: str) -> str: ...
    def indicator(self, condition: str) -> str: ...
    def call(self, node: Call, arguments: list[str]) -> str: ...
    def transpose(self, operand: str) -> str: ...
    def sum(self, node: Sum, operand: str) -> str: ...


def show(expression: Expression, syntax: Syntax) -> str:
    """The text of the tree, with just the parentheses that its meaning needs."""
    return _show(expression, syntax)[0]


def _show(expression: Expression, syntax: Syntax) -> tuple[str, int]:
    match expression:
        case Name():
            return syntax.name(expression), ATOM
        case Number(value=value):
            return syntax.number(value), UNARY if value < 0 else ATOM
        case Negative(operand=operand):
            return syntax.minus + _bracketed(operand, UNARY, syntax), UNARY
        case Binary("**", left, right):
            level = OPERATORS["**"].binding
            return syntax.power(_bracketed(left, level + 1, syntax), _bracketed(right, level, syntax)), level
        case Binary(operator=operator, left=left, right=right):
            level = OPERATORS[operator].binding
            # A derivative that is itself a product is one more factor to a reader: da ⊙ a ⊙ (1 − a).
            factor = operator == "*" and isinstance(right, Derivative)
            # Python reads f * h @ W from the left, people read the matrix product first.
            scaled = operator == "@" and isinstance(left, Binary) and left.operator in ("*", "/")
            text = (
                _bracketed(left, level + 1 if scaled else level, syntax)
                + syntax.operator(expression)
                + _bracketed(right, level if factor else level + 1, syntax)
            )
            return (syntax.indicator(text), ATOM) if OPERATORS[operator].compares else (text, level)
        case Call(arguments=arguments):
            return syntax.call(expression, [show(a, syntax) for a in arguments]), ATOM
        case Derivative(body=body):
            return _show(body, syntax)
        case Transpose(operand=operand):
            return syntax.transpose(_bracketed(operand, ATOM, syntax)), ATOM
        case Sum(operand=operand):
            return syntax.sum(expression, _bracketed(operand, OPERATORS["*"].binding, syntax)), ATOM


def _bracketed(expression: Expression, level: int, syntax: Syntax) -> str:
    text, binding = _show(expression, syntax)
    return text if binding >= level else f"({text})"


_NAME = re.compile(r"\w+(\[[^\[\]]*\])?")
"""A variable, or a row of one."""


class NumpySyntax:
    """Operators as NumPy writes them; names and function calls are left to subclasses."""

    minus = "-"

    def number(self, value: float) -> str:
        return repr(value)

    def operator(self, node: Binary) -> str:
        return f" {node.operator} "

    def power(self, base: str, exponent: str) -> str:
        return f"{base}**{exponent}"

    def indicator(self, condition: str) -> str:
        return f"({condition})"

    def transpose(self, operand: str) -> str:
        return transposed(operand)

    def sum(self, node: Sum, operand: str) -> str:
        return f"{atom(operand)}.sum(axis={node.position})"


def transposed(text: str) -> str:
    """A matrix with rows and columns exchanged, of a text that needs no parentheses."""
    return f"{text}.T"


def upright(text: str) -> str:
    """A vector as a column of numbers, (n, 1)."""
    if _NAME.fullmatch(text) and text.endswith("]"):
        return text[:-1] + (", None]" if ":" in text else ", :, None]")
    return f"{atom(text)}[:, None]"


def atom(text: str) -> str:
    """A text that an index or an attribute may follow: in parentheses where it needs them."""
    return text if _NAME.fullmatch(text) else f"({text})"
