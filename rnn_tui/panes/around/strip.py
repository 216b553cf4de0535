"""The time strip: the norm of the state at each step, and how far the gradient has flowed back, as bars on scales that stay.

The state's bars begin at 0. The gradient's are logarithmic and span `DECADES` below the power of ten that no norm of the iteration
exceeds, so that two networks can be compared and a vanishing gradient looks like one.
"""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from rich.segment import Segment
from rich.style import Style

from engine.explain.flow import Cut, cuts
from engine.language.derive import gradient
from engine.language.functions import Array
from engine.model.blocks import Loop
from engine.model.program import carries_losses
from engine.recording.tape import Tape
from engine.remembered import last_remembered
from rnn_tui.panes.around.tabs import draw_tabs
from rnn_tui.panes.shared.legend import padding_key
from rnn_tui.panes.shared.time_axis import TimeAxis, listing_width, present, time_axis
from rnn_tui.render.canvas import Canvas
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.inks import ColorMode, inks
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import ENDED, LEVELS, NOT_YET, PAD, ZERO, one_sided_codes, scale_of
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import Look
from rnn_tui.shown.targets import ToPosition

NAME, NAMED, ENDS = 10, 6, 19
"""Where the name of a quantity stands, how long it may be, and where the ends of its scale are named."""
TALL = 4
"""Lines from which on the gradient's bars have two, and the header the views."""
CUT, SOME_CUT = "│", "┆"
GAP_FROM = 3
"""A cell this wide leaves its last column free."""
BARS = "▁▂▃▄▅▆▇█"
DECADES = 12
FAINT = 10.0**-DECADES
"""The share of the highest bar's norm at which the lowest one ends."""
FAINTEST = 9
"""Levels of colour that a bar has at least: the lowest ones are too dark for a thin bar."""


def draw_strip(frame: Frame, width: int, height: int) -> Canvas:
    """Numbers of the steps, ‖a_t‖, ‖da_t‖: bars, dashes where nothing is computed yet, hatching beyond a sample's length.

    A bar stands where truncation cuts the flow.
    """
    view = frame.view
    canvas = Canvas(width, height, frame.look.canvas)
    begin = listing_width(width)
    axis, held = time_axis(view.program, width - begin, begin), range(1, view.program.steps + 1)
    cut = _cuts(frame)
    canvas.text(axis.left - 2, 0, "t", frame.look.dim)
    _legend(frame, canvas, cut, NAME if height >= TALL else 1 + draw_tabs(frame, canvas, 0, named=False))
    _mark(frame, canvas, cut, 0, axis)
    axis.numbers(canvas, 0, present(view), frame.look, held)
    output = frame.output
    tall = max(1, min(2, height - 2))
    _bars(frame, canvas, _BarRow(1, 1, "forward ", output, log=False), axis, held)
    _bars(frame, canvas, _BarRow(2, tall, "backward", gradient(output), log=True), axis, held)
    if axis.pitch >= GAP_FROM:
        for line in range(2, 2 + tall):
            _mark(frame, canvas, cut, line, axis)
    _trail(frame, canvas, axis, (1, 1) if view.point.phase == "forward" else (2, tall))
    _marker(frame, canvas, axis)
    _loss(frame, canvas, axis.end + 1)
    return canvas


class _BarRow(NamedTuple):
    """A quantity's bars: the first of their lines, how many lines they take, and how they are measured."""

    line: int
    tall: int
    label: str
    name: str
    log: bool


def _bars(frame: Frame, canvas: Canvas, row: _BarRow, axis: TimeAxis, held: range) -> None:
    """The norms of one quantity; a click on a step goes to where it was written. At the left the ends of the scale."""
    look, view = frame.look, frame.view
    style = look.backward if row.log else look.forward
    canvas.text(1, row.line, row.label, style)
    name = frame.writer.spelling.name(row.name)
    canvas.text(NAME, row.line, name[:NAMED] if len(name) > NAMED - 2 else f"‖{name}‖", style)
    scale, codes, heights = _measured(view.tape, row.name, frame.sample, axis, log=row.log)
    codes, first = codes.copy(), 1 - view.program.steps_of(row.name).start
    if view.position:  # at the start the iteration stands there as it will be
        known = view.computed(row.name)[first : first + len(held)]
        codes[axis.all_of(axis.placed(held, ~known, True))] = NOT_YET
        codes[axis.all_of(axis.placed(held, _ended(frame), True))] = ENDED
    codes[axis.all_of(axis.placed(held, np.zeros(len(held), bool), True))] = PAD
    _cells(frame, canvas, row, codes, heights * row.tall, axis)
    written = view.written(row.name)
    for column in range(axis.columns):
        if inside := axis.steps_in(column, held):
            place = ToPosition(_position(frame, int(written[first + inside.start - 1])))
            canvas.hit(axis.x(column), row.line, axis.pitch, row.tall, place)
    canvas.text(ENDS, row.line, _ends(row, scale), look.dim)


@last_remembered(4)
def _measured(tape: Tape, name: str, sample: int | None, axis: TimeAxis, *, log: bool) -> tuple[float, Array, Array]:
    """The scale of a quantity's bars, and the colour and the height (0 to 1) of each column's once all of them are computed."""
    first, held = 1 - tape.plan.program.steps_of(name).start, range(1, tape.plan.program.steps + 1)
    norms = tape.norms(name, sample)[first : first + len(held)]
    scale = _power_of_ten(scale_of(norms)) if log else scale_of(norms)
    highest = np.maximum.reduceat(axis.placed(held, norms, 0), axis.starts)
    return scale, one_sided_codes(highest, scale, log, FAINT), bar_heights(highest, scale, log=log)


