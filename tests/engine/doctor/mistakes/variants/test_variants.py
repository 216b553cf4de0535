"""The executable mistakes: against wrong backward passes written by hand, and each different from the reference."""

from __future__ import annotations

import numpy as np
import pytest

from engine.doctor.mistakes.variants.catalogue import PLACED, concerned, variations
from engine.doctor.mistakes.variants.edited_backward import PARAMETERS, Executor
from engine.doctor.mistakes.variants.tree_edits import Setting, Variation
from engine.doctor.reference.problem import Problem, make_problem
from tests.engine.doctor.mistakes.variants import wrong_by_hand

HARMLESS_ON_SMALL_GRADIENTS = {"clipped-per-step", "probabilities-overwritten"}
"""A limit that nothing reaches; a loss that is no number beside gradients that are right."""
WITHOUT_VARIANT = {
    "relu-mask-at-zero",
    "gradients-not-reset",
    "learning-rate-in-gradient",
    "initial-state-gradient-missing",
}
"""Seen otherwise: at a pre-activation of 0, from call to call, by an unknown factor, by what is missing."""


def of(id: str, problem: Problem) -> list[Variation]:
    return [variation for variation in variations(Setting.of(problem)) if variation.id == id]


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "identity"])
@pytest.mark.parametrize("predict", ["last", "every"])
@pytest.mark.parametrize(("loss", "outputs"), [("cross-entropy", 4), ("binary", 1), ("squared", 3)])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_without_edits_it_is_the_reference(
    activation: str, predict: str, loss: str, outputs: int, reduction: str
) -> None:
    problem = make_problem(activation=activation, predict=predict, loss=loss, outputs=outputs, reduction=reduction)
    executor = Executor(problem)
    for name, value in problem.tape.gradients.items():
        np.testing.assert_allclose(executor.gradient(name), value, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("id", wrong_by_hand.WRONG)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_variant_computes_what_the_mistake_does_by_hand(id: str, activation: str) -> None:
    problem = make_problem(activation=activation, seed=3)
    by_hand = wrong_by_hand.gradients(problem, id)
    executor = Executor(problem)
    fits = [
        all(np.allclose(executor.gradient(n, v.edits), by_hand[n], rtol=1e-11, atol=1e-13) for n in PARAMETERS)
        for v in of(id, problem)
    ]
    assert any(fits)


@pytest.mark.parametrize("predict", ["last", "every"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_each_differs_from_the_reference(predict: str, activation: str) -> None:
    problem = make_problem(predict=predict, activation=activation)
    executor = Executor(problem)
    scale = max(np.abs(value).max() for value in executor.gradients().values())
    for variation in variations(Setting.of(problem)):
        if variation.id in HARMLESS_ON_SMALL_GRADIENTS:
            continue
        change = max(np.abs(executor.gradient(n, variation.edits) - executor.gradient(n)).max() for n in PARAMETERS)
        assert change > 1e-6 * scale, variation.id


def test_every_entry_of_the_catalogue_has_a_variant_somewhere() -> None:
    seen: set[str] = set()
    for activation in ("tanh", "relu"):
        for predict in ("last", "every"):
            seen |= {v.id for v in variations(Setting.of(make_problem(activation=activation, predict=predict)))}
    assert seen == set(PLACED) - WITHOUT_VARIANT


@pytest.mark.parametrize("predict", ["last", "every"])
def test_every_entry_points_at_a_line_of_the_program(predict: str) -> None:
    program = make_problem(predict=predict).tape.plan.program
    for id in PLACED:
        quantity = concerned(id, program, ("Wx",))
        if predict == "last" and id in ("future-gradient-dropped", "output-gradient-dropped"):
            continue  # of outputs at every step only
        name, flow = quantity.removesuffix(" (row t-1)"), quantity.endswith("(row t-1)")
        assert any(bool(line.equation.step) == flow for line in program.writers(name)), (id, quantity)
