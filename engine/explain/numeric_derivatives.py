"""Derivatives of the loss from differences of the loss alone: nothing here knows of the backward pass.

    n = (8·[L(+h) − L(−h)] − [L(+2h) − L(−2h)]) / 12h      error h⁴·L⁽⁵⁾/30 (Abramowitz, Stegun: Handbook, 25.3.6)
    u = 10·σ/h + e² / |n|, e = n − [L(+h) − L(−h)] / 2h      rounding, and what is left of the h⁴ term where e is that of h²

σ is the rounding noise of the loss, from its fourth differences at steps far below anything smooth (Hamming; Moré and Wild: Estimating
Computational Noise, 2011). h starts at 2⁻⁸ · max(1, |w|): with four points the best step is near eps^(1/5), larger than the eps^(1/3)
of two. It shrinks by 8 while a kink lies between the points or the h⁴ term is larger than rounding, down to 2⁻²³.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from engine.language.derive import NEXT, gradient
from engine.language.evaluate import evaluate
from engine.language.expression import Call, Expression, Name, walk
from engine.language.functions import FUNCTIONS, Array
from engine.model.blocks import Block
from engine.model.program import Program
from engine.recording.plan import Plan
from engine.recording.tape import Tape

STEPS = tuple(2.0**-exponent for exponent in (8, 11, 14, 17, 20, 23))
"""The steps h that are tried, largest first, in units of max(1, |w|)."""

SMALLER_STEPS = tuple(2.0**-exponent for exponent in (26, 29, 32, 35, 38, 41))
"""Further steps, tried where the values disagree: exploding gradients bend the loss within 2⁻²³."""

NOISE_MARGIN = 10.0
"""How many σ/h a numeric value may be off: its standard deviation is 0.95 of them, and the worst of thousands of entries counts."""

NOISE_POINTS, NOISE_ORDER, NOISE_STEP = 16, 4, 2.0**-36


@dataclass(frozen=True)
class Slope:
    """A numeric derivative of the loss, how far off it may be, and whether a smaller step would be no better."""

    value: float
    uncertainty: float
    settled: bool = False


class NumericDerivatives:
    """Numeric derivatives of the loss along directions; the step is chosen by looking at the loss alone."""

    def __init__(self, loss: LossFunction, tolerance: float, rng: np.random.Generator) -> None:
        self.loss = loss
        self.tolerance = tolerance
        self.noise = rounding_noise(loss, rng)
        self._first = 0

    def slope(self, direction: Mapping[str, Array]) -> Slope | None:
        """dL/ds of L(parameters + s · direction) at 0; None where a kink lies within every step.

        The first step tried is one larger than the step that worked last time: neighbouring entries have kinks at similar distances.
        """
        if not math.isfinite(self.loss.base):
            return Slope(math.nan, math.inf)
        best: Slope | None = None
        for number in range(self._first, len(STEPS)):
            value = self._at(direction, STEPS[number])
            if value is None:
                continue
            if best is None or value.uncertainty < best.uncertainty:
                best = value
            if value.settled:
                self._first = max(0, number - 1)
                break
        return best

    def careful_slope(self, direction: Mapping[str, Array]) -> Slope | None:
        """The derivative from all steps: the one that differs least from that of the next smaller step, and by how much.

        Ten times the work, for where `slope` and the analytic value disagree: the loss may bend within the larger steps in a way
        that four points do not show. Which step is taken does not depend on the analytic value.
        """
        slopes = [slope for h in (*STEPS, *SMALLER_STEPS) if (slope := self._at(direction, h)) is not None]
        if len(slopes) < 2:
            return slopes[0] if slopes else None
        differing = [
            replace(s, uncertainty=s.uncertainty + abs(s.value - smaller.value)) for s, smaller in pairwise(slopes)
        ]
        finite = [slope for slope in differing if math.isfinite(slope.uncertainty)]
        return min(finite, key=lambda slope: slope.uncertainty) if finite else slopes[-1]

    def _at(self, direction: Mapping[str, Array], h: float) -> Slope | None:
        """The derivative with step h; None where a kink lies within it."""
        values: list[float] = []
        for distance in (2 * h, -2 * h, h, -h):
            values.append(self.loss.along(direction, distance))
            if self.loss.crossed():
                return None
        outer, inner = (values[0] - values[1]) / (4 * h), (values[2] - values[3]) / (2 * h)
        value = (4 * inner - outer) / 3
        if not math.isfinite(value):
            return Slope(value, math.inf)
        second = abs(value - inner)
        fourth = min(second, second * second / abs(value)) if value else second
        rounding = NOISE_MARGIN * self.noise / h
        settled = fourth <= max(rounding, 0.01 * self.tolerance * abs(value))
        return Slope(value, rounding + fourth, settled)


def rounding_noise(loss: LossFunction, rng: np.random.Generator) -> float:
    """σ, the rounding noise of the loss around its parameters; at least what adding to a number of the loss's size costs."""
    least = np.finfo(np.float64).eps * max(1.0, abs(loss.base))
    direction = {
        name: np.maximum(1, np.abs(value)) * rng.choice((-1.0, 1.0), size=value.shape)
        for name, value in loss.parameters.items()
    }
    values = np.array([loss.along(direction, i * NOISE_STEP) for i in range(NOISE_POINTS)])
    with np.errstate(all="ignore"):
        differences = np.diff(values, NOISE_ORDER)
        sigma = float(np.sqrt(np.mean(differences**2) / math.comb(2 * NOISE_ORDER, NOISE_ORDER)))
    return max(least, sigma) if math.isfinite(sigma) else least


