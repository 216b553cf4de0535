"""Training: loss, accuracy and gradient norm by iteration, and the gradient's norm at each time step of each iteration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.language.derive import gradient
from engine.language.functions import Array
from engine.recording.measures import COLUMNS
from rnn_tui.panes.shared.words import other_layers, since_before
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.curve import bars, curve
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import NOT_YET, one_sided_codes
from rnn_tui.render.pooling import block_of, block_range
from rnn_tui.shown.frame import LOG_FROM, Frame
from rnn_tui.shown.targets import ToIteration

LEFT = 14
WIDEST = 6


TALLEST = 4
"""Lines that a time step is high at most."""


@dataclass(frozen=True)
class _Axis:
    """The iterations 0..count−1 from left to right: `columns` groups of them, each `pitch` characters wide."""

    count: int
    columns: int
    pitch: int

    @property
    def width(self) -> int:
        return self.columns * self.pitch

    @property
    def starts(self) -> NDArray[np.intp]:
        """The first iteration of each column."""
        return np.array([block_range(column, self.count, self.columns).start for column in range(self.columns)])


def draw_training(frame: Frame, width: int, height: int) -> Canvas:
    """Columns are iterations; the curve of the loss above, rows of time steps below. A cell leads to that iteration and step."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    flow = gradient(frame.layer)
    canvas.frame(
        0,
        0,
        width,
        height,
        f"training · ‖{frame.writer.timed(flow)}‖ by iteration and time step{other_layers(frame)}",
        look.border,
        look.bold,
    )
    if not frame.history:
        canvas.text(2, 2, frame.named("nothing has been run yet: press `t` to train"), look.dim)
        return canvas
    count = max(len(frame.history), 1 + frame.view.point.iteration)
    room = max(1, width - LEFT - 2)
    axis = _Axis(count, min(count, room), max(1, min(WIDEST, room // count)))
    y = 1 + _curves(frame, canvas, axis, height)
    _heatmap(frame, canvas, axis, y, height - y - 3)
    _numbers(frame, canvas, axis, height - 3)
    _status(frame, canvas, width, height - 2)
    return canvas


def _curves(frame: Frame, canvas: Canvas, axis: _Axis, height: int) -> int:
    """Loss, accuracy and gradient norm; how many lines that took."""
    look = frame.look
    lines = 5 if height >= 26 else 3 if height >= 14 else 1
    losses = _extremes(frame, axis)
    for y, line in enumerate(curve(losses, axis.width, lines)):
        canvas.text(LEFT, 1 + y, line, look.forward)
    finite = losses[np.isfinite(losses)]
    canvas.text(1, 1, "loss", look.forward)
    if finite.size and lines > 1:
        texts = {y: number(float(value), 8, 3, trim=True) for y, value in ((lines, finite.min()), (1, finite.max()))}
        for y, text in texts.items() if texts[1] != texts[lines] else [((1 + lines) // 2 + 1, texts[1])]:
            canvas.text(LEFT - 1 - len(text), y, text, look.dim)
    used = lines
    right = _figures(axis, frame.history.accuracies)
    if np.isfinite(right).any():
        used += 1
        canvas.text(1, used, "accuracy", look.forward)
        canvas.text(LEFT, used, _wide(bars(right, 0, 1), axis), look.forward)
    with np.errstate(all="ignore"):
        norms = np.log10(_figures(axis, frame.history.gradient_norms))
    shown = norms[np.isfinite(norms)]
    used += 1
    canvas.text(1, used, "‖gradient‖", look.backward)
    if shown.size:
        text = bars(norms, float(shown.min()), float(shown.max()))
        canvas.text(LEFT, used, _wide(text, axis), look.backward)
    return used


def _wide(text: str, axis: _Axis) -> str:
    return "".join(character * axis.pitch for character in text)


def _figures(axis: _Axis, figures: Array) -> Array:
    """Of rows by iteration one a column: the largest of its iterations; NaN where none was run."""
    missing = np.full((axis.count - len(figures), *figures.shape[1:]), np.nan)
    return np.fmax.reduceat(np.concatenate((figures, missing)), axis.starts)


def _extremes(frame: Frame, axis: _Axis) -> Array:
    """The losses; where a column holds several, the smallest and the largest in their order, so that no spike is lost."""
    if axis.columns == axis.count:
        return _figures(axis, frame.history.losses)
    result = np.full((axis.columns, 2), np.nan)
    for column in range(axis.columns):
        group = block_range(column, axis.count, axis.columns)
        known = frame.history.losses[group.start : group.stop]
        finite = np.flatnonzero(np.isfinite(known))
        if finite.size:
            ends = sorted((finite[known[finite].argmin()], finite[known[finite].argmax()]))
            result[column] = known[ends]
    return result.ravel()


def _heatmap(frame: Frame, canvas: Canvas, axis: _Axis, top: int, lines: int) -> None:
    look, steps = frame.look, frame.view.program.steps
    if lines < 1:
        return
    kept = min(steps, COLUMNS)
    rows = min(kept, lines if look.mode is ColorMode.NONE else 2 * lines)
    by_step = np.maximum.reduceat(frame.history.flows(frame.layer), np.arange(rows) * kept // rows, axis=1)
    starts = axis.starts
    run = np.concatenate((by_step, np.zeros((axis.count - len(by_step), rows))))
    values, known = np.maximum.reduceat(run, starts).T, starts < len(by_step)  # of a column's iterations NaN wins
    finite = values[np.isfinite(values) & (values > 0)]
    largest = float(finite.max()) if finite.size else 1.0
    log = bool(finite.size) and largest > LOG_FROM * float(finite.min())
    floor = max(float(finite.min()) / largest * 0.5, 1e-30) if log else 1e-6
    codes = one_sided_codes(values, largest, log, floor)
    codes[:, ~known] = NOT_YET
    tall = _tall(rows, lines, look.mode)
    row, column = _cursor(frame, axis, rows)
    stretched = codes[np.arange(tall) * rows // tall]
    cursor = -(-row * tall // rows), column
    picture = heatmap(stretched, look.palettes.backward, look.mode, axis.pitch, "half", cursor)
    canvas.rows(LEFT, top, picture)
    canvas.text(1, top, "t = 1", look.dim)
    if len(picture) > 1:
        canvas.text(1, top + len(picture) - 1, f"t = {steps}"[: LEFT - 2], look.dim)
    if len(picture) > 2 and finite.size:
        canvas.text(1, top + 1, "log" if log else "", look.dim)
    canvas.hit(
        LEFT, top, axis.width, len(picture), ToIteration(axis.count, axis.columns, axis.pitch, rows, len(picture))
    )


def _tall(rows: int, lines: int, mode: ColorMode) -> int:
    """How many rows of picture as many time steps get: all that there are, each step's about as many, in whole lines."""
    if mode is ColorMode.NONE:
        return min(lines, TALLEST * rows)
    return 2 * min(lines, TALLEST * rows)


def _cursor(frame: Frame, axis: _Axis, rows: int) -> tuple[int, int]:
    iteration, t = frame.moment
    return block_of(t - 1, frame.view.program.steps, rows), block_of(
        min(iteration, axis.count - 1), axis.count, axis.columns
    )


def _numbers(frame: Frame, canvas: Canvas, axis: _Axis, y: int) -> None:
    """The iterations' numbers below, the present one marked."""
    look = frame.look
    now = block_of(frame.view.point.iteration, axis.count, axis.columns)
    widest = len(str(axis.count)) + 2
    stride = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if n * axis.pitch >= widest)
    for column in range(0, axis.columns, stride):
        if abs(column - now) * axis.pitch >= widest:
            label = str(block_range(column, axis.count, axis.columns).start)
            canvas.text(LEFT + column * axis.pitch, y, label, look.dim)
    here = str(frame.view.point.iteration)
    canvas.text(min(LEFT + now * axis.pitch, canvas.width - 2 - len(here)), y, here, look.accent)
    canvas.text(1, y, "iteration", look.dim)


def _status(frame: Frame, canvas: Canvas, width: int, y: int) -> None:
    """What is under the cursor, in numbers."""
    look, (iteration, t) = frame.look, frame.moment
    known = frame.history.get(iteration)
    if known is None:
        canvas.text(2, y, shortened(f"iteration {iteration} has not been run", width - 4), look.dim)
        return
    norms = known.flows[frame.layer]
    place = (t - 1) * len(norms) // frame.view.program.steps
    flow = frame.writer.spelling.name(gradient(frame.layer))
    parts = [f"iteration {iteration}, t = {t}: ‖{flow}‖ {number(float(norms[place]), 8, trim=True)}"]
    before = frame.history.get(iteration - 1)
    change = since_before(known.loss, before and before.loss)
    parts.append(f"loss {number(known.loss, 8, trim=True)}{f' ({change})' if change else ''}")
    if known.accuracy is not None:
        parts.append(f"accuracy {known.accuracy:.0%}")
    parts.append(f"‖gradient‖ {number(known.gradient_norm, 8, trim=True)}")
    while len(" · ".join(parts)) > width - 4 and len(parts) > 1:
        parts.pop()
    canvas.text(2, y, shortened(" · ".join(parts), width - 4), look.text)
