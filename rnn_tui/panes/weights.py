"""The parameters: value, gradient as far as it is summed, and the term of the present step."""

from __future__ import annotations

from rich.cells import cell_len
from rich.style import Style

from engine.explain.length import length
from engine.language.derive import gradient
from engine.language.functions import Array
from engine.model.blocks import Loop
from engine.tables.optimizers import PARAMETER, named
from rnn_tui.panes.ledger import WeightCell, draw_ledger, ledger_lines, matrix_of, weight_cell
from rnn_tui.panes.shared.words import POOLED, keys_to, pooled_words, share_words
from rnn_tui.render.canvas import Canvas, fitting
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.numbers import number, shape
from rnn_tui.render.palette import NOT_YET
from rnn_tui.render.pooling import block_of, pool
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToWeight

ONE_TERM = "one term"
NARROW = 16
"""Columns that a picture should have."""
BAND = 3
"""A line of text and two of picture: when not all parameters fit, each that is shown gets this much at least."""


def draw_weights(frame: Frame, width: int, height: int) -> Canvas:
    """One band a parameter; three columns. The bands share the height according to their rows; the ledger of the cell chosen is below."""
    look, view = frame.look, frame.view
    canvas = Canvas(width, height, look.canvas)
    columns = _columns(frame, width - 4)
    made = "what the update makes of it" if view.point.phase == "update" and columns else "this step's term"
    title = f"weights · value, gradient so far, {made}"
    none = all(view.gradient(gradient(name)) is None for name in view.program.parameters)
    if none and (keys := keys_to(frame, "backward")):
        title = f"weights · value · {keys} for the gradients"
    canvas.frame(0, 0, width, height, title, look.border, look.bold)
    column = max(8, (width - 4) // (2 + max(1, len(columns))))
    all_rows = [matrix_of(frame, name, view.tape.parameters[name]).shape[0] for name in view.program.parameters]
    below = ledger_lines(frame, height, 2 + sum(1 + picture_height(count, look.mode) for count in all_rows))
    cursor = weight_cell(frame)
    names = _visible(frame, height - 2 - below)
    rows = [matrix_of(frame, name, view.tape.parameters[name]).shape[0] for name in names]
    y, pooled = 1, False
    for name, lines in zip(names, _shares(rows, height - 2 - below - len(names), frame), strict=True):
        pooled |= _band(frame, canvas, name, y, column, lines, columns, cursor)
        y += 1 + lines
    if below:
        draw_ledger(frame, canvas, height - 1 - below, below)
    if len(names) < len(view.program.parameters):
        note = f" {len(names)} of {len(view.program.parameters)} parameters, around the one at hand "
        canvas.text(2, height - 1, fitting(note, width - 4), look.dim)
    elif pooled:
        canvas.text(2, height - 1, fitting(pooled_words(frame), width - 4), look.dim)
    return canvas


def _columns(frame: Frame, width: int) -> list[str]:
    """In the update, what its lines make of a gradient (`dW_clipped`, `vW`): as many as fit, the present line's among them."""
    view = frame.view
    made = [line.name for block in view.program.blocks if block.loop is Loop.PARAMETERS for line in block.lines]
    made = [name for name in made if name != PARAMETER]
    if view.point.phase != "update":
        return []
    room = max(1, width // NARROW - 2)
    here = view.line.name if view.line is not None and view.line.name in made[room:] else None
    return [*made[: room - 1], here] if here else made[:room]


def _visible(frame: Frame, height: int) -> list[str]:
    """The parameters that fit; when not all do, those around the one that the present line is about."""
    names = list(frame.view.program.parameters)
    if 2 * len(names) <= height:
        return names
    most = max(1, height // BAND)
    active = names.index(weight_cell(frame).name)
    first = max(0, min(active - most // 2, len(names) - most))
    return names[first : first + most]


def _is_active(frame: Frame, name: str) -> bool:
    view = frame.view
    return view.line is not None and (view.line.name == gradient(name) or view.point.parameter == name)


def _shares(rows: list[int], budget: int, frame: Frame) -> list[int]:
    """Lines for each picture: what it needs at half a line a row; where that is too much, the tallest give first."""
    lines = [picture_height(count, frame.look.mode) for count in rows]
    while sum(lines) > max(budget, len(rows)) and max(lines) > 1:
        lines[lines.index(max(lines))] -= 1
    return lines


def _band(
    frame: Frame, canvas: Canvas, name: str, y: int, column: int, lines: int, made: list[str], cursor: WeightCell
) -> bool:
    """A parameter's line of text and its pictures; whether these are pooled."""
    look, view = frame.look, frame.view
    slope, shown = gradient(name), frame.writer.spelling.name
    value = view.parameter(name)
    active = _is_active(frame, name)
    total = view.gradient(slope)
    term, label = _term(frame, slope)
    pointed = 0 if total is None else 1  # what is said of the cell is about the value until there is a gradient
    # text, numbers, style, and the quantity on whose scale they are coloured
    count, wide = matrix_of(frame, name, value).shape
    pooled = count > _rows(frame, lines) or wide > column - 2
    columns: list[tuple[str, Array | None, Style, str]] = [
        (shown(name) + POOLED * pooled, value, look.accent if active else look.text, name),
        (_summed(frame, slope), total, look.backward, slope),
    ]
    for quantity in (named(line, name) for line in made):
        here = active and view.line is not None and named(view.line.name, name) == quantity
        columns.append((shown(quantity), view.value(quantity), look.accent if here else look.text, quantity))
    if not made:
        columns.append((label, term, look.backward, slope))
    for index, (text, array, style, tone) in enumerate(columns):
        x = 2 + index * column
        norm = "" if array is None else f"‖·‖ {number(length(array), 7, 2, trim=True)}"
        notes: list[str] = []
        if text == label and term is not None and total is not None and length(total):
            share = f"{share_words(term, total)} of {shown(slope)}"
            notes = [f"{norm} = {share}", share] if term.any() else ["all 0"]
        dims = shape(_lying(frame, name, value).shape) + " " if index == 0 else ""
        end = canvas.text(x, y, fitting(text, column - 2) + " ", style)
        room = (canvas.width - 1 if index == len(columns) - 1 else x + column - 1) - end
        notes += [f"{dims}{norm}".strip(), dims]
        note = next((note for note in notes if cell_len(note) <= room), "")
        canvas.text(end, y, note, look.dim)
        if text != ONE_TERM:
            _picture(
                frame,
                canvas,
                matrix_of(frame, name, value if array is None else array),
                array is None,
                x,
                y + 1,
                column - 2,
                lines,
                tone,
                cursor.place if cursor.name == name and index == pointed else None,
                name if index == 1 else None,
            )
    return pooled


def _rows(frame: Frame, lines: int) -> int:
    """Rows of numbers that lines of the screen show at most."""
    return lines if frame.look.mode.name == "NONE" else 2 * lines


def _lying(frame: Frame, name: str, array: Array) -> Array:
    """A parameter, its gradient or a term of that, as it lies in the notation."""
    return frame.writer.spelling.layout.array(array, frame.writer.axes[name])


def _summed(frame: Frame, slope: str) -> str:
    reached, program = frame.view.summed_to(slope), frame.view.program
    shown = frame.writer.spelling.name(slope)
    (line,) = program.writers(slope)
    if reached is None or frame.view.point.phase == "update" or not program.blocks[line.block].in_time:
        return shown
    first = program.summed(line)[0]
    return f"{shown}, t={first}…{reached}" if reached != first else f"{shown}, t={first}"


def _term(frame: Frame, slope: str) -> tuple[Array | None, str]:
    """The newest term of a gradient that accumulates, or (with a sample chosen) that sample's term."""
    view, shown = frame.view, frame.writer.spelling.name(slope)
    (line,) = view.program.writers(slope)
    reached = view.summed_to(slope)
    if not view.program.blocks[line.block].in_time:
        return None, ONE_TERM
    if reached is None:
        return None, f"{shown}@t"
    sample = frame.sample
    label = f"+ {shown}@{reached}" + ("" if sample is None else f",{sample}")
    return view.tape.term(line, reached, sample), label


def _picture(
    frame: Frame,
    canvas: Canvas,
    array: Array,
    missing: bool,
    x: int,
    y: int,
    width: int,
    lines: int,
    tone: str,
    place: tuple[int, int] | None,
    clickable: str | None,
) -> None:
    look = frame.look
    matrix = pool(array, _rows(frame, lines), width)
    cell = max(1, min(4, width // matrix.shape[1]))
    codes = frame.codes(matrix, tone)
    if missing:
        codes[...] = NOT_YET
    size = 1 if matrix.shape[0] <= lines else "half"
    cursor = None
    if place is not None:
        at = [block_of(i, n, m) for i, n, m in zip(place, array.shape, matrix.shape, strict=True)]
        cursor = at[0], at[1]
    rows = heatmap(codes, look.palettes.signed, look.mode, cell, size, cursor)
    canvas.rows(x, y, rows)
    if clickable is not None:
        shapes = (array.shape[0], array.shape[1]), (matrix.shape[0], matrix.shape[1])
        target = ToWeight(clickable, *shapes, cell, len(rows) / matrix.shape[0])
        canvas.hit(x, y, matrix.shape[1] * cell, len(rows), target)
