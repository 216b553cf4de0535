"""The ledger of one cell of a gradient, dWa[i,j] = Σ_t Σ_b dWa@t,b[i,j]: samples × steps, with the sums over both beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from rich.segment import Segment

from engine.explain.ledger import Ledger, ledger
from engine.explain.line_parts import Part
from engine.explain.term_reader import Index
from engine.language.derive import gradient
from engine.language.functions import Array
from rnn_tui.panes.shared.time_axis import TimeAxis, TimePart, present, time_axis
from rnn_tui.render.canvas import Canvas, fitting, shortened
from rnn_tui.render.heatmap import Cursor, heatmap
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import NOT_YET, PAD, scale_of, signed_codes
from rnn_tui.render.pooling import block_of, pool
from rnn_tui.shown.exhibit import Exhibit, Tone
from rnn_tui.shown.frame import FLOOR, Frame
from rnn_tui.shown.targets import ToPosition

NUMBERED = 8
"""The pitch from which on the sums over samples are numbers."""


class WeightCell(NamedTuple):
    """The cursor of the weights view: the parameter, the cell's index in the engine and its place in the picture."""

    name: str
    cell: Index
    place: tuple[int, int]


def matrix_of(frame: Frame, name: str, array: Array) -> Array:
    """A parameter, its gradient or a term of that, as it lies in the notation; a vector as one row."""
    lying = frame.writer.spelling.layout.array(array, frame.writer.axes[name])
    return lying.reshape(1, -1) if lying.ndim < 2 else lying


def weight_cell(frame: Frame) -> WeightCell:
    """Where the cursor is: in the parameter that was chosen, else in the one that the present line is about, else in the first."""
    program, chosen = frame.view.program, frame.selection.parameter
    line, point = frame.view.line, frame.view.point
    about = [name for name in program.parameters if line and (line.name == gradient(name) or point.parameter == name)]
    name = chosen if chosen in program.parameters else next(iter((*about, *program.parameters)))
    shape = frame.view.tape.parameters[name].shape
    numbers = matrix_of(frame, name, np.arange(int(np.prod(shape))).reshape(shape))
    row = min(frame.selection.row, numbers.shape[0] - 1)
    column = min(frame.selection.column, numbers.shape[1] - 1)
    index = np.unravel_index(int(numbers[row, column]), shape)
    return WeightCell(name, tuple(int(i) for i in index), (row, column))


@dataclass(frozen=True)
class LedgerPart(TimePart):
    """What samples and steps add to one cell of a gradient."""

    of_cell: Index = ()

    def index(self, row: int, column: int) -> tuple[int, ...]:
        """That cell."""
        return self.of_cell


def summed_addends(frame: Frame) -> Ledger | None:
    """What is added up in the cell at the cursor of the weights view so far; None before the first addend."""
    view, (name, index, _) = frame.view, weight_cell(frame)
    reached = view.summed_to(gradient(name))
    return None if reached is None else ledger(view.tape, gradient(name), index, reached)


def _at_addend(frame: Frame, entries: Ledger, addend: tuple[int, int]) -> Frame:
    """The frame in which the cell cursor is in the ledger."""
    sample = min(addend[0], entries.addends.shape[1] - 1)
    t = max(entries.steps[0], min(addend[1], entries.steps[-1]))
    label, values = frame.writer.spelling.name(entries.name), entries.addends.T
    part = LedgerPart(
        "term",
        label,
        values,
        values.shape,
        entries.name,
        t,
        since=entries.steps[0],
        rows="samples",
        of_cell=entries.index,
    )
    here = frame.choose(operand=0, row=sample, column=t - entries.steps[0], sample=sample)
    return replace(here, exhibit=Exhibit([part], Tone(scale_of(values), log=False, floor=FLOOR)), original=None)


def at_weight(frame: Frame) -> Frame:
    """The frame in which the cell cursor is where it is on the page of weights: in the ledger, in a gradient, or in the weight before that
    is summed."""
    addend = frame.selection.addend
    if addend is not None and (entries := summed_addends(frame)) is not None:
        return _at_addend(frame, entries, addend)
    name, view, layout = weight_cell(frame).name, frame.view, frame.writer.spelling.layout
    slope, total = gradient(name), view.gradient(gradient(name))
    shown, array = (name, view.parameter(name)) if total is None else (slope, total)
    matrix, axes = matrix_of(frame, name, array), frame.writer.axes[name]
    turned = layout.turns(axes) if len(axes) == 2 else matrix.shape[1] == 1
    role = "operand" if total is None else "total"
    label = frame.writer.spelling.name(shown)
    part = Part(role, label, matrix, layout.array(array, axes).shape, shown, None, len(axes), turned)
    return replace(frame.choose(operand=0), exhibit=Exhibit([part], frame.tone(matrix, shown)), original=None)


def ledger_lines(frame: Frame, height: int, needed: int) -> int:
    """How many lines of a weights view the ledger gets: when a cell was chosen, or when `needed` lines leave room for it."""
    lines = 0 if height < 14 else 5 if height < 20 else 7 if height < 30 else 11
    summed = frame.view.summed_to(gradient(weight_cell(frame).name)) is not None
    return lines if frame.selection.parameter is not None or (summed and needed + lines <= height) else 0


