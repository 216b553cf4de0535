"""Equations: the shapes of a line's values, and its derivative with respect to every name that it reads.

The rules for sums, products and matrix products are the chain rule for row vectors: with G = dL/d(left side),
d(A + B) gives G to both, d(A ⊙ B) gives G ⊙ B and G ⊙ A, d(A·B) gives G·Bᵀ and Aᵀ·G (Goodfellow, Bengio, Courville: Deep Learning,
section 6.5.6); an axis that was broadcast forward is summed backward.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

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
    names,
    parse,
    product,
    substitute,
)
from engine.language.functions import FUNCTIONS, Axes

TIME = "T"
"""The axis of a sum over all time steps; seen from one step, it is that step's term."""


class TableError(ValueError):
    """A table of equations that does not fit together; the message names the equation and the place in it."""


@dataclass(frozen=True)
class Equation:
    """`target = expression`; `step` is the row it writes, relative to the step at hand (−1: the step before).

    `accumulate` marks `+=`: a sum over the time steps of which each step adds one term.
    """

    target: str
    expression: Expression
    step: int = 0
    accumulate: bool = False

    @cached_property
    def reads(self) -> tuple[Name, ...]:
        """The names on the right, in order of appearance."""
        return names(self.expression)


@lru_cache(maxsize=512)
def equation(source: str) -> Equation:
    """Parses `target = expression`; the same text is parsed once."""
    target, sign, right = source.partition("=")
    if not sign or not target.strip().isidentifier():
        raise TableError(f"{source!r} is not of the form 'name = expression'")
    try:
        expression = parse(right)
    except ValueError as error:
        raise TableError(f"in {source[:80]!r}: {error}") from None
    return Equation(target.strip(), expression)


def infer(expression: Expression, known: Mapping[str, Axes]) -> Axes:
    """The axes of a tree's value, e.g. ("B", "H"); raises TableError where shapes do not fit."""
    match expression:
        case Number():
            return ()
        case Name(name=name):
            if name not in known:
                raise TableError(f"{name!r} is not a quantity, a parameter or a dimension")
            return known[name]
        case Negative(operand=operand):
            return infer(operand, known)
        case Derivative(body=body, arguments=arguments):
            return infer(body, known) or infer(arguments[0], known)
        case Transpose(operand=operand):
            return infer(operand, known)[::-1]
        case Sum(axis=axis, operand=operand, position=place):
            axes = infer(operand, known)
            return axes[:place] + axes[place + 1 :] if axis in axes else axes
        case Call(function=function, arguments=arguments):
            if function not in FUNCTIONS:
                raise TableError(f"there is no function {function!r}; there are {', '.join(FUNCTIONS)}")
            return FUNCTIONS[function].axes(tuple(infer(a, known) for a in arguments))
        case Binary(operator=operator, left=left, right=right):
            return _combine(operator, infer(left, known), infer(right, known))


def _combine(operator: str, left: Axes, right: Axes) -> Axes:
    if operator == "@":
        if not left or len(right) != 2 or left[-1] != right[0]:
            raise TableError(f"cannot multiply {_text(left)} by {_text(right)}")
        return (*left[:-1], right[1])
    longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
    if longer[len(longer) - len(shorter) :] != shorter and longer[: len(shorter)] != shorter:
        raise TableError(f"{_text(left)} {operator} {_text(right)} do not fit")
    return longer


def _text(axes: Axes) -> str:
    return "(" + ", ".join(axes) + ")"


def needs_column(operand: Axes, result: Axes) -> bool:
    """Whether an operand lacks the last axis of the result, so that NumPy needs `[:, None]` to spread it."""
    return 0 < len(operand) < len(result) and result[len(result) - len(operand) :] != operand


