"""This line as an equation of heatmaps: operand, operator, operand, equals, result."""

from __future__ import annotations

import textwrap
from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.style import Style

from engine.anatomy import Part, line_text
from rnn_tui.frame import Frame
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.numbers import number, shape
from rnn_tui.render.pooling import block_of, pool
from rnn_tui.targets import ToCell

CellHeight = Literal["half"] | int
SIZES: tuple[tuple[int, CellHeight], ...] = (
    (6, 3),
    (4, 2),
    (4, 1),
    (3, 1),
    (2, 1),
    (4, "half"),
    (3, "half"),
    (2, "half"),
    (1, "half"),
)
"""Cell sizes from large to small; the first that fits is taken."""
LONG_LABEL, SHORT_LABEL = 24, 11


@dataclass(frozen=True, eq=False)
class Item:
    """A part with its place: size in columns and lines, and for a picture how many rows and columns of cells it shows."""

    part: int
    text: str
    width: int
    lines: int
    shown: tuple[int, int] | None = None


def draw_line(frame: Frame, width: int, height: int) -> Canvas:
    """The line that ran last at its time step."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    title = "this line"
    if frame.view.line is not None:
        title += f" · {line_text(frame.view, frame.writer)}"
    canvas.frame(0, 0, width, height, title, look.border, look.bold)
    if not frame.parts:
        _welcome(frame, canvas)
        return canvas
    inner, room = width - 4, height - 2
    rows, size = arrange(frame.parts, frame, inner, room)
    used = sum(max(item.lines for item in row) + 2 for row in rows)
    y = 1 + max(0, (room - used) // 2)
    for row in rows:
        tall = max(item.lines for item in row)
        x = 2 + max(0, (inner - sum(item.width for item in row)) // 2)
        for item in row:
            _draw(frame, canvas, item, x, y, tall, size)
            x += item.width
        y += tall + 2
    return canvas


def arrange(
    parts: list[Part], frame: Frame, width: int, height: int
) -> tuple[list[list[Item]], tuple[int, CellHeight]]:
    """The parts in rows that fit, and the cell size; what is too large at the smallest size is pooled."""
    # One row is easier to read than two of larger cells, unless its cells would be the smallest.
    for most, sizes in ((1, SIZES[:-1]), (9, SIZES)):
        for size in sizes:
            rows = _wrap([_item(i, part, frame, size) for i, part in enumerate(parts)], width)
            fits = rows is not None and sum(max(item.lines for item in row) + 2 for row in rows) <= height
            if rows is not None and fits and len(rows) <= most:
                return rows, size
    return _pooled(parts, frame, width, height), SIZES[-1]


def _pooled(parts: list[Part], frame: Frame, width: int, height: int) -> list[list[Item]]:
    """The parts at the smallest cell size, pooled as little as lets them fit; on few rows, so that they stay tall."""
    best: list[list[Item]] = [[_item(i, part, frame, SIZES[-1], (2, 2)) for i, part in enumerate(parts)]]
    most = 0
    for count in (1, 2, 3):
        lines = height // count - 2
        if lines < 1:
            break
        tall = lines if frame.look.mode.name == "NONE" else 2 * lines
        # The more columns, the wider: the most that still fit are found by halving.
        columns = bisect_left(range(2, width), True, key=lambda n: not _fits(parts, frame, width, (tall, n), count)) + 1
        if columns > 2 and tall * columns > most:
            items = [_item(i, part, frame, SIZES[-1], (tall, columns)) for i, part in enumerate(parts)]
            best, most = _wrap(items, width) or best, tall * columns
    return best


def _fits(parts: list[Part], frame: Frame, width: int, limits: tuple[int, int], count: int) -> bool:
    rows = _wrap([_item(i, part, frame, SIZES[-1], limits) for i, part in enumerate(parts)], width)
    return rows is not None and len(rows) <= count


def _wrap(items: list[Item], width: int) -> list[list[Item]] | None:
    """Rows no wider than `width`; None when an item alone is wider."""
    rows: list[list[Item]] = [[]]
    for item in items:
        if item.width > width:
            return None
        if rows[-1] and sum(i.width for i in rows[-1]) + item.width > width:
            # An operator at the end of a row goes with what follows it.
            rows.append([rows[-1].pop()] if rows[-1][-1].shown is None and len(rows[-1]) > 1 else [])
        rows[-1].append(item)
    return rows


def _operator_width(part: Part) -> int:
    return cell_len(part.text) + 2


def _item(
    index: int, part: Part, frame: Frame, size: tuple[int, CellHeight], limits: tuple[int, int] | None = None
) -> Item:
    if part.values is None:
        return Item(index, part.text, _operator_width(part), 1)
    rows, columns = part.values.shape
    if limits:
        rows, columns = min(rows, limits[0]), min(columns, limits[1])
    label = shortened(part.text, max(columns * size[0], SHORT_LABEL if limits else LONG_LABEL))
    wide = max(columns * size[0], cell_len(label), cell_len(_shape_note(part, (rows, columns))))
    return Item(index, label, wide, picture_height(rows, frame.look.mode, size[1]), (rows, columns))


def _shape_note(part: Part, shown: tuple[int, int]) -> str:
    assert part.values is not None
    text = shape(part.shape if len(part.shape) < 2 else part.values.shape)
    return text + ("÷" if shown != part.values.shape else "")


def _draw(frame: Frame, canvas: Canvas, item: Item, x: int, y: int, tall: int, size: tuple[int, CellHeight]) -> None:
    look = frame.look
    part = frame.parts[item.part]
    if item.shown is None or part.values is None:
        canvas.text(x + 1, y + 1 + (tall - 1) // 2, part.text, look.bold)
        return
    inspected = item.part == frame.inspected
    canvas.text(x, y, shortened(item.text, item.width), _style(frame, part, inspected))
    top = y + 1 + (tall - item.lines) // 2
    cursor = None
    if inspected and frame.cell is not None:
        shown, whole = item.shown, part.values.shape
        cursor = (
            block_of(frame.cell[0], whole[0], shown[0]),
            block_of(frame.cell[1], whole[1], shown[1]),
        )
    codes = frame.codes(pool(part.values, *item.shown), part.name if part.role != "term" else None, in_line=True)
    rows = heatmap(codes, look.palettes.signed, look.mode, size[0], size[1], cursor)
    canvas.rows(x, top, rows)
    shown = item.shown
    per_row = len(rows) / shown[0]
    whole = (int(part.values.shape[0]), int(part.values.shape[1]))
    canvas.hit(x, top, shown[1] * size[0], len(rows), ToCell(item.part, whole, shown, size[0], per_row))
    note = _shape_note(part, item.shown)
    if part.values.size == 1:
        note = number(float(part.values.flat[0]), 9, trim=True)
    canvas.text(x, top + item.lines, note, look.dim)


def _style(frame: Frame, part: Part, inspected: bool) -> Style:
    look = frame.look
    if inspected:
        return look.accent
    name = part.name or part.text
    if name in frame.view.tape.parameters:
        return look.text
    return look.backward if name.startswith("d") else look.forward


def _welcome(frame: Frame, canvas: Canvas) -> None:
    look = frame.look
    lines = [
        (frame.title or frame.name, look.bold),
        ("", look.dim),
        ("Nothing has been computed yet.", look.text),
        ("→ runs the first line, n one time step, f the whole forward pass.", look.text),
        ("Then f again for the loss, and n for each step of the backward pass.", look.text),
        ("", look.dim),
        (f"Look for: {frame.look_for}" if frame.look_for else "", look.dim),
    ]
    wrapped: list[tuple[str, Style]] = []
    for text, style in lines:
        wrapped += [(part, style) for part in _fold(text, canvas.width - 6)]
    top = max(1, (canvas.height - len(wrapped)) // 2)
    for y, (text, style) in enumerate(wrapped[: canvas.height - 2], top):
        canvas.text(3, y, text, style)


def _fold(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(10, width)) or [""]
