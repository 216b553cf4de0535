"""This line as an equation of heatmaps: operand, operator, operand, equals, result."""

from __future__ import annotations

import textwrap
from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.style import Style

from engine.explain.line_parts import Part, line_text
from rnn_tui.frame import Frame
from rnn_tui.panes.legend import padding_key
from rnn_tui.render.canvas import Canvas, StyledText, shortened
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.numbered import with_numbers
from rnn_tui.render.numbers import number, shape
from rnn_tui.render.palette import Palette
from rnn_tui.render.pooling import block_of
from rnn_tui.targets import Press, ToCell

CellHeight = Literal["half"] | int
SIZES: tuple[tuple[int, CellHeight], ...] = (
    (9, 3),
    (9, 2),
    (8, 1),
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
"""Cell sizes from large to small; the first that fits is taken. The widest hold their numbers."""
POOLED = "÷"
INFIX = frozenset(["+", "−", "·", "⊙", "/", "=", "←", "Σ", ")", "│"])
"""Operators that may begin a row: what stands before them does not belong to what follows."""
LONG_LABEL, SHORT_LABEL, TINY_LABEL = 24, 11, 10


@dataclass(frozen=True, eq=False)
class Item:
    """A part with its place: size in columns and lines, and for a picture how many rows and columns of cells it shows."""

    part: int
    text: str
    width: int
    lines: int
    shown: tuple[int, int] | None = None
    shape: tuple[int, int] | None = None
    """Rows and columns of the array; None for text and for a single number."""


@dataclass(frozen=True)
class Manner:
    """How parts are drawn: the size of a cell, how long labels may be, whether shapes stand below, and the most cells of a picture."""

    cell: tuple[int, CellHeight]
    label: int = LONG_LABEL
    notes: bool = True
    most: tuple[int, int] | None = None

    def lines(self, row: list[Item]) -> int:
        """The lines of a row of items with labels and shapes; text alone takes one."""
        pictured, labelled = any(item.shape for item in row), any(item.shown for item in row)
        return max(item.lines for item in row) + labelled + (pictured and self.notes)


def draw_line(frame: Frame, width: int, height: int) -> Canvas:
    """The line that ran last at its time step."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    title = "the reference" if frame.selection.page == "yours" else "this line"
    if frame.view.line is not None:
        title += f" · {line_text(frame.view, frame.writer)}"
    canvas.frame(0, 0, width, height, title, look.border, look.bold)
    if frame.parts:
        draw_parts(frame, canvas)
    else:
        _welcome(frame, canvas)
    return canvas


def draw_parts(frame: Frame, canvas: Canvas) -> None:
    """The parts in the middle of a framed canvas, as large as they fit."""
    inner, room = canvas.width - 4, canvas.height - 2
    rows, manner = arrange(frame.parts, frame, inner, room)
    while len(rows) > 1 and sum(manner.lines(row) for row in rows) > room:
        rows = [*rows[:-2], rows[-1]]  # the result stays
    y = 1 + max(0, (room - sum(manner.lines(row) for row in rows)) // 2)
    for row in rows:
        tall = max(item.lines for item in row)
        if not any(item.shown for item in row):
            y -= 1  # no labels above
        x = 2 + max(0, (inner - sum(item.width for item in row)) // 2)
        for item in row:
            _draw(frame, canvas, item, x, y, tall, manner)
            x += item.width
        y += manner.lines(row) + (not any(item.shown for item in row))
    _legend(frame, canvas, [item for row in rows for item in row])


def _legend(frame: Frame, canvas: Canvas, items: list[Item]) -> None:
    """In the lower edge: how much does not fit, what the hatching means, and the mark of pooled pictures."""
    look = frame.look
    missing = len(frame.parts) - len(items)
    if missing:
        note = f" … {missing} more parts: enlarge the window "
        canvas.text(2, canvas.height - 1, shortened(note, canvas.width - 4), look.accent)
        return
    x = 2
    if any(part.padding is not None for part in frame.parts):
        x = padding_key(frame, canvas, x, canvas.height - 1)
    if any(item.shown != item.shape for item in items if item.shape):
        note = f" {POOLED} pooled: z zooms "
        if x + cell_len(note) < canvas.width:
            canvas.text(x, canvas.height - 1, note, look.dim)


def arrange(parts: list[Part], frame: Frame, width: int, height: int) -> tuple[list[list[Item]], Manner]:
    """The parts in rows that fit, and how they are drawn; pictures that are too large are pooled."""
    # One row is easier to read than two of larger cells, unless its cells would be the smallest.
    for most, manners in (
        (1, [Manner(size) for size in SIZES[:-1]]),
        (9, [Manner(size) for size in SIZES]),
        (9, [Manner(size, label, notes=False) for label in (TINY_LABEL, 8) for size in SIZES[7:]]),
    ):
        for manner in manners:
            rows = _wrap([_item(i, part, frame, manner) for i, part in enumerate(parts)], width)
            fits = rows is not None and sum(manner.lines(row) for row in rows) <= height
            if rows is not None and fits and len(rows) <= most:
                return rows, manner
    return _pooled(parts, frame, width, height)


def _pooled(parts: list[Part], frame: Frame, width: int, height: int) -> tuple[list[list[Item]], Manner]:
    """The parts at the smallest cell size, pooled as little as lets them fit; on few rows, so that they stay tall."""
    manner = Manner(SIZES[-1], TINY_LABEL, notes=False, most=(2, 2))
    items = [_item(i, part, frame, manner) for i, part in enumerate(parts)]
    best, most = (_wrap(items, width) or [[item] for item in items], manner), 0
    # Shapes below are given up only where that makes the pictures half as large again.
    for notes, worth in ((True, 1.5), (False, 1.0)):
        for count in (1, 2, 3, 4, 5, 6):
            lines = height // count - 1 - notes
            if lines < 1:
                break
            tall = lines if frame.look.mode.name == "NONE" else 2 * lines
            label = SHORT_LABEL if notes else TINY_LABEL

            def within(n: int) -> Manner:
                return Manner(SIZES[-1], label, notes, (tall, n))  # noqa: B023

            # More columns are wider, so a binary search finds the most that still fit.
            columns = (
                bisect_left(range(2, width), True, key=lambda n: not _fits(parts, frame, width, within(n), count)) + 1
            )
            shown = sum(_cells(part, tall, columns) for part in parts)
            if columns > 1 and _fits(parts, frame, width, within(columns), count) and shown * worth > most:
                items = [_item(i, part, frame, within(columns)) for i, part in enumerate(parts)]
                best, most = (_wrap(items, width) or best[0], within(columns)), shown * worth
    return best


def _cells(part: Part, rows: int, columns: int) -> int:
    return 0 if part.values is None else min(rows, part.values.shape[0]) * min(columns, part.values.shape[1])


def _fits(parts: list[Part], frame: Frame, width: int, manner: Manner, count: int) -> bool:
    rows = _wrap([_item(i, part, frame, manner) for i, part in enumerate(parts)], width)
    return rows is not None and len(rows) <= count


def _wrap(items: list[Item], width: int) -> list[list[Item]] | None:
    """Rows no wider than `width`; None when an item alone is wider."""
    rows: list[list[Item]] = [[]]
    for item in items:
        if item.width > width:
            return None
        if rows[-1] and sum(i.width for i in rows[-1]) + item.width > width:
            rows.append(_taken_along(rows[-1]) if item.text not in INFIX else [])
        rows[-1].append(item)
    return rows


def _taken_along(row: list[Item]) -> list[Item]:
    """The operators at the end of a row, taken off it: they go with what follows them."""
    taken: list[Item] = []
    while len(row) > 1 and row[-1].shown is None and not row[-1].text[0].isdigit():
        taken.insert(0, row.pop())
    return taken


def _operator_width(part: Part) -> int:
    return cell_len(part.text) + 2


def _item(index: int, part: Part, frame: Frame, manner: Manner) -> Item:
    if part.values is None:
        return Item(index, part.text, _operator_width(part), 1)
    if not part.shape:
        label = shortened(part.text, LONG_LABEL)
        return Item(index, label, max(cell_len(label), cell_len(_scalar(part))), 1, (1, 1))
    rows, columns = part.values.shape
    if manner.most:
        rows, columns = min(rows, manner.most[0]), min(columns, manner.most[1])
    note = _shape_note(part, (rows, columns))
    text = part.text if manner.notes or not note.endswith(POOLED) else part.text + POOLED
    label = shortened(text, max(columns * manner.cell[0], manner.label))
    wide = max(columns * manner.cell[0], cell_len(label), cell_len(note) if manner.notes else 0)
    return Item(
        index, label, wide, picture_height(rows, frame.look.mode, manner.cell[1]), (rows, columns), part.values.shape
    )


def _shape_note(part: Part, shown: tuple[int, int]) -> str:
    assert part.values is not None
    text = shape(part.shape if len(part.shape) < 2 else part.values.shape)
    return text + (POOLED if shown != part.values.shape else "")


def _draw(frame: Frame, canvas: Canvas, item: Item, x: int, y: int, tall: int, manner: Manner) -> None:
    look = frame.look
    part = frame.parts[item.part]
    middle = y + (tall - 1) // 2
    if item.shown is None or part.values is None:
        canvas.text(x + 1, middle + 1, part.text, look.bold)
        return
    inspected = item.part == frame.inspected
    canvas.text(x, y, shortened(item.text, item.width), _style(frame, part, inspected))
    if not part.shape:
        canvas.text(x, middle + 1, _scalar(part), look.bold)
        canvas.hit(x, middle + 1, item.width, 1, ToCell(item.part, (1, 1), (1, 1), item.width, 1))
        return
    top = y + 1 + (tall - item.lines) // 2
    cursor = None
    marked = frame.exhibit is not None or (inspected and frame.selection.page != "yours")
    if marked and frame.cell is not None:
        shown, whole = item.shown, part.values.shape
        cursor = (
            block_of(frame.cell[0], whole[0], shown[0]),
            block_of(frame.cell[1], whole[1], shown[1]),
        )
    codes = codes_of(frame, part, *item.shown)
    rows = with_numbers(part.values, codes, palette_of(frame, part), look.mode, *manner.cell, cursor)
    canvas.rows(x, top, rows)
    shown = item.shown
    per_row = len(rows) / shown[0]
    whole = (int(part.values.shape[0]), int(part.values.shape[1]))
    canvas.hit(x, top, shown[1] * manner.cell[0], len(rows), ToCell(item.part, whole, shown, manner.cell[0], per_row))
    if manner.notes:
        note = _scalar(part) if part.values.size == 1 else _shape_note(part, item.shown)
        if part.values.size > 1 and not part.values.any():
            note += " no change" if part.role == "difference" else " all 0"
        canvas.text(x, top + item.lines, note, look.dim)


def codes_of(frame: Frame, part: Part, rows: int, columns: int) -> NDArray[np.uint8]:
    """The colours of a part's picture, pooled to at most rows × columns."""
    assert part.values is not None
    name = part.name if part.role not in ("term", "difference") else None
    return frame.picture(part.values, name, rows, columns, padding=part.padding, in_line=True)


def palette_of(frame: Frame, part: Part) -> Palette:
    """Greys for what has no sign (derivatives, masks, gates, probabilities): nothing in it shall outshine a gradient."""
    assert part.values is not None
    palettes = frame.look.palettes
    factor = part.name is None and frame.view.point.phase == "backward"
    if frame.exhibit is not None or not (factor or (part.name is not None and frame.is_share(part.name))):
        return palettes.signed
    low, high = float(np.min(part.values, initial=0)), float(np.max(part.values, initial=0))
    return palettes.unsigned if low >= 0 and high <= 1 else palettes.signed


def _scalar(part: Part) -> str:
    assert part.values is not None
    return number(float(part.values.flat[0]), 9, trim=True)


def _style(frame: Frame, part: Part, inspected: bool) -> Style:
    look = frame.look
    if inspected:
        return look.accent
    name = part.name or part.text
    if name in frame.view.tape.parameters or frame.exhibit is not None:
        return look.text
    return look.backward if name.startswith("d") else look.forward


CHOICES = (
    ("space", "watch it", "watch", "run"),
    ("→", "step it", "step", "step(1)"),
    ("L", "lesson, 5 min", "lesson", "lessons"),
)
"""What a newcomer can do first: key, words, the same where there is little room, action."""
STORY = "The error starts at the loss and walks back through time."


def _welcome(frame: Frame, canvas: Canvas) -> None:
    """Before the first line: what is to be seen, and the next keys; the iteration itself stands as a ghost in strip and flow."""
    look, room = frame.look, canvas.width - 6
    short = room < 56
    told: StyledText = [(text, look.bold) for text in _fold(frame.title or frame.name, room)]
    told += [("", look.dim), *((text, look.text) for text in _fold(STORY, room))]
    seek = f"Look for: {frame.look_for}" if frame.look_for else "; ".join(frame.said)
    sought: StyledText = [(text, look.text) for text in _fold(seek, room)] if seek and frame.lesson is None else []
    most = canvas.height - 2
    if len(told) + 2 + len(sought) > most:
        told = [(text, look.text) for text in _fold(STORY, room)]
    gap = 1 if len(told) + 3 + len(sought) <= most else 0
    y = max(1, (canvas.height - len(told) - len(sought) - 1 - 2 * gap) // 2)
    for text, style in told:
        canvas.text(3, y, text, style)
        y += 1
    y += gap
    x = canvas.text(3, y, "▶ ", look.backward)
    for keys, words, few, action in CHOICES:
        start, x = x, canvas.text(x, y, keys, look.accent)
        x = canvas.text(x + 1, y, few if short else words, look.text)
        canvas.hit(start, y, x - start, 1, Press(action))
        x += 2 if short else 4
    y += 1 + gap
    for text, style in sought[: canvas.height - 1 - y]:
        canvas.text(3, y, text, style)
        y += 1


def _fold(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(10, width)) or [""]
