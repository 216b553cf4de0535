"""The parts of a line in rows that fit: the largest size of cells at which they do, and pictures pooled where none does."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len

from engine.explain.line_parts import Part
from rnn_tui.panes.shared.words import POOLED
from rnn_tui.render.canvas import fitting, shortened
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.numbered import NARROWEST, NUMBERED
from rnn_tui.render.numbers import number, shape, tens_of
from rnn_tui.shown.frame import Frame

CellHeight = Literal["half"] | int
SIZES: tuple[tuple[int, CellHeight], ...] = (
    (9, 3),
    (9, 2),
    (8, 1),
    (6, 3),
    (6, 1),
    (5, 1),
    (4, 2),
    (4, 1),
    (3, 1),
    (2, 1),
    (4, "half"),
    (3, "half"),
    (2, "half"),
    (1, "half"),
)
"""Cell sizes from large to small; the first that fits is taken. Those of five columns or more hold their numbers."""
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


def arrange(parts: list[Part], frame: Frame, width: int, height: int) -> tuple[list[list[Item]], Manner]:
    """The parts in rows that fit, and how they are drawn; pictures that are too large are pooled."""
    # One row is easier to read than two of larger cells, unless its cells would be the smallest.
    for most, manners in (
        (1, [Manner(size) for size in SIZES[:-1]]),
        (9, [Manner(size) for size in SIZES]),
        (9, [Manner(size, label, notes=False) for label in (TINY_LABEL, 8) for size in SIZES[9:]]),
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
        return Item(index, label, max(cell_len(label), cell_len(scalar(part))), 1, (1, 1))
    rows, columns = part.values.shape
    if manner.most:
        rows, columns = min(rows, manner.most[0]), min(columns, manner.most[1])
    note = shape_note(part, (rows, columns), manner)
    text = part.text if manner.notes or not note.endswith(POOLED) else part.text + POOLED
    label = fitting(text, max(columns * manner.cell[0], manner.label))
    wide = max(columns * manner.cell[0], cell_len(label), cell_len(note) if manner.notes else 0)
    return Item(
        index, label, wide, picture_height(rows, frame.look.mode, manner.cell[1]), (rows, columns), part.values.shape
    )


def tens_in(part: Part, manner: Manner) -> int | None:
    """The power of ten by which the numbers in a part's cells are divided; None where they are written whole, or not at all."""
    wide = manner.cell[0]
    return None if part.values is None or not NARROWEST <= wide < NUMBERED else tens_of(part.values, wide - 2)


def shape_note(part: Part, shown: tuple[int, int], manner: Manner) -> str:
    """What stands below a picture: its shape, and what its numbers are to be multiplied by."""
    assert part.values is not None
    text = shape(part.shape if len(part.shape) < 2 else part.values.shape)
    tens = tens_in(part, manner)
    return (
        text
        + (POOLED if shown != part.values.shape else "")
        + (f" · ×{number(10.0**tens, 7, 1, trim=True)}" if tens else "")
    )


def scalar(part: Part) -> str:
    assert part.values is not None
    return number(float(part.values.flat[0]), 9, trim=True)
