"""What a line of the user's own run made: pictures of it beside what it should be, or dL/d(it), and each time that the line runs."""

from __future__ import annotations

import numpy as np
from rich.cells import cell_len
from rich.style import Style

from engine.doctor.lineage.record.reading import Floats
from engine.doctor.walk.executed import called
from engine.text import clean
from rnn_tui.panes.program.listing import DONE, HERE
from rnn_tui.panes.program.source import DIFFERS
from rnn_tui.render.canvas import Canvas, fitting, shortened
from rnn_tui.render.heatmap import heatmap, height
from rnn_tui.render.numbered import numbered
from rnn_tui.render.numbers import number, shape
from rnn_tui.render.palette import PAD, scale_of, signed_codes
from rnn_tui.render.pooling import block_of, pool
from rnn_tui.shown.targets import ToCell, ToPosition
from rnn_tui.shown.walk_frame import WalkFrame, WalkPicture

GAP, LEAST, MOST, WIDEST = 3, 8, 11, 4
"""Columns between two arrays; the narrowest and the widest cell with a number; the widest without."""
ALL_ZERO = "all 0"


def draw_walk_value(frame: WalkFrame, width: int, height: int) -> Canvas:
    """What the line made: each of its values by name, the pictures of the one that is chosen."""
    look, line = frame.look, frame.line
    canvas = Canvas(width, height, look.canvas)
    text = frame.source.line(line.line) if frame.file == line.file else clean(frame.event.site.text, 160)
    place = frame.walk.source.place(line.line) if frame.is_own else f"line {line.line}"
    state, style = _state(frame)
    canvas.frame(0, 0, width, height, fitting(f"{place}: {text}", width - 8 - cell_len(state)), look.border, look.bold)
    if state:
        canvas.text(width - 4 - cell_len(state), 0, f" {state} ", style)
    top = 1
    if len(line.made) > 1:
        x = canvas.text(2, 1, "made: ", look.dim)
        for k, event in enumerate(line.made):
            x = canvas.text(
                x, 1, shortened(called(event), width - x - 3), look.accent if k == frame.made else look.text
            )
            x = canvas.text(x, 1, " · " if k + 1 < len(line.made) else "", look.dim)
        top = 2 if height < 16 else 3
    used = draw_pictures(frame, canvas, top, height - 1 - top)
    _every_time(frame, canvas, used + 1, height - 2 - used)
    return canvas


