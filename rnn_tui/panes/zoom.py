"""The picture at the cursor alone, near: its cells or its numbers, with a map of the whole where not all of it fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.language.functions import Array
from rnn_tui.panes.pictured import pictured
from rnn_tui.panes.program.arrangement import SIZES, CellHeight
from rnn_tui.panes.program.equation import codes_of, palette_of
from rnn_tui.panes.shared.time_axis import TimePart
from rnn_tui.render.canvas import Canvas, fitting
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbered import NUMBERED, with_numbers
from rnn_tui.render.numbers import shape
from rnn_tui.render.palette import Palette
from rnn_tui.render.pooling import block_of
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import Look
from rnn_tui.shown.selection import NUMBERS
from rnn_tui.shown.targets import ToCell

NUMBER: tuple[int, CellHeight] = (9, 1)
NEAR: tuple[int, CellHeight] = (2, "half")
"""The cells of a picture that does not fit as a whole."""
WIDE = 50
"""From this many columns on the map is beside the cells, else below them."""
STRIDES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10**9)


class _Span(NamedTuple):
    """Rows or columns: how many there are, the first that is seen, how many are, and the number of the first of all."""

    size: int
    first: int
    seen: int
    since: int = 0

    @property
    def whole(self) -> bool:
        return self.seen == self.size

    @property
    def last(self) -> int:
        return self.first + self.seen - 1

    def text(self, kind: str) -> str:
        kind += "s" * (self.size > 1)
        if self.whole:
            return f"{self.size} {kind}"
        return f"{kind} {self.since + self.first}–{self.since + self.last} of {self.size}"


@dataclass(frozen=True, eq=False)
class Near:
    """A picture that is looked at from near: its numbers (rows × columns), the cell at the cursor, whether its cells shall have numbers,
    and the colours of all of it, pooled to at most so many rows and columns. A click in it is on the `part`; `since` is the number of its
    first column."""

    label: str
    values: Array
    cell: tuple[int, int]
    numbered: bool
    codes: Callable[[int, int], NDArray[np.uint8]]
    palette: Palette
    look: Look
    part: int = 0
    since: int = 0


def draw_zoom(frame: Frame, width: int, height: int) -> Canvas:
    """The picture at the cursor of a page."""
    shown = pictured(frame)
    assert shown.inspected is not None and shown.cell is not None
    part = shown.parts[shown.inspected]
    assert part.values is not None
    over_time = isinstance(part, TimePart)
    near = Near(
        f"{part.text}, {part.rows} × time" if over_time else f"{part.text} {shape(part.shape)}",
        part.values,
        shown.cell,
        shown.selection.zoom == NUMBERS,
        lambda rows, columns: codes_of(shown, part, rows, columns),
        palette_of(shown, part),
        shown.look,
        shown.inspected,
        part.since if over_time else 0,
    )
    return draw_near(near, width, height)


def draw_near(near: Near, width: int, height: int) -> Canvas:
    """As much of the picture around the cursor as fits."""
    look = near.look
    canvas = Canvas(width, height, look.canvas)
    canvas.frame(0, 0, width, height, near.label, look.border, look.bold)
    labels = len(str(near.values.shape[0] - 1)) + 1
    room = width - 4 - labels, height - 3  # a line for the numbers of the columns
    cell = _cell(near, room)
    rows, columns = _window(near, cell, room)
    if not (rows.whole and columns.whole):
        room = _map(near, canvas, labels, room, cell)
        rows, columns = _window(near, cell, room)
    _cells(near, canvas, cell, rows, columns, 2 + labels)
    _axes(near, canvas, cell, rows, columns, labels)
    further = "back" if near.numbered else "numbers"
    note = f" {rows.text('row')}, {columns.text('column')} · z: {further} "
    canvas.text(2, height - 1, fitting(note, width - 4), look.dim)
    return canvas


def _per_row(near: Near, cell: tuple[int, CellHeight]) -> float:
    """Lines that a row of cells takes."""
    whole = cell[1] != "half"
    return float(cell[1]) if whole else 1.0 if near.look.mode is ColorMode.NONE else 0.5


def _cell(near: Near, room: tuple[int, int]) -> tuple[int, CellHeight]:
    """The size of a cell: with its number, or as large as lets the whole picture fit."""
    if near.numbered:
        return NUMBER
    rows, columns = near.values.shape
    bare = (size for size in SIZES if size[0] < NUMBERED)
    fitting = (s for s in bare if columns * s[0] <= room[0] and rows * _per_row(near, s) <= room[1])
    return next(fitting, NEAR)


def _window(near: Near, cell: tuple[int, CellHeight], room: tuple[int, int]) -> tuple[_Span, _Span]:
    """The rows and the columns that are seen, with the cursor in the middle."""
    most = max(1, int(room[1] / _per_row(near, cell))), max(1, room[0] // cell[0])
    rows, columns = (
        _Span(size, max(0, min(at - min(size, fit) // 2, size - fit)), min(size, fit), since)
        for size, at, fit, since in zip(near.values.shape, near.cell, most, (0, near.since), strict=True)
    )
    return rows, columns


def _cells(near: Near, canvas: Canvas, cell: tuple[int, CellHeight], rows: _Span, columns: _Span, x: int) -> None:
    """The cells that are seen, each with its number where there is room for that."""
    seen = slice(rows.first, rows.last + 1), slice(columns.first, columns.last + 1)
    codes = near.codes(*near.values.shape)[seen]
    cursor = near.cell[0] - rows.first, near.cell[1] - columns.first
    drawn = with_numbers(near.values[seen], codes, near.palette, near.look.mode, *cell, cursor)
    canvas.rows(x, 2, drawn)
    size = rows.seen, columns.seen
    target = ToCell(near.part, size, size, cell[0], _per_row(near, cell), (rows.first, columns.first))
    canvas.hit(x, 2, columns.seen * cell[0], len(drawn), target)


def _axes(near: Near, canvas: Canvas, cell: tuple[int, CellHeight], rows: _Span, columns: _Span, labels: int) -> None:
    """The numbers of rows and columns, the cursor's own marked."""
    look, at = near.look, near.cell
    tall = _per_row(near, cell)
    stride = next(n for n in STRIDES if n * tall >= 1)
    for row in range(rows.first, rows.last + 1):
        if row == at[0] or (row % stride == 0 and abs(row - at[0]) * tall >= 1):
            y = 2 + int((row - rows.first) * tall + (tall - 1) / 2 if tall > 1 else (row - rows.first) * tall)
            canvas.text(1, y, f"{row:>{labels}}", look.accent if row == at[0] else look.dim)
    widest = len(str(columns.since + columns.last)) + 1
    stride = next(n for n in STRIDES if n * cell[0] >= widest)
    for column in range(columns.first, columns.last + 1):
        close = column != at[1] and abs(column - at[1]) * cell[0] < widest
        number = columns.since + column
        if column == at[1] or (number % stride == 0 and not close):
            text = str(number).rjust(cell[0]) if cell == NUMBER else str(number)
            x = 2 + labels + (column - columns.first) * cell[0]
            canvas.text(x, 1, text, look.accent if column == at[1] else look.dim)


