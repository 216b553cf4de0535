"""The outline of a line: its operators and operands in the order in which a notation writes them, before any number is known.

It depends on the program and the notation alone, so it is made once for each line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from engine.language.equation import TIME, infer
from engine.language.expression import Binary, Call, Derivative, Expression, Name, Negative, Number, Sum, walk
from engine.language.functions import FUNCTIONS, Axes
from engine.notation import Writer
from engine.remembered import remembered
from engine.tables.given import FLOW_CUT, FLOW_CUT_REVERSE, MASK

MARKS = frozenset({MASK, FLOW_CUT, FLOW_CUT_REVERSE})
"""They say themselves what counts at a step, so they are shown beyond a sample's length too."""
_PRODUCTS = ("*", "/", "@")
_NO_TREE = Number(0)


class ShownAs(Enum):
    """What a piece of a line is shown as."""

    SIGN = "an operator, as text"
    NUMBER = "the value of a tree, as text"
    PICTURE = "the value of a tree, as an array"
    STEPS = "the value of a tree at every step, one beside the other"


@dataclass(frozen=True, eq=False)
class LinePiece:
    """A sign (`text`), or a tree whose value is shown.

    `axes` are those of the tree's value in the engine; with `flip` the value is shown transposed. `written` is the tree as the notation
    writes it. `marks` says that the tree reads nothing but `MARKS`.
    """

    shown_as: ShownAs
    text: str = ""
    tree: Expression = _NO_TREE
    axes: Axes = ()
    flip: bool = False
    written: Expression = _NO_TREE
    marks: bool = False


@remembered
def outline(writer: Writer, block: int, index: int, parameter: str | None) -> tuple[LinePiece, ...]:
    """The pieces of the right-hand side of a line; of a line of the update, with a parameter's name put in."""
    program = writer.program
    line = program.blocks[block].lines[index]
    update = line.phase == "update"
    equation = program.at_parameter(line, parameter) if update else line.equation
    flip = writer.spelling.layout.turns(writer.axes[equation.target])
    return tuple(_Outliner(writer, block, update).pieces(equation.expression, 0, flip))


@dataclass(frozen=True)
class _Outliner:
    writer: Writer
    block: int
    update: bool

    def pieces(self, tree: Expression, level: int, flip: bool) -> Iterator[LinePiece]:
        """The pieces of a tree; with `flip` those of its transpose, in which the factors of a matrix product change places."""
        columns = self.writer.spelling.layout.columns
        match tree:
            case Binary() if all(not self.writer.axes.get(name) for name in _names(tree)):
                yield LinePiece(ShownAs.NUMBER, tree=tree)
            case Binary() if _names(tree) <= MARKS and self._axes(tree):
                yield self._picture(tree, flip)  # what counts at this step, as one picture
            case Call(function="sqrt", arguments=(argument,)) if not self._axes(argument):
                yield _sign("√(")
                yield from self.pieces(argument, 0, flip)
                yield _sign(")")
            case Call(function="sum") if self.update:
                yield LinePiece(ShownAs.NUMBER, tree=tree)
            case Binary(operator=operator) if operator in ("+", "-", *_PRODUCTS):
                yield from self._operation(tree, level, flip)
            case Negative(operand=operand):
                yield _sign("−")
                yield from self.pieces(operand, 2, flip)
            case Sum(axis=axis, operand=Call(arguments=(operand,))) if axis == TIME:
                yield _sign("Σ_t Σ_b")
                yield LinePiece(ShownAs.STEPS, tree=operand, written=self._written(operand, columns))
            case Sum() | Call(function="sum"):
                yield _sign("Σ_b")
                yield from self.pieces(tree.operand if isinstance(tree, Sum) else tree.arguments[0], 2, columns)
            case Call(function=function, arguments=(argument,)) if isinstance(argument, Name):
                yield _sign("√" if function == "sqrt" else function)
                yield from self.pieces(argument, 2, flip)
            case Derivative(function=function, body=body) if not FUNCTIONS[function].elementwise:
                yield from self.pieces(body, level, flip)
            case _ if not self._axes(tree):
                yield LinePiece(ShownAs.NUMBER, tree=tree)
            case _:
                yield self._picture(tree, flip)

    def _operation(self, tree: Binary, level: int, flip: bool) -> Iterator[LinePiece]:
        first, second = (tree.right, tree.left) if tree.operator == "@" and flip else (tree.left, tree.right)
        binding = 2 if tree.operator in _PRODUCTS else 1
        if binding < level:
            yield _sign("(")
        yield from self.pieces(first, binding, flip)
        yield _sign(self.writer.symbols(self.writer.program.blocks[self.block]).operator(tree).strip())
        yield from self.pieces(second, binding + 1, flip)
        if binding < level:
            yield _sign(")")

    def _picture(self, tree: Expression, flip: bool) -> LinePiece:
        written = self._written(tree, flip)
        return LinePiece(ShownAs.PICTURE, "", tree, self._axes(tree), flip, written, _names(tree) <= MARKS)

    def _written(self, tree: Expression, flip: bool) -> Expression:
        return tree if self.update else self.writer.spelling.layout.turned(tree, self.writer.axes, flip=flip)

    def _axes(self, tree: Expression) -> Axes:
        return infer(tree, self.writer.axes)


def _sign(text: str) -> LinePiece:
    return LinePiece(ShownAs.SIGN, text)


def _names(tree: Expression) -> set[str]:
    return {node.name for node in walk(tree) if isinstance(node, Name)}
