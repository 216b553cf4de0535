"""Mean or sum: the user's loss in units of the reference's mean. Only what the forward loss (or, where none is computed, the whole of
the gradients alike) justifies is a convention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from engine.doctor.read.kinds import is_array
from engine.doctor.recognise.returned import is_loss
from engine.doctor.reference.problem import Measurement, Problem
from engine.doctor.reference.reductions import scales
from engine.doctor.reference.values import Reference
from engine.doctor.run.events import Run
from engine.language.functions import Array
from engine.recording.record import record

CLOSE = 2e-5


@dataclass(frozen=True)
class Scale:
    """`factor` times the reference's mean, in words; `source` says what it was taken from: loss, gradients, delta, or nothing.

    `loss_agrees` is False when a loss is computed that is none of those.
    """

    factor: float
    words: str
    source: str
    loss_agrees: bool = True


def find_scale(problem: Problem, run: Run, measured: Measurement, reference: Reference, single: bool) -> Scale:
    """The scale of the user's loss; `measured` with the scale 1."""
    allowed = scales(problem, single)
    if measured.loss is not None and (found := _nearest(measured.loss / problem.tape.loss, allowed)) is not None:
        return Scale(found, allowed[found], "loss")
    seen = list(_recorded(problem, run, single))
    for named in (True, False):
        for ratio, is_named in reversed(seen):
            found = _nearest(ratio, allowed)
            if is_named == named and found is not None:
                return Scale(found, allowed[found], "loss")
    disagrees = measured.loss is not None or any(is_named for _, is_named in seen)
    if (found := _uniform(problem, measured.gradients, allowed)) is not None:
        return Scale(found, allowed[found], "gradients", not disagrees)
    if (found := _delta(problem, run, reference, single, allowed)) is not None:
        return Scale(found, allowed[found], "delta", not disagrees)
    if (found := _read_out(problem, measured.gradients, allowed)) is not None:
        return Scale(found, allowed[found], "delta", not disagrees)
    return Scale(1.0, allowed[1.0], "nothing", not disagrees)


def has_loss(problem: Problem, run: Run, single: bool) -> bool:
    """Whether something that is called a loss is the reference's, in a reduction that people use."""
    allowed = scales(problem, single)
    return any(named and _nearest(ratio, allowed) is not None for ratio, named in _recorded(problem, run, single))


def _nearest(ratio: float, allowed: Mapping[float, str]) -> float | None:
    return next((s for s in allowed if abs(ratio / s - 1) < CLOSE), None)


def _recorded(problem: Problem, run: Run, single: bool) -> Iterator[tuple[float, bool]]:
    """Numbers that were assigned, in units of the loss, and whether they are called a loss."""
    own = [_loss_of(problem, b) for b in range(len(problem.X))] if single else []
    for event in run.events:
        value = event.value
        if is_array(value) and value.size == 1:
            value = float(value.ravel()[0])
        if not isinstance(value, float) or not np.isfinite(value) or value == 0.0 or event.site.kind == "part":
            continue
        if single:
            if event.sample is not None and own[event.sample]:
                yield value / own[event.sample], is_loss(event.target)
        elif problem.tape.loss:
            yield value / problem.tape.loss, is_loss(event.target)


def _loss_of(problem: Problem, sample: int) -> float:
    one = slice(sample, sample + 1)
    initial = {name: np.asarray(value)[one] for name, value in problem.initial.items()}
    return record(problem.network, problem.X[one], problem.y[one], initial=initial).loss


def _uniform(problem: Problem, gradients: Mapping[str, Array], allowed: Mapping[float, str]) -> float | None:
    """The factor that all gradients have alike, where it is one that a reduction explains."""
    ratios: list[float] = []
    for name, value in gradients.items():
        wanted = problem.tape.gradients.get(name)
        if wanted is None or wanted.shape != value.shape or not wanted.any():
            continue
        ratio = float(np.vdot(wanted, value) / np.vdot(wanted, wanted))
        if ratio == 0.0 or np.abs(value - ratio * wanted).max() > 1e-6 * abs(ratio) * np.abs(wanted).max():
            return None
        ratios.append(ratio)
    if not ratios or max(ratios) - min(ratios) > 1e-6 * abs(max(ratios)):
        return None
    return _nearest(ratios[0], allowed)


def _delta(
    problem: Problem, run: Run, reference: Reference, single: bool, allowed: Mapping[float, str]
) -> float | None:
    """The factor of the delta at the outputs, or else of the read-out's gradient."""
    per_sample = len(problem.X) if single else 1
    found: list[float] = []
    for event in run.events:
        value: Array | None = event.array
        if value is None:
            continue
        for match in reference.matches(value):
            if match.entry.name == "dlogits" and match.scale > 0:
                nearest = _nearest(match.scale / per_sample, allowed)
                if nearest is not None:
                    found.append(nearest)
    return found[-1] if found else None


def _read_out(problem: Problem, gradients: Mapping[str, Array], allowed: Mapping[float, str]) -> float | None:
    """The factor of the read-out's own gradients."""
    own = {name: value for name, value in gradients.items() if name in ("Wy", "by")}
    return _uniform(problem, own, allowed)
