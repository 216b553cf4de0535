"""Which loss reaches which step, where there is a loss at every step: one row per loss, one column per time step."""

from __future__ import annotations

import textwrap

import numpy as np

from engine.errors import InputError
from engine.explain.reach import reach
from engine.language.derive import gradient
from engine.language.functions import Array
from rnn_tui.panes.shared.time_axis import TimeAxis, present, time_axis
from rnn_tui.panes.shared.words import other_layers
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import PAD, one_sided_codes
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToPosition

SMALLEST = 1e-30
FADED = 1e-3


def draw_reach(frame: Frame, width: int, height: int) -> Canvas:
    """‖∂L_s/∂a_t‖ for s and t = 1..T, logarithmic; where the loss cannot reach there is nothing. A click on a column goes to that step."""
    look, view = frame.look, frame.view
    canvas = Canvas(width, height, look.canvas)
    output = frame.writer.spelling.name(frame.layer)
    about = "which loss reaches which step: " if width >= 60 else ""
    title = f"{about}‖∂L_s/∂{output}_t‖, log"
    if frame.sample is not None:
        title += f" · sample {frame.number_of(frame.sample)}"
    title += other_layers(frame)
    canvas.frame(0, 0, width, height, title, look.border, look.bold)
    try:
        held = view.program.steps_of(frame.layer)
        values = reach(view.tape, frame.layer, sample=frame.sample)[:, 1 - held.start :][:, : view.program.steps]
    except InputError as error:
        for y, line in enumerate(textwrap.wrap(str(error), max(10, width - 4)), 1):
            canvas.text(2, y, line, look.dim)
        return canvas
    steps, axis = view.program.steps, time_axis(view.program, width)
    lines = max(1, height - (5 if width >= 100 else 6 if width >= 60 else 8))
    rows = min(steps, lines if look.mode is ColorMode.NONE else 2 * lines)
    picture = _pooled(axis, values, rows)
    codes = _codes(picture, values)
    codes[_pooled(axis, _reachable(frame), rows) == 0] = PAD
    size = 1 if picture_height(rows, look.mode, 1) <= lines else "half"
    drawn = heatmap(codes, look.palettes.backward, look.mode, axis.pitch, size)
    canvas.rows(axis.left, 1, drawn)
    axis.mark(canvas, 1, len(drawn), present(view), look)
    canvas.text(1, 1, "s 1", look.dim)
    if len(drawn) > 1:
        canvas.text(1, len(drawn), f"{steps:>3}", look.dim)
    axis.numbers(canvas, 1 + len(drawn), present(view), look, _held(steps))
    canvas.text(1, 1 + len(drawn), "t", look.dim)
    _clickable(frame, canvas, axis, len(drawn))
    for y, line in enumerate(textwrap.wrap(_words(values, *_ways(frame)), max(10, width - 4)), 2 + len(drawn)):
        canvas.text(2, y, shortened(line, width - 4) if y < height - 1 else "", look.text)
    return canvas


def _ways(frame: Frame) -> tuple[bool, bool]:
    """Whether a loss reaches states before its own step, and states after it: a direction alone carries it one way only."""
    program = frame.view.program
    if program.quantities[frame.layer].reverse:
        below = frame.layer != program.outputs[-1]
        return below, True
    own = program.outputs.index(frame.layer)
    return True, any(program.quantities[above].reverse for above in program.outputs[own + 2 :])


def _reachable(frame: Frame) -> Array:
    """(T, T) 1 where a loss s (rows) can reach a state t."""
    (before, after), steps = _ways(frame), frame.view.program.steps
    lower = np.tri(steps)
    return np.maximum(lower if before else np.eye(steps), lower.T if after else np.eye(steps))


def _held(steps: int) -> range:
    """The steps for which there is a loss and a state."""
    return range(1, steps + 1)


def _pooled(axis: TimeAxis, values: Array, rows: int) -> Array:
    """The largest of each block of losses and each column of the axis; 0 at the steps without a column in the values."""
    placed = axis.placed(_held(values.shape[1]), values.T, 0).T
    of_losses = np.maximum.reduceat(placed, np.arange(rows) * len(placed) // rows, axis=0)
    return np.maximum.reduceat(of_losses, axis.starts, axis=1)


def _codes(picture: Array, values: Array) -> Array:
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return one_sided_codes(picture, 1.0, False, SMALLEST)
    largest = float(positive.max())
    return one_sided_codes(picture, largest, True, min(0.5, max(SMALLEST, float(positive.min()) / largest)))


def _clickable(frame: Frame, canvas: Canvas, axis: TimeAxis, lines: int) -> None:
    view = frame.view
    name = gradient(frame.layer)
    for column in range(axis.columns):
        if inside := axis.steps_in(column, _held(view.program.steps)):
            position = 1 + view.point.iteration * view.program.length + view.program.written(name, inside.start)
            canvas.hit(axis.x(column), 1, axis.pitch, lines, ToPosition(position))


def _words(values: Array, before: bool, after: bool) -> str:
    """How far losses reach, in words."""
    own_steps = np.diagonal(values)
    text = f"at its own step a loss arrives with {number(float(np.median(own_steps)), 8, 2, trim=True)} (median)"
    ways = [("before", 1)] * before + [("after", -1)] * after
    far = [f"{_distance(values[::turn, ::turn])} {word} it" for word, turn in ways]
    return f"{text}; {'; '.join(far)}"


def _distance(values: Array) -> str:
    """How many steps before its own a loss has become small."""
    gone: list[int] = []
    for s, start in enumerate(np.diagonal(values).tolist()):
        below = np.flatnonzero(values[s, s::-1] < FADED * start)
        if below.size:
            gone.append(int(below[0]))
    return f"below a thousandth of that {int(np.median(gone))} steps" if gone else "nowhere below a thousandth of that"
