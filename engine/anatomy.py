"""A line taken apart for a picture: operand, operator, operand, equals, result, each operand with its numbers.

With a sample chosen, everything that has a batch axis shows that sample only, and a sum over the batch shows the sample's own term.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engine.debugger import View
from engine.equation import TIME, infer
from engine.evaluate import evaluate
from engine.expression import Binary, Call, Derivative, Expression, Name, Negative, Sum, Transpose
from engine.functions import FUNCTIONS, Array
from engine.notation import Writer, assignment

Role = Literal["operator", "operand", "result", "term", "total"]
_PRODUCTS = ("*", "/", "@")


@dataclass(frozen=True, eq=False)
class Part:
    """An operator (text only) or an array with its label.

    `values` is (rows, columns). `name`, `t` say which quantity it is, when it is one and not a function of one; `transposed` and
    `first` (the sample of row 0) turn a cell of the picture into an index of that quantity.
    """

    role: Role
    text: str
    values: Array | None = None
    shape: tuple[int, ...] = ()
    name: str | None = None
    t: int | None = None
    transposed: bool = False
    first: int = 0

    def index(self, row: int, column: int) -> tuple[int, ...]:
        """The index in the quantity of a cell of the picture."""
        if self.transposed:
            row, column = column, row
        return (column,) if len(self.shape) == 1 else () if not self.shape else (row + self.first, column)


def anatomy(view: View, writer: Writer, sample: int | None = None) -> list[Part]:
    """The parts of the line that ran last, at its time step; empty at the start."""
    return [] if view.line is None else _Anatomist(view, writer, sample).parts()


def line_text(view: View, writer: Writer) -> str:
    """The line that ran last with its time step, or its parameter, put in."""
    return "" if view.line is None else _Anatomist(view, writer, None).text()


class _Anatomist:
    def __init__(self, view: View, writer: Writer, sample: int | None) -> None:
        assert view.line is not None
        self.view, self.sample = view, sample
        self.line = view.line
        self.block = view.program.blocks[self.line.block]
        self.t = view.point.t
        self.axes = view.tape.plan.axes
        self.writer = writer
        self.update = self.block.phase == "update"
        self.equation = self.line.equation
        if self.update:
            self.equation = view.program.at_parameter(self.line, view.point.parameter)

    def text(self) -> str:
        if not self.update:
            return self.writer.line(self.line, self.t)
        right = self.line.equation if self.view.point.parameter is None else self.equation  # Σ_W stays a sum
        text = self.writer.expression(right.expression, self.block)
        return f"{self.equation.target} {assignment(self.line.equation)} {text}"

    def parts(self) -> list[Part]:
        equation = self.equation
        parts = list(self._flatten(equation.expression, 0))
        sign = assignment(self.line.equation)
        if sign == "←":
            return [self._result(), Part("operator", sign), *parts]
        parts.append(Part("operator", "="))
        if equation.accumulate:
            label = f"{self.line.name}@{self.t}" + ("" if self.sample is None else f",{self.sample}")
            term = self.view.tape.term(self.line, self.t, self.sample)
            parts.append(Part("term", label, _matrix(term), np.shape(term), self.line.name, self.t))
            total = self.view.gradient(self.line.name)
            assert total is not None
            parts += [
                Part("operator", "Σ"),
                Part("total", self.line.name, _matrix(total), total.shape, self.line.name),
            ]
        else:
            parts.append(self._result())
        return parts

    def _result(self) -> Part:
        name = self.equation.target
        if self.update:
            value = self.view.tape.updates[name]
            return Part("result", name, _matrix(value), value.shape, name)
        label = self.writer.target(self.line, self.t)
        quantity = self.view.program.quantities[name]
        t = None if self.t is None or not quantity.rows else self.t + self.line.equation.step
        if self.sample is not None and "B" not in quantity.axes:
            value = self.view.tape.term(self.line, self.t, self.sample)
            return Part("term", f"{label}, sample {self.sample}", _matrix(value), value.shape, name, t)
        value = np.asarray(self._lookup(Name(name, self.line.equation.step)))
        return Part("result", label, _matrix(value), self.view.tape.at(name, t).shape, name, t, first=self.sample or 0)

    def _flatten(self, expression: Expression, level: int) -> Iterator[Part]:
        match expression:
            case Binary(operator=operator, left=left, right=right) if operator in ("+", "-", *_PRODUCTS):
                own = 2 if operator in _PRODUCTS else 1
                if own < level:
                    yield Part("operator", "(")
                yield from self._flatten(left, own)
                yield Part("operator", self.writer.symbols(self.block).operator(expression).strip())
                yield from self._flatten(right, own + 1)
                if own < level:
                    yield Part("operator", ")")
            case Negative(operand=operand):
                yield Part("operator", "−")
                yield from self._flatten(operand, 2)
            case Sum(axis=axis, operand=Call(arguments=(operand,))) if axis == TIME:
                yield Part("operator", "Σ_t Σ_b")
                yield self._over_time(operand)
            case Sum() | Call(function="sum"):
                operand = expression.operand if isinstance(expression, Sum) else expression.arguments[0]
                yield Part("operator", "Σ_b")
                yield from self._flatten(operand, 2)
            case Call(function=function, arguments=(argument,)) if isinstance(argument, Name):
                yield Part("operator", function)
                yield from self._flatten(argument, 2)
            case Derivative(function=function, body=body) if not FUNCTIONS[function].elementwise:
                yield from self._flatten(body, level)
            case _ if not infer(expression, self.axes):
                yield Part("operator", self._scalar(expression))
            case _:
                yield self._operand(expression)

    def _scalar(self, expression: Expression) -> str:
        value = self._evaluate(expression)
        return f"{float(value):g}".replace("-", "−")

    def _operand(self, expression: Expression) -> Part:
        value = np.asarray(self._evaluate(expression))
        label = self.writer.expression(expression, self.block, self.t)
        inner = expression.operand if isinstance(expression, Transpose) else expression
        if not isinstance(inner, Name):
            one_a_sample = infer(expression, self.axes) == ("B",)
            return Part("operand", label, value.reshape(-1, 1) if one_a_sample else _matrix(value), value.shape)
        name = inner.name
        if self.update and inner.step < 0 and name in self.view.program.updates:
            name = None  # of the iteration before
        quantity = self.view.program.quantities.get(name or "")
        t = self.t + inner.step if self.t is not None and quantity is not None and quantity.rows else None
        own = np.shape(self._whole(inner))
        batched = self.axes[inner.name][:1] == ("B",)
        first = self.sample or 0 if batched else 0
        return Part("operand", label, _matrix(value), own, name, t, isinstance(expression, Transpose), first)

    def _over_time(self, expression: Expression) -> Part:
        """What every step adds to a sum over time: a row a sample, a column a step, outputs added up."""
        tape = self.view.tape

        def at(t: int) -> Array:
            with np.errstate(all="ignore"):
                value = np.asarray(evaluate(expression, lambda name: tape.lookup(name, t, self.sample), self.axes))
            return value if value.ndim == 1 else value.sum(axis=1)

        values = np.stack([at(t) for t in range(1, tape.plan.steps + 1)], axis=1)
        return Part("operand", self.writer.expression(expression, self.block), values, values.shape)

    def _evaluate(self, expression: Expression) -> Any:
        with np.errstate(all="ignore"):
            return evaluate(expression, self._lookup, self.axes)

    def _lookup(self, name: Name) -> Any:
        return self._whole(name, self.sample)

    def _whole(self, name: Name, sample: int | None = None) -> Any:
        tape = self.view.tape
        return tape.update_lookup(name) if self.update else tape.lookup(name, self.t, sample)


def _matrix(value: Any) -> Array:
    """Two axes for a picture: a vector is one row, a number one cell."""
    array = np.asarray(value)
    return array.reshape(1, -1) if array.ndim < 2 else array
