"""What a click means, for every part of the screen that can be clicked."""

from __future__ import annotations

from typing import NamedTuple

from rnn_tui.render.pooling import block_range


class ToPosition(NamedTuple):
    """Go to a position of the program."""

    position: int


class ToLine(NamedTuple):
    """Move the listing's cursor to a line; on the gutter, toggle a breakpoint there."""

    block: int
    at: int
    gutter: bool = False


class ToCell(NamedTuple):
    """A picture of this line: which part, how its cells lie on the screen, how it was pooled."""

    part: int
    shape: tuple[int, int]
    shown: tuple[int, int]
    cell_width: int
    lines_per_row: float
    origin: tuple[int, int] = (0, 0)
    """Where in the array the picture begins."""


class ToWeight(NamedTuple):
    """A picture of a parameter's gradient: whose, how its cells lie on the screen, how it was pooled."""

    parameter: str
    shape: tuple[int, int]
    shown: tuple[int, int]
    cell_width: int
    lines_per_row: float


class ToIteration(NamedTuple):
    """A picture of iterations × time steps: how many iterations, in how many columns how wide, in how many rows on how many lines."""

    iterations: int
    columns: int
    pitch: int
    rows: int
    lines: int


class ToOperand(NamedTuple):
    """Explain a number of the explanation, by its place among those that can be followed."""

    number: int


class ToCrumb(NamedTuple):
    """Back to an earlier explanation: how many cells of the path are kept."""

    depth: int


class ToFinding(NamedTuple):
    """Go where a finding can be seen."""

    number: int


class Press(NamedTuple):
    """Do what a key does."""

    action: str


class ToSource(NamedTuple):
    """Go to where a line of the user's source runs next."""

    line: int


def cell_at(target: ToCell | ToWeight, x: int, y: int) -> tuple[int, int]:
    """The cell (row, column) of the whole array at a place inside its picture."""
    row = min(int((y + 0.25) / target.lines_per_row), target.shown[0] - 1)
    column = min(x // target.cell_width, target.shown[1] - 1)
    top, left = target.origin if isinstance(target, ToCell) else (0, 0)
    return top + row * target.shape[0] // target.shown[0], left + column * target.shape[1] // target.shown[1]


def moment_at(target: ToIteration, x: int, y: int, steps: int) -> tuple[int, int]:
    """The iteration and time step (of `steps`) at a place inside the picture; the first ones of what is pooled there."""
    row = min(y * target.rows // target.lines, target.rows - 1)
    column = min(x // target.pitch, target.columns - 1)
    iteration = block_range(column, target.iterations, target.columns).start
    return iteration, 1 + block_range(row, steps, target.rows).start
