"""The picture at the cursor alone, near: its cells or its numbers, with a map of the whole where not all of it fits."""

from __future__ import annotations

from typing import NamedTuple

from engine.explain.line_parts import Part
from rnn_tui.frame import NUMBERS, Frame
from rnn_tui.panes.ledger import at_weight
from rnn_tui.panes.line import SIZES, CellHeight, codes_of, palette_of
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbered import NUMBERED, with_numbers
from rnn_tui.render.numbers import shape
from rnn_tui.render.pooling import block_of
from rnn_tui.targets import ToCell

NUMBER: tuple[int, CellHeight] = (9, 1)
NEAR: tuple[int, CellHeight] = (2, "half")
"""The cells of a picture that does not fit as a whole."""
WIDE = 50
"""From this many columns on the map is beside the cells, else below them."""
STRIDES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10**9)


class _Span(NamedTuple):
    """Rows or columns: how many there are, the first that is seen, and how many are."""

    size: int
    first: int
    seen: int

    @property
    def whole(self) -> bool:
        return self.seen == self.size

    @property
    def last(self) -> int:
        return self.first + self.seen - 1

    def text(self, kind: str) -> str:
        kind += "s" * (self.size > 1)
        return f"{self.size} {kind}" if self.whole else f"{kind} {self.first}–{self.last} of {self.size}"


def pictured(frame: Frame) -> Frame:
    """The frame whose parts the cell cursor moves in: on the page of weights a gradient's, on that of the user's program its values'."""
    match frame.selection.page:
        case "weights":
            return at_weight(frame)
        case "yours":
            return frame.beside or frame
        case _:
            return frame


def draw_zoom(frame: Frame, width: int, height: int) -> Canvas:
    """As much of the picture around the cursor as fits."""
    look, shown = frame.look, pictured(frame)
    canvas = Canvas(width, height, look.canvas)
    assert shown.inspected is not None and shown.cell is not None
    part = shown.parts[shown.inspected]
    assert part.values is not None
    canvas.frame(0, 0, width, height, f"{part.text} {shape(part.shape)}", look.border, look.bold)
    labels = len(str(part.values.shape[0] - 1)) + 1
    room = width - 4 - labels, height - 3  # a line for the numbers of the columns
    cell = _cell(shown, part, room)
    rows, columns = _window(shown, part, cell, room)
    if not (rows.whole and columns.whole):
        room = _map(shown, canvas, part, labels, room, cell)
        rows, columns = _window(shown, part, cell, room)
    _cells(shown, canvas, part, cell, rows, columns, 2 + labels)
    _axes(shown, canvas, cell, rows, columns, labels)
    further = "back" if shown.selection.zoom == NUMBERS else "numbers"
    note = f" {rows.text('row')}, {columns.text('column')} · z: {further} "
    canvas.text(2, height - 1, shortened(note, width - 4), look.dim)
    return canvas


def _per_row(frame: Frame, cell: tuple[int, CellHeight]) -> float:
    """Lines that a row of cells takes."""
    whole = cell[1] != "half"
    return float(cell[1]) if whole else 1.0 if frame.look.mode is ColorMode.NONE else 0.5


def _cell(frame: Frame, part: Part, room: tuple[int, int]) -> tuple[int, CellHeight]:
    """The size of a cell: with its number, or as large as lets the whole picture fit."""
    assert part.values is not None
    if frame.selection.zoom == NUMBERS:
        return NUMBER
    rows, columns = part.values.shape
    bare = (size for size in SIZES if size[0] < NUMBERED)
    fitting = (s for s in bare if columns * s[0] <= room[0] and rows * _per_row(frame, s) <= room[1])
    return next(fitting, NEAR)