def _map(
    near: Near, canvas: Canvas, labels: int, room: tuple[int, int], cell: tuple[int, CellHeight]
) -> tuple[int, int]:
    """The whole picture, small where there is room for it, its edges thick along what is seen; what is left beside or above it."""
    look, shape_of_all = near.look, near.values.shape
    beside = room[0] >= WIDE
    most = (room[0] // 3, room[1] * 2 // 3) if beside else (room[0], room[1] // 3)
    per_row = _per_row(near, NEAR)
    size = min(shape_of_all[0], int((most[1] - 2) / per_row)), min(shape_of_all[1], most[0] - 2)
    if min(size) < 1:
        return room
    lines = -int(-size[0] * per_row // 1)
    left = (room[0] - size[1] - 3, room[1]) if beside else (room[0], room[1] - lines - 2)
    x = canvas.width - size[1] - 3 if beside else 1 + labels
    y = 1 if beside else canvas.height - lines - 3
    canvas.frame(x, y, size[1] + 2, lines + 2, "", look.border)
    rows, columns = _window(near, cell, left)
    first, last = (block_of(i, columns.size, size[1]) for i in (columns.first, columns.last))
    canvas.text(x + 1 + first, y, "━" * (last - first + 1), look.accent)
    first, last = (int(block_of(i, rows.size, size[0]) * per_row) for i in (rows.first, rows.last))
    for line in range(first, last + 1):
        canvas.text(x, y + 1 + line, "┃", look.accent)
    canvas.rows(x + 1, y + 1, heatmap(near.codes(*size), near.palette, look.mode, 1))
    whole = int(shape_of_all[0]), int(shape_of_all[1])
    canvas.hit(x + 1, y + 1, size[1], lines, ToCell(near.part, whole, size, 1, per_row))
    return left
