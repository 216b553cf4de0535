"""The value of a tree, node by node in the plainest way.

It serves pictures and explanations of single lines, and it is the reference that the compiled plan is tested against.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.expression import Binary, Call, Derivative, Expression, Name, Negative, Number, Sum, Transpose
from engine.functions import FUNCTIONS

_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "**": lambda left, right: left**right,
    "@": lambda left, right: left @ right,
    ">": lambda left, right: left > right,
}


def evaluate(expression: Expression, lookup: Callable[[Name], Any]) -> Any:
    """The value of `expression`, names looked up by `lookup` (arrays at one time step, batch first; or numbers)."""
    match expression:
        case Number(value=value):
            return value
        case Name():
            return lookup(expression)
        case Negative(operand=operand):
            return -evaluate(operand, lookup)
        case Transpose(operand=operand):
            return evaluate(operand, lookup).T
        case Derivative(body=body):
            return evaluate(body, lookup)
        case Sum(axis=axis, operand=operand):
            # The batch is the first axis, and the only one that is ever summed away on its own.
            assert axis == "B"
            return np.add.reduce(evaluate(operand, lookup), axis=0)
        case Call(function=function, arguments=arguments):
            return FUNCTIONS[function].compute(*(evaluate(a, lookup) for a in arguments))
        case Binary(operator=symbol, left=left, right=right):
            return _combine(symbol, evaluate(left, lookup), evaluate(right, lookup))


def _combine(symbol: str, left: Any, right: Any) -> Any:
    if symbol != "@":
        left, right = _as_columns(left, right)
    return _OPERATIONS[symbol](left, right)


def _as_columns(left: Any, right: Any) -> tuple[Any, Any]:
    """A value a sample beside a row a sample: `[:, None]` lets NumPy spread it."""
    shapes = np.shape(left), np.shape(right)
    if len(shapes[0]) == 1 and len(shapes[1]) == 2 and shapes[0][0] == shapes[1][0] != shapes[1][1]:
        return left[:, None], right
    if len(shapes[1]) == 1 and len(shapes[0]) == 2 and shapes[1][0] == shapes[0][0] != shapes[0][1]:
        return left, right[:, None]
    return left, right
