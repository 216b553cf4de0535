"""Why a number is what it is: the products that add up to it, each factor a number of the tape.

The terms are read off the equation's tree: a matrix product gives one product for every inner index, a product multiplies the terms of
its sides, a gradient that accumulates gives the terms of every step, and a function (or its derivative) is one factor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from itertools import product as pairs
from typing import Any

import numpy as np

from engine.equation import TIME, Equation, infer
from engine.errors import InputError
from engine.evaluate import evaluate
from engine.expression import Binary, Call, Derivative, Expression, Name, Negative, Number, Sum, Transpose, walk
from engine.functions import FUNCTIONS, Array, Axes
from engine.program import Line, Loop
from engine.tape import Tape

Index = tuple[int, ...]
_MARKS = frozenset({"mask"})


@dataclass(frozen=True)
class Factor:
    """One number in a product: a cell of a quantity, a constant (`name` is its text), or a function of cells (`of`)."""

    name: str
    value: float
    t: int | None = None
    index: Index | None = None
    of: tuple[Factor, ...] = ()
    body: Expression | None = None


@dataclass(frozen=True)
class Term:
    """A product of factors; `value` is their product."""

    factors: tuple[Factor, ...]
    value: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """A cell, its value, the line that wrote it and the terms that add up to it (none for an input or a weight).

    `values` are the terms' values, in the order of `terms`; long sums are looked at through `largest`, which builds no more terms
    than it is asked for.
    """

    name: str
    t: int | None
    index: Index
    value: float
    line: Line | None
    values: Array
    equation: Equation | None = None
    """The line's equation, in the update with the parameter's name put in."""
    _readers: tuple[tuple[_Reader, int], ...] = ()
    """For each step the reader of its terms, and how many there are."""

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Every term."""
        return tuple(term for reader, _ in self._readers for term in reader.products(self._expression, self.index))

    def largest(self, count: int) -> tuple[tuple[Term, ...], float, int]:
        """The `count` terms of largest magnitude (NaN first), the sum of the rest, and how many those are."""
        order = np.argsort(-np.where(np.isnan(self.values), np.inf, np.abs(self.values)), kind="stable")
        rest = self.values[order[count:]]
        return tuple(self._term(int(i)) for i in order[:count]), math.fsum(rest.tolist()), len(rest)

    @property
    def _expression(self) -> Expression:
        assert self.equation is not None
        return self.equation.expression

    def _term(self, number: int) -> Term:
        for reader, count in self._readers:
            if number < count:
                factors = reader.nth(self._expression, self.index, number)
                return Term(tuple(factors), math.prod(factor.value for factor in factors))
            number -= count
        raise IndexError(number)


def explain(
    tape: Tape,
    name: str,
    t: int | None,
    index: Index,
    *,
    down_to: int = 1,
    one_step: bool = False,
    sample: int | None = None,
) -> Explanation:
    """The arithmetic behind a cell of a quantity at step t.

    For a gradient that accumulates, the sum from step T down to `down_to`, or with `one_step` only the term of step t;
    with `sample` only what that sample adds to a sum over the batch. Raises InputError when there is no such cell.
    """
    program = tape.plan.program
    _check_step(tape, name, t)
    if name in program.updates:
        return explain_update(tape, name, index)
    line = writer(tape, name, t)
    if line is None:
        return Explanation(name, t, index, _cell(tape.at(name, t), index, name), None, np.zeros(0))
    if "B" in program.quantities[name].axes:
        sample = None  # it has a row of its own
    summed = line.equation.accumulate
    at = program.steps if program.blocks[line.block].loop is Loop.AT_T else t if t is None else t - line.equation.step
    steps = list(range(program.steps, down_to - 1, -1)) if summed and not one_step else [at]
    if sample is not None or (summed and one_step):
        own = sum(tape.term(line, step, sample) for step in steps)
    elif summed and down_to > 1:
        own = tape.partial(name, down_to)
    else:
        own = tape.at(name, t)
    value = _cell(own, index, name)
    return _explained(name, t, index, value, line, line.equation, [_Reader(tape, step, sample) for step in steps])


def _explained(
    name: str, t: int | None, index: Index, value: float, line: Line, equation: Equation, readers: list[_Reader]
) -> Explanation:
    with np.errstate(all="ignore"):
        values = [reader.values(equation.expression, index) for reader in readers]
    counted = tuple((reader, len(own)) for reader, own in zip(readers, values, strict=True))
    return Explanation(name, t, index, value, line, np.concatenate(values), equation, counted)