def draw_ledger(frame: Frame, canvas: Canvas, y: int, lines: int) -> None:
    """The addends as far as they are summed, in `lines` lines from y; a click on a step goes to the point where it is added."""
    look, view, (name, index, _) = frame.look, frame.view, weight_cell(frame)
    slope, width = gradient(name), canvas.width - 4
    reached = view.summed_to(slope)
    label = f"{frame.writer.spelling.name(slope)}[{','.join(map(str, index))}]"
    after = canvas.text(2, y, shortened(label, width), look.backward)
    if reached is None:
        canvas.text(after, y, shortened(" = Σ_t Σ_b, once it is summed", width - after), look.dim)
        return
    entries = ledger(view.tape, slope, index)
    (line,) = view.program.writers(slope)
    summed = np.isin(entries.steps, view.program.summed(line, reached))
    value = view.gradient(slope)
    assert value is not None
    text = f" {number(float(value[index]), 10, 4, trim=True)}"
    after = canvas.text(after, y, shortened(text, width - after), look.bold)
    far = "" if summed.all() else f", t {'≤' if summed[0] else '≥'} {reached}"
    pooled = _addends(frame, canvas, entries, summed, y + 1, lines - 3)
    cells = "samples × steps, ÷ pooled" if pooled else "a row a sample, a column a step"
    note = f" = Σ_t Σ_b{far}: {cells}"
    canvas.text(after, y, fitting(note, canvas.width - 2 - after), look.dim)


def _addends(frame: Frame, canvas: Canvas, entries: Ledger, summed: Array, top: int, lines: int) -> bool:
    """The map of the addends with its sums; whether several have one cell of it."""
    look, axis = frame.look, time_axis(frame.view.program, canvas.width)
    batch = entries.addends.shape[1]
    held = range(entries.steps[0], entries.steps[-1] + 1)
    rows = min(batch, lines if look.mode is ColorMode.NONE else 2 * lines)
    size = 1 if picture_height(rows, look.mode, 1) <= lines else "half"
    never = axis.all_of(axis.placed(held, np.zeros(len(held), bool), True))
    later = axis.all_of(axis.placed(held, ~summed, True)) & ~never
    shown = axis.placed(held, np.where(summed[:, None], entries.addends, 0), 0.0)
    sums = shown.sum(axis=1)

    def picture(
        values: Array, high: int, tall: Literal["half", 1], cursor: Cursor | None = None
    ) -> list[list[Segment]]:
        codes = signed_codes(pool(values, high, axis.columns), scale_of(values))
        codes[:, later], codes[:, never] = NOT_YET, PAD
        return heatmap(codes, look.palettes.signed, look.mode, axis.pitch, tall, cursor)

    cursor, here = None, at_weight(frame)
    if frame.selection.addend is not None and here.cell is not None and isinstance(part := here.parts[0], LedgerPart):
        cursor = block_of(here.cell[0], batch, rows), axis.column_of(part.t or 0)
    drawn = picture(shown.T, rows, size, cursor)
    canvas.rows(axis.left, top, drawn)
    canvas.text(1, top, "b 0", look.dim)
    _of_samples(frame, canvas, shown.sum(axis=0), rows, top, axis.end + 1, size == 1)
    y = top + len(drawn)
    canvas.text(1, y, "Σ_b", look.dim)
    if axis.pitch >= NUMBERED:
        for t, value, there in zip(held, sums[held.start : held.stop].tolist(), summed, strict=True):
            text = number(value, axis.pitch - 1, 2, trim=True)[: axis.pitch - 1] if there else "·"
            canvas.text(axis.x(t), y, text, look.backward)
    else:
        canvas.rows(axis.left, y, picture(sums[None], 1, 1))
    axis.mark(canvas, top, len(drawn), present(frame.view), look)
    axis.numbers(canvas, y + 1, present(frame.view), look, held)
    canvas.text(1, y + 1, "t", look.dim)
    _clickable(frame, canvas, entries, axis, held, (top, len(drawn) + 1))
    return rows < batch or axis.columns < axis.steps


def _of_samples(frame: Frame, canvas: Canvas, sums: Array, rows: int, top: int, x: int, apart: bool) -> None:
    """The sums over time, one a sample: as colours, and as numbers where every sample has a line."""
    look = frame.look
    codes = signed_codes(pool(sums[:, None], rows, 1), scale_of(sums))
    canvas.rows(x, top, heatmap(codes, look.palettes.signed, look.mode, 2, 1 if apart else "half"))
    if apart and rows == len(sums):
        for y, value in enumerate(sums.tolist(), top):
            canvas.text(x + 3, y, number(value, 9, 2, trim=True), look.backward)
    else:
        canvas.text(x + 3, top, "Σ_t", look.dim)


def _clickable(
    frame: Frame, canvas: Canvas, entries: Ledger, axis: TimeAxis, held: range, lines: tuple[int, int]
) -> None:
    view = frame.view
    (line,) = view.program.writers(entries.name)
    base = 1 + view.point.iteration * view.program.length
    for column in range(axis.columns):
        if inside := axis.steps_in(column, held):
            place = ToPosition(base + view.program.offset(line, inside.start))
            canvas.hit(axis.x(column), lines[0], axis.pitch, lines[1], place)
