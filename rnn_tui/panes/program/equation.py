"""The parts of a line as an equation of heatmaps: operand, operator, operand, equals, result."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.style import Style

from engine.explain.length import length
from engine.explain.line_parts import Part
from rnn_tui.panes.program.arrangement import Item, Manner, arrange, scalar, shape_note, tens_in
from rnn_tui.panes.shared.legend import padding_key
from rnn_tui.panes.shared.words import pooled_words, share_words
from rnn_tui.render.canvas import Canvas, fitting, shortened
from rnn_tui.render.numbered import with_numbers
from rnn_tui.render.palette import Palette
from rnn_tui.render.pooling import block_of
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToCell


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
        note = pooled_words(frame)
        if x + cell_len(note) < canvas.width:
            canvas.text(x, canvas.height - 1, note, look.dim)


def _draw(frame: Frame, canvas: Canvas, item: Item, x: int, y: int, tall: int, manner: Manner) -> None:
    look = frame.look
    part = frame.parts[item.part]
    middle = y + (tall - 1) // 2
    if item.shown is None or part.values is None:
        canvas.text(x + 1, middle + 1, part.text, look.bold)
        return
    inspected = item.part == frame.inspected
    canvas.text(x, y, fitting(item.text, item.width), _style(frame, part, inspected))
    if not part.shape:
        canvas.text(x, middle + 1, scalar(part), look.bold)
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
    rows = with_numbers(
        part.values, codes, palette_of(frame, part), look.mode, *manner.cell, cursor, tens_in(part, manner)
    )
    canvas.rows(x, top, rows)
    shown = item.shown
    per_row = len(rows) / shown[0]
    whole = (int(part.values.shape[0]), int(part.values.shape[1]))
    canvas.hit(x, top, shown[1] * manner.cell[0], len(rows), ToCell(item.part, whole, shown, manner.cell[0], per_row))
    if manner.notes:
        note = scalar(part) if part.values.size == 1 else shape_note(part, item.shown, manner)
        if part.values.size > 1 and not part.values.any():
            zero = "no change" if part.role == "difference" else "all 0"
            note = next((said for said in (f"{note} {zero}", zero) if cell_len(said) <= item.width), note)
        elif cell_len(share := _share(frame, part)) + cell_len(note) <= item.width:
            note += share
        canvas.text(x, top + item.lines, note, look.dim)


def _share(frame: Frame, part: Part) -> str:
    """How much a step's term is of the sum so far, by norm; "" of anything else."""
    total = next((one.values for one in frame.parts if one.role == "total" and one.name == part.name), None)
    if part.role != "term" or part.values is None or total is None or not length(total):
        return ""
    return f" {share_words(part.values, total)} of {frame.writer.spelling.name(part.name or '')}"


def codes_of(frame: Frame, part: Part, rows: int, columns: int) -> NDArray[np.uint8]:
    """The colours of a part's picture, pooled to at most rows × columns; a term has its sum's scale, so that what adds little looks so."""
    assert part.values is not None
    name = None if part.role == "difference" else part.name
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


def _style(frame: Frame, part: Part, inspected: bool) -> Style:
    look = frame.look
    if inspected:
        return look.accent
    name = part.name or part.text
    if name in frame.view.tape.parameters or frame.exhibit is not None:
        return look.text
    return look.backward if name.startswith("d") else look.forward
