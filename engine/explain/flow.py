"""How the gradient flows back through time: the gain of each time step, and the factors that it is the product of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.language.derive import gradient
from engine.language.expression import Call, Name, walk
from engine.model.blocks import Line
from engine.model.program import Program
from engine.recording.tape import Tape
from engine.remembered import remembered
from engine.tables.given import FLOW_CUT, FLOW_CUT_REVERSE


class Gain(NamedTuple):
    """The step from t to the one before (t−1; in the reverse direction t+1) of the gradient of the output state.

    `total` = ‖da_{t−1}‖ / ‖da_t‖ = `activation` × `weights` with `activation` = ‖dz_t‖ / ‖da_t‖ and `weights` = ‖da_{t−1}‖ / ‖dz_t‖, exact;
    `live` is the share of units and samples whose dz is not zero. NaN where a norm is zero. The split is None for a cell in which the
    error takes more than one path through a step.
    """

    t: int
    total: float
    activation: float | None
    weights: float | None
    live: float | None


def carried_beside(tape: Tape, output: str) -> tuple[str, ...]:
    """The states that an output's layer carries from step to step beside it: the LSTM's c."""
    states = next((layer.table.states for layer in tape.plan.network.layers if output in layer.table.states), ())
    return tuple(state for state in states if state != output)


def gain(tape: Tape, t: int, sample: int | None = None, output: str | None = None) -> Gain:
    """The gain of step t (1..T), over the whole batch or for one sample, of the network's output, a layer's, or another state."""
    state = gradient(output or tape.plan.program.output)
    further = t + tape.plan.program.quantities[state].before
    before, after = norm_of(tape, state, t, sample), norm_of(tape, state, further, sample)
    middle = bottleneck(tape, output)
    total = _ratio(after, before)
    if middle is None:
        return Gain(t, total, None, None, None)
    row = tape.at(middle, t) if sample is None else tape.at(middle, t)[sample]
    between = tape.norms(middle, sample)[t - 1]
    live = float(np.count_nonzero(row) / row.size)
    return Gain(t, total, _ratio(between, before), _ratio(after, between), live)


class Split(NamedTuple):
    """What the gain of a step is the product of: the derivative of `function` and the matrix `weights`; `middle` is between them (dz)."""

    middle: str
    function: str
    weights: str


@remembered
def split(program: Program, output: str, flow: str = "") -> Split | None:
    """The factors of the gains of an output's gradient, or of its `flow` to the next step (NEXT) where losses of other steps are added to
    it; None where the error takes more than one path through a step."""
    line = _carrying_line(program, output, flow)
    read = [name.name for name in line.equation.reads] if line else []
    middle = next((name for name in read if name in program.quantities), None)
    weights = next((name for name in read if name in program.parameters), None)
    if middle is None or weights is None:
        return None
    return Split(middle, _applied(program, middle.removeprefix("d")), weights)


def _applied(program: Program, argument: str) -> str:
    """The function that a forward line applies to a quantity, whatever it is called."""
    forward = (line for block in program.looped("forward") for line in block.lines)
    for node in (node for line in forward for node in walk(line.equation.expression)):
        if isinstance(node, Call) and Name(argument) in node.arguments:
            return node.function
    return "activation"


def bottleneck(tape: Tape, output: str | None = None) -> str | None:
    """The single quantity through which the output's gradient passes in a step (dz of the simple network); None when there are several."""
    factors = split(tape.plan.program, output or tape.plan.program.output)
    return factors.middle if factors else None


def _carrying_line(program: Program, output: str, flow: str) -> Line | None:
    """The loop's line that carries the output's gradient, or that flow, to the next step that runs; None where it passes through several
    quantities."""
    state = gradient(output)
    block = next((block for block in program.looped("backward") if block.output == output), None)
    if block is None:
        return None
    readers = [line.name for line in block.lines if any(n.name == state and n.step == 0 for n in line.equation.reads)]
    further = next((line for line in block.lines if line.name == state + flow and line.equation.step), None)
    single = further and len(readers) == 1 and _quantities_read(program, further) == readers
    return further if single else None


def _quantities_read(program: Program, line: Line) -> list[str]:
    return [name.name for name in line.equation.reads if name.name in program.quantities]


def norm_of(tape: Tape, name: str, t: int, sample: int | None = None) -> float:
    """‖row of step t‖ of a quantity in time, over the batch or for one sample."""
    norms = tape.norms(name, sample)
    return float(norms[t - tape.plan.program.steps_of(name).start])


class Cut(NamedTuple):
    """Where truncation cuts the flow: between steps t and t−1 (in the reverse direction t+1), for all samples considered or only some of
    them."""

    t: int
    all: bool


def cuts(tape: Tape, sample: int | None = None, *, reverse: bool = False) -> list[Cut]:
    """The steps at which the flow is cut off; empty without truncation, and where each loss has its own place."""
    name = FLOW_CUT_REVERSE if reverse else FLOW_CUT
    if name not in tape:
        return []
    chosen = slice(None) if sample is None else slice(sample, sample + 1)
    cut_here = tape[name][:, chosen] > 0
    ended = np.zeros_like(cut_here) if tape.padding is None else tape.padding[1:, chosen]
    return [
        Cut(t, bool((row | over).all()))
        for t, (row, over) in enumerate(zip(cut_here, ended, strict=True), 1)
        if row.any()
    ]


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below else float("nan")
