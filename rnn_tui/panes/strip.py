"""The time strip: the norm of the state at each step, and how far the gradient has flowed back, as bars on scales that stay.

The state's bars begin at 0. The gradient's are logarithmic and span `DECADES` below the largest norm of the iteration, so that two
networks can be compared and a vanishing gradient looks like one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from rich.segment import Segment
from rich.style import Style

from engine.explain.flow import Cut, cuts
from engine.language.derive import gradient
from engine.language.functions import Array
from engine.model.blocks import Loop
from engine.model.program import carries_losses
from rnn_tui.frame import Frame
from rnn_tui.panes.legend import padding_key
from rnn_tui.render.canvas import Canvas
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.inks import ColorMode, inks
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import ENDED, LEVELS, NOT_YET, ZERO, one_sided_codes, scale_of
from rnn_tui.render.pooling import block_range
from rnn_tui.targets import ToPosition

LABELS, NAME, NAMED = 17, 10, 6
"""Where the bars begin; where the name of the quantity stands before them, and how long it may be."""
CUT, SOME_CUT = "│", "┆"
GAP_FROM = 3
"""A cell this wide leaves its last column free."""
LEGEND_FROM, LEGEND = 76, 13
"""The width from which on the ends of the scales are named at the right, and the columns that takes."""
BARS = "▁▂▃▄▅▆▇█"
DECADES = 12
FAINT = 10.0**-DECADES
"""The share of the largest norm at which the lowest bar ends."""
FAINTEST = 9
"""Levels of colour that a bar has at least: the lowest ones are too dark for a thin bar."""


def draw_strip(frame: Frame, width: int, height: int) -> Canvas:
    """Numbers of the steps, ‖a_t‖, ‖da_t‖: bars, dashes where nothing is computed yet, hatching beyond a sample's length.

    A bar stands where truncation cuts the flow.
    """
    look, view = frame.look, frame.view
    canvas = Canvas(width, height, look.canvas)
    steps = view.program.steps
    legend = LEGEND if width >= LEGEND_FROM else 0
    room = max(1, width - LABELS - legend - 5)
    pitch = max(1, min(8, room // steps))
    columns = min(steps, room)
    cut = _cuts(frame)
    _mark(frame, canvas, cut, 0, pitch, columns)
    _numbers(frame, canvas, pitch, columns)
    output = frame.output
    tall = max(1, min(2, height - 2))
    _bars(frame, canvas, _BarRow(1, 1, "forward ", output, log=False), pitch, columns)
    _bars(frame, canvas, _BarRow(2, tall, "backward", gradient(output), log=True), pitch, columns)
    if pitch >= GAP_FROM:
        for line in range(2, 2 + tall):
            _mark(frame, canvas, cut, line, pitch, columns)
    if legend:
        _legend(frame, canvas, LABELS + columns * pitch + 4, cut)
    _marker(frame, canvas, pitch, columns)
    _loss(frame, canvas, LABELS + columns * pitch + 1)
    return canvas


@dataclass(frozen=True)
class _BarRow:
    """A quantity's bars: the first of their lines, how many lines they take, and how they are measured."""

    line: int
    tall: int
    label: str
    name: str
    log: bool


def _bars(frame: Frame, canvas: Canvas, row: _BarRow, pitch: int, columns: int) -> None:
    """The norms of one quantity; a click on a step goes to where it was written. At the right the ends of the scale."""
    look, view, steps = frame.look, frame.view, frame.view.program.steps
    style = look.backward if row.log else look.forward
    canvas.text(1, row.line, row.label, style)
    name = frame.writer.spelling.name(row.name)
    canvas.text(NAME, row.line, name[:NAMED] if len(name) > NAMED - 2 else f"‖{name}‖", style)
    first = 1 - view.program.steps_of(row.name).start
    own = slice(first, first + steps)
    norms, known = view.tape.norms(row.name, frame.sample)[own], view.computed(row.name)[own]
    starts = np.arange(columns) * steps // columns
    highest, there = np.maximum.reduceat(norms, starts), np.logical_or.reduceat(known, starts)
    scale = scale_of(norms)
    codes = one_sided_codes(highest, scale, row.log, FAINT)
    if view.position:  # at the start the iteration stands there as it will be
        codes[~there] = NOT_YET
        codes[np.logical_and.reduceat(_ended(frame), starts)] = ENDED
    _cells(frame, canvas, row, codes, bar_heights(highest, scale, log=row.log) * row.tall, pitch)
    written = view.written(row.name)
    for column in range(columns):
        offset = int(written[first + block_range(column, steps, columns).start])
        place = ToPosition(_position(frame, offset))
        canvas.hit(LABELS + column * pitch, row.line, pitch, row.tall, place)
    if canvas.width >= LEGEND_FROM:
        _ends(frame, canvas, row, scale, LABELS + columns * pitch + 4)


