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
    """An operator between two expressions; one of `masks` belongs only to what is known before an iteration.

    `syntax` is its class in Python's syntax tree; what has the larger `binding` is computed first; `ufunc` is the NumPy function that
    takes `out`, `combine` the operator itself.
    """

    syntax: type[ast.AST]
    binding: int
    ufunc: str
    combine: Callable[[Any, Any], Any]
    masks: bool = False

    @property
    def compares(self) -> bool:
        """Whether it says yes or no."""
        return issubclass(self.syntax, ast.cmpop)


OPERATORS: Mapping[str, Operator] = {
    ">": Operator(ast.Gt, 1, "greater", lambda left, right: left > right),
    "<=": Operator(ast.LtE, 1, "less_equal", lambda left, right: left <= right, masks=True),
    "==": Operator(ast.Eq, 1, "equal", lambda left, right: left == right, masks=True),
    "&": Operator(ast.BitAnd, 1, "bitwise_and", lambda left, right: left & right, masks=True),
    "+": Operator(ast.Add, 2, "add", lambda left, right: left + right),
    "-": Operator(ast.Sub, 2, "subtract", lambda left, right: left - right),
    "*": Operator(ast.Mult, 3, "multiply", lambda left, right: left * right),
    "/": Operator(ast.Div, 3, "divide", lambda left, right: left / right),
    "%": Operator(ast.Mod, 3, "remainder", lambda left, right: left % right, masks=True),
    "@": Operator(ast.MatMult, 3, "matmul", lambda left, right: left @ right),
    "**": Operator(ast.Pow, 5, "power", lambda left, right: left**right),
}


def by_syntax(*, masks: bool) -> dict[type[ast.AST], str]:
    """The operators by their class in Python's syntax tree: those of equations, with `masks` all of them."""
    return {entry.syntax: symbol for symbol, entry in OPERATORS.items() if masks or not entry.masks}
