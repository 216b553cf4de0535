"""The flow of one quantity: units × time, filling from left to right going forward and from right to left going back."""

from __future__ import annotations

import numpy as np

from engine.derive import gradient
from engine.flow import Gain, gain
from engine.functions import Array
from rnn_tui.frame import Frame
from rnn_tui.render.canvas import Canvas
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import NOT_YET
from rnn_tui.render.pooling import block_of, block_range, pool
from rnn_tui.targets import ToPosition

GAINS = 33
LEFT = 5


def draw_flow(frame: Frame, width: int, height: int) -> Canvas:
    """Rows are units, columns time steps; of several samples the value of largest magnitude, or the chosen sample's."""
    look, name, view = frame.look, frame.flowing, frame.view
    canvas = Canvas(width, height, look.canvas)
    sample = frame.selection.sample
    which = f"sample {sample}" if sample is not None else f"largest of {frame.samples} samples"
    scale = ", log" if frame.log_of(name) else ""
    canvas.frame(0, 0, width, height, f"flow · {name}: units × time, {which}{scale}", look.border, look.bold)
    array, there = view.tape[name], view.computed(name)
    values = array[:, sample] if sample is not None else _largest(array)
    gains = GAINS if width >= 70 and name == gradient(view.program.output) else 0
    room = width - LEFT - 3 - gains
    steps = len(array)
    pitch = max(1, min(8, room // steps))
    columns, lines = min(steps, room), max(1, height - 5)
    picture = pool(values.T, lines if look.mode.name == "NONE" else 2 * lines, columns)
    size = 1 if picture_height(len(picture), look.mode, 1) <= lines else "half"
    codes = frame.codes(picture, name)
    starts = np.arange(columns) * steps // columns
    codes[:, ~np.logical_or.reduceat(there, starts)] = NOT_YET
    rows = heatmap(codes, look.palettes.signed, look.mode, pitch, size)
    canvas.rows(LEFT, 2, rows)
    canvas.text(1, 2, "  0", look.dim)
    canvas.text(1, 1 + len(rows), f"{values.shape[1] - 1:>3}", look.dim)
    _axis(frame, canvas, 2 + len(rows), pitch, columns, steps)
    _norms(frame, canvas, 3 + len(rows), pitch, columns, room)
    for column in range(columns):
        row = block_range(column, steps, columns).start
        offset = int(view.written(name)[row])
        if offset >= 0:
            position = 1 + view.point.iteration * view.program.length + offset
            canvas.hit(LEFT + column * pitch, 2, pitch, len(rows), ToPosition(position))
    if gains:
        _gains(frame, canvas, width - gains - 1, height)
    return canvas


def _largest(array: Array) -> Array:
    """(rows, B, n) → (rows, n): over samples the value of largest magnitude, sign kept."""
    high, low = array.max(axis=1), array.min(axis=1)
    return np.where(high >= -low, high, low)


def _axis(frame: Frame, canvas: Canvas, y: int, pitch: int, columns: int, steps: int) -> None:
    look = frame.look
    first = frame.view.program.steps + 1 - steps
    row = _row_now(frame)
    current = None if row is None else block_of(row, steps, columns)
    widest = len(str(frame.view.program.steps)) + 1
    stride = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if n * pitch >= widest)
    for column in range(columns):
        near = current is not None and column != current and abs(column - current) * pitch < widest
        if column != current and (column % stride or near):
            continue
        t = first + (row if column == current and row is not None else block_range(column, steps, columns).start)
        label = str(t)
        x = LEFT + column * pitch + max(0, (pitch - len(label)) // 2)
        canvas.text(x, y, label, look.accent if column == current else look.dim)


def _row_now(frame: Frame) -> int | None:
    """The row of the flow that the present line reads or writes: the one it writes, else the one of its t."""
    view = frame.view
    quantity = view.program.quantities[frame.flowing]
    if view.line is None or not view.point.t:
        return None
    shift = view.line.equation.step if view.line.name == frame.flowing else 0
    return quantity.row(view.point.t + shift)


def _norms(frame: Frame, canvas: Canvas, y: int, pitch: int, columns: int, room: int) -> None:
    look, view, name = frame.look, frame.view, frame.flowing
    there = view.computed(name)
    norms = view.tape.norms(name)
    style = look.backward if name.startswith("d") else look.forward
    if y >= canvas.height - 1:
        return
    if pitch >= 7 and columns == len(norms):
        canvas.text(1, y, "‖·‖", style)
        for row in np.flatnonzero(there):
            text = number(float(norms[row]), pitch - 1, 2, trim=True)
            canvas.text(LEFT + int(row) * pitch, y, text[: pitch - 1].center(pitch), style)
    elif there.any():
        seen = norms[there]
        text = f"‖{name}_t‖ {number(float(seen.min()), 8, trim=True)} … {number(float(seen.max()), 8, trim=True)}"
        canvas.text(LEFT, y, text[:room], style)


def _gains(frame: Frame, canvas: Canvas, x: int, height: int) -> None:
    """The last steps the error has taken, newest first: gain = activation × weights, and the share of live units."""
    look, view = frame.look, frame.view
    there = view.computed(frame.flowing)
    reached = int(np.flatnonzero(there)[0]) if there.any() else view.program.steps
    canvas.text(x, 2, "gain per step", look.dim)
    steps = range(reached + 1, view.program.steps + 1)[: max(0, height - 5)]
    if not len(steps):
        canvas.text(x, 3, "once the error flows back", look.dim)
    for y, t in enumerate(steps, 3):
        _gain(frame, canvas, x, y, gain(view.tape, t))


def _gain(frame: Frame, canvas: Canvas, x: int, y: int, step: Gain) -> None:
    look = frame.look
    after = canvas.text(x, y, f"{f'{step.t}→{step.t - 1}':<8}", look.dim)
    after = canvas.text(after, y, f"{number(step.total, 7, 3, trim=True):<7}", look.bold)
    if step.live is not None and step.weights is not None:
        canvas.text(after, y, f"on {step.live:4.0%} Wa {number(step.weights, 7, 3, trim=True)}", look.dim)
