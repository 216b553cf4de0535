"""The gain of each step of the backward pass, and the recurrent weights behind it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from rich.cells import cell_len

from engine.explain.flow import Gain, carried_beside, gain, norm_of, split
from engine.explain.spectrum import Spectrum, spectra
from engine.language.derive import gradient
from engine.language.functions import FUNCTIONS
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.numbers import number
from rnn_tui.shown.frame import Frame

GAINS = 26
"""The least width of the table; the time axis leaves it room."""
ROWS, GAIN, NONE = 4, "gain", "–"
"""Steps that are shown at least (only what is left of the height is for the weights), a column's title, and what stands for no gain."""


def draw_gains(frame: Frame, canvas: Canvas, x: int, y: int, end: int, bottom: int) -> None:
    """The last steps the error has taken, newest first, right of column `x` and left of `end`, from line `y` to above `bottom`: gain =
    activation × weights, and as many as fit of: the share of live units where a unit can be off, and the norm that is left after the step.
    Before anything is run, the steps nearest the loss: there the error will start.

    Below, the spectra of the recurrent weights, between whose singular values the weights' part of a gain must lie.
    """
    if end <= x:
        return
    look = frame.look
    bottom -= _weights(frame, canvas, end - GAINS, y, bottom)
    counted = [t for t in _walked(frame) if not _ended_at(frame, t)]
    lines = max(0, bottom - y - 1)
    begin = max(0, len(counted) - lines) if frame.ghost else 0
    steps = counted[begin : begin + lines]
    if not steps:
        canvas.text(end - GAINS, y, "gain per step,", look.dim)
        canvas.text(end - GAINS, y + 1, "once the error flows back", look.dim)
        return
    columns = _columns(frame, steps)
    while sum(column.width for column in columns) > end - x:
        columns.pop()
    left = end - max(GAINS - 1, sum(column.width for column in columns))
    for column in columns:
        canvas.text(left, y, column.title, look.dim)
        for line, cell in enumerate(column.cells, y + 1):
            canvas.text(
                left, line, cell, look.bold if column.title == GAIN and cell != NONE and not frame.ghost else look.dim
            )
        left += column.width
    if len(steps) < len(counted):  # the others have no room
        canvas.text(end - 1, *((y + 1, "↑") if frame.ghost else (y + lines, "↓")), look.dim)


def last_gain(frame: Frame, room: int) -> str:
    """The gain of the last step the error has taken and its factors, in a line; "" where it has taken none yet."""
    step = next((t for t in _walked(frame) if not _ended_at(frame, t)), None)
    if step is None or frame.ghost:
        return ""
    found, factors = gain(frame.view.tape, step, frame.sample, frame.output), split(frame.view.program, frame.output)
    total = f"{GAIN} {_part(found.total)}"
    if factors is None or found.activation is None or found.weights is None:
        return total
    activation, weights = _part(found.activation), _part(found.weights)
    named = f"{total} = {factors.function}' {activation} × {frame.writer.spelling.name(factors.weights)} {weights}"
    return named if cell_len(named) <= room else f"{total} = {activation} × {weights}"


class _Column(NamedTuple):
    title: str
    cells: list[str]

    @property
    def width(self) -> int:
        """With the space behind it."""
        return max(map(cell_len, (self.title, *self.cells))) + 1


def _columns(frame: Frame, steps: list[int]) -> list[_Column]:
    """What is said of steps; first what must be there."""
    tape, name = frame.view.tape, frame.writer.spelling.name
    gains = [gain(tape, t, frame.sample, frame.output) for t in steps]
    before = frame.view.program.quantities[frame.output].before
    last = frame.view.program.steps
    columns = [
        _Column(f"{'step':<{len(f'{last}→{last - 1}')}}", [f"{t}→{t + before}" for t in steps]),
        _Column(f"{GAIN:<4}", [_part(step.total) for step in gains]),
    ]
    norms = (norm_of(tape, gradient(frame.output), t + before, frame.sample) for t in steps)
    left = _Column(f"{f'→‖{name(gradient(frame.output))}‖':<6}", [number(norm, 7, 2) for norm in norms])
    factors = split(frame.view.program, frame.output)
    if factors is None:
        beside = (
            _Column(f"of {name(gradient(state))}", [_of_state(frame, state, t) for t in steps])
            for state in carried_beside(tape, frame.output)
        )
        return [*columns, *beside, left]
    product = f"{factors.function}'×{name(factors.weights)}"
    columns.append(_Column(product, ["" if math.isnan(step.total) else _product(step) for step in gains]))
    if all(step.live == 1 for step in gains) and not _may_be_off(factors.function):
        return [*columns, left]
    return [*columns, _Column("live", [f"{step.live or 0:>4.0%}" for step in gains]), left]


def _product(step: Gain) -> str:
    return "×".join(_part(part) for part in (step.activation, step.weights) if part is not None)


def _may_be_off(function: str) -> bool:
    return function not in FUNCTIONS or FUNCTIONS[function].off


def _part(factor: float) -> str:
    """A gain or a factor of it; a dash where nothing flows into it."""
    return NONE if math.isnan(factor) else _short(factor)


def _of_state(frame: Frame, state: str, t: int) -> str:
    """The gain of another state's gradient, once that of the step before is there."""
    view, name = frame.view, gradient(state)
    further = t + view.program.quantities[state].before
    there = frame.ghost or bool(view.computed(name)[further - view.program.steps_of(name).start])
    return _part(gain(view.tape, t, frame.sample, state).total) if there else ""


def _weights(frame: Frame, canvas: Canvas, x: int, top: int, bottom: int) -> int:
    """Singular values and spectral radius, a line a matrix, at the bottom; how many lines that took."""
    look, spectra_found = frame.look, spectra(frame.view.tape)
    needed = len(spectra_found) + 2
    if not spectra_found or bottom - top - 1 - needed < ROWS:
        return 0
    y = bottom - len(spectra_found)
    names = {name: frame.writer.spelling.name(name) for name in spectra_found}
    widest = max(map(len, names.values()))
    canvas.text(x + widest + 1, y - 1, "singular values |λ|max"[: GAINS - 1 - widest], look.dim)
    for line, (name, spectrum) in enumerate(spectra_found.items(), y):
        after = canvas.text(x, line, f"{names[name]:<{widest}} ", look.text)
        canvas.text(after, line, shortened(_spectrum(spectrum), GAINS - 2 - widest), look.dim)
    return needed


def _spectrum(spectrum: Spectrum) -> str:
    singular = f"{_short(spectrum.smallest)} … {_short(spectrum.largest)}"
    return f"{singular:<15} {_short(spectrum.radius)}"


def _ended_at(frame: Frame, t: int) -> bool:
    padding = frame.view.tape.padding
    return padding is not None and frame.sample is not None and bool(padding[t, frame.sample])


def _walked(frame: Frame) -> range:
    """The steps that the error has left, the newest first."""
    program, name = frame.view.program, gradient(frame.output)
    held, before = program.steps_of(name), program.quantities[frame.output].before
    known = np.flatnonzero(frame.view.computed(name) | frame.ghost)
    began = 1 if before > 0 else program.steps
    reached = held[int(known[0 if before < 0 else -1])] if known.size else began
    return range(reached - before, began - before, -before)


def _short(value: float) -> str:
    """Two or three digits in five characters."""
    return number(value, 7, 2, trim=False) if value == 0 or 0.01 <= abs(value) < 100 else number(value, 7, 1, trim=True)
