"""The gain of each step of the backward pass, and the recurrent weights behind it."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np

from engine.explain.flow import Gain, carried_beside, gain, split
from engine.explain.spectrum import Spectrum, spectra
from engine.language.derive import gradient
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.numbers import number
from rnn_tui.shown.frame import Frame

GAINS = 26
"""The width of the table."""
ROWS, NONE = 4, "–"
"""Steps that are shown at least (only what is left of the height is for the weights), and what stands for no gain."""


def draw_gains(frame: Frame, canvas: Canvas, x: int, height: int) -> None:
    """The last steps the error has taken, newest first: gain = activation × weights, and the share of live units.

    Below, the spectra of the recurrent weights, between whose singular values the weights' part of a gain must lie.
    """
    look, view = frame.look, frame.view
    height -= _weights(frame, canvas, x, height)
    counted = (t for t in _walked(frame) if not _ended_at(frame, t))
    steps = list(islice(counted, max(0, height - 5)))
    if not steps:
        canvas.text(x, 2, "gain per step,", look.dim)
        canvas.text(x, 3, "once the error flows back", look.dim)
        return
    gains = [gain(view.tape, t, frame.sample, frame.output) for t in steps]
    beside = carried_beside(view.tape, frame.output)
    label = max(4, *(len(_step(frame, step_gain)) for step_gain in gains)) + 1
    factors = split(view.program, frame.output)
    product = f"{factors.function}'×{frame.writer.spelling.name(factors.weights)}" if factors else ""
    told = product if not factors or len(product) > 10 else f"{product:<9} live"
    of_others = "".join(f"{f'of {frame.writer.spelling.name(gradient(state))}':<8}" for state in beside)
    canvas.text(x, 2, f"{'step':<{label}}gain {told or of_others}"[: GAINS - 1], look.dim)
    for y, step_gain in enumerate(gains, 3):
        after = canvas.text(x, y, f"{_step(frame, step_gain):<{label}}", look.dim)
        total = _total(step_gain)
        after = canvas.text(after, y, f"{total:<5}", look.dim if total == NONE else look.bold)
        if total != NONE and step_gain.activation is not None and step_gain.weights is not None:
            text = f"{_part(step_gain.activation)}×{_part(step_gain.weights)}"
            canvas.text(after, y, f"{text:<9}{step_gain.live or 0:>5.0%}", look.dim)
        elif not told:
            others = (_of_state(frame, state, step_gain.t) for state in beside)
            canvas.text(after, y, "".join(f"{other:<8}" for other in others)[: GAINS - 10], look.text)


def _total(step_gain: Gain) -> str:
    """A gain; a dash where nothing flows."""
    return _part(step_gain.total)


def _part(factor: float) -> str:
    """A gain or a factor of it; a dash where nothing flows into it."""
    return NONE if math.isnan(factor) else _short(factor)


def _of_state(frame: Frame, state: str, t: int) -> str:
    """The gain of another state's gradient, once that of the step before is there."""
    view, name = frame.view, gradient(state)
    further = t + view.program.quantities[state].before
    there = bool(view.computed(name)[further - view.program.steps_of(name).start])
    return _total(gain(view.tape, t, frame.sample, state)) if there else ""


def _weights(frame: Frame, canvas: Canvas, x: int, height: int) -> int:
    """Singular values and spectral radius, a line a matrix, at the bottom; how many lines that took."""
    look, spectra_found = frame.look, spectra(frame.view.tape)
    needed = len(spectra_found) + 2
    if not spectra_found or height - 5 - needed < ROWS:
        return 0
    y = height - 1 - len(spectra_found)
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


def _step(frame: Frame, gain: Gain) -> str:
    return f"{gain.t}→{gain.t + frame.view.program.quantities[frame.output].before}"


def _walked(frame: Frame) -> range:
    """The steps that the error has left, the newest first."""
    program, name = frame.view.program, gradient(frame.output)
    held, before = program.steps_of(name), program.quantities[frame.output].before
    known = np.flatnonzero(frame.view.computed(name))
    began = 1 if before > 0 else program.steps
    reached = held[int(known[0 if before < 0 else -1])] if known.size else began
    return range(reached - before, began - before, -before)


def _short(value: float) -> str:
    """Two or three digits in five characters."""
    return number(value, 7, 2, trim=False) if value == 0 or 0.01 <= abs(value) < 100 else number(value, 7, 1, trim=True)
