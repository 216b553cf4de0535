"""Naming: the mistakes of the catalogue, one or two together, whose gradients are the user's.

A hypothesis is refuted at the first gradient that differs, in the order of the backward pass, and gradients are kept by the edits they
depend on; so of many thousand pairs few are computed. What several hypotheses explain equally well is tried on another problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np

from engine.doctor.edits import Setting, Variation, scaled
from engine.doctor.execute import PARAMETERS, Edits, Executor
from engine.doctor.problem import Diagnosis, Measure, Measurement, Problem, make_problem
from engine.doctor.variants import CATALOGUE, RANKS, concerned, variations
from engine.functions import Array

TOLERANCE = 1e-9
"""Of the largest gradient: gradients that differ by less are the same."""
ORDER = ("by", "Wy", "ba", "Wa", "Wx")
"""In which gradients are compared: what few mistakes reach first, what is cheap first."""


@dataclass(frozen=True)
class Naming:
    """What explains a measurement.

    `diagnoses` is the best explanation, a mistake or a pair of them (none when nothing fits); `alternatives` explain it equally well on
    every problem tried; `notes` are harmless.
    """

    diagnoses: tuple[Diagnosis, ...] = ()
    alternatives: tuple[Diagnosis, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """Variations that act together, and the gradients for which those hold that were not made for all of them."""

    variations: tuple[Variation, ...]
    chosen: Mapping[str, Edits] = field(default_factory=dict[str, Edits])
    touched: frozenset[str] = frozenset()

    @property
    def ids(self) -> tuple[str, ...]:
        """The mistakes' ids in the order of the catalogue."""
        return tuple(sorted({v.id for v in self.variations}, key=RANKS.__getitem__))

    @property
    def preference(self) -> tuple[int, int, tuple[int, ...]]:
        """Usual ways before unusual ones, then the catalogue's order; a bias alone is first of all not summed."""
        unusual = sum(v.rank for v in self.variations)
        if any(v.each for v in self.variations) and self.touched and self.touched <= {"ba", "by"}:
            unusual += 2
        return len(self.variations), unusual, tuple(RANKS[id] for id in self.ids)


class Comparison:
    """A measurement beside the reference and its variants on one problem."""

    def __init__(self, problem: Problem, measured: Measurement) -> None:
        self.problem = problem
        self.measured = measured
        self.executor = Executor(problem)
        reference = self.executor.gradients()
        self.scale = max(float(np.abs(value).max()) for value in reference.values())
        self.names = tuple(
            name
            for name in ORDER
            if name in measured.gradients and np.shape(measured.gradients[name]) == reference[name].shape
        )
        self._agrees: dict[tuple[str, Edits], bool] = {}
        self._losses: dict[Edits, bool] = {}

    def agrees(self, name: str, edits: Edits) -> bool:
        """Whether a gradient is the measured one."""
        key = name, self.executor.key(name, edits)
        if key not in self._agrees:
            self._agrees[key] = self.difference(name, edits) <= TOLERANCE * self.scale
        return self._agrees[key]

    def difference(self, name: str, edits: Edits = ()) -> float:
        """The largest difference to the measured gradient."""
        with np.errstate(all="ignore"):
            found = np.abs(self.executor.gradient(name, edits) - self.measured.gradients[name]).max()
        return float(found) if np.isfinite(found) else float("inf")

    def agrees_in_loss(self, edits: Edits) -> bool:
        """Whether the loss is the measured one; true when none was measured."""
        if self.measured.loss is None:
            return True
        key = self.executor.key("loss", edits)
        if key not in self._losses:
            ours, theirs = self.executor.loss(key), self.measured.loss
            self._losses[key] = bool(np.isclose(ours, theirs, rtol=1e-8, atol=1e-10, equal_nan=True))
        return self._losses[key]

    def fit(self, own: tuple[Variation, ...], *, loss: bool = True) -> Hypothesis | None:
        """The variations as a hypothesis if they explain the measurement."""
        whole = tuple(edit for variation in own for edit in variation.edits)
        if loss and not self.agrees_in_loss(whole):
            return None
        chosen: dict[str, Edits] = {}
        touched: set[str] = set()
        for name in self.names:
            for edits, made in _choices(own, name):
                if self.agrees(name, edits):
                    chosen[name] = edits
                    touched |= {name} if made else set()
                    break
            else:
                return None
        if any(v.each for v in own) and not touched:
            return None
        return Hypothesis(own, chosen, frozenset(touched))

    @property
    def residual_of(self) -> float:
        """How far the measured gradients are from the reference's, relative to the largest."""
        return max((self.difference(name) for name in self.names), default=0.0) / self.scale


def _choices(own: tuple[Variation, ...], name: str) -> Iterator[tuple[Edits, bool]]:
    """The edits for one gradient: with and without those that may have been made for some gradients only."""
    options: list[list[tuple[Edits, bool]]] = []
    for variation in own:
        if not variation.each:
            options.append([(variation.edits, False)])
            continue
        edits = tuple(e for e in variation.edits if e.stage.removeprefix("sum ") == f"d{name}")
        options.append([(edits, True), ((), False)] if edits else [((), False)])
    for combination in product(*options):
        yield tuple(edit for edits, _ in combination for edit in edits), any(made for _, made in combination)


