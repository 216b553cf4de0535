"""The gradient check: the engine's gradients (or given ones) against finite differences of the loss, always in float64.

The numeric side knows nothing of the backward pass: it runs only the forward pass and the loss, and estimates its own
error from the loss, never from the gradients under test. What cannot be tested is reported, never passed in silence.

Relative errors as in Karpathy's notes for Stanford's CS231n, "Gradient checks": |a − n| / max(|a|, |n|) for an analytic
value a and a numeric one n, with a floor under the denominator: max(|a|, |n|, u / tolerance), where u is the
uncertainty of the numeric value. So an entry passes when |a − n| ≤ max(tolerance · max(|a|, |n|), u): nothing finer
than rounding is demanded.

The numeric value and its uncertainty are those of `numeric_derivatives`. Where the two values disagree, all steps down to 2⁻⁴¹ are
taken, and the numeric value is the one that differs least from that of the next smaller step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.errors import InputError
from engine.explain.numeric_derivatives import (
    NOISE_STEP,
    LossFunction,
    NumericDerivatives,
    Slope,
)
from engine.language.functions import Array
from engine.model.network import Network
from engine.recording.record import record
from engine.recording.tape import Tape

ROUGH = 1e-10
"""The σ / max(1, |L|) above which the loss is too noisy for differences."""


_TRUNCATED = "checked without --truncate: a truncated gradient is not the derivative of the loss"

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
    updates: int = 0,
    tolerance: float = 1e-6,
    draws: int = 50,
    everything: bool = False,
    seed: int = 0,
    gradients: Mapping[str, Array] | None = None,
) -> GradientCheck:
    """Compares gradients with differences of the loss: `draws` entries of each parameter (or `everything`), and a random direction.

    X, y, `initial`, `lengths` and `updates` are as for `record`. A truncated gradient is not the loss's derivative: what is
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
    tape = record(exact, X, y, initial=initial, lengths=lengths, updates=updates)
    analytic = _analytic(tape, gradients)
    rng = np.random.default_rng(seed)
    measure = NumericDerivatives(LossFunction(tape), tolerance, rng)
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


@dataclass(frozen=True)
class _CheckedEntry:
    """One analytic value beside its numeric one."""

    index: tuple[int, ...]
    analytic: float
    numeric: Slope

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
    measure: NumericDerivatives, name: str, analytic: Array, indices: list[tuple[int, ...]]
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
    measure: NumericDerivatives, analytic: Mapping[str, Array], rng: np.random.Generator
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
    measure: NumericDerivatives,
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
        entry = _CheckedEntry(index, analytic, Slope(slope.value / scale, slope.uncertainty / scale))
        if entry.error(measure.tolerance) <= measure.tolerance or not math.isfinite(measure.loss.base):
            break
    return entry


def _report(
    measure: NumericDerivatives, parameters: Mapping[str, NumericComparison], direction: NumericComparison
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


def _plain(value: float | None) -> float | str | None:
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
