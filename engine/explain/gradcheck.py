"""The gradient check: the engine's gradients (or given ones) against finite differences of the loss, always in float64.

The numeric side knows nothing of the backward pass: it runs only the forward pass and the loss, and estimates its own
error from the loss, never from the gradients under test. What cannot be tested is reported, never passed in silence.

Relative errors as in Karpathy's notes for Stanford's CS231n, "Gradient checks": |a − n| / max(|a|, |n|) for an analytic
value a and a numeric one n, with a floor under the denominator: max(|a|, |n|, u / tolerance), where u is the
uncertainty of the numeric value. So an entry passes when |a − n| ≤ max(tolerance · max(|a|, |n|), u): nothing finer
than rounding is demanded.

    n = (8·[L(+h) − L(−h)] − [L(+2h) − L(−2h)]) / 12h      error h⁴·L⁽⁵⁾/30 (Abramowitz, Stegun: Handbook, 25.3.6)
    u = 10·σ/h + e² / |n|, e = n − [L(+h) − L(−h)] / 2h      rounding, and what is left of the h⁴ term where e is that of h²

σ is the rounding noise of the loss, from its fourth differences at steps far below anything smooth (Hamming; Moré and Wild: Estimating
Computational Noise, 2011). h starts at 2⁻⁸ · max(1, |w|): with four points the best step is near eps^(1/5), larger than the eps^(1/3)
of two. It shrinks by 8 while a kink lies between the points or the h⁴ term is larger than rounding, down to 2⁻²³. Where the two values
then disagree, all steps down to 2⁻⁴¹ are taken, and the numeric value is the one that differs least from that of the next smaller step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from engine.errors import InputError
from engine.language.evaluate import evaluate
from engine.language.expression import Call, Expression, Name, walk
from engine.language.functions import FUNCTIONS, Array
from engine.model.network import Network
from engine.model.program import Block, Loop, Program
from engine.recording.plan import Plan
from engine.recording.tape import Tape, record

STEPS = tuple(2.0**-exponent for exponent in (8, 11, 14, 17, 20, 23))
"""The steps h that are tried, largest first, in units of max(1, |w|)."""

SMALLER_STEPS = tuple(2.0**-exponent for exponent in (26, 29, 32, 35, 38, 41))
"""Further steps, tried where the values disagree: exploding gradients bend the loss within 2⁻²³."""

ROUGH = 1e-10
"""The σ / max(1, |L|) above which the loss is too noisy for differences."""

NOISE_MARGIN = 10.0
"""How many σ/h a numeric value may be off: its standard deviation is 0.95 of them, and the worst of thousands of entries counts."""

_TRUNCATED = "checked without --truncate: a truncated gradient is not the derivative of the loss"

NOISE_POINTS, NOISE_ORDER, NOISE_STEP = 16, 4, 2.0**-36
DIRECTIONS = 5
"""How many random directions are tried, should there be kinks along the first ones."""


@dataclass(frozen=True)
class NumericComparison:
    """Analytic against numeric for one parameter or along one direction; index, analytic and numeric are those of the worst entry.

    `max_relative_error` is infinite when a value is not finite, and None (like index, analytic and numeric) when nothing was compared.
    `checked` counts the entries compared, `kinks` those left out; `tested` says that at least one was large enough to be told from 0.
    """

    max_relative_error: float | None
    index: tuple[int, ...] | None
    analytic: float | None
    numeric: float | None
    kinks: int
    checked: int
    tested: bool

    def to_json(self) -> dict[str, object]:
        """The five keys of the contract, in plain numbers; NaN and infinities as strings."""
        return {
            "max_relative_error": _plain(self.max_relative_error),
            "index": None if self.index is None else list(self.index),
            "analytic": _plain(self.analytic),
            "numeric": _plain(self.numeric),
            "kinks": self.kinks,
        }


@dataclass(frozen=True)
class GradientCheck:
    """The result of a gradient check. `notes` are sentences about what could not be tested."""

    ok: bool
    max_relative_error: float
    parameters: Mapping[str, NumericComparison]
    direction: NumericComparison
    tolerance: float
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """What `rnn-tui check --json` prints: the contract's keys, and direction, tolerance and notes beside them."""
        return {
            "ok": self.ok,
            "max_relative_error": _plain(self.max_relative_error),
            "parameters": {name: comparison.to_json() for name, comparison in self.parameters.items()},
            "direction": self.direction.to_json(),
            "tolerance": self.tolerance,
            "notes": list(self.notes),
        }


