"""Figures of each training iteration: loss, accuracy, and the gradient's norm at each time step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.language.derive import gradient
from engine.language.functions import Array
from engine.recording.tape import Tape
from engine.tables.given import MASK

COLUMNS = 512
"""The most columns kept for the time steps; of longer sequences the largest norm of each group of steps is kept."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One iteration, before its update.

    `accuracy` is the share of right predictions among those that count, None where targets are numbers. `gradient_norm` is the norm of
    all parameters' gradients together, before clipping. `flows` hold, for the output state a of each layer and direction, ‖da_t‖ for
    t = 1..T (T,), its gradient over the batch; of long sequences the largest in each of `COLUMNS` groups of steps.
    """

    loss: float
    accuracy: float | None
    gradient_norm: float
    flows: Mapping[str, Array]


def measure(tape: Tape) -> Measured:
    """The figures of a recorded iteration."""
    with np.errstate(all="ignore"):
        norm = float(np.sqrt(sum(float(np.vdot(g, g)) for g in tape.gradients.values())))
    return Measured(
        tape.loss, accuracy(tape), norm, {output: _flow(tape, output) for output in tape.plan.program.outputs}
    )


def accuracy(tape: Tape) -> float | None:
    """The share of predictions that are right: the largest p, or p above one half where there is one output."""
    network = tape.plan.network
    if not network.head.classes:
        return None
    p = tape[network.head.prediction]
    right = network.head.predicted(p) == tape["y"]
    counted = tape[MASK] > 0 if MASK in tape.arrays and right.ndim == 2 else np.ones(right.shape, bool)
    return float(right[counted].mean())


def _flow(tape: Tape, output: str) -> Array:
    name, program = gradient(output), tape.plan.program
    first = 1 - program.steps_of(name).start
    norms = tape.norms(name)[first : first + program.steps]
    columns = min(len(norms), COLUMNS)
    return np.maximum.reduceat(norms, np.arange(columns) * len(norms) // columns)
