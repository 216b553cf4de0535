"""Naming: the mistakes of the catalogue, one or two together, whose gradients are the user's.

Singles come before pairs; what several hypotheses explain equally well is tried on another problem.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.mistakes.variants.catalogue import concerned, variations
from engine.doctor.mistakes.variants.edited_backward import PARAMETERS
from engine.doctor.mistakes.variants.hypotheses import TOLERANCE, Hypothesis, VariantComparison, choices
from engine.doctor.mistakes.variants.tree_edits import Setting, Variation, derivative, scaled
from engine.doctor.reference.problem import Diagnosis, Measure, Measurement, Problem, is_simple, make_problem
from engine.language.functions import ACTIVATIONS, Array

MOST_TUNED = 24
"""Variations that differ in a number only which are tried in pairs: a program may hold many numbers."""


@dataclass(frozen=True)
class Naming:
    """What explains a measurement.

    `diagnoses` is the best explanation, a mistake or a pair of them (none when nothing fits); `alternatives` explain it equally well on
    every problem tried; `notes` are harmless.
    """

    diagnoses: tuple[Diagnosis, ...] = ()
    alternatives: tuple[Diagnosis, ...] = ()
    notes: tuple[str, ...] = ()
    hypothesis: Hypothesis | None = None
    comparison: VariantComparison | None = None
    """What computes the diagnosis' gradients, and on what: for finding its lines."""


def name(measure: Measure, problem: Problem, constants: Iterable[float] = ()) -> Naming:
    """What explains the gradients that `measure` gives for a problem; empty when they are right, or when nothing fits.

    `constants` are numbers that stand in the user's code: learning rates and limits are looked for among them.
    """
    measured, kept = once(measure, problem)
    comparison = VariantComparison(problem, measured)
    if not comparison.names:
        return Naming()
    found = [] if comparison.right else explained(comparison, measure, constants)
    if kept and (found or comparison.right):
        found = [h.with_kept(kept) for h in found or [Hypothesis((), dict.fromkeys(comparison.names, ()))]]
    if not found:
        return Naming()
    best, *rest = sorted(found, key=lambda hypothesis: hypothesis.preference)
    equal = {h.ids: h for h in reversed(rest) if h.ids != best.ids and len(h.ids) == len(best.ids)}
    alternatives = sorted(equal.values(), key=lambda hypothesis: hypothesis.preference)
    others = tuple(diagnosis(h, comparison) for h in alternatives)
    return Naming((diagnosis(best, comparison),), others, hypothesis=best, comparison=comparison)


def once(measure: Measure, problem: Problem) -> tuple[Measurement, frozenset[str]]:
    """What one call adds to the gradients, and which gradients are kept from call to call."""
    first = measure(problem)
    second: Measure | None = getattr(measure, "second", None)
    again = first if first.error else (second or measure)(problem)
    change = {
        n: value - first.gradients[n]
        for n, value in again.gradients.items()
        if n in first.gradients and np.shape(value) == np.shape(first.gradients[n])
    }
    changed = {
        n
        for n, value in change.items()
        if np.abs(value).max(initial=0.0) > TOLERANCE * np.abs(first.gradients[n]).max()
    }
    kept = frozenset(n for n in changed if second is None or _is_doubled(first.gradients[n], change[n]))
    gradients = {n: change[n] if n in kept else value for n, value in first.gradients.items()}
    return replace(first, gradients=gradients), kept


def kept_between_calls(measure: Measure, problem: Problem) -> bool:
    """Whether gradients are kept from call to call."""
    return bool(once(measure, problem)[1])


def _is_doubled(first: Array, change: Array) -> bool:
    """Whether the second call of a method adds to what the first one left as much again. (One that updates its weights, or goes on from
    its last state, gives something else.)"""
    return bool(np.abs(first - change).max() <= 1e-6 * np.abs(first).max())