class LossFunction:
    """The loss as a function of the parameters: forward pass and loss only, in one set of arrays that every evaluation uses."""

    def __init__(self, tape: Tape) -> None:
        self.parameters = tape.parameters
        self._plan = forward_only(tape.plan)
        self._arrays = self._plan.allocate()
        self._beyond = dict(_from_beyond(tape))
        for name, array in self._arrays.items():
            np.copyto(array, tape.arrays[name])
        self.base = self._value()
        self.looped = _read_in_loop(self._plan.program)
        self.cell_parameters = frozenset(tape.plan.network.table.parameters)
        self._kinks = tuple(_kinked(self._plan.program))
        self._loop_is_base = True
        self._current: Mapping[str, Array] = tape.parameters
        self._signs = list(self._positive())

    def along(self, direction: Mapping[str, Array], distance: float) -> float:
        """L(parameters + distance · direction); parameters that are not in `direction` stay as they are."""
        moved = {name: self.parameters[name] + distance * vector for name, vector in direction.items()}
        in_loop = not self.looped.isdisjoint(moved)
        with np.errstate(all="ignore"):
            if not in_loop and not self._loop_is_base:
                self._plan.run(self._arrays, self.parameters)
            self._current = {**self.parameters, **moved}
            self._plan.run(self._arrays, self._current, forward_from=1 if in_loop else self._plan.steps + 1)
        self._loop_is_base = not in_loop
        return self._value()

    def _value(self) -> float:
        """The loss, and for what flows into last states from beyond the layer what it is the gradient of."""
        further = [float((flow * self._arrays[state][row]).sum()) for state, (row, flow) in self._beyond.items()]
        return float(self._arrays["loss"]) + sum(further)

    def crossed(self) -> bool:
        """Whether an argument of a kinked function now has another sign than at the parameters themselves."""
        return any(not np.array_equal(now, base) for now, base in zip(self._positive(), self._signs, strict=True))

    def _positive(self) -> Iterator[Array]:
        """Where the arguments of kinked functions are > 0."""
        for block, argument in self._kinks:
            if isinstance(argument, Name) and argument.step == 0 and argument.name in self._arrays:
                yield self._arrays[argument.name] > 0
            else:
                tape = Tape(self._plan, self._arrays, self._current)
                times = range(1, self._plan.steps + 1) if block.in_time else (self._plan.steps,)
                yield np.array([evaluate(argument, _lookup(tape, t), tape.plan.axes) > 0 for t in times])


def _from_beyond(tape: Tape) -> Iterator[tuple[str, tuple[int, Array]]]:
    """For each state into whose last value something flows from beyond the layer, that value's row and the flow."""
    for state in tape.plan.network.table.states:
        flow = gradient(state) + NEXT
        if flow in tape.plan.program.quantities:
            row = tape.plan.beginning(flow)
            if tape[flow][row].any():
                yield state, (row, tape[flow][row])


def _lookup(tape: Tape, t: int) -> Callable[[Name], Array]:
    return lambda name: tape.lookup(name, t)


def forward_only(prepared: Plan) -> Plan:
    """The same plan without backward pass and update: the same lines, compiled in the same way, hence the same bits."""
    program = prepared.program
    blocks = tuple(block for block in program.blocks if block.phase in ("forward", "loss"))
    kept = {line.name for block in blocks for line in block.lines}
    dropped = {line.name for line in program.lines} - kept
    quantities = {name: quantity for name, quantity in program.quantities.items() if name not in dropped}
    return Plan(prepared.network, replace(program, blocks=blocks, quantities=quantities), prepared.batch)


def _read_in_loop(program: Program) -> frozenset[str]:
    """The parameters that a line of the forward loops over time reads, or one that runs before them."""
    last = program.blocks.index(program.looped("forward")[-1])
    lines = (line for block in program.blocks[: last + 1] for line in block.lines)
    return frozenset(name.name for line in lines for name in line.equation.reads if name.name in program.parameters)


def _kinked(program: Program) -> Iterator[tuple[Block, Expression]]:
    """The arguments of every function with a kink, and the block in which it is called."""
    for block in program.blocks:
        for line in block.lines:
            for node in walk(line.equation.expression):
                if isinstance(node, Call) and FUNCTIONS[node.function].kink:
                    yield block, node.arguments[0]