def _check_step(tape: Tape, name: str, t: int | None) -> None:
    program = tape.plan.program
    if name not in tape:
        raise InputError(
            f"there is no quantity {name!r}; there are {', '.join((*program.quantities, *program.parameters, *program.updates))}"
        )
    quantity = program.quantities.get(name)
    first = 0 if quantity is not None and quantity.rows == "T+1" else 1
    if t is not None and not first <= t <= program.steps:
        raise InputError(f"{name} has the time steps {first} to {program.steps}, not {t}")


def explain_update(tape: Tape, name: str, index: Index) -> Explanation:
    """The arithmetic of an update's line for one cell: of a parameter's new value, or of a quantity of the update."""
    line, parameter = tape.plan.program.update_line(name)
    equation = tape.plan.program.at_parameter(line, parameter)
    value = _cell(tape.updates[name], index, name)
    return _explained(name, None, index, value, line, equation, [_Reader(tape, None, None, update=True)])


def writer(tape: Tape, name: str, t: int | None) -> Line | None:
    """The line that writes a quantity's row of step t; None for inputs, weights and initial states."""
    program = tape.plan.program
    for line in program.writers(name):
        loop = program.blocks[line.block].loop
        if loop in (Loop.UP, Loop.DOWN):
            if t is None or line.equation.accumulate or 1 <= t - line.equation.step <= program.steps:
                return line
        elif t in (None, program.steps) or not program.quantities[name].rows:
            return line
    return None


def _cell(array: Any, index: Index, name: str) -> float:
    if len(index) != array.ndim or any(not 0 <= i < n for i, n in zip(index, array.shape, strict=True)):
        raise InputError(f"{name} has the shape {array.shape}; {list(index)} is not a cell of it")
    return float(array[index])


def _is_one(expression: Expression) -> bool:
    """Whether a cell of it is a single number of the tape."""
    return isinstance(expression.operand if isinstance(expression, Transpose) else expression, Name)


def _names(expression: Expression) -> set[str]:
    return {node.name for node in walk(expression) if isinstance(node, Name)}


