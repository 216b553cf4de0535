"""Gradients clipped once, when they are complete: no mistake, but it hides what they were before.

That they were is seen in the numbers: entries that stop at a limit, or norms that are one, and the limit stands in the program's text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

import numpy as np

from engine.doctor.recognise.program_under_test import ProgramUnderTest
from engine.doctor.reference.problem import Measurement, Problem
from engine.doctor.reference.reductions import scales
from engine.doctor.run.events import Run
from engine.language.functions import Array

CLIPPED = "gradients are clipped at the end; they were compared with the reference's, clipped alike"
CALM = "gradients are clipped at the end; the figures are of a problem on which they are too small for that"
_EXACT, _NORM = 1e-9, 1e-5
"""Relative; a norm is often clipped with a small number added below the line."""


def parts(tested: ProgramUnderTest, problem: Problem, run: Run) -> Iterator[tuple[Problem, Measurement, float]]:
    """What one call of the program computed: its problem, its gradients in units of the reference's, and that unit."""
    single = tested.layout.single
    for sample, (value, fields) in enumerate(zip(run.values, run.fields, strict=True)):
        own = _alone(problem, sample) if single else problem
        unit = {words: factor for factor, words in scales(own, single).items()}.get(tested.unit or "", tested.scale)
        events = tuple(replace(e, sample=0 if single else None) for e in run.events if e.sample in (None, sample))
        yield own, tested.measurement(own, Run((value,), (fields,), events)), unit


def is_at_limit(tested: ProgramUnderTest, problem: Problem, run: Run, limits: Collection[float]) -> bool:
    """Whether entries of a gradient, or a norm, are exactly at one of the limits."""
    for _, measured, unit in parts(tested, problem, run):
        arrays = [value * unit for value in measured.gradients.values() if value.size]
        highest = [float(np.abs(value).max()) for value in arrays]
        norms = [float(np.linalg.norm(value)) for value in arrays]
        norms.append(float(np.linalg.norm(norms)))
        for limit in limits:
            if any(abs(h - limit) <= _EXACT * limit for h in highest) or any(
                abs(norm - limit) <= _NORM * limit for norm in norms
            ):
                return True
    return False


def expected(
    tested: ProgramUnderTest, problem: Problem, run: Run, limits: Collection[float]
) -> dict[str, Array] | None:
    """The reference's gradients clipped as the program's are, samples added up; None where these are no clipped gradients of it."""
    total: dict[str, Array] = {}
    count = len(run.values) if tested.layout.single and problem.network.reduction == "mean" else 1
    for own, measured, unit in parts(tested, problem, run):
        ours = {
            name: np.asarray(own.tape.gradients[name]) * unit for name in measured.gradients if name in own.parameters
        }
        theirs = {name: measured.gradients[name] * unit for name in ours}
        if not theirs or any(theirs[name].shape != ours[name].shape for name in ours):
            return None
        clipped = _clipped(theirs, ours, limits)
        if clipped is None:
            return None
        for name, value in clipped.items():
            total[name] = total.get(name, 0.0) + value / (unit * count)
    return total


def _clipped(
    theirs: Mapping[str, Array], ours: Mapping[str, Array], limits: Collection[float]
) -> dict[str, Array] | None:
    """Our gradients clipped by value, by the norm of each or by the norm of all: whichever gives theirs."""
    norm = float(np.linalg.norm([float(np.linalg.norm(value)) for value in ours.values()]))
    for limit in limits:
        by_value = {name: np.clip(value, -limit, limit) for name, value in ours.items()}
        by_norm = {name: value * min(1.0, limit / np.linalg.norm(value)) for name, value in ours.items()}
        by_all = {name: value * min(1.0, limit / norm) for name, value in ours.items()}
        for clipped in (by_value, by_norm, by_all):
            if all(np.abs(clipped[name] - theirs[name]).max() <= _NORM * np.abs(ours[name]).max() for name in ours):
                return clipped
    return None


def _alone(problem: Problem, sample: int) -> Problem:
    one = slice(sample, sample + 1)
    initial = {name: np.asarray(value)[one] for name, value in problem.initial.items()}
    return replace(problem, X=problem.X[one], y=problem.y[one], initial=initial)


def calm(problem: Problem, given: Collection[str]) -> Problem:
    """The same problem with nearly right outputs, so that all gradients are small: a great bias for one class, the target of all."""
    network, y = problem.network, problem.y
    weights = {name: np.array(value) for name, value in problem.parameters.items()}
    if not network.head.classes:
        near = 0.003 * np.random.default_rng(1).normal(size=np.shape(y))
        logits = np.asarray(problem.tape["logits"])
        return replace(problem, y=(np.moveaxis(logits, 0, 1) if network.predict == "every" else logits) + near)
    weights["Wy"] *= 0.1
    if "by" in given:
        weights["by"][0] += 7.0
        y = np.zeros_like(y) if network.outputs > 1 else np.ones_like(y)
    return replace(problem, network=replace(network, weights=weights), y=y)
