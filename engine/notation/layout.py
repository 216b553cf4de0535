"""How arrays lie: samples in rows or in columns, weights as (in, out) or (out, in); and equations rewritten from one into the other.

The engine's own layout is rows: a quantity is (B, n), a weight (in, out), a bias (n,). In columns a quantity is (n, B), a weight
(out, in), a bias (n, 1). To turn an equation round is to transpose it: (A·B)ᵀ = Bᵀ·Aᵀ, and what is stored turned needs no ᵀ of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.language.equation import Equation, infer, needs_column
from engine.language.expression import Binary, Call, Derivative, Expression, Name, Negative, Number, Sum, Transpose
from engine.language.functions import Array, Axes

COLUMN = "column"
"""The call that a program in rows needs where a value a sample, (B,), stands beside a row a sample: `[:, None]`."""

OF_ROWS = frozenset({"softmax", "cross_entropy", "binary_cross_entropy", "onehot", "sum"})
"""Functions of a whole row (in columns: column) a sample; all others work element by element."""


@dataclass(frozen=True)
class Layout:
    """`columns`: a sample is a column. `turned_weights`: weights are stored as (out, in)."""

    columns: bool = False
    turned_weights: bool = False

    def turns(self, axes: Axes) -> bool:
        """Whether what has these axes in the engine lies the other way round here."""
        return self.turned_weights if len(axes) == 2 and "B" not in axes else self.columns

    def shape(self, axes: Axes) -> tuple[str, ...]:
        """The axes as they lie here, by letter; "1" for the second one of a column."""
        if len(axes) == 2:
            return axes[::-1] if self.turns(axes) else axes
        return (*axes, "1") if self._is_column(axes) else axes

    def sizes(self, axes: Axes, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The same in numbers."""
        return tuple(1 if letter == "1" else sizes[letter] for letter in self.shape(axes))

    def array(self, array: Array, axes: Axes) -> Array:
        """One of the engine's arrays as it lies here (a view); a time axis in front stays there."""
        if len(axes) == 2 and self.turns(axes):
            return np.swapaxes(array, -1, -2)
        return array[..., None] if self._is_column(axes) else array

    def index(self, index: tuple[int, ...], axes: Axes) -> tuple[int, ...]:
        """Where a cell of one of the engine's arrays lies here."""
        if len(axes) == 2 and self.turns(axes):
            return index[::-1]
        return (*index, 0) if self._is_column(axes) and index else index

    def equation(self, equation: Equation, known: Mapping[str, Axes], *, spread: bool = False) -> Expression:
        """The right-hand side as it is written here; `known` are the axes of every name in the engine.

        `spread` adds what NumPy needs, and a textbook does not, where a vector stands beside a matrix.
        """
        target = known.get(equation.target, ())
        return self.turned(equation.expression, known, flip=self.turns(target), spread=spread)

    def turned(
        self, expression: Expression, known: Mapping[str, Axes], *, flip: bool, spread: bool = False
    ) -> Expression:
        """A tree as it is written here; with `flip` its value is the transpose of the engine's."""
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
        """Whether batches lie turned: the way in which a vector fits beside one, and in which functions of rows are applied."""
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
            case Call(function=function, arguments=arguments) if function not in OF_ROWS:
                return Call(function, tuple(self.turn(a, flip) for a in arguments))
            case Call(function=function, arguments=arguments):
                call = Call(function, tuple(self.turn(a, self.native) for a in arguments))
                turned = flip != self.native and len(infer(expression, self.known)) == 2
                return Transpose(call) if turned else call
            case Derivative(function=function, arguments=arguments, body=body):
                way = self.native if function in OF_ROWS else flip
                return Derivative(function, tuple(self.turn(a, way) for a in arguments), self.turn(body, flip))

    def _element_wise(self, node: Binary, flip: bool) -> Expression:
        whole = infer(node, self.known)
        sides = [(side, infer(side, self.known)) for side in (node.left, node.right)]
        if flip != self.native and len(whole) == 2 and any(len(axes) == 1 for _, axes in sides):
            return Transpose(self._element_wise(node, self.native))
        left, right = (self._beside(self.turn(side, flip), axes, whole) for side, axes in sides)
        return Binary(node.operator, left, right)

    def _beside(self, side: Expression, axes: Axes, whole: Axes) -> Expression:
        """One side of an element-wise operation; a vector along the first axis of the whole must be laid along it."""
        if not self.spread or not needs_column(axes, whole):
            return side
        if self.layout.columns:
            return side if axes == ("B",) else Transpose(side)
        return self._upright(side)

    def _upright(self, side: Expression) -> Expression:
        """A vector as a column of one number a row: its own vectors are, numbers stay."""
        if isinstance(side, Binary) and side.operator != "@":
            sides = [self._upright(each) if infer(each, self.known) else each for each in (side.left, side.right)]
            return Binary(side.operator, *sides)
        return Call(COLUMN, (side,))

    def _sum(self, node: Sum) -> Expression:
        axes = infer(node.operand, self.known)
        if self.spread and len(axes) == 1:  # of a column as of a row, all of it
            return Call("sum", (self.turn(node.operand, self.native),))
        if len(axes) != 2 or not self.layout.columns:
            return Sum(node.axis, self.turn(node.operand, self.native), node.position)
        # What stays of a batch is (n, 1) or (B,); of a weight it must become a column, so the axis that goes is the last.
        flip = True if "B" in axes else node.position == 0
        return Sum(node.axis, self.turn(node.operand, flip), 1 - node.position if flip else node.position)
