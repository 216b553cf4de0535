"""The terms of a cell, read off its equation's tree: products that add up to it, each factor a number of the tape.

A matrix product gives one product for every inner index, a product multiplies the terms of its sides, and a function (or its
derivative) is one factor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from itertools import product as pairs
from typing import Any

import numpy as np

from engine.language.equation import TIME, filled, infer
from engine.language.evaluate import evaluate
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
    walk,
)
from engine.language.functions import CARRIED, FUNCTIONS, Array, Axes
from engine.recording.tape import Tape
from engine.tables.given import MASK
from engine.tables.optimizers import UPDATE_NUMBER

Index = tuple[int, ...]


@dataclass(frozen=True)
class Factor:
    """One number in a product: a cell of a quantity, a constant (`name` is its text), or a function of cells (`of`).

    `iteration` is the one whose tape holds the cell, None for constants and functions.
    """

    name: str
    value: float
    t: int | None = None
    index: Index | None = None
    of: tuple[Factor, ...] = ()
    body: Expression | None = None
    derivative: str = ""
    """The function whose derivative it is."""
    iteration: int | None = None

    @property
    def around(self) -> tuple[str, str, str]:
        """What is written before, between and after the cells of a function: `tanh(`, `, `, `)`."""
        return _AROUND.get(self.name, (f"{self.name}(", ", ", ")"))


SQUARED = "squared difference"
_AROUND = {"1/": ("1/", ", ", ""), "1−": ("(1 − ", ", ", ")"), SQUARED: ("(", " − ", ")²")}


@dataclass(frozen=True)
class Term:
    """A product of factors; `value` is their product."""

    factors: tuple[Factor, ...]
    value: float


def _is_one(expression: Expression) -> bool:
    """Whether a cell of the expression is a single number of the tape."""
    return isinstance(expression.operand if isinstance(expression, Transpose) else expression, Name)


def _reads_rows(expression: Expression, name: Name) -> bool:
    """Whether a function of whole rows is applied to a quantity."""
    return any(
        isinstance(node, Call | Derivative) and not FUNCTIONS[node.function].elementwise and name in names(node)
        for node in walk(expression)
    )


def _is_product(expression: Expression) -> bool:
    """Whether an entry of it is a single product of factors."""
    match expression:
        case Name() | Number():
            return True
        case Call(function=function):
            return function != "sum"
        case Binary("**", _, exponent):
            return isinstance(exponent, Number)
        case Binary("*", left, right):
            return _is_product(left) and _is_product(right)
        case Binary("/", left, _):
            return _is_product(left)
        case _:
            return False


class TermReader:
    """The terms of an expression at one time step."""

    def __init__(
        self, tape: Tape, t: int | None, sample: int | None, iteration: int = 0, *, update: bool = False
    ) -> None:
        self.iteration = iteration
        self._counts: dict[tuple[int, Index], int] = {}
        self.tape = tape
        self.t = t
        self.update = update
        self.axes = tape.plan.axes
        self.sample = sample
        self.samples = range(tape.plan.batch) if sample is None else (sample,)

    @np.errstate(all="ignore")
    def values(self, expression: Expression, index: Index) -> Array:
        """The values of its terms alone, in the order of `terms`: long sums of plain products in one operation."""
        match expression:
            case Binary("@", left, right) if _is_one(left) and _is_one(right):
                values = self._array(left)[(*index[:-1], slice(None))] * self._array(right)[:, index[-1]]
                return values[list(self.samples)] if self._axes(left)[-1] == "B" else values
            case Binary("+", left, right):
                sides = self.values(left, self._within(left, index)), self.values(right, self._within(right, index))
                return np.concatenate(sides)
            case Binary("/", left, right) if not self._axes(right):
                return self.values(left, index) * self._reciprocal(right, index).value
            case Sum(axis=axis, operand=operand) if axis == TIME:
                return np.concatenate([self._at(t).values(operand, index) for t in range(1, self.tape.plan.steps + 1)])
            case Call("sum", (operand,)) if self._sums_products(operand):
                return np.asarray(self._array(operand))[list(self.samples)].ravel()
            case Sum("B", operand) if _is_one(operand):
                return np.asarray(self._array(operand)[(slice(None), *index)][list(self.samples)])
            case Call("sum", (Binary("**", Name() as operand, Number(2)),)) if self._axes(operand)[:1] != ("B",):
                return np.square(self._array(operand)).ravel()
            case _:
                return np.array([term.value for term in self.products(expression, index)])

    def nth(self, expression: Expression, index: Index, number: int) -> list[Factor]:
        """The factors of one of its terms, without building those before it where that is possible."""
        match expression:
            case Binary("@", left, right) if _is_one(left) and _is_one(right):
                k = self.samples[number] if self._axes(left)[-1] == "B" else number
                return [*next(self.terms(left, (*index[:-1], k))), *next(self.terms(right, (k, index[-1])))]
            case Binary("+", left, right):
                before = self._count(left, self._within(left, index))
                side, number = (left, number) if number < before else (right, number - before)
                return self.nth(side, self._within(side, index), number)
            case Binary("/", left, right) if not self._axes(right):
                return [*self.nth(left, index, number), self._reciprocal(right, index)]
            case Sum(axis=axis, operand=operand) if axis == TIME:
                count = len(self._at(1).values(operand, index))  # every step has as many
                return self._at(1 + number // count).nth(operand, index, number % count)
            case Call("sum", (operand,)) if self._sums_products(operand):
                shape = (len(self.samples), *np.shape(self._array(operand))[1:])
                row, *rest = (int(i) for i in np.unravel_index(number, shape))
                return next(self.terms(operand, (self.samples[row], *rest)))
            case Sum("B", operand) if _is_one(operand):
                return next(self.terms(operand, (self.samples[number], *index)))
            case Call("sum", (Binary("**", Name() as operand, Number(2)),)) if self._axes(operand)[:1] != ("B",):
                place = np.unravel_index(number, np.shape(self._array(operand)))
                return [self._factor(operand, tuple(int(i) for i in place))] * 2
            case _:
                return next(islice(self.terms(expression, index), number, None))

    def _count(self, expression: Expression, index: Index) -> int:
        """How many terms it has; asked for each of many terms, counted once."""
        key = id(expression), index
        if key not in self._counts:
            self._counts[key] = len(self.values(expression, index))
        return self._counts[key]

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
                    yield from self._at(t).terms(operand, index)
            case Sum(axis=axis, operand=operand, position=place):
                for k in self.samples if axis == "B" else range(self.tape.plan.sizes[axis]):
                    yield from self.terms(operand, (*index[:place], k, *index[place:]))
            case Binary() if self._is_mark(expression):
                yield [self._function("1−", expression, self._within(expression, index))]
            case Binary(operator=operator, left=left, right=right):
                yield from self._binary(operator, left, right, index)
            case Call(function="sum", arguments=(operand,)):
                batched = self._axes(operand)[:1] == ("B",)
                for inner in np.ndindex(np.shape(self._array(operand))):
                    if not batched or inner[0] in self.samples:
                        yield from self.terms(operand, tuple(int(i) for i in inner))
            case Call(function="ones"):
                yield [Factor("1", 1.0)]
            case Call(function=function, arguments=(operand, *_)) if summand := FUNCTIONS[function].summand:
                each = filled(summand, expression, self.axes)
                for unit in range(self.tape.plan.sizes[self._axes(operand)[-1]]):
                    yield from self.terms(each, (*index, unit))
            case Call(function=function, arguments=arguments) if origin := FUNCTIONS[function].origin:
                argument, place = origin(index[-1], self.tape.plan.sizes[self._axes(expression)[-1]])
                yield from self.terms(arguments[argument], (*index[:-1], place))
            case Call(function=function):
                yield [self._function(function, expression, index)]
            case Derivative(function=function, body=body):
                if FUNCTIONS[function].elementwise:
                    factor = self._function(f"{function}'", expression, index, body)
                    yield [replace(factor, derivative=function)]
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
            divisor = self._reciprocal(right, index)
            yield from ([*factors, divisor] for factors in self.terms(left, self._within(left, index)))
        elif operator == "**" and isinstance(left, Name) and right == Number(2):
            yield [self._factor(left, index)] * 2
        elif operator == "**" and isinstance(left, Binary) and left.operator == "-" and right == Number(2):
            yield [self._function(SQUARED, Binary(operator, left, right), index)]
        else:
            yield [self._function(operator, Binary(operator, left, right), index)]

    def _at(self, t: int) -> TermReader:
        return TermReader(self.tape, t, self.sample, self.iteration)

    def _sums_products(self, operand: Expression) -> bool:
        """Whether every entry of a batch operand is a single product: long sums are then computed in one operation."""
        return self._axes(operand)[:1] == ("B",) and _is_product(operand)

    def _is_mark(self, expression: Expression) -> bool:
        """Whether the expression is one number to a reader: made of options, or of what counts at this step (`1 − mask`)."""
        tape = self.tape
        known = {MASK, UPDATE_NUMBER, *tape.plan.sizes, *tape.plan.network.hyperparameters}
        return {name.name for name in names(expression)} <= known

    def _reciprocal(self, divisor: Expression, index: Index) -> Factor:
        """1/divisor: a constant, or a function of what the divisor reads."""
        below = float(np.asarray(self._array(divisor))[self._within(divisor, index)])
        with np.errstate(all="ignore"):
            value = float(np.divide(1.0, below))
        of = self._cells_in(divisor, index)
        return Factor("1/", value, of=of) if of else Factor(f"1/{below:g}", value)

    def _function(self, label: str, whole: Expression, index: Index, body: Expression | None = None) -> Factor:
        """A function of cells as one number; a constant when it reads none."""
        value = float(np.asarray(self._array(whole))[index])
        of = self._cells_in(whole, index)
        return Factor(label if of or label == CARRIED else f"{value:g}", value, of=of, body=body)

    def _cells_in(self, expression: Expression, index: Index) -> tuple[Factor, ...]:
        """The cells that a cell of an expression depends on: for a function of a whole row (softmax, mean) all of that row's."""
        cells: list[Factor] = []
        whole = self._axes(expression)
        # f'(z) is a function of z, also where its formula is written with f(z); what is carried is of the loss.
        inside = expression.arguments if isinstance(expression, Derivative) else (expression,)
        inside = inside[0].arguments[:1] if isinstance(inside[0], Call) and inside[0].function == CARRIED else inside
        for name in dict.fromkeys(name for part in inside for name in names(part)):
            axes = self._axes(name)
            if name.name in self.tape.plan.sizes or name.name in self.tape.plan.network.hyperparameters:
                continue
            if name.name == UPDATE_NUMBER or (name.name == "y" and not axes):
                continue
            if axes[:1] == whole[:1] == ("B",) and axes[1:] and (whole != axes or _reads_rows(expression, name)):
                columns = range(self.tape.plan.sizes[axes[1]])
                if name.step == 0 or (self.t or 1) + name.step in self.tape.plan.program.steps_of(name.name):
                    cells += [self._factor(name, (index[0], column)) for column in columns]
            elif whole[: len(axes)] == axes or axes == whole[len(whole) - len(axes) :]:
                cells.append(self._factor(name, index))
        return tuple(cells)

    def _factor(self, name: Name, index: Index) -> Factor:
        array = np.asarray(self._lookup(name))
        index = self._within(name, index)
        if name.name in self.tape.plan.network.hyperparameters or name.name in self.tape.plan.sizes:
            return Factor(name.name, float(array[index]))
        if name.name == UPDATE_NUMBER:
            return Factor(name.name, float(array))
        quantity = self.tape.plan.program.quantities.get(name.name)
        t = self.t + name.step if self.t is not None and quantity is not None and quantity.rows else None
        earlier = self.update and name.step < 0 and name.name not in self.tape.parameters
        if earlier and self.iteration == 0:
            return Factor(f"{name.name} before the first update", float(array[index]))
        return Factor(name.name, float(array[index]), t, index, iteration=self.iteration - earlier)

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