def explained(comparison: VariantComparison, measure: Measure, constants: Iterable[float]) -> list[Hypothesis]:
    """The hypotheses that hold on every problem tried, the loss left out of account only when otherwise none does."""
    own = variations(Setting.of(comparison.problem, constants))
    found = candidates(comparison, own)
    if not found and not comparison.agrees_in_loss(()):
        found = candidates(comparison, own, loss=False)
    return separate(found, measure, comparison.problem)


def notes(measure: Measure, problem: Problem) -> tuple[str, ...]:
    """What is harmless, but worth saying: of ReLU, whose derivative at exactly 0 is a matter of choice."""
    if not ACTIVATIONS[problem.network.activation].off:
        return ()
    weights = {n: np.array(value) for n, value in problem.parameters.items()}
    for n in ("Wx", "Wa", "ba"):
        weights[n][..., 0] = 0.0  # the first unit's pre-activation is 0 throughout
    at_zero = replace(problem, network=replace(problem.network, weights=weights))
    measured = measure(at_zero)
    if measured.error or not measured.gradients:
        return ()
    comparison = VariantComparison(at_zero, measured)
    counted = Variation("relu-mask-at-zero", (derivative("not_negative(z)"),))
    if comparison.right or not comparison.fit((counted,)):
        return ()
    return (f"relu-mask-at-zero: {CATALOGUE['relu-mask-at-zero'].title}; it makes no difference anywhere else",)


def is_single(measured: Measurement, problem: Problem) -> bool:
    """Whether one mistake, or none, explains a measurement."""
    if not is_simple(problem):
        return False
    comparison = VariantComparison(problem, measured)
    own = variations(Setting.of(problem))
    return bool(comparison.names) and (comparison.right or any(comparison.fit((v,)) for v in own))


def candidates(comparison: VariantComparison, own: tuple[Variation, ...], *, loss: bool = True) -> list[Hypothesis]:
    """Every single mistake that fits, if none every one times a learning rate, if none every pair."""
    active = [v for v in own if not _harmless(comparison, v)]
    fits = (comparison.fit((variation,), loss=loss) for variation in active)
    if found := [hypothesis for hypothesis in fits if hypothesis]:
        return found
    if rate := _rate(comparison, (), loss=loss):
        return [rate]
    tuned = [v for v in active if v.tuned and not v.rank]
    pool = [v for v in active if not v.tuned or v in tuned[:MOST_TUNED]]
    for unusual in (0, 1):
        if found := list(_pairs(comparison, pool, unusual, loss=loss)):
            return found
    rates = (_rate(comparison, (v,), loss=loss) for v in active if not v.rank)
    return [hypothesis for hypothesis in rates if hypothesis]


def _harmless(comparison: VariantComparison, variation: Variation) -> bool:
    """Whether a variation computes what the reference does on this problem."""
    executor = comparison.executor
    if not np.isclose(executor.loss(variation.edits), executor.loss(), rtol=1e-10, equal_nan=False):
        return False
    return all(
        np.abs(executor.gradient(n, variation.edits) - executor.gradient(n)).max() <= TOLERANCE * comparison.scale
        for n in PARAMETERS
    )


def _pairs(comparison: VariantComparison, pool: list[Variation], unusual: int, *, loss: bool) -> Iterator[Hypothesis]:
    """Every pair that fits of those that are unusual to that degree."""
    for first, second in combinations(pool, 2):
        if first.id == second.id or first.rank + second.rank != unusual:
            continue
        stages = {edit.stage for edit in first.edits}
        orders = (
            ((first, second), (second, first)) if any(e.stage in stages for e in second.edits) else ((first, second),)
        )
        for own in orders:
            if hypothesis := comparison.fit(own, loss=loss):
                yield hypothesis
                break


