"""Evaluates an expression node by node, in the plainest way.

Pictures and explanations of single lines are computed this way; the compiled plan is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from engine.language.equation import TIME, infer, needs_column
from engine.language.expression import Binary, Call, Derivative, Expression, Name, Negative, Number, Sum, Transpose
from engine.language.functions import FUNCTIONS, Axes
from engine.language.operators import OPERATORS


def evaluate(expression: Expression, lookup: Callable[[Name], Any], axes: Mapping[str, Axes] | None = None) -> Any:
    """The value of `expression`, names looked up by `lookup` (arrays at one time step, batch first; or numbers).

    Inside a sum over all time steps `lookup` gets names whose `step` is the step itself, not a distance.

    `axes` are those of every name: one value per sample, (B,), beside one row per sample, (B, H), needs `[:, None]`,
    which shapes alone cannot tell; without `axes` operands must broadcast as NumPy does it.
    """
    match expression:
        case Number(value=value):
            return value
        case Name():
            return lookup(expression)
        case Negative(operand=operand):
            return -evaluate(operand, lookup, axes)
        case Transpose(operand=operand):
            return evaluate(operand, lookup, axes).T
        case Derivative(body=body):
            return evaluate(body, lookup, axes)
        case Sum(axis=axis, operand=operand) if axis == TIME:
            steps = range(1, lookup(Name(TIME)) + 1)
            return sum(evaluate(operand, partial(_at_step, lookup, t), axes) for t in steps)
        case Sum(operand=operand, position=position):
            return np.add.reduce(evaluate(operand, lookup, axes), axis=position)
        case Call(function=function, arguments=arguments):
            return FUNCTIONS[function].compute(*(evaluate(a, lookup, axes) for a in arguments))
        case Binary(operator=symbol, left=left, right=right):
            sides = evaluate(left, lookup, axes), evaluate(right, lookup, axes)
            combine = OPERATORS[symbol].combine
            if symbol == "@" or axes is None:
                return combine(*sides)
            whole = infer(expression, axes)
            columns = (
                v[:, None] if needs_column(infer(e, axes), whole) else v
                for e, v in zip((left, right), sides, strict=True)
            )
            return combine(*columns)


def _at_step(lookup: Callable[[Name], Any], t: int, name: Name) -> Any:
    return lookup(replace(name, step=t))
