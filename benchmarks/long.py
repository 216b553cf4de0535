"""Long sequences: recording 100,000 steps, whole and with checkpoints, and reading any point of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

from benchmarks.measure import Row, milliseconds
from benchmarks.models import Shape, network, samples
from engine.recording.plan import plan
from engine.recording.record import record_with
from engine.recording.tape import Tape

LONG = Shape(1, 100_000, 8, 64)
ROUNDS = 3
POINTS = 60


def measure() -> Iterator[Row]:
    """For each cell: the recording, and a point at random with all its quantities and all partial gradients."""
    for cell in ("rnn", "lstm", "gru"):
        for checkpoints in (False, True):
            yield from _measure(cell, checkpoints)


def _measure(cell: str, checkpoints: bool) -> Iterator[Row]:
    X, y = samples(LONG)
    prepared = plan(network(LONG, cell), LONG.B, LONG.T, checkpoints=checkpoints)
    tapes: list[Tape] = []

    def record() -> None:
        tapes.clear()
        tapes.append(record_with(prepared, X, y))

    about = f"{cell} {LONG}{', checkpoints' if checkpoints else ''}"
    yield Row(f"record, {about}", "ms", [milliseconds(record) for _ in range(ROUNDS)], 5000)
    yield Row(f"arrays, {about}", "MB", [prepared.nbytes() / 1e6])
    yield Row(f"any point, {about}", "ms", list(_points(tapes[0])), 50 if checkpoints else None)


def _points(tape: Tape) -> Iterator[float]:
    """Milliseconds to read every quantity at a step, each step far from the one before."""
    quantities = tape.plan.program.quantities
    in_time = [name for name, quantity in quantities.items() if quantity.rows]
    draw = random.Random(0)
    for _ in range(POINTS):
        t = draw.randint(1, LONG.T)
        yield milliseconds(partial(_look, tape, in_time, t))


def _look(tape: Tape, in_time: list[str], t: int) -> None:
    for name in in_time:
        tape.at(name, t)
    for name in tape.parameters:
        tape.partial(f"d{name}", t)