def check(
    network: Network,
    X: Array,
    y: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    lengths: Array | None = None,
    tolerance: float = 1e-6,
    draws: int = 50,
    everything: bool = False,
    seed: int = 0,
    gradients: Mapping[str, Array] | None = None,
) -> GradientCheck:
    """Compares gradients with differences of the loss: `draws` entries of each parameter (or `everything`), and a random direction.

    X, y, `initial` and `lengths` are as for `record`. A truncated gradient is not the loss's derivative: what is
    checked is the whole one, and a note says so. `gradients` by parameter name, shapes as the parameters', are checked
    instead of the engine's. The entry of largest magnitude of each parameter is always among those drawn. `ok` says
    that no relative error exceeds the tolerance, and that something inside the loop over time was really tested: a
    network in which every unit is dead agrees with anything that returns 0. Raises InputError when shapes or options do
    not fit.
    """
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance must lie between 0 and 1, not {tolerance:g}")
    if draws < 1:
        raise InputError(f"draws must be at least 1, not {draws}")
    exact = replace(network, dtype="float64", truncate=None, weights=network.weights)
    tape = record(exact, X, y, initial=initial, lengths=lengths)
    analytic = _analytic(tape, gradients)
    rng = np.random.default_rng(seed)
    measure = _NumericDerivatives(_LossFunction(tape), tolerance, rng)
    parameters = {
        name: _parameter(measure, name, analytic[name], _drawn(analytic[name], None if everything else draws, rng))
        for name in tape.parameters
    }
    report = _report(measure, parameters, _direction(measure, analytic, rng))
    return report if network.truncate is None else replace(report, notes=(*report.notes, _TRUNCATED))


def _analytic(tape: Tape, gradients: Mapping[str, Array] | None) -> dict[str, Array]:
    """The gradients to check, float64, by parameter; InputError when a given one is missing or of the wrong shape."""
    if gradients is None:
        return dict(tape.gradients)
    result: dict[str, Array] = {}
    for name, parameter in tape.parameters.items():
        if name not in gradients:
            raise InputError(f"the gradient of {name} is missing; give one of shape {parameter.shape}")
        result[name] = np.asarray(gradients[name], dtype=np.float64)
        if result[name].shape != parameter.shape:
            raise InputError(f"the gradient of {name} has shape {result[name].shape}, it needs {parameter.shape}")
    return result


