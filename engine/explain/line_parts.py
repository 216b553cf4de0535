"""A line split into the parts of a picture: operand, operator, operand, equals, result, each operand with its numbers.

With a sample chosen, everything that has a batch axis shows that sample only, and a sum over the batch shows the
sample's own term. Numbers are the engine's; in a notation that has samples in columns or weights as (out, in), operands
stand in its order and each picture has its layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from engine.debug.view import View
from engine.explain.line_outline import MARKS, LinePiece, ShownAs, outline
from engine.language.evaluate import evaluate
from engine.language.expression import Expression, Name, Transpose
from engine.language.functions import Array, Axes
from engine.notation import NOTATIONS, Spelling, Writer, assignment
from engine.recording.plan import Plan
from engine.remembered import last_remembered

NO_MEANINGS: Mapping[str, frozenset[str]] = MappingProxyType({})

Role = Literal["operator", "operand", "result", "term", "total", "original", "difference"]
"""The last two are used by what-if only: a result before something was edited, and by how much it differs."""


@dataclass(frozen=True, eq=False)
class Part:
    """An operator (text only) or an array with its label.

    `values` is (rows, columns), `shape` the array's shape as the notation has it. `name`, `t` say which quantity it is (by the engine's
    name), when it is one and not a function of one; its number of `axes`, `transposed` and `first` (the sample of row 0) turn a cell
    of the picture into an index of that quantity. `padding` is True where a cell belongs to a step beyond its sample's length; None where
    there is no such cell.
    """

    role: Role
    text: str
    values: Array | None = None
    shape: tuple[int, ...] = ()
    name: str | None = None
    t: int | None = None
    axes: int = 2
    transposed: bool = False
    first: int = 0
    padding: Array | None = None
    over_time: bool = False
    """Its columns are time steps."""

    def index(self, row: int, column: int) -> tuple[int, ...]:
        """The index in the quantity of a cell of the picture."""
        if self.transposed:
            row, column = column, row
        return (row + self.first, column) if self.axes == 2 else (column + self.first,) if self.axes else ()

    def place(self, index: tuple[int, ...]) -> tuple[int, int]:
        """The cell of the picture that shows the quantity's number with this index; the inverse of `index`."""
        row, column = (*index, 0, 0)[:2] if self.axes == 2 else (0, *index, 0)[:2]
        row, column = (row - self.first, column) if self.axes == 2 else (row, column - self.first)
        return (column, row) if self.transposed else (row, column)


@last_remembered(2)
def anatomy(view: View, writer: Writer, sample: int | None = None) -> list[Part]:
    """The parts of the line that ran last, at its time step; empty at the start."""
    return [] if view.line is None else _Anatomist(view, writer, sample).parts()


