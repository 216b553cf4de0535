"""The program as a listing: breakpoints and the current line in the gutter, every shape at the right."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style

from engine.language.derive import gradient
from engine.model.blocks import Block, Line, Loop
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.numbers import shape
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToLine

if TYPE_CHECKING:
    from engine.debug.breakpoints import Breakpoint

BREAK, HERE, DONE, STOPPED, FOLDED = "●", "▶", "✓", "■", "▸"
FOLDED_FROM = 4
"""So many lines of weight gradients, one after the other, can be folded into one."""


class _ListingRow(NamedTuple):
    text: str
    line: Line | None = None
    phase: str = ""
    folded: tuple[Line, ...] = ()


def draw_listing(frame: Frame, width: int, height: int) -> Canvas:
    """The lines of one iteration; scrolled so that the current one (or the listing's cursor) is in sight."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    phase = frame.view.point.phase
    canvas.frame(0, 0, width, height, f"program · {phase}", look.border, look.bold)
    rows = _rows(frame, height - 2)
    first = _first(frame, rows, height - 2)
    for y, row in enumerate(rows[first : first + height - 2], 1):
        if row.folded:
            _fold(frame, canvas, y, row)
        elif row.line is None:
            canvas.text(5, y, shortened(row.text, width - 7), look.phase(row.phase) if row.phase == phase else look.dim)
        else:
            _line(frame, canvas, y, row.line, row.text)
    if first > 0:
        canvas.text(width - 3, 0, "↑", look.dim)
    if first + height - 2 < len(rows):
        canvas.text(width - 3, height - 1, "↓", look.dim)
    if frame.stopped:
        canvas.text(2, height - 1, shortened(f" {STOPPED} {frame.stopped} ", width - 6), look.accent)
    return canvas


def _rows(frame: Frame, room: int) -> list[_ListingRow]:
    """The listing's rows: blank ones between blocks when there is room for them, weight gradients folded when there is not enough."""
    blocks = frame.view.program.blocks
    titled = [block for block in blocks if block.loop is not Loop.ONCE]
    needed = len(titled) + sum(len(block.lines) for block in blocks)
    airy = needed + len(blocks) - 1 <= room
    rows: list[_ListingRow] = []
    for block in blocks:
        if rows and airy:
            rows.append(_ListingRow(""))
        if block in titled:
            rows.append(_ListingRow(_title(frame, block), phase=block.phase))
        for lines in _grouped(frame, block) if needed > room else [[line] for line in block.lines]:
            if len(lines) > 1:
                ends = " … ".join(frame.writer.spelling.name(line.name) for line in (lines[0], lines[-1]))
                rows.append(
                    _ListingRow(f"{len(lines)} weight gradients, {ends}", phase=block.phase, folded=tuple(lines))
                )
            else:
                rows.append(_ListingRow(frame.writer.line(lines[0]), lines[0]))
    return rows


def _grouped(frame: Frame, block: Block) -> Iterator[list[Line]]:
    """The lines of a block; weight gradients that follow each other together, where neither the point nor the cursor is among them."""
    gradients = {gradient(name) for name in frame.view.program.parameters}
    for of_weights, group in groupby(block.lines, lambda line: line.name in gradients):
        lines = list(group)
        here = any(line == frame.view.line or (line.block, line.index) == frame.selection.line for line in lines)
        if of_weights and len(lines) >= FOLDED_FROM and not here:
            yield lines
        else:
            yield from ([line] for line in lines)


def _title(frame: Frame, block: Block) -> str:
    title = frame.writer.title(block)
    if block.loop in (Loop.AT_1, Loop.AT_T):
        return f"{title}, {block.phase}"
    if block.loop is Loop.PARAMETERS:
        return f"{title} {frame.writer.for_each}"
    return title


def _first(frame: Frame, rows: list[_ListingRow], room: int) -> int:
    chosen = frame.selection.line
    current = frame.view.line
    wanted = chosen or ((current.block, current.index) if current else (0, 0))
    at = next((i for i, row in enumerate(rows) if row.line and (row.line.block, row.line.index) == wanted), 0)
    return max(0, min(at - room // 2, len(rows) - room))


def _fold(frame: Frame, canvas: Canvas, y: int, row: _ListingRow) -> None:
    """Lines folded into one: with the mark of their breakpoints, done when all of them are; a click opens them."""
    look, view, first = frame.look, frame.view, row.folded[0]
    if stops := [stop for line in row.folded for stop in _stops(frame, line)]:
        canvas.text(1, y, mark_of(stops), look.error)
    done = all(view.ran(line) for line in row.folded)
    canvas.text(3, y, DONE if done else " ", look.dim)
    style = look.text if view.point.phase == row.phase and not done else look.dim
    canvas.text(5, y, shortened(f"{FOLDED} {row.text}", canvas.width - 7), style)
    canvas.hit(1, y, canvas.width - 2, 1, ToLine(first.block, first.index))


def _stops(frame: Frame, line: Line) -> list[Breakpoint]:
    return [stop for stop in frame.view.breakpoints if (stop.block, stop.index) == (line.block, line.index)]


def _line(frame: Frame, canvas: Canvas, y: int, line: Line, text: str) -> None:
    look, view = frame.look, frame.view
    here = view.line == line
    chosen = frame.selection.line == (line.block, line.index)
    width = canvas.width
    under = look.band if here else look.chosen if chosen else Style()
    if here or chosen:
        canvas.fill(1, y, width - 2, 1, under)
    stops = _stops(frame, line)
    if stops:
        canvas.text(1, y, mark_of(stops), look.error + under)
    style = look.accent if here else look.text if view.point.phase == line.phase else look.dim
    done = not here and view.ran(line)
    canvas.text(3, y, HERE if here else DONE if done else "›" if chosen else " ", (style if here else look.dim) + under)
    dims = _shape(frame, line)
    only = sorted({b.t for b in stops if b.t is not None})
    times = f" @{','.join(map(str, only))}" if only and all(b.t is not None for b in stops) else ""
    left = shortened(text, width - 8 - len(dims) - len(times))
    canvas.text(5, y, left + times, (look.dim if done and not here else style) + under)
    canvas.text(width - 2 - len(dims), y, dims, look.dim + under)
    canvas.hit(1, y, width - 2, 1, ToLine(line.block, line.index))
    canvas.hit(1, y, 3, 1, ToLine(line.block, line.index, gutter=True))


def mark_of(stops: list[Breakpoint]) -> str:
    """The mark of a line's breakpoints: ● always, ○ at some rows, ◆ on a condition, ◇ where it only prints."""
    marks = [
        "◇"
        if stop.log
        else "◆"
        if stop.condition or stop.hit or stop.sample is not None
        else "○"
        if stop.t is not None
        else "●"
        for stop in stops
    ]
    return min(marks, key="●◆○◇".index)


def _shape(frame: Frame, line: Line) -> str:
    quantity = frame.view.program.quantities.get(line.name)
    if quantity is None:
        return ""
    return shape(frame.writer.spelling.layout.sizes(quantity.axes, frame.view.tape.plan.sizes))