def _rate(comparison: VariantComparison, own: tuple[Variation, ...], *, loss: bool) -> Hypothesis | None:
    """All gradients times one positive number, a learning rate: found from the first gradient, tried on all."""
    edits = tuple(edit for variation in own for edit in variation.edits)
    if loss and not comparison.agrees_in_loss(edits):
        return None
    name = comparison.names[0]
    theirs = comparison.measured.gradients[name]
    for chosen in choices(own, name):
        with np.errstate(all="ignore"):
            ours = comparison.executor.gradient(name, chosen)
            rate = float(np.vdot(ours, theirs) / np.vdot(ours, ours))
        if not 0 < rate < 10:
            continue
        scaling = tuple(scaled(f"d{n}", "*", repr(rate)) for n in PARAMETERS)
        # A small rate makes all differences small.
        found = comparison.fit((*own, Variation("learning-rate-in-gradient", scaling)), loss=loss)
        if found and comparison.residual(found) <= TOLERANCE * min(1.0, rate):
            return found
    return None


def separate(found: list[Hypothesis], measure: Measure, problem: Problem) -> list[Hypothesis]:
    """Of hypotheses with different ids those that hold on other problems too: other numbers of samples and of steps."""
    network = problem.network
    batch, steps, _ = problem.X.shape
    for other_batch, other_steps in ((batch + 1, steps + 3), (batch + 2, steps + 2), (batch, steps + 1)):
        if len({hypothesis.ids for hypothesis in found}) < 2:
            break
        other = make_problem(
            batch=other_batch,
            steps=other_steps,
            inputs=network.inputs,
            hidden=network.units[0],
            outputs=network.outputs,
            activation=network.activation,
            predict=network.predict,
            loss=network.loss,
            reduction=network.reduction,
            initial=bool(problem.initial),
            seed=other_steps,
        )
        measured = measure(other)
        if measured.error or not measured.gradients:
            continue
        comparison = VariantComparison(other, measured)
        kept = [hypothesis for hypothesis in found if comparison.fit(hypothesis.variations)]
        found = kept or found
    return found


def diagnosis(hypothesis: Hypothesis, comparison: VariantComparison) -> Diagnosis:
    """The words for a hypothesis: its mistakes, the largest effect first."""
    affected = {v.id: _affected(comparison, v, hypothesis) for v in hypothesis.variations}
    if hypothesis.kept:
        affected["gradients-not-reset"] = _sorted(hypothesis.kept), float("inf")
    ids = sorted(hypothesis.ids, key=lambda id: -affected[id][1])
    program = comparison.executor.program
    wrong = tuple(
        n for n in PARAMETERS if n in hypothesis.chosen and comparison.difference(n) > TOLERANCE * comparison.scale
    )
    return Diagnosis(
        tuple(ids),
        tuple(CATALOGUE[id].title for id in ids),
        _sorted(wrong),
        comparison.residual(hypothesis),
        tuple(concerned(id, program, affected[id][0]) for id in ids),
    )


def _affected(
    comparison: VariantComparison, variation: Variation, hypothesis: Hypothesis
) -> tuple[tuple[str, ...], float]:
    """The gradients that a mistake alone makes wrong, and by how much altogether."""
    executor, names, size = comparison.executor, list[str](), 0.0
    for name in comparison.names:
        edits = tuple(e for e in hypothesis.chosen.get(name, ()) if e in variation.edits)
        with np.errstate(all="ignore"):
            change: Array = executor.gradient(name, edits) - executor.gradient(name)
        if np.abs(change).max() > TOLERANCE * comparison.scale:
            names.append(name)
            size += float(np.square(change).sum())
    return _sorted(names), size


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    """In the order in which parameters are listed everywhere."""
    order = ("Wx", "Wa", "ba", "Wy", "by")
    return tuple(sorted(names, key=order.index))


def constants(tree: ast.AST) -> tuple[float, ...]:
    """The numbers that stand in a program."""
    found = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return tuple(dict.fromkeys(abs(float(v)) for v in found if isinstance(v, int | float) and not isinstance(v, bool)))
