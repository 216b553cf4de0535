"""Which loss reaches which step, where there is a loss at every step: one row per loss, one column per time step."""

from __future__ import annotations

import textwrap

import numpy as np

from engine.errors import InputError
from engine.explain.reach import reach
from engine.language.derive import gradient
from engine.language.functions import Array
from rnn_tui.frame import Frame
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import PAD, one_sided_codes
from rnn_tui.render.pooling import block_of, block_range
from rnn_tui.targets import ToPosition

LEFT = 7
WIDEST = 6
SMALLEST = 1e-30
FADED = 1e-3


def draw_reach(frame: Frame, width: int, height: int) -> Canvas:
    """‖∂L_s/∂a_t‖ for s and t = 1..T, logarithmic; where t lies behind s there is nothing. A click on a column goes to that step."""
    look, view = frame.look, frame.view
    canvas = Canvas(width, height, look.canvas)
    output = frame.writer.spelling.name(view.program.output)
    about = "which loss reaches which step: " if width >= 60 else ""
    title = f"{about}‖∂L_s/∂{output}_t‖, log"
    if frame.sample is not None:
        title += f" · sample {frame.number_of(frame.sample)}"
    canvas.frame(0, 0, width, height, title, look.border, look.bold)
    try:
        values = reach(view.tape, sample=frame.sample)[:, 1:]
    except InputError as error:
        for y, line in enumerate(textwrap.wrap(str(error), max(10, width - 4)), 1):
            canvas.text(2, y, line, look.dim)
        return canvas
    steps, room, lines = (
        view.program.steps,
        max(1, width - LEFT - 2),
        max(1, height - (5 if width >= 100 else 6 if width >= 60 else 8)),
    )
    columns, pitch = min(steps, room), max(1, min(WIDEST, room // steps))
    rows = min(steps, lines if look.mode is ColorMode.NONE else 2 * lines)
    picture = _pooled(values, rows, columns)
    codes = _codes(picture, values)
    codes[_pooled(np.tri(steps), rows, columns) == 0] = PAD
    size = 1 if picture_height(rows, look.mode, 1) <= lines else "half"
    drawn = heatmap(codes, look.palettes.backward, look.mode, pitch, size)
    canvas.rows(LEFT, 1, drawn)
    canvas.text(1, 1, "s = 1", look.dim)
    if len(drawn) > 1:
        canvas.text(1, len(drawn), f"{steps:>{LEFT - 2}}"[-LEFT + 1 :], look.dim)
    _axis(frame, canvas, columns, pitch, 1 + len(drawn))
    _clickable(frame, canvas, columns, pitch, len(drawn))
    for y, line in enumerate(textwrap.wrap(_words(values), max(10, width - 4)), 2 + len(drawn)):
        canvas.text(2, y, shortened(line, width - 4) if y < height - 1 else "", look.text)
    return canvas


def _pooled(values: Array, rows: int, columns: int) -> Array:
    """The largest of each block."""
    low = np.arange(rows) * values.shape[0] // rows, np.arange(columns) * values.shape[1] // columns
    return np.maximum.reduceat(np.maximum.reduceat(values, low[0], axis=0), low[1], axis=1)


def _codes(picture: Array, values: Array) -> Array:
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return one_sided_codes(picture, 1.0, False, SMALLEST)
    largest = float(positive.max())
    return one_sided_codes(picture, largest, True, min(0.5, max(SMALLEST, float(positive.min()) / largest)))


def _axis(frame: Frame, canvas: Canvas, columns: int, pitch: int, y: int) -> None:
    """The steps below, the present one marked."""
    look, steps, now = frame.look, frame.view.program.steps, frame.view.point.t
    current = block_of(now - 1, steps, columns) if now else None
    widest = len(str(steps)) + 1
    stride = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if n * pitch >= widest)
    for column in range(columns):
        near = current is not None and column != current and abs(column - current) * pitch < widest
        if column == current or not (column % stride or near):
            label = str(now if column == current else 1 + block_range(column, steps, columns).start)
            x = LEFT + column * pitch + max(0, (pitch - len(label)) // 2)
            canvas.text(x, y, label, look.accent if column == current else look.dim)
    canvas.text(1, y, "t", look.dim)


def _clickable(frame: Frame, canvas: Canvas, columns: int, pitch: int, lines: int) -> None:
    view = frame.view
    name = gradient(view.program.output)
    for column in range(columns):
        written = view.program.written(name, 1 + block_range(column, view.program.steps, columns).start)
        position = 1 + view.point.iteration * view.program.length + written
        canvas.hit(LEFT + column * pitch, 1, pitch, lines, ToPosition(position))


def _words(values: Array) -> str:
    """How far losses reach, in words."""
    own_steps = np.diagonal(values)
    text = f"at its own step a loss arrives with {number(float(np.median(own_steps)), 8, 2, trim=True)} (median)"
    gone: list[int] = []
    for s, start in enumerate(own_steps.tolist()):
        below = np.flatnonzero(values[s, s::-1] < FADED * start)
        if below.size:
            gone.append(int(below[0]))
    far = (
        "none falls below a thousandth of that"
        if not gone
        else (f"below a thousandth of that {int(np.median(gone))} steps before it")
    )
    return f"{text}; {far}"
