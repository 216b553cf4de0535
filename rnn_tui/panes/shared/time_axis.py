"""The time axis on which strip, flow, reach and ledger stand: one origin, one pitch, one mark at the present step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.debug.view import View
from engine.explain.line_parts import Part
from engine.language.functions import Array
from engine.model.program import Program
from rnn_tui.panes.shared.gains import GAINS
from rnn_tui.render.canvas import Canvas
from rnn_tui.render.pooling import block_of, block_range
from rnn_tui.shown.look import Look

LEFT, RIGHT = 5, 2
"""Columns of a pane before the first step and after the last one."""
GAINS_FROM = 70
"""The width of a pane from which on there is room beside the axis: for gains, and for sums over time."""
WIDEST = 8
STRIDES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9)
MARK = "▏"


def listing_width(width: int) -> int:
    """How wide the listing is on a screen of a width; the panes with a time axis are right of it."""
    return 34 if width < 76 else 43 if width < 100 else 46 if width < 160 else 56


@dataclass(frozen=True)
class TimePart(Part):
    """A picture whose columns are time steps, the first of them `since`; `t` is the step at the cursor. `rows` says what its rows are."""

    since: int = 0
    rows: str = "units"


class TimeAxis(NamedTuple):
    """Columns of `pitch` characters from `left` on, for all steps (`Program.span`), grouped when there are more steps than columns."""

    left: int
    pitch: int
    columns: int
    steps: int

    @property
    def end(self) -> int:
        """The character after the last column."""
        return self.left + self.columns * self.pitch

    @property
    def starts(self) -> Array:
        """The first step of each column."""
        return np.arange(self.columns) * self.steps // self.columns

    def x(self, column: int) -> int:
        """Where a column begins."""
        return self.left + column * self.pitch

    def column_of(self, step: int) -> int:
        """The column in which a step is."""
        return block_of(step, self.steps, self.columns)

    def steps_in(self, column: int, held: range) -> range:
        """The steps in a column, of those that a quantity's rows hold."""
        inside = block_range(column, self.steps, self.columns)
        return range(max(inside.start, held.start), min(inside.stop, held.stop))

    def placed(self, held: range, rows: Array, fill: object = False) -> Array:
        """Rows that hold the steps `held`, among all steps."""
        result = np.full((self.steps, *rows.shape[1:]), fill, rows.dtype)
        result[held.start : held.stop] = rows
        return result

    def all_of(self, steps: Array) -> Array:
        """For each column whether something is so at all of its steps."""
        return np.logical_and.reduceat(steps, self.starts)

    def numbers(self, canvas: Canvas, y: int, now: int | None, look: Look, held: range | None = None) -> None:
        """The numbers of the steps, as many as fit beside each other, the present one among them and marked."""
        held = range(self.steps) if held is None else held
        current = None if now is None or now not in held else self.column_of(now)
        widest = len(str(self.steps)) + 1
        stride = next(n for n in STRIDES if n * self.pitch >= widest)
        for column in range(self.columns):
            near = current is not None and column != current and abs(column - current) * self.pitch < widest
            inside = self.steps_in(column, held)
            if not inside or (column != current and (column % stride or near)):
                continue
            label = str(now if column == current else inside.start)
            x = min(self.x(column) + (self.pitch - len(label)) // 2, self.end - len(label))
            canvas.text(max(self.left, x), y, label, look.accent if column == current else look.dim)

    def mark(self, canvas: Canvas, y: int, lines: int, now: int | None, look: Look) -> None:
        """A line through a picture at the present step, where a cell has room beside it."""
        if now is not None and 0 <= now < self.steps and self.pitch > 1:
            for line in range(y, y + lines):
                canvas.text(self.x(self.column_of(now)), line, MARK, look.accent)


def present(view: View) -> int | None:
    """The step that is marked in all of them: that of the row which the present line writes."""
    return view.row if view.line is not None else None


def time_axis(program: Program, width: int, begin: int = 0) -> TimeAxis:
    """The axis in a pane of a width that begins at a column of the canvas."""
    steps = len(program.span)
    room = max(1, width - LEFT - RIGHT - (GAINS if width >= GAINS_FROM else 0))
    return TimeAxis(begin + LEFT, max(1, min(WIDEST, room // steps)), min(steps, room), steps)