def bar_heights(norms: Array, scale: float, *, log: bool) -> Array:
    """For each norm its bar's height, 0 to 1, the smallest that is not zero a little above 0; logarithmic over `DECADES`."""
    with np.errstate(all="ignore"):
        share = 1 + np.log10(norms / scale) / DECADES if log else norms / scale
    return np.where(norms > 0, np.clip(np.nan_to_num(share), 1e-9, 1), 0)


def _cells(frame: Frame, canvas: Canvas, row: _BarRow, codes: Array, heights: Array, pitch: int) -> None:
    """Side by side what stands in the columns: a bar for a number; what is no number as a heatmap draws it, in the lowest line."""
    palette = frame.look.palettes.backward if row.log else frame.look.palettes.forward
    wide = pitch - (1 if pitch >= GAP_FROM else 0)
    levels = (codes >= ZERO) & (codes < LEVELS)
    ends = [0, *(np.flatnonzero(levels[1:] != levels[:-1]) + 1).tolist(), len(codes)]
    for start, end in pairwise(ends):
        x = LABELS + start * pitch
        if levels[start]:
            bars = _bars_of(
                frame, canvas.style, row, codes[start:end].tolist(), heights[start:end].tolist(), pitch, wide
            )
            canvas.rows(x, row.line, bars)
        else:
            cells = heatmap(codes[None, start:end], palette, frame.look.mode, wide, 1, gap=pitch - wide)
            canvas.rows(x, row.line + row.tall - 1, cells)


def _bars_of(
    frame: Frame, under: Style, row: _BarRow, codes: list[int], heights: list[float], pitch: int, wide: int
) -> list[list[Segment]]:
    """Bars of so many eighths of a line, the uppermost line first; what is exactly zero is a dot."""
    look, ghost = frame.look, frame.view.position == 0
    palette = look.palettes.backward if row.log else look.palettes.forward
    fill = None if look.mode is ColorMode.NONE or ghost else inks(palette, look.mode).fill
    plain = under + (look.border if ghost else look.text)
    styles = {
        code: plain if fill is None else under + Style(color=fill[max(code, ZERO + FAINTEST)]) for code in set(codes)
    }
    gap = [Segment(" " * (pitch - wide), under)] if pitch > wide else []
    lines: list[list[Segment]] = []
    for above in range(row.tall - 1, -1, -1):
        line: list[Segment] = []
        for code, height in zip(codes, heights, strict=True):
            eighths = min(len(BARS), math.ceil((height - above) * len(BARS)))
            if code == ZERO and not above:
                line += [Segment("·".center(wide), under + look.dim), *gap]
            else:
                line += [Segment((BARS[eighths - 1] if eighths > 0 else " ") * wide, styles[code]), *gap]
        lines.append(line[: len(line) - len(gap)])
    return lines


def _ends(frame: Frame, canvas: Canvas, row: _BarRow, scale: float, x: int) -> None:
    """What the highest and the lowest bar stand for."""
    top = number(scale, 7, 2, trim=True)
    if not row.log:
        canvas.text(x, row.line, f"█ {top}", frame.look.dim)
    elif row.tall > 1:
        canvas.text(x, row.line, f"█ {top} log", frame.look.dim)
        canvas.text(x, row.line + 1, f"▁ {number(scale * FAINT, 7, 1, trim=True)}", frame.look.dim)
    else:
        canvas.text(x, row.line, f"█{top} ▁{number(scale * FAINT, 7, 1, trim=True)}", frame.look.dim)


def _legend(frame: Frame, canvas: Canvas, x: int, cut: list[Cut]) -> None:
    """What the bars and the hatching mean."""
    if cut:
        x = 1 + canvas.text(x, 0, f"{CUT} cut, K = {frame.view.tape.plan.network.truncate}", frame.look.error)
    if _ended(frame).any():
        padding_key(frame, canvas, x - 1, 0)


