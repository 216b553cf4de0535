"""The flow of quantities in time: units × time, filling from left to right going forward and from right to left going back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.derive import gradient
from engine.flow import Gain, gain
from engine.functions import Array
from rnn_tui.frame import Frame
from rnn_tui.render.canvas import Canvas
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import NOT_YET
from rnn_tui.render.pooling import block_of, block_range, pool
from rnn_tui.targets import ToPosition

GAINS = 33
LEFT = 5
FULL = 8
"""Lines that a quantity should have before a further one is shown below it."""


@dataclass(frozen=True)
class _Grid:
    """The time axis: columns of `pitch` characters for the rows t = 0..T, grouped when there are more rows than columns."""

    pitch: int
    columns: int
    steps: int


def draw_flow(frame: Frame, width: int, height: int) -> Canvas:
    """Rows are units, columns time steps; of several samples the value of largest magnitude, or the chosen sample's.

    Where there is room, the other quantities in time stand below, on the same time axis.
    """
    look, name, view = frame.look, frame.flowing, frame.view
    canvas = Canvas(width, height, look.canvas)
    sample = frame.sample
    which = f"sample {sample}" if sample is not None else f"largest of {frame.samples} samples"
    names = _names(frame, height)
    shown = frame.writer.spelling.name
    title = "flow" if len(names) > 1 else f"flow · {shown(name)}"
    scale = ", log" if len(names) == 1 and frame.tone(view.tape[name], name).log else ""
    canvas.frame(0, 0, width, height, f"{title}: units × time, {which}{scale}", look.border, look.bold)
    gains = GAINS if width >= 70 and gradient(view.program.output) in names else 0
    room = max(1, width - LEFT - 3 - gains)
    steps = view.program.steps + 1
    grid = _Grid(max(1, min(8, room // steps)), min(steps, room), steps)
    y, share = 1, (height - 2) // len(names)
    for each in names:
        if len(names) > 1:
            log = " (log)" if frame.tone(view.tape[each], each).log else ""
            canvas.text(LEFT, y, f"{shown(each)}{log}", look.backward if each.startswith("d") else look.forward)
        used = _quantity(frame, canvas, each, grid, y + 1, max(1, share - 3), room)
        y += max(share, used) if len(names) == 1 else used + 1
    if gains:
        _gains(frame, canvas, width - gains - 1, height)
    return canvas


def _names(frame: Frame, height: int) -> list[str]:
    """The flowing quantity, then as many of the others in time as fit."""
    quantities = frame.view.program.quantities
    rest = [name for name, quantity in quantities.items() if quantity.rows and name != frame.flowing]
    own = quantities[frame.flowing].axes
    others = sorted(
        rest, key=lambda name: (quantities[name].axes != own, name.startswith("d") != frame.flowing.startswith("d"))
    )
    return [frame.flowing, *others[: max(0, (height - 2) // FULL - 1)]]


def _quantity(frame: Frame, canvas: Canvas, name: str, grid: _Grid, top: int, lines: int, room: int) -> int:
    """One quantity in at most `lines` lines from line `top`, its axis and norms below; how many lines that took."""
    look, view = frame.look, frame.view
    array, there = view.tape[name], view.computed(name)
    if len(array) < grid.steps:  # no row for t = 0
        array, there = np.concatenate([np.zeros_like(array[:1]), array]), np.concatenate([[False], there])
    sample = frame.sample
    values = array[:, sample] if sample is not None else _largest(array)
    picture = pool(values.T, lines if look.mode is ColorMode.NONE else 2 * lines, grid.columns)
    size = 1 if picture_height(len(picture), look.mode, 1) <= lines else "half"
    codes = frame.codes(picture, name)
    starts = np.arange(grid.columns) * grid.steps // grid.columns
    codes[:, ~np.logical_or.reduceat(there, starts)] = NOT_YET
    rows = heatmap(codes, look.palettes.signed, look.mode, grid.pitch, size)
    canvas.rows(LEFT, top, rows)
    canvas.text(1, top, "  0", look.dim)
    if len(rows) > 1:
        canvas.text(1, top + len(rows) - 1, f"{values.shape[1] - 1:>3}", look.dim)
    _axis(frame, canvas, name, top + len(rows), grid)
    _norms(frame, canvas, name, top + len(rows) + 1, grid, room)
    _clickable(frame, canvas, name, top, len(rows), grid)
    return len(rows) + 3


def _largest(array: Array) -> Array:
    """(rows, B, n) → (rows, n): over samples the value of largest magnitude, sign kept."""
    high, low = array.max(axis=1), array.min(axis=1)
    return np.where(high >= -low, high, low)


def _clickable(frame: Frame, canvas: Canvas, name: str, top: int, lines: int, grid: _Grid) -> None:
    """A click on a column goes to the point where that row was written."""
    view = frame.view
    written = view.written(name)
    for column in range(grid.columns):
        row = block_range(column, grid.steps, grid.columns).start + len(written) - grid.steps
        if row >= 0 and written[row] >= 0:
            position = 1 + view.point.iteration * view.program.length + int(written[row])
            canvas.hit(LEFT + column * grid.pitch, top, grid.pitch, lines, ToPosition(position))


def _axis(frame: Frame, canvas: Canvas, name: str, y: int, grid: _Grid) -> None:
    look = frame.look
    now = _now(frame, name)
    current = None if now is None else block_of(now, grid.steps, grid.columns)
    widest = len(str(grid.steps)) + 1
    stride = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if n * grid.pitch >= widest)
    for column in range(grid.columns):
        near = current is not None and column != current and abs(column - current) * grid.pitch < widest
        if column != current and (column % stride or near):
            continue
        label = str(now if column == current else block_range(column, grid.steps, grid.columns).start)
        x = LEFT + column * grid.pitch + max(0, (grid.pitch - len(label)) // 2)
        canvas.text(x, y, label, look.accent if column == current else look.dim)


def _now(frame: Frame, name: str) -> int | None:
    """The step of a quantity's row that the present line writes, else the line's own t."""
    view = frame.view
    if view.line is None or not view.point.t:
        return None
    return view.point.t + (view.line.equation.step if view.line.name == name else 0)


def _norms(frame: Frame, canvas: Canvas, name: str, y: int, grid: _Grid, room: int) -> None:
    look, view = frame.look, frame.view
    written, norms = view.written(name), view.tape.norms(name, frame.sample)
    there = view.computed(name) & (written >= 0)
    style = look.backward if name.startswith("d") else look.forward
    if y >= canvas.height - 1 or not there.any():
        return
    if grid.pitch >= 7 and grid.columns == grid.steps:
        canvas.text(1, y, "‖·‖", style)
        for row in np.flatnonzero(there):
            text = number(float(norms[row]), 9, 2, trim=True)[: grid.pitch]
            canvas.text(LEFT + (int(row) + grid.steps - len(norms)) * grid.pitch, y, text.center(grid.pitch), style)
    else:
        seen = norms[there]
        label = frame.writer.timed(name)
        text = f"‖{label}‖ {number(float(seen.min()), 8, trim=True)} … {number(float(seen.max()), 8, trim=True)}"
        canvas.text(LEFT, y, text[:room], style)


def _gains(frame: Frame, canvas: Canvas, x: int, height: int) -> None:
    """The last steps the error has taken, newest first: gain = activation × weights, and the share of live units."""
    look, view = frame.look, frame.view
    there = view.computed(gradient(view.program.output))
    reached = int(np.flatnonzero(there)[0]) if there.any() else view.program.steps
    steps = range(reached + 1, view.program.steps + 1)[: max(0, height - 5)]
    if not len(steps):
        canvas.text(x, 2, "gain per step,", look.dim)
        canvas.text(x, 3, "once the error flows back", look.dim)
        return
    gains = [gain(view.tape, t, frame.sample) for t in steps]
    label = max(len(_step(each)) for each in gains) + 2
    split = gains[0].weights is not None
    factors = f"{view.tape.plan.network.activation}' × {_recurrent(frame)}  live" if split else ""
    canvas.text(x, 2, f"{'step':<{label}}gain  {'= ' + factors if split else ''}"[: GAINS - 1], look.dim)
    for y, each in enumerate(gains, 3):
        after = canvas.text(x, y, f"{_step(each):<{label}}", look.dim)
        after = canvas.text(after, y, f"{_short(each.total):<6}", look.bold)
        if each.activation is not None and each.weights is not None and each.live is not None:
            text = f"= {_short(each.activation)} × {_short(each.weights)}{each.live:>5.0%}"
            canvas.text(after, y, text, look.dim)


def _recurrent(frame: Frame) -> str:
    """The weights through which the error goes to the step before."""
    program = frame.view.program
    back = next(line for line in program.writers(gradient(program.output)) if line.equation.step < 0)
    return next(frame.writer.spelling.name(n.name) for n in back.equation.reads if n.name in program.parameters)


def _step(each: Gain) -> str:
    return f"{each.t}→{each.t - 1}"


def _short(value: float) -> str:
    """Two or three digits in five characters."""
    return number(value, 7, 2, trim=False) if value == 0 or 0.01 <= abs(value) < 100 else number(value, 7, 1, trim=True)
