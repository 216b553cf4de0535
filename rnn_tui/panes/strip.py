"""The time strip: the norm of the state at each step, and how far the gradient has flowed back."""

from __future__ import annotations

import numpy as np

from engine.explain.flow import Cut, cuts
from engine.language.derive import gradient
from engine.language.functions import Array
from engine.model.program import carries_losses
from rnn_tui.frame import LOG_FROM, Frame
from rnn_tui.panes.legend import padding_key
from rnn_tui.render.canvas import Canvas
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import ENDED, NOT_YET, one_sided_codes
from rnn_tui.render.pooling import block_range
from rnn_tui.targets import ToPosition

LABELS = 15
CUT, SOME_CUT = "│", "┆"
GAP_FROM = 3
"""A cell this wide leaves its last column free."""
ROOMY = 100
LEGEND = 20


def draw_strip(frame: Frame, width: int, height: int) -> Canvas:
    """Numbers of the steps, ‖a_t‖, ‖da_t‖: one-sided colours, dashes where nothing is computed yet, hatching beyond a sample's length.

    A bar stands where truncation cuts the flow.
    """
    look, view = frame.look, frame.view
    canvas = Canvas(width, height, look.canvas)
    steps = view.program.steps
    legend = LEGEND if width >= ROOMY else 0
    room = max(1, width - LABELS - legend - 5)
    pitch = max(1, min(8, room // steps))
    columns = min(steps, room)
    cut = _cuts(frame)
    _mark(frame, canvas, cut, 0, pitch, columns)
    _numbers(frame, canvas, pitch, columns)
    for line, label, name in ((1, "forward ", frame.output), (2, "backward", gradient(frame.output))):
        _row(frame, canvas, line, label, name, pitch, columns)
    if pitch >= GAP_FROM:
        _mark(frame, canvas, cut, 2, pitch, columns)
    if legend:
        _legend(frame, canvas, LABELS + columns * pitch + 6, cut)
    _marker(frame, canvas, pitch, columns)
    _loss(frame, canvas, LABELS + columns * pitch + 1)
    return canvas


def _row(frame: Frame, canvas: Canvas, line: int, label: str, name: str, pitch: int, columns: int) -> None:
    """The norms of one quantity; a click on a step goes to where it was written. At the right what the colours mean."""
    look, view, steps = frame.look, frame.view, frame.view.program.steps
    style = look.forward if line == 1 else look.backward
    canvas.text(1, line, label, style)
    canvas.text(10, line, f"‖{frame.writer.spelling.name(name)}‖"[:5], style)
    norms, known = view.tape.norms(name, frame.sample)[1:], view.computed(name)[1:]
    codes, note = _codes(norms, known, columns)
    codes[np.logical_and.reduceat(_ended(frame), np.arange(columns) * steps // columns)] = ENDED
    palette = look.palettes.forward if line == 1 else look.palettes.backward
    gap = 1 if pitch >= GAP_FROM else 0
    canvas.rows(LABELS, line, heatmap(codes[None, :], palette, look.mode, pitch - gap, 1, gap=gap))
    written = view.written(name)
    for column in range(columns):
        offset = int(written[1 + block_range(column, steps, columns).start])
        canvas.hit(LABELS + column * pitch, line, pitch, 1, ToPosition(_position(frame, offset)))
    if canvas.width >= ROOMY:
        canvas.text(LABELS + columns * pitch + 6, line, note, look.dim)


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
    places = cuts(view.tape, frame.sample)
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
    look, point, steps = frame.look, frame.view.point, frame.view.program.steps
    canvas.text(1, 0, "t", look.dim)
    widest = len(str(steps)) + 1
    stride = 1
    while stride * pitch < widest:
        stride += 1
    stride = next((n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if n >= stride), stride)
    current = None if not point.t else (point.t - 1) * columns // steps
    for column in range(columns):
        t = 1 + block_range(column, steps, columns).start
        near = current is not None and column != current and abs(column - current) * pitch < widest
        if column != current and ((column % stride if stride > 1 else 0) or near):
            continue
        label = str(point.t if column == current else t)
        x = LABELS + column * pitch + max(0, (pitch - 1 - len(label)) // 2)
        canvas.text(x, 0, label, look.accent if column == current else look.dim)


def _marker(frame: Frame, canvas: Canvas, pitch: int, columns: int) -> None:
    """Where we are: in the gap before the cell, in the row of the pass."""
    point = frame.view.point
    if point.t and point.phase in ("forward", "backward"):
        current = (point.t - 1) * columns // frame.view.program.steps
        if point.phase == "forward":
            canvas.text(LABELS + current * pitch - 1, 1, "▶", frame.look.accent)
        else:  # the gradient comes from the right
            canvas.text(LABELS + (current + 1) * pitch - (1 if pitch >= GAP_FROM else 0), 2, "◀", frame.look.accent)


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


def _codes(norms: Array, computed: Array, columns: int) -> tuple[Array, str]:
    """The codes of at most `columns` steps (the largest norm of each group), and what the colours mean."""
    finite = norms[np.isfinite(norms) & (norms > 0)]
    largest = float(finite.max()) if finite.size else 1.0
    log = bool(finite.size) and largest / float(finite.min()) > LOG_FROM
    starts = np.arange(columns) * len(norms) // columns
    grouped, any_there = np.maximum.reduceat(norms, starts), np.logical_or.reduceat(computed, starts)
    floor = max(float(finite.min()) / largest * 0.5, 1e-30) if log else 1e-6
    codes = one_sided_codes(grouped, largest, log, floor)
    codes[~any_there] = NOT_YET
    seen = norms[computed & np.isfinite(norms)]
    note = f"max {number(float(seen.max()), 8, trim=True)}" if seen.size else ""
    return codes, f"{'log, ' if log and note else ''}{note}"
