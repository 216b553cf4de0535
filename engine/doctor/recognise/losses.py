"""Losses that are neither a mean nor a sum of the read-out's own, but right all the same: with a penalty on the weights, or the squared
error of probabilities. The loss that a program computes says so; where it computes none, nothing is assumed."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.doctor.mistakes.variants.edited_backward import HEAD, Executor
from engine.doctor.mistakes.variants.naming import constants
from engine.doctor.mistakes.variants.of_the_readout import consistent
from engine.doctor.mistakes.variants.tree_edits import Setting, Variation
from engine.doctor.read.kinds import is_array
from engine.doctor.recognise.reduction import CLOSE, Scale
from engine.doctor.recognise.returned import is_loss
from engine.doctor.reference import tolerances
from engine.doctor.reference.problem import Measurement, Problem
from engine.doctor.reference.reductions import Penalty, scales
from engine.doctor.run.events import Run
from engine.language.functions import Array

EXACT = 1e-9
_PENALISED = (("Wx", "Wa", "Wy"), ("Wx", "Wa", "ba", "Wy", "by"), ("Wx", "Wa"), ("Wa",), ("Wy",), ("Wx",))


@dataclass(frozen=True)
class Loss:
    """What the loss is besides the read-out's own: a penalty, or what makes the read-out another consistent one, in words."""

    scale: Scale
    penalty: Penalty | None = None
    read_out: Variation | None = None
    gradients: Mapping[str, Array] = field(default_factory=dict[str, Array])
    """The right ones, where the read-out is another."""


def another_loss(problem: Problem, run: Run, measured: Measurement, single: bool, tree: ast.Module) -> Loss | None:
    """How the loss that a program computes can be understood where it is not the read-out's own; `measured` at scale 1."""
    allowed = scales(problem, single)
    own = list(dict.fromkeys(_losses(run, measured, len(problem.X) if single else 1)))
    for loss, (factor, words) in itertools.product(own, allowed.items()):
        for penalty in _penalties(constants(tree)):
            if abs(loss - factor * problem.tape.loss - penalty.loss(problem)) < EXACT * abs(loss):
                return Loss(Scale(factor, f"{words}, with a penalty on {', '.join(penalty.names)}", "loss"), penalty)
    executor = Executor(problem)
    for variation in consistent(Setting.of(problem)):
        ours = executor.loss(variation.edits)
        for loss, (factor, words) in itertools.product(own, allowed.items()):
            if np.isfinite(ours) and abs(loss - factor * ours) < CLOSE * abs(loss):
                return _read_out(executor, variation, factor, words)
    if any(isinstance(n, ast.Attribute) and n.attr.startswith("log") for n in ast.walk(tree)):
        return None
    # Neither such a loss nor a cross-entropy is computed anywhere: what is consistent is taken as meant.
    for variation, (factor, words) in itertools.product(consistent(Setting.of(problem)), allowed.items()):
        found = _read_out(executor, variation, factor, words)
        head = {n: g / factor for n, g in measured.gradients.items() if n in HEAD}
        if agrees(found, replace(measured, gradients=head)):  # of the rest there may be something wrong
            return found
    return None


def _read_out(executor: Executor, variation: Variation, factor: float, words: str) -> Loss:
    words = f"{words} of the squared error of the activated outputs".strip()
    return Loss(Scale(factor, words, "loss"), None, variation, executor.gradients(variation.edits))


def agrees(found: Loss, measured: Measurement) -> bool:
    """Whether gradients are those of a read-out that is another consistent one."""
    return bool(measured.gradients) and all(
        name in found.gradients and tolerances.compare(value, found.gradients[name]).ok
        for name, value in measured.gradients.items()
    )


def _losses(run: Run, measured: Measurement, samples: int) -> Iterator[float]:
    """The loss of all samples, as returned or as it was last under each name that means one; of one sample at a time, their mean."""
    if measured.loss is not None:
        yield measured.loss
    last: dict[str, dict[int | None, float]] = {}
    for event in run.events:
        value = event.value
        if event.site.kind in ("assign", "after") and is_loss(event.target):
            number = value.ravel()[0] if is_array(value) and value.size == 1 else value
            if isinstance(number, float):
                last.setdefault(event.target, {})[event.sample] = float(number)
    for by_sample in last.values():
        if len(by_sample) == samples:
            yield sum(by_sample.values()) / samples


def _penalties(numbers: Sequence[float]) -> Iterator[Penalty]:
    """Penalties with a rate that stands in the code; whether it is halved is a matter of taste."""
    rates = [number for number in numbers if 0 < number < 1]
    for rate, names, times, averaged in itertools.product(rates, _PENALISED, (1.0, 2.0), (False, True)):
        yield Penalty(names, rate * times, averaged)