def _ended(frame: Frame) -> Array:
    """For each step whether it is beyond the chosen sample's length (beyond that of all)."""
    padding, steps = frame.view.tape.padding, frame.view.program.steps
    if padding is None:
        return np.zeros(steps, dtype=bool)
    return np.asarray(padding.all(axis=1) if frame.sample is None else padding[:, frame.sample])[1:]


def _cuts(frame: Frame) -> list[Cut]:
    """Where truncation cuts the flow; with a window for each loss, from where on losses do not reach beyond the present step."""
    view = frame.view
    network, point = view.tape.plan.network, view.point
    reverse = view.program.quantities[frame.output].reverse
    places = cuts(view.tape, frame.sample, reverse=reverse)
    if reverse:  # between t and t+1
        return [Cut(cut.t + 1, cut.all) for cut in places if cut.t < view.program.steps]
    if network.truncate is not None and carries_losses(network) and point.phase == "backward" and point.t:
        places = [Cut(point.t + network.truncate, True)]
    return [cut for cut in places if 1 < cut.t <= view.program.steps]


def _mark(frame: Frame, canvas: Canvas, places: list[Cut], line: int, pitch: int, columns: int) -> None:
    """A bar before each step at which the flow is cut, a thin one where that is so for some samples only."""
    if columns == frame.view.program.steps:
        for cut in places:
            canvas.text(LABELS + (cut.t - 1) * pitch - 1, line, CUT if cut.all else SOME_CUT, frame.look.error)


def _position(frame: Frame, offset: int) -> int:
    return 1 + frame.view.point.iteration * frame.view.program.length + offset


def _numbers(frame: Frame, canvas: Canvas, pitch: int, columns: int) -> None:
    look, steps = frame.look, frame.view.program.steps
    canvas.text(1, 0, "t", look.dim)
    widest = len(str(steps)) + 1
    stride = 1
    while stride * pitch < widest:
        stride += 1
    stride = next((n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if n >= stride), stride)
    row = frame.view.row
    current = None if not row else (row - 1) * columns // steps
    for column in range(columns):
        t = 1 + block_range(column, steps, columns).start
        near = current is not None and column != current and abs(column - current) * pitch < widest
        if column != current and ((column % stride if stride > 1 else 0) or near):
            continue
        label = str(row if column == current else t)
        x = LABELS + column * pitch + max(0, (pitch - 1 - len(label)) // 2)
        x = min(x, LABELS + columns * pitch - len(label))  # before the L
        canvas.text(x, 0, label, look.accent if column == current else look.dim)


def _marker(frame: Frame, canvas: Canvas, pitch: int, columns: int) -> None:
    """Where we are: in the gap before the cell, in the row of the pass."""
    point, row = frame.view.point, frame.view.row
    if row and point.phase in ("forward", "backward"):
        current = min((row - 1) * columns // frame.view.program.steps, columns - 1)
        line = 1 if point.phase == "forward" else 2
        block = None if frame.view.line is None else frame.view.program.blocks[frame.view.line.block]
        down = block is not None and block.loop is Loop.DOWN
        if down or (line == 2 and block is not None and not block.in_time):  # the gradient comes from the right
            canvas.text(LABELS + (current + 1) * pitch - (1 if pitch >= GAP_FROM else 0), line, "◀", frame.look.accent)
        else:
            canvas.text(LABELS + current * pitch - 1, line, "▶", frame.look.accent)


def _loss(frame: Frame, canvas: Canvas, x: int) -> None:
    look, view = frame.look, frame.view
    loss = view.value("loss") is not None
    canvas.text(x, 0, "L", look.accent if view.point.phase == "loss" else look.dim)
    if view.point.phase == "loss":
        canvas.text(x - 1, 1, "▶", look.accent)
    canvas.text(x, 1, "●" if loss else "·", look.forward if loss else look.dim)
    started = view.offset > view.program.phase_range("backward").start
    canvas.text(x, 2, "●" if started else "·", look.backward if started else look.dim)
    canvas.hit(x - 1, 0, 3, 3, ToPosition(_position(frame, view.program.phase_range("loss").start)))