def _power_of_ten(value: float) -> float:
    """The smallest one that is not below a value."""
    return 10.0 ** min(sys.float_info.max_10_exp, math.ceil(math.log10(value)))


def bar_heights(norms: Array, scale: float, *, log: bool) -> Array:
    """For each norm its bar's height, 0 to 1, the smallest that is not zero a little above 0; logarithmic over `DECADES`."""
    with np.errstate(all="ignore"):
        share = 1 + np.log10(norms / scale) / DECADES if log else norms / scale
    return np.where(norms > 0, np.clip(np.nan_to_num(share), 1e-9, 1), 0)


def _cells(frame: Frame, canvas: Canvas, row: _BarRow, codes: Array, heights: Array, axis: TimeAxis) -> None:
    """Side by side what stands in the columns: a bar for a number; what is no number as a heatmap draws it, in the lowest line."""
    palette = frame.look.palettes.backward if row.log else frame.look.palettes.forward
    pitch = axis.pitch
    wide = pitch - (1 if pitch >= GAP_FROM else 0)
    levels = (codes >= ZERO) & (codes < LEVELS)
    ends = [0, *(np.flatnonzero(levels[1:] != levels[:-1]) + 1).tolist(), len(codes)]
    for start, end in pairwise(ends):
        x = axis.x(start)
        if levels[start]:
            shown = tuple(codes[start:end].tolist()), tuple(heights[start:end].tolist())
            bars = _bars_of(frame.look, row, *shown, pitch, wide, ghost=frame.view.position == 0)
            canvas.rows(x, row.line, bars)
        else:
            cells = heatmap(codes[None, start:end], palette, frame.look.mode, wide, 1, gap=pitch - wide)
            canvas.rows(x, row.line + row.tall - 1, cells)


@lru_cache(maxsize=64)
def _bars_of(
    look: Look, row: _BarRow, codes: tuple[int, ...], heights: tuple[float, ...], pitch: int, wide: int, *, ghost: bool
) -> list[list[Segment]]:
    """Bars of so many eighths of a line, the uppermost line first; what is exactly zero is a dot. The lines of a time step share them."""
    under = look.canvas
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


def _ends(row: _BarRow, scale: float) -> str:
    """What the highest and the lowest bar stand for."""
    top = number(scale, 7, 2, trim=True)
    return f"█ {top}  ▁ {number(scale * FAINT, 7, 1, trim=True)} log" if row.log else f"█ {top}"


def _legend(frame: Frame, canvas: Canvas, cut: list[Cut], x: int) -> None:
    """From x on what the marks and the hatching mean; beside another iteration's figures, which iteration this is."""
    if frame.selection.page == "training" and frame.moment[0] != frame.view.point.iteration:
        x = 2 + canvas.text(x, 0, f"iteration {frame.view.point.iteration}", frame.look.dim)
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
    if network.truncate is not None and carries_losses(network) and point.phase == "backward" and point.t:
        places = [Cut(point.t - network.truncate if reverse else point.t + network.truncate, True)]
    if reverse:  # between t and t+1
        places = [Cut(cut.t + 1, cut.all) for cut in places]
    return [cut for cut in places if 1 < cut.t <= view.program.steps]


def _mark(frame: Frame, canvas: Canvas, places: list[Cut], line: int, axis: TimeAxis) -> None:
    """A bar before each step at which the flow is cut, a thin one where that is so for some samples only."""
    if axis.columns == axis.steps:
        for cut in places:
            canvas.text(axis.x(cut.t) - 1, line, CUT if cut.all else SOME_CUT, frame.look.error)


def _position(frame: Frame, offset: int) -> int:
    return 1 + frame.view.point.iteration * frame.view.program.length + offset


def _trail(frame: Frame, canvas: Canvas, axis: TimeAxis, lines: tuple[int, int]) -> None:
    """The bars that a sweep has just passed, in so many lines from one on: the younger, the nearer to the colour of the present point."""
    top, height = lines
    for age, steps in enumerate(frame.trail):
        for column in {axis.column_of(step) for step in steps}:
            share = 1 - age / len(frame.trail)
            canvas.tint(axis.x(column), top, axis.pitch, height, frame.look.accent, share)


def _marker(frame: Frame, canvas: Canvas, axis: TimeAxis) -> None:
    """Where we are: in the gap before the cell, in the row of the pass."""
    point, row = frame.view.point, frame.view.row
    if row and point.phase in ("forward", "backward"):
        current = axis.column_of(row)
        line = 1 if point.phase == "forward" else 2
        block = None if frame.view.line is None else frame.view.program.blocks[frame.view.line.block]
        down = block is not None and block.loop is Loop.DOWN
        if down or (line == 2 and block is not None and not block.in_time):  # the gradient comes from the right
            canvas.text(axis.x(current + 1) - (1 if axis.pitch >= GAP_FROM else 0), line, "◀", frame.look.accent)
        else:
            canvas.text(axis.x(current) - 1, line, "▶", frame.look.accent)


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
