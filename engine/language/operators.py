"""The operators of equations: how Python writes them, how tightly they bind, and what computes them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

UNARY, ATOM = 4, 9
"""How tightly a minus sign binds, and what needs no parentheses anywhere."""


@dataclass(frozen=True)
class Operator:
    """An operator between two expressions.

    `syntax` is its class in Python's syntax tree; what has the larger `binding` is computed first; `ufunc` is the NumPy function that
    takes `out`, `combine` the operator itself.
    """

    syntax: type[ast.AST]
    binding: int
    ufunc: str
    combine: Callable[[Any, Any], Any]


OPERATORS: Mapping[str, Operator] = {
    ">": Operator(ast.Gt, 1, "greater", lambda left, right: left > right),
    "+": Operator(ast.Add, 2, "add", lambda left, right: left + right),
    "-": Operator(ast.Sub, 2, "subtract", lambda left, right: left - right),
    "*": Operator(ast.Mult, 3, "multiply", lambda left, right: left * right),
    "/": Operator(ast.Div, 3, "divide", lambda left, right: left / right),
    "@": Operator(ast.MatMult, 3, "matmul", lambda left, right: left @ right),
    "**": Operator(ast.Pow, 5, "power", lambda left, right: left**right),
}

BY_SYNTAX: Mapping[type[ast.AST], str] = {entry.syntax: symbol for symbol, entry in OPERATORS.items()}