def writer_for(plan: Plan, notation: str = "ng", meanings: Mapping[str, frozenset[str]] = NO_MEANINGS) -> Writer:
    """The writer of a plan's lines in a notation, by its name; `meanings` are those that names have in a program beside it, see
    `Spelling.beside`."""
    network = plan.network
    spelling = Spelling.beside(meanings, NOTATIONS[notation], network.table, plan.program)
    values = {name: f"{value:g}" for name, value in network.hyperparameters.items()}
    return Writer(plan.program, plan.axes, values, spelling)


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
        self.layout = writer.spelling.layout
        self.update = self.block.phase == "update"
        self.equation = self.line.equation
        if self.update:
            self.equation = view.program.at_parameter(self.line, view.point.parameter)

    def text(self) -> str:
        if not self.update:
            return self.writer.line(self.line, self.t)
        right = self.line.equation if self.view.point.parameter is None else self.equation  # Σ_W stays a sum
        text = self.writer.expression(right.expression, self.block)
        return f"{self.writer.spelling.name(self.equation.target)} {assignment(self.line)} {text}"

    def parts(self) -> list[Part]:
        target = self.equation.target
        parameter = self.view.point.parameter if self.update else None
        parts = [self._part(piece) for piece in outline(self.writer, self.line.block, self.line.index, parameter)]
        sign = assignment(self.line)
        if sign == "←":
            return [self._result(), Part("operator", sign), *parts]
        parts.append(Part("operator", "="))
        if self.equation.accumulate:
            label = self.writer.spelling.name(target)
            one_term = f"{label}@{self.t}" + ("" if self.sample is None else f",{self.sample}")
            term, total = self.view.tape.term(self.line, self.t, self.sample), self.view.gradient(target)
            parts.append(self._array("term", one_term, term, target, self.t))
            parts += [Part("operator", "Σ"), self._array("total", label, total, target)]
        else:
            parts.append(self._result())
        return parts

    def _array(
        self, role: Role, label: str, value: Any, name: str, t: int | None = None, *, turned: bool | None = None
    ) -> Part:
        """A quantity with its numbers, in the notation's layout, unless `turned` says whether it is transposed."""
        axes = self.axes[name]
        shape = self.layout.sizes(axes, self.view.tape.plan.sizes)
        if len(axes) < 2 or turned is None:
            turned = self._turns(axes)
        first = self.sample or 0 if axes[:1] == ("B",) else 0
        matrix = _matrix(value, turned)
        padding = None if name in MARKS else self._padding(axes, t, matrix, turned)
        return Part(role, label, matrix, shape, name, t, len(axes), turned, first, padding)

    def _padding(self, axes: Axes, t: int | None, matrix: Array, turned: bool) -> Array | None:
        """Which cells are padding in a picture of a quantity with these axes at step t; a read-out of the last state has none."""
        ended, looped = self.view.tape.padding, self.block.in_time
        if ended is None or not looped or t is None or not 0 <= t < len(ended) or axes[:1] != ("B",):
            return None
        row = ended[t] if self.sample is None else ended[t, self.sample : self.sample + 1]
        upright = turned if len(axes) == 1 else not turned
        return np.broadcast_to(row[:, None] if upright else row, matrix.shape) if row.any() else None

    def _turns(self, axes: Axes) -> bool:
        """Whether a matrix is drawn transposed, a vector as a column (one number per sample; in a notation with columns all others)."""
        return self.layout.turns(axes) if len(axes) == 2 else len(axes) == 1 and self.layout.columns != (axes == ("B",))

    def _result(self) -> Part:
        name = self.equation.target
        if self.update:
            return self._array("result", self.writer.spelling.name(name), self.view.tape.updates[name], name)
        label = self.writer.target(self.line, self.t)
        quantity = self.view.program.quantities[name]
        t = None if self.t is None or not quantity.rows else self.t + self.line.equation.step
        if self.sample is not None and "B" not in quantity.axes:
            value = self.view.tape.term(self.line, self.t, self.sample)
            numbers = self.view.tape.samples
            number = self.sample if numbers is None else int(numbers[self.sample])
            return self._array("term", f"{label}, sample {number}", value, name, t)
        return self._array("result", label, self._lookup(Name(name, self.line.equation.step)), name, t)

    def _part(self, piece: LinePiece) -> Part:
        match piece.shown_as:
            case ShownAs.SIGN:
                return Part("operator", piece.text)
            case ShownAs.NUMBER:
                return Part("operator", self._scalar(piece.tree))
            case ShownAs.PICTURE:
                return self._operand(piece)
            case ShownAs.STEPS:
                return self._over_time(piece)

    def _scalar(self, expression: Expression) -> str:
        value = float(self._evaluate(expression))
        return (f"{value:.0f}" if value.is_integer() and abs(value) < 1e9 else f"{value:.3g}").replace("-", "−")

    def _operand(self, piece: LinePiece) -> Part:
        label = self.writer.expression(piece.written, self.block, self.t)
        transposed = isinstance(piece.tree, Transpose)
        inner = piece.tree.operand if isinstance(piece.tree, Transpose) else piece.tree
        before = self.update and isinstance(inner, Name) and inner.step < 0 and inner.name in self.view.program.updates
        if not isinstance(inner, Name) or before:  # a function of quantities, or one of the iteration before
            axes, value = piece.axes, self._evaluate(piece.tree)
            turned = piece.flip if len(axes) == 2 else self._turns(axes)
            matrix = _matrix(value, turned)
            padding = None if piece.marks else self._padding(axes, self.t, matrix, turned)
            shape = matrix.shape if len(axes) == 2 else np.shape(value)
            return Part("operand", label, matrix, shape, padding=padding)
        quantity = self.view.program.quantities.get(inner.name)
        t = self.t + inner.step if self.t is not None and quantity is not None and quantity.rows else None
        return self._array("operand", label, self._lookup(inner), inner.name, t, turned=piece.flip != transposed)

    def _over_time(self, piece: LinePiece) -> Part:
        """What every step adds to a sum over time: one row per sample, one column per step, outputs added up."""
        tape = self.view.tape

        def at(t: int) -> Array:
            with np.errstate(all="ignore"):
                value = np.asarray(evaluate(piece.tree, lambda name: tape.lookup(name, t, self.sample), self.axes))
            return value if value.ndim == 1 else value.sum(axis=1)

        values = np.stack([at(t) for t in range(1, tape.plan.steps + 1)], axis=1)
        ended = tape.padding
        samples = slice(None) if self.sample is None else slice(self.sample, self.sample + 1)
        padding = None if ended is None else ended[1:, samples].T
        label = self.writer.expression(piece.written, self.block)
        return Part("operand", label, values, values.shape, over_time=True, first=self.sample or 0, padding=padding)

    def _evaluate(self, expression: Expression) -> Any:
        with np.errstate(all="ignore"):
            return evaluate(expression, self._lookup, self.axes)

    def _lookup(self, name: Name) -> Any:
        tape = self.view.tape
        return tape.update_lookup(name) if self.update else tape.lookup(name, self.t, self.sample)


def _matrix(value: Any, turned: bool) -> Array:
    """Two axes for a picture: a vector is one row, a number one cell; `turned`, the other way round."""
    array = np.asarray(value)
    matrix = array.reshape(1, -1) if array.ndim < 2 else array
    return matrix.T if turned else matrix