def _window(frame: Frame, part: Part, cell: tuple[int, CellHeight], room: tuple[int, int]) -> tuple[_Span, _Span]:
    """The rows and the columns that are seen, with the cursor in the middle."""
    assert part.values is not None and frame.cell is not None
    most = max(1, int(room[1] / _per_row(frame, cell))), max(1, room[0] // cell[0])
    rows, columns = (
        _Span(size, max(0, min(at - min(size, fit) // 2, size - fit)), min(size, fit))
        for size, at, fit in zip(part.values.shape, frame.cell, most, strict=True)
    )
    return rows, columns


def _cells(
    frame: Frame, canvas: Canvas, part: Part, cell: tuple[int, CellHeight], rows: _Span, columns: _Span, x: int
) -> None:
    """The cells that are seen, each with its number where there is room for that."""
    look = frame.look
    assert part.values is not None and frame.cell is not None and frame.inspected is not None
    seen = slice(rows.first, rows.last + 1), slice(columns.first, columns.last + 1)
    codes = codes_of(frame, part, *part.values.shape)[seen]
    cursor = frame.cell[0] - rows.first, frame.cell[1] - columns.first
    palette = palette_of(frame, part)
    drawn = with_numbers(part.values[seen], codes, palette, look.mode, *cell, cursor)
    canvas.rows(x, 2, drawn)
    size = rows.seen, columns.seen
    target = ToCell(frame.inspected, size, size, cell[0], _per_row(frame, cell), (rows.first, columns.first))
    canvas.hit(x, 2, columns.seen * cell[0], len(drawn), target)


def _axes(frame: Frame, canvas: Canvas, cell: tuple[int, CellHeight], rows: _Span, columns: _Span, labels: int) -> None:
    """The numbers of rows and columns, the cursor's own marked."""
    look, at = frame.look, frame.cell
    assert at is not None
    tall = _per_row(frame, cell)
    stride = next(n for n in STRIDES if n * tall >= 1)
    for row in range(rows.first, rows.last + 1):
        if row == at[0] or (row % stride == 0 and abs(row - at[0]) * tall >= 1):
            y = 2 + int((row - rows.first) * tall + (tall - 1) / 2 if tall > 1 else (row - rows.first) * tall)
            canvas.text(1, y, f"{row:>{labels}}", look.accent if row == at[0] else look.dim)
    widest = len(str(columns.last)) + 1
    stride = next(n for n in STRIDES if n * cell[0] >= widest)
    for column in range(columns.first, columns.last + 1):
        near = column != at[1] and abs(column - at[1]) * cell[0] < widest
        if column == at[1] or (column % stride == 0 and not near):
            text = str(column).rjust(cell[0]) if cell == NUMBER else str(column)
            x = 2 + labels + (column - columns.first) * cell[0]
            canvas.text(x, 1, text, look.accent if column == at[1] else look.dim)


def _map(
    frame: Frame, canvas: Canvas, part: Part, labels: int, room: tuple[int, int], cell: tuple[int, CellHeight]
) -> tuple[int, int]:
    """The whole picture, small where there is room for it, its edges thick along what is seen; what is left beside or above it."""
    look = frame.look
    assert part.values is not None and frame.inspected is not None
    beside = room[0] >= WIDE
    most = (room[0] // 3, room[1] * 2 // 3) if beside else (room[0], room[1] // 3)
    per_row = _per_row(frame, NEAR)
    size = min(part.values.shape[0], int((most[1] - 2) / per_row)), min(part.values.shape[1], most[0] - 2)
    if min(size) < 1:
        return room
    lines = -int(-size[0] * per_row // 1)
    left = (room[0] - size[1] - 3, room[1]) if beside else (room[0], room[1] - lines - 2)
    x = canvas.width - size[1] - 3 if beside else 1 + labels
    y = 1 if beside else canvas.height - lines - 3
    canvas.frame(x, y, size[1] + 2, lines + 2, "", look.border)
    rows, columns = _window(frame, part, cell, left)
    first, last = (block_of(i, columns.size, size[1]) for i in (columns.first, columns.last))
    canvas.text(x + 1 + first, y, "━" * (last - first + 1), look.accent)
    first, last = (int(block_of(i, rows.size, size[0]) * per_row) for i in (rows.first, rows.last))
    for line in range(first, last + 1):
        canvas.text(x, y + 1 + line, "┃", look.accent)
    canvas.rows(x + 1, y + 1, heatmap(codes_of(frame, part, *size), palette_of(frame, part), look.mode, 1))
    shape_of_all = int(part.values.shape[0]), int(part.values.shape[1])
    canvas.hit(x + 1, y + 1, size[1], lines, ToCell(frame.inspected, shape_of_all, size, 1, per_row))
    return left