class _Reader:
    """Reads terms off a tree at one time step."""

    def __init__(self, tape: Tape, t: int | None, sample: int | None, *, update: bool = False) -> None:
        self.tape = tape
        self.t = t
        self.update = update
        self.axes = tape.plan.axes
        self.sample = sample
        self.samples = range(tape.plan.batch) if sample is None else (sample,)

    def values(self, expression: Expression, index: Index) -> Array:
        """The values of its terms alone, in the order of `terms`: long sums of plain products in one operation."""
        match expression:
            case Binary("@", left, right) if _is_one(left) and _is_one(right):
                values = self._array(left)[(*index[:-1], slice(None))] * self._array(right)[:, index[-1]]
                return values[list(self.samples)] if self._axes(left)[-1] == "B" else values
            case Binary("+", left, right):
                sides = self.values(left, self._within(left, index)), self.values(right, self._within(right, index))
                return np.concatenate(sides)
            case Sum(operand=operand) if _is_one(operand):
                return np.asarray(self._array(operand)[(slice(None), *index)][list(self.samples)])
            case _:
                return np.array([term.value for term in self.products(expression, index)])

    def nth(self, expression: Expression, index: Index, number: int) -> list[Factor]:
        """The factors of one of its terms, without building those before it where that is possible."""
        match expression:
            case Binary("@", left, right) if _is_one(left) and _is_one(right):
                k = self.samples[number] if self._axes(left)[-1] == "B" else number
                return [*next(self.terms(left, (*index[:-1], k))), *next(self.terms(right, (k, index[-1])))]
            case Binary("+", left, right):
                before = len(self.values(left, self._within(left, index)))
                side, number = (left, number) if number < before else (right, number - before)
                return self.nth(side, self._within(side, index), number)
            case Sum(operand=operand) if _is_one(operand):
                return next(self.terms(operand, (self.samples[number], *index)))
            case _:
                return next(islice(self.terms(expression, index), number, None))

    def products(self, expression: Expression, index: Index) -> Iterator[Term]:
        """Its terms with their values."""
        for factors in self.terms(expression, index):
            yield Term(tuple(factors), math.prod(factor.value for factor in factors))

    def terms(self, expression: Expression, index: Index) -> Iterator[list[Factor]]:
        """Products of factors that add up to the expression's cell."""
        match expression:
            case Number(value=value):
                yield [Factor(f"{value:g}", value)]
            case Name():
                yield [self._factor(expression, index)]
            case Negative(operand=operand):
                yield from ([Factor("−1", -1.0), *factors] for factors in self.terms(operand, index))
            case Transpose(operand=operand):
                yield from self.terms(operand, index[::-1])
            case Sum(axis=axis, operand=operand) if axis == TIME:
                for t in range(1, self.tape.plan.steps + 1):
                    yield from _Reader(self.tape, t, self.sample).terms(operand, index)
            case Sum(operand=operand):
                for b in self.samples:
                    yield from self.terms(operand, (b, *index))
            case Binary() if _names(expression) <= _MARKS or not any(map(self.axes.get, _names(expression))):
                yield [self._plain(expression, index)]
            case Binary("**", Name() as base, Number(value=exponent)) if exponent in (2, 3):
                yield [self._factor(base, index)] * int(exponent)
            case Binary(operator=operator, left=left, right=right):
                yield from self._binary(operator, left, right, index)
            case Call(function="sum", arguments=(operand,)):
                batched = self._axes(operand)[:1] == ("B",)
                for inner in np.ndindex(np.shape(self._array(operand))):
                    if not batched or inner[0] in self.samples:
                        yield from self.terms(operand, tuple(int(i) for i in inner))
            case Call(function=function, arguments=arguments):
                yield [self._function(function, expression, arguments, index, None)]
            case Derivative(function=function, arguments=arguments, body=body):
                if FUNCTIONS[function].elementwise:
                    yield [self._function(function + "'", expression, arguments, index, body)]
                else:
                    yield from self.terms(body, index)

    def _binary(self, operator: str, left: Expression, right: Expression, index: Index) -> Iterator[list[Factor]]:
        if operator in "+-":
            yield from self.terms(left, self._within(left, index))
            sign = [] if operator == "+" else [Factor("−1", -1.0)]
            yield from ([*sign, *factors] for factors in self.terms(right, self._within(right, index)))
        elif operator == "@":
            for k in self.samples if self._axes(left)[-1] == "B" else range(self._array(left).shape[-1]):
                sides = pairs(self.terms(left, (*index[:-1], k)), list(self.terms(right, (k, index[-1]))))
                yield from ([*first, *second] for first, second in sides)
        elif operator == "*":
            others = list(self.terms(right, self._within(right, index)))
            for first, second in pairs(self.terms(left, self._within(left, index)), others):
                yield [*first, *second]
        elif operator == "/":
            divisor = float(np.asarray(self._array(right))[self._within(right, index)])
            with np.errstate(all="ignore"):
                inverse = Factor(f"1/{divisor:g}", float(np.divide(1.0, divisor)))
            yield from ([*factors, inverse] for factors in self.terms(left, self._within(left, index)))
        else:
            value = float(np.asarray(self._array(Binary(operator, left, right)))[index])
            one, other = (float(np.asarray(self._array(s))[self._within(s, index)]) for s in (left, right))
            yield [Factor(f"({one:.4g}){'^' if operator == '**' else operator}{other:g}", value)]

    def _plain(self, expression: Expression, index: Index) -> Factor:
        """One number: of scalars alone, or of what counts at this step (`1 − mask`)."""
        names = [node for node in walk(expression) if isinstance(node, Name) and self.axes.get(node.name)]
        value = float(np.asarray(self._array(expression))[self._within(expression, index)])
        if not names:
            return Factor(f"{value:g}", value)
        return Factor("1−", value, of=tuple(self._factor(name, index) for name in names))

    def _function(
        self, label: str, whole: Expression, arguments: tuple[Expression, ...], index: Index, body: Expression | None
    ) -> Factor:
        value = float(np.asarray(self._array(whole))[index])
        own = self._axes(whole)
        of = [
            self._factor(a, index)
            for a in arguments
            if isinstance(a, Name) and own[: len(self._axes(a))] == self._axes(a) != ()
        ]
        return Factor(label, value, of=tuple(of), body=body)

    def _factor(self, name: Name, index: Index) -> Factor:
        array = np.asarray(self._lookup(name))
        index = self._within(name, index)
        quantity = self.tape.plan.program.quantities.get(name.name)
        t = self.t + name.step if self.t is not None and quantity is not None and quantity.rows else None
        return Factor(name.name, float(array[index]), t, index)

    def _within(self, expression: Expression, index: Index) -> Index:
        """The cell of an operand that is broadcast to the cell of the result."""
        axes = self._axes(expression)
        if len(axes) == len(index):
            return index
        return index[: len(axes)] if axes == ("B",) else index[len(index) - len(axes) :]

    def _axes(self, expression: Expression) -> Axes:
        return infer(expression, self.axes)

    def _lookup(self, name: Name) -> Any:
        return self.tape.update_lookup(name) if self.update else self.tape.lookup(name, self.t)

    def _array(self, expression: Expression) -> Any:
        with np.errstate(all="ignore"):
            return evaluate(expression, self._lookup, self.axes)