def name(measure: Measure, problem: Problem) -> Naming:
    """What explains the gradients that `measure` gives for a problem; empty when they are right, or when nothing fits."""
    measured = measure(problem)
    comparison = Comparison(problem, measured)
    if not comparison.names:
        return Naming()
    own = variations(Setting.of(problem))
    right_loss = comparison.agrees_in_loss(())
    if right_loss and comparison.residual_of <= TOLERANCE:
        return Naming()
    found = candidates(comparison, own)
    if not found and not right_loss:
        found = candidates(comparison, own, loss=False)
    found = separate(found, measure, problem)
    if not found:
        return Naming()
    best, *rest = sorted(found, key=lambda hypothesis: hypothesis.preference)
    others = {h.ids: h for h in reversed(rest) if h.ids != best.ids and len(h.ids) == len(best.ids)}
    alternatives = sorted(others.values(), key=lambda hypothesis: hypothesis.preference)
    return Naming((diagnosis(best, comparison),), tuple(diagnosis(h, comparison) for h in alternatives))


def candidates(comparison: Comparison, own: tuple[Variation, ...], *, loss: bool = True) -> list[Hypothesis]:
    """Every single mistake that fits, if none every one times a learning rate, if none every pair."""
    active = [v for v in own if not _harmless(comparison, v)]
    fits = (comparison.fit((variation,), loss=loss) for variation in active)
    if found := [hypothesis for hypothesis in fits if hypothesis]:
        return found
    if rate := _rate(comparison, (), loss=loss):
        return [rate]
    usual = [v for v in active if not v.rank]
    for pool in (usual, active):
        if found := list(_pairs(comparison, pool, loss=loss)):
            return found
    rates = (_rate(comparison, (v,), loss=loss) for v in active if not v.each)
    return [hypothesis for hypothesis in rates if hypothesis]


def _harmless(comparison: Comparison, variation: Variation) -> bool:
    """Whether a variation computes what the reference does on this problem."""
    executor = comparison.executor
    if not np.isclose(executor.loss(variation.edits), executor.loss(), rtol=1e-10, equal_nan=False):
        return False
    return all(
        np.abs(executor.gradient(n, variation.edits) - executor.gradient(n)).max() <= TOLERANCE * comparison.scale
        for n in PARAMETERS
    )


def _pairs(comparison: Comparison, pool: list[Variation], *, loss: bool) -> Iterator[Hypothesis]:
    for first, second in combinations(pool, 2):
        if first.id == second.id:
            continue
        stages = {edit.stage for edit in first.edits}
        orders = (
            ((first, second), (second, first)) if any(e.stage in stages for e in second.edits) else ((first, second),)
        )
        for own in orders:
            if hypothesis := comparison.fit(own, loss=loss):
                yield hypothesis
                break


def _rate(comparison: Comparison, own: tuple[Variation, ...], *, loss: bool) -> Hypothesis | None:
    """All gradients times one positive number, a learning rate: found by least squares."""
    edits = tuple(edit for variation in own for edit in variation.edits)
    if loss and not comparison.agrees_in_loss(edits):
        return None
    with np.errstate(all="ignore"):
        ours = np.concatenate([comparison.executor.gradient(n, edits).ravel() for n in comparison.names])
        theirs = np.concatenate([comparison.measured.gradients[n].ravel() for n in comparison.names])
        rate = float(ours @ theirs / (ours @ ours))
        if not (0 < rate < 10) or np.abs(theirs - rate * ours).max() > TOLERANCE * np.abs(theirs).max():
            return None
    scaling = tuple(scaled(f"d{name}", "*", repr(rate)) for name in PARAMETERS)
    return comparison.fit((*own, Variation("learning-rate-in-gradient", scaling)), loss=loss)


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
            hidden=network.hidden,
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
        comparison = Comparison(other, measured)
        kept = [hypothesis for hypothesis in found if comparison.fit(hypothesis.variations)]
        found = kept or found
    return found


def diagnosis(hypothesis: Hypothesis, comparison: Comparison) -> Diagnosis:
    """The words for a hypothesis: its mistakes, the largest effect first."""
    affected = {v.id: _affected(comparison, v, hypothesis) for v in hypothesis.variations}
    ids = sorted(hypothesis.ids, key=lambda id: -affected[id][1])
    program = comparison.executor.program
    wrong = tuple(
        n for n in PARAMETERS if n in hypothesis.chosen and comparison.difference(n) > TOLERANCE * comparison.scale
    )
    residual = max(comparison.difference(n, edits) for n, edits in hypothesis.chosen.items()) / comparison.scale
    return Diagnosis(
        tuple(ids),
        tuple(CATALOGUE[id].title for id in ids),
        _sorted(wrong),
        residual,
        tuple(concerned(id, program, affected[id][0]) for id in ids),
    )


def _affected(comparison: Comparison, variation: Variation, hypothesis: Hypothesis) -> tuple[tuple[str, ...], float]:
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