def _every_time(frame: WalkFrame, canvas: Canvas, top: int, room: int) -> None:
    """Where there is room: dL/d(value), or the value, each time that the line runs, a row a time; the present one is marked."""
    look, walk = frame.look, frame.walk
    runs = walk.at_every_time(frame.choice.at, frame.made)
    if len(runs) < 2 or room < 4:
        return
    gradients = [walk.gradient(event) for _, event in runs]
    back = not any(g is None for g in gradients)
    arrays = [walk.value(event) if g is None or not back else g for (_, event), g in zip(runs, gradients, strict=True)]
    table = np.stack([_largest_along(array) for array in arrays])
    inner = canvas.width - 9
    lines = min(len(runs), room - 1)
    shown = pool(table, lines, inner)
    cell = max(1, min(MOST, inner // shown.shape[1]))
    name = f"dL/d {called(frame.event)}" if back else called(frame.event)
    over = "" if arrays[0].ndim < 2 else ", the largest of each column"
    forward = walk.phase(frame.choice.at) == "forward"
    when = "at every t" if forward else "every time that this line runs"
    canvas.text(2, top, shortened(f"{name} {when}{over}", canvas.width - 4), look.dim)
    scale = scale_of(table)
    codes = signed_codes(shown, scale, True, max(1e-12, min(0.5, _least(table) / scale)))
    if cell >= LEAST:
        canvas.rows(7, top + 1, numbered(shown, codes, look.palettes.signed, look.mode, cell))
    else:
        canvas.rows(7, top + 1, heatmap(codes, look.palettes.signed, look.mode, min(cell, WIDEST), 1))
    now = [k for k, _ in runs].index(frame.choice.at)
    for y in range(lines):
        first = y * len(runs) // lines
        here = block_of(now, len(runs), lines) == y
        text = f"{walk.lines[runs[first][0]].before + (not forward):>3}" + (HERE if here else " ")
        canvas.text(2, top + 1 + y, text, look.accent if here else look.dim)
        canvas.hit(2, top + 1 + y, 5 + cell * shown.shape[1], 1, ToPosition(runs[first][0]))


def _largest_along(array: Floats) -> Floats:
    """An array as one row: of more axes, the number of largest magnitude in each column; a single row or column is one as it is."""
    flat = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)
    if 1 in flat.shape:
        return flat.ravel()
    return flat[np.abs(flat).argmax(axis=0), np.arange(flat.shape[1])]


def _least(table: Floats) -> float:
    """The smallest row of a table: the largest magnitude in it."""
    rows = np.abs(table).max(axis=1)
    return float(rows[rows > 0].min(initial=np.inf))


def _state(frame: WalkFrame) -> tuple[str, Style]:
    """Whether the value is what it should be."""
    look, walk = frame.look, frame.walk
    row = walk.compared(frame.event)
    if walk.should_be(frame.choice.at, frame.event) is not None:
        return f"{DIFFERS} differs", look.error
    if row is not None and row.status == "right":
        return f"{DONE} right", look.forward
    return "", look.dim


def draw_pictures(frame: WalkFrame, canvas: Canvas, top: int, room: int) -> int:
    """The pictures side by side or one below the other, with numbers in their cells where they fit; the first free line below."""
    inner = canvas.width - 4
    across, numbers = _arranged(frame.pictures, inner, room)
    count = len(frame.pictures)
    wide = (inner - GAP * (count - 1)) // count if across else inner
    tall = room if across else room // count
    x, y, end = 2, top, top
    for place, picture in enumerate(frame.pictures):
        used, lines = _picture(frame, canvas, (x, y), (wide, tall), place, picture, numbers)
        end = max(end, y + lines)
        x, y = (x + max(used, min(wide, 24)) + GAP, y) if across else (x, y + lines + (1 if tall > lines + 1 else 0))
    return end


def _arranged(pictures: tuple[WalkPicture, ...], inner: int, room: int) -> tuple[bool, bool]:
    """Side by side or not; with numbers or not."""
    count = len(pictures)
    rows, columns = pictures[0].table.shape
    beside = (inner - GAP * (count - 1)) // count
    for across, wide, tall in ((True, beside, rows + 1), (False, inner, count * (rows + 1))):
        if wide // columns >= LEAST and tall <= room:
            return across, True
    label = min(24, max(cell_len(picture.label) for picture in pictures) + 8)
    if beside < label and room >= 2 * count:
        return False, False
    shown = [
        min(1.0, wide / columns) * min(1.0, 2 * max(1, tall - 1) / rows)
        for wide, tall in ((beside, room), (inner, room // count))
    ]
    return shown[0] >= shown[1], False


def scale_for(frame: WalkFrame, place: int) -> float:
    """What the strongest colour of a picture stands for: of a value, what it should be and the difference the same."""
    compared = frame.pictures[-1].role == "difference"
    return max(scale_of(one.values) for one in (frame.pictures if compared else [frame.pictures[place]]))


def _picture(
    frame: WalkFrame,
    canvas: Canvas,
    at: tuple[int, int],
    size: tuple[int, int],
    place: int,
    picture: WalkPicture,
    with_numbers: bool,
) -> tuple[int, int]:
    """One picture under its label; the columns and lines that it takes."""
    look, (x, y), (wide, tall) = frame.look, at, size
    chosen = place == frame.picture
    table = picture.table
    rows, columns = table.shape
    largest = scale_of(picture.values)
    label = f"{picture.label}  {shape(picture.values.shape)}"
    span = ALL_ZERO if not np.any(picture.values) else f"max {number(largest, 8, 3, trim=True)}"
    canvas.text(x, y, shortened(label, wide), look.accent if chosen else look.text)
    if cell_len(label) + len(span) + 2 <= wide:
        canvas.text(x + cell_len(label) + 2, y, span, look.dim)
    scale = scale_for(frame, place)
    if with_numbers:
        cell = min(MOST, wide // columns)
        codes = signed_codes(np.where(picture.there, table, 0.0), scale, frame.choice.log)
        codes[~picture.there] = PAD
        cursor = frame.cell if chosen else None
        canvas.rows(x, y + 1, numbered(table, codes, look.palettes.signed, look.mode, cell, cursor))
        canvas.hit(x, y + 1, cell * columns, rows, ToCell(place, (rows, columns), (rows, columns), cell, 1))
        return cell * columns, rows + 1
    lines = max(1, tall - 1)
    per_line = 1 if rows <= lines or look.mode.value == "none" else 2
    shown = pool(np.where(picture.there, table, 0.0), lines * per_line, wide)
    codes = signed_codes(shown, scale, frame.choice.log)
    if shown.shape == table.shape:
        codes[~picture.there] = PAD
    cell = max(1, min(WIDEST, wide // shown.shape[1]))
    cursor = None
    if chosen:
        row, column = frame.cell
        cursor = (block_of(row, rows, shown.shape[0]), block_of(column, columns, shown.shape[1]))
    how = 1 if per_line == 1 else "half"
    canvas.rows(x, y + 1, heatmap(codes, look.palettes.signed, look.mode, cell, how, cursor))
    taken = height(shown.shape[0], look.mode, how)
    target = ToCell(place, (rows, columns), shown.shape, cell, 1 / per_line)
    canvas.hit(x, y + 1, cell * shown.shape[1], taken, target)
    return cell * shown.shape[1], taken + 1
