"""The layout of arrays: samples in rows or in columns, weights as (in, out) or (out, in); and equations rewritten for a layout.

The engine's own layout is rows: a quantity is (B, n), a weight (in, out), a bias (n,). In columns a quantity is (n, B),
a weight (out, in), a bias (n, 1). An equation is rewritten by transposing it: (A·B)ᵀ = Bᵀ·Aᵀ; an array that is stored
transposed then needs no ᵀ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.language.equation import Equation, infer, needs_column
from engine.language.expression import Binary, Call, Derivative, Expression, Name, Negative, Number, Sum, Transpose
from engine.language.functions import FUNCTIONS, Array, Axes

COLUMN = "column"
"""The call that a program in rows needs where one value per sample, (B,), meets one row per sample: `[:, None]`."""


@dataclass(frozen=True)
class Layout:
    """`columns`: a sample is a column. `turned_weights`: weights are stored as (out, in)."""

    columns: bool = False
    turned_weights: bool = False

    def turns(self, axes: Axes) -> bool:
        """Whether an array with these axes in the engine is stored transposed in this layout."""
        return self.turned_weights if len(axes) == 2 and "B" not in axes else self.columns

    def shape(self, axes: Axes) -> tuple[str, ...]:
        """The axes in this layout, by letter; "1" for the second one of a column."""
        if len(axes) == 2:
            return axes[::-1] if self.turns(axes) else axes
        return (*axes, "1") if self._is_column(axes) else axes

    def sizes(self, axes: Axes, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The same in numbers."""
        return tuple(1 if letter == "1" else sizes[letter] for letter in self.shape(axes))

    def array(self, array: Array, axes: Axes) -> Array:
        """One of the engine's arrays in this layout (a view); a time axis stays in front."""
        if len(axes) == 2 and self.turns(axes):
            return np.swapaxes(array, -1, -2)
        return array[..., None] if self._is_column(axes) else array

    def index(self, index: tuple[int, ...], axes: Axes) -> tuple[int, ...]:
        """The index in this layout of an entry of one of the engine's arrays."""
        if len(axes) == 2 and self.turns(axes):
            return index[::-1]
        return (*index, 0) if self._is_column(axes) and index else index

    def engine_index(self, index: tuple[int, ...], axes: Axes) -> tuple[int, ...]:
        """The index in the engine of an entry that has this index here."""
        if len(axes) == 2 and self.turns(axes):
            return index[::-1]
        return index[:-1] if self._is_column(axes) and len(index) == 2 and index[1] == 0 else index

    def equation(self, equation: Equation, known: Mapping[str, Axes], *, spread: bool = False) -> Expression:
        """The right-hand side in this layout; `known` are the axes of every name in the engine.

        `spread` adds what NumPy needs, and a textbook does not, where a vector stands beside a matrix.
        """
        target = known.get(equation.target, ())
        return self.turned(equation.expression, known, flip=self.turns(target), spread=spread)

    def turned(
        self, expression: Expression, known: Mapping[str, Axes], *, flip: bool, spread: bool = False
    ) -> Expression:
        """A tree in this layout; with `flip` its value is the transpose of the engine's."""
        if self == Layout() and not spread:
            return expression
        return _Turner(self, known, spread).turn(expression, flip)

    def _is_column(self, axes: Axes) -> bool:
        return self.columns and len(axes) == 1 and axes != ("B",)


@dataclass(frozen=True)
class _Turner:
    layout: Layout
    known: Mapping[str, Axes]
    spread: bool

    @property
    def native(self) -> bool:
        """Whether a batch is stored transposed: that decides how a vector broadcasts beside it, and along which axis softmax works."""
        return self.layout.columns

    def turn(self, expression: Expression, flip: bool) -> Expression:
        match expression:
            case Number():
                return expression
            case Name(name=name):
                axes = self.known.get(name, ())
                return Transpose(expression) if len(axes) == 2 and self.layout.turns(axes) != flip else expression
            case Negative(operand=operand):
                return Negative(self.turn(operand, flip))
            case Transpose(operand=operand):
                return self.turn(operand, not flip)
            case Binary("@", left, right):
                first, second = (right, left) if flip else (left, right)
                return Binary("@", self.turn(first, flip), self.turn(second, flip))
            case Binary():
                return self._element_wise(expression, flip)
            case Sum():
                return self._sum(expression)
            case Call(function=function, arguments=arguments) if not FUNCTIONS[function].rows:
                return Call(function, tuple(self.turn(a, flip) for a in arguments))
            case Call(function=function, arguments=arguments):
                call = Call(function, tuple(self.turn(a, self.native) for a in arguments))
                turned = flip != self.native and len(infer(expression, self.known)) == 2
                return Transpose(call) if turned else call
            case Derivative(function=function, arguments=arguments, body=body):
                way = self.native if FUNCTIONS[function].rows else flip
                return Derivative(function, tuple(self.turn(a, way) for a in arguments), self.turn(body, flip))

    def _element_wise(self, node: Binary, flip: bool) -> Expression:
        whole = infer(node, self.known)
        sides = [(side, infer(side, self.known)) for side in (node.left, node.right)]
        if flip != self.native and len(whole) == 2 and any(len(axes) == 1 for _, axes in sides):
            return Transpose(self._element_wise(node, self.native))
        left, right = (self._beside(side, flip, axes, whole) for side, axes in sides)
        return Binary(node.operator, left, right)

    def _beside(self, side: Expression, flip: bool, axes: Axes, whole: Axes) -> Expression:
        """One side of an element-wise operation; a vector along the first axis of the result becomes a column."""
        if not self.spread or not needs_column(axes, whole):
            return self.turn(side, flip)
        if self.layout.columns:
            return self.turn(side, flip) if axes == ("B",) else Transpose(self.turn(side, flip))
        return self._upright(side, flip)

    def _upright(self, side: Expression, flip: bool) -> Expression:
        """A vector as a column, (n, 1); so are the vectors inside it, numbers stay as they are."""
        if isinstance(side, Binary) and side.operator != "@":
            sides = (
                self._upright(operand, flip) if infer(operand, self.known) else self.turn(operand, flip)
                for operand in (side.left, side.right)
            )
            return Binary(side.operator, *sides)
        return Call(COLUMN, (self.turn(side, flip),))

    def _sum(self, node: Sum) -> Expression:
        axes = infer(node.operand, self.known)
        if self.spread and len(axes) == 1:  # of a column as of a row, all of it
            return Call("sum", (self.turn(node.operand, self.native),))
        if len(axes) != 2 or not self.layout.columns:
            return Sum(node.axis, self.turn(node.operand, self.native), node.position)
        # A sum of a batch leaves (n, 1) or (B,); one of a weight must leave a column, so the axis summed over is the last.
        flip = True if "B" in axes else node.position == 0
        return Sum(node.axis, self.turn(node.operand, flip), 1 - node.position if flip else node.position)