def contributions(
    expression: Expression, adjoint: Expression, known: Mapping[str, Axes]
) -> Iterator[tuple[Name, Expression]]:
    """The gradient that each name in `expression` receives when dL/d(expression) is `adjoint`: one pair for every path.

    Two paths into one name give two pairs, in the order in which they stand; the caller adds them up.
    """
    adjoint = _reduced(adjoint, infer(expression, known), known)
    match expression:
        case Number():
            return
        case Name():
            yield expression, _spread(adjoint, expression, known)
        case Negative(operand=operand):
            yield from contributions(operand, _negative(adjoint), known)
        case Binary("+", left, right):
            yield from contributions(left, adjoint, known)
            yield from contributions(right, adjoint, known)
        case Binary("-", left, right):
            yield from contributions(left, adjoint, known)
            yield from contributions(right, _negative(adjoint), known)
        case Binary("*", left, right):
            yield from contributions(left, product([adjoint, right]), known)
            yield from contributions(right, product([adjoint, left]), known)
        case Binary("/", left, right):
            yield from contributions(left, Binary("/", adjoint, right), known)
            down = Binary("/", product([adjoint, left]), Binary("**", right, Number(2)))
            yield from contributions(right, _negative(down), known)
        case Binary("**", left, Number(value=power)):
            lower = left if power == 2 else Binary("**", left, Number(power - 1))
            yield from contributions(left, product([adjoint, Number(power), lower]), known)
        case Binary("@", left, right):
            adjoint = _spread(adjoint, expression, known)
            yield from contributions(left, Binary("@", adjoint, _transposed(right)), known)
            yield from contributions(right, Binary("@", _transposed(left), adjoint), known)
        case Transpose(operand=operand):
            yield from contributions(operand, _transposed(adjoint), known)
        case Call(function=function, arguments=arguments) if returns := FUNCTIONS[function].returns:
            for argument, part in zip(arguments, returns, strict=True):
                yield from contributions(argument, Call(part, (adjoint,)), known)
        case Call(arguments=arguments):
            factor = derivative(expression, known)
            yield from contributions(arguments[0], product([adjoint, factor]), known)
        case Sum(axis=axis, operand=operand) if axis == TIME:
            yield from contributions(operand, adjoint, known)
        case Binary() | Derivative() | Sum():
            raise TableError(
                "nothing can be differentiated through a comparison, a power of a quantity or a derivative"
            )


def derivative(call: Call, known: Mapping[str, Axes]) -> Expression:
    """f'(arguments) of a call with respect to its first argument."""
    body = FUNCTIONS[call.function].derivative
    if body is None:
        raise TableError(f"nothing flows back through {call.function}")
    return body if body == Number(1) else Derivative(call.function, call.arguments, filled(body, call, known))


def filled(body: Expression, call: Call, known: Mapping[str, Axes]) -> Expression:
    """A formula in `u`, `v` and `n` of `engine.language.functions` with a call's arguments put in."""
    values: dict[Expression, Expression] = dict(zip((Name("u"), Name("v")), call.arguments, strict=False))
    axes = infer(call.arguments[0], known)
    return substitute(body, {**values, Name("n"): Name(axes[-1])} if axes else values)


def _negative(expression: Expression) -> Expression:
    return expression.operand if isinstance(expression, Negative) else Negative(expression)


def _transposed(expression: Expression) -> Expression:
    return expression.operand if isinstance(expression, Transpose) else Transpose(expression)


def _reduced(adjoint: Expression, wanted: Axes, known: Mapping[str, Axes]) -> Expression:
    """The adjoint summed over the axes along which the value was broadcast."""
    axes = infer(adjoint, known)
    while len(axes) > len(wanted):
        # What has fewer axes stood beside the last ones, or, a number for each sample, beside the first.
        place = 0 if axes[len(axes) - len(wanted) :] == wanted else len(axes) - 1
        adjoint, axes = Sum(axes[place], adjoint, place), axes[:place] + axes[place + 1 :]
    return adjoint


def _spread(adjoint: Expression, like: Expression, known: Mapping[str, Axes]) -> Expression:
    """The adjoint on all axes of a value; only a sum over everything leaves it with fewer."""
    return product([Call("ones", (like,)), adjoint]) if infer(adjoint, known) != infer(like, known) else adjoint