def _drawn(analytic: Array, draws: int | None, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """The indices to check, in order: all, or the largest gradient's and others drawn without replacement."""
    if draws is None or draws >= analytic.size:
        chosen = np.arange(analytic.size)
    else:
        largest = int(np.argmax(np.abs(analytic)))
        others = rng.choice(analytic.size - 1, size=draws - 1, replace=False)
        chosen = np.sort(np.append(others + (others >= largest), largest))
    return [tuple(int(i) for i in np.unravel_index(flat, analytic.shape)) for flat in chosen]


# Comparing


@dataclass(frozen=True)
class _Slope:
    """A numeric derivative of the loss, how far off it may be, and whether a smaller step would be no better."""

    value: float
    uncertainty: float
    settled: bool = False


@dataclass(frozen=True)
class _CheckedEntry:
    """One analytic value beside its numeric one."""

    index: tuple[int, ...]
    analytic: float
    numeric: _Slope

    def error(self, tolerance: float) -> float:
        """The relative error of the module's docstring; infinite unless both values are finite."""
        numeric = self.numeric.value
        if not (math.isfinite(self.analytic) and math.isfinite(numeric)):
            return math.inf
        largest = max(abs(self.analytic), abs(numeric), self.numeric.uncertainty / tolerance)
        return abs(self.analytic - numeric) / largest if largest else 0.0

    @property
    def told_from_zero(self) -> bool:
        return not max(abs(self.analytic), abs(self.numeric.value)) <= self.numeric.uncertainty


def _compare(entries: list[_CheckedEntry], kinks: int, tolerance: float) -> NumericComparison:
    if not entries:
        return NumericComparison(None, None, None, None, kinks, 0, False)
    worst = max(entries, key=lambda entry: entry.error(tolerance))
    return NumericComparison(
        worst.error(tolerance),
        worst.index,
        worst.analytic,
        worst.numeric.value,
        kinks,
        len(entries),
        any(entry.told_from_zero for entry in entries),
    )


def _parameter(
    measure: _NumericDerivatives, name: str, analytic: Array, indices: list[tuple[int, ...]]
) -> NumericComparison:
    entries: list[_CheckedEntry] = []
    for index in indices:
        direction = np.zeros(analytic.shape)
        scale = direction[index] = max(1.0, abs(float(measure.loss.parameters[name][index])))
        entry = _entry(measure, {name: direction}, index, float(analytic[index]), scale)
        if entry is not None:
            entries.append(entry)
    return _compare(entries, len(indices) - len(entries), measure.tolerance)


def _direction(
    measure: _NumericDerivatives, analytic: Mapping[str, Array], rng: np.random.Generator
) -> NumericComparison:
    """Along a random unit vector over all parameters; along another one where a kink is in the way."""
    for kinks in range(DIRECTIONS):
        vectors = {name: rng.standard_normal(gradient.shape) for name, gradient in analytic.items()}
        norm = math.sqrt(sum(float(np.vdot(v, v)) for v in vectors.values()))
        vectors = {name: v / norm for name, v in vectors.items()}
        with np.errstate(all="ignore"):
            along = sum(float(np.vdot(gradient, vectors[name])) for name, gradient in analytic.items())
        entry = _entry(measure, vectors, (), along)
        if entry is not None:
            return _compare([entry], kinks, measure.tolerance)
    return _compare([], DIRECTIONS, measure.tolerance)


def _entry(
    measure: _NumericDerivatives,
    direction: Mapping[str, Array],
    index: tuple[int, ...],
    analytic: float,
    scale: float = 1.0,
) -> _CheckedEntry | None:
    """The analytic value beside the numeric one (that along `direction`, over `scale`); None where a kink is in the way."""
    entry: _CheckedEntry | None = None
    for measured in (measure.slope, measure.careful_slope):
        slope = measured(direction)
        if slope is None:
            return entry
        entry = _CheckedEntry(index, analytic, _Slope(slope.value / scale, slope.uncertainty / scale))
        if entry.error(measure.tolerance) <= measure.tolerance or not math.isfinite(measure.loss.base):
            break
    return entry


def _report(
    measure: _NumericDerivatives, parameters: Mapping[str, NumericComparison], direction: NumericComparison
) -> GradientCheck:
    errors = [c.max_relative_error for c in (*parameters.values(), direction) if c.max_relative_error is not None]
    largest = max(errors, default=0.0)
    looped = [name for name in parameters if name in measure.loss.looped and name in measure.loss.cell_parameters]
    through_time = any(parameters[name].tested for name in looped)
    notes = [note for name, c in parameters.items() if (note := _note(name, c))]
    roughness = measure.noise / max(1.0, abs(measure.loss.base))
    if roughness > ROUGH:
        notes.append(
            f"moving every weight by {NOISE_STEP:.0e} makes the loss jump by {roughness:.0e} of its size: the network explodes, and "
            "differences of its loss mean little; take smaller weights or fewer time steps"
        )
    if not direction.checked:
        notes.append(
            f"each of {DIRECTIONS} random directions crosses a kink within the smallest step; none was compared"
        )
    if not through_time:
        notes.append(
            f"nothing was tested of what flows through time ({', '.join(looped)}), so this check proves nothing about it; "
            "take other weights, another seed or another activation"
        )
    ok = largest <= measure.tolerance and through_time
    return GradientCheck(ok, largest, parameters, direction, measure.tolerance, tuple(notes))


def _note(name: str, comparison: NumericComparison) -> str | None:
    if not comparison.checked:
        return f"{name}: every entry crosses a kink within the smallest step; none was compared"
    if comparison.max_relative_error == math.inf:
        return f"{name}: the gradient or the loss is not finite at {list(comparison.index or ())}"
    if not comparison.tested and comparison.analytic == 0:
        return f"{name}: its gradient is 0 in every entry compared, by both ways; 0 = 0 tests nothing"
    if not comparison.tested:
        return f"{name}: every entry compared is smaller than the rounding noise of the loss"
    return None


# The numeric side


class _NumericDerivatives:
    """Numeric derivatives of the loss along directions; the step is chosen by looking at the loss alone."""

    def __init__(self, loss: _LossFunction, tolerance: float, rng: np.random.Generator) -> None:
        self.loss = loss
        self.tolerance = tolerance
        self.noise = _noise(loss, rng)
        self._first = 0

    def slope(self, direction: Mapping[str, Array]) -> _Slope | None:
        """dL/ds of L(parameters + s · direction) at 0; None where a kink lies within every step.

        The first step tried is one larger than the step that worked last time: neighbouring entries have kinks at similar distances.
        """
        if not math.isfinite(self.loss.base):
            return _Slope(math.nan, math.inf)
        best: _Slope | None = None
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

    def careful_slope(self, direction: Mapping[str, Array]) -> _Slope | None:
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

    def _at(self, direction: Mapping[str, Array], h: float) -> _Slope | None:
        """The derivative with step h; None where a kink lies within it."""
        values: list[float] = []
        for distance in (2 * h, -2 * h, h, -h):
            values.append(self.loss.along(direction, distance))
            if self.loss.crossed():
                return None
        outer, inner = (values[0] - values[1]) / (4 * h), (values[2] - values[3]) / (2 * h)
        value = (4 * inner - outer) / 3
        if not math.isfinite(value):
            return _Slope(value, math.inf)
        second = abs(value - inner)
        fourth = min(second, second * second / abs(value)) if value else second
        rounding = NOISE_MARGIN * self.noise / h
        settled = fourth <= max(rounding, 0.01 * self.tolerance * abs(value))
        return _Slope(value, rounding + fourth, settled)


def _noise(loss: _LossFunction, rng: np.random.Generator) -> float:
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


class _LossFunction:
    """The loss as a function of the parameters: forward pass and loss only, in one set of arrays that every evaluation uses."""

    def __init__(self, tape: Tape) -> None:
        self.parameters = tape.parameters
        self.base = tape.loss
        self._plan = forward_only(tape.plan)
        self._arrays = self._plan.allocate()
        for name, array in self._arrays.items():
            np.copyto(array, tape.arrays[name])
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
        return float(self._arrays["loss"])

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
                times = range(1, self._plan.steps + 1) if block.loop is Loop.UP else (self._plan.steps,)
                yield np.array([evaluate(argument, _lookup(tape, t), tape.plan.axes) > 0 for t in times])


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
    """The parameters that a line of the forward loop over time reads."""
    lines = (line for block in program.blocks if block.loop is Loop.UP for line in block.lines)
    return frozenset(name.name for line in lines for name in line.equation.reads if name.name in program.parameters)


def _kinked(program: Program) -> Iterator[tuple[Block, Expression]]:
    """The arguments of every function with a kink, and the block in which it is called."""
    for block in program.blocks:
        for line in block.lines:
            for node in walk(line.equation.expression):
                if isinstance(node, Call) and FUNCTIONS[node.function].kink:
                    yield block, node.arguments[0]


def _plain(value: float | None) -> float | str | None:
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
