"""Naming: planted mistakes by their ids, alone and in pairs; nothing for what is right."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from engine.doctor.mistakes.variants.catalogue import variations
from engine.doctor.mistakes.variants.edited_backward import Executor
from engine.doctor.mistakes.variants.naming import Naming, constants, name, notes
from engine.doctor.reference.problem import Measurement, Problem, make_problem
from tests.engine.doctor.planted import STYLES, differs, pairs, problem_of, right, sampled_singles
from tests.engine.doctor.styles.style import Planted, Style, edit, run
from tests.examples import number

pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning"
)  # mistakes overflow and take logarithms of what is negative

STYLES_BY_NAME = {style.name: style for style in STYLES}
# All of them, through the whole doctor, are the business of `make doctor-score`.
SINGLES = sampled_singles()


def named(planted: Planted) -> Naming:
    style = STYLES_BY_NAME[planted.style]
    return name(run(style, planted.source), problem_of(style), constants(ast.parse(planted.source)))


def label(planted: Planted) -> str:
    return f"{planted.style}: {' + '.join(planted.ids)}"


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_correct_program_has_no_mistake(style: Style) -> None:
    problem = problem_of(style)
    assert right(run(style, style.source)(problem), problem)
    assert name(run(style, style.source), problem).diagnoses == ()


@pytest.mark.parametrize("planted", SINGLES, ids=label)
def test_a_planted_mistake_is_the_diagnosis(planted: Planted) -> None:
    assert differs(planted, STYLES_BY_NAME[planted.style]) == ""
    (diagnosis,) = named(planted).diagnoses
    assert diagnosis.ids == planted.ids
    assert diagnosis.residual <= 1e-9


def test_most_pairs_are_the_diagnosis() -> None:
    sampled = [planted for style in STYLES for planted in pairs(style, number(3, dear=True))]
    found = [named(planted).diagnoses for planted in sampled]
    hits = [bool(f) and set(f[0].ids) == set(planted.ids) for f, planted in zip(found, sampled, strict=True)]
    assert sum(hits) >= 0.9 * len(hits)


def of(problem: Problem, id: str) -> Naming:
    """The naming of what a variant computes."""
    edits = next(v for v in variations_of(problem) if v.id == id).edits

    def measure(other: Problem) -> Measurement:
        executor = Executor(other)
        return Measurement(executor.loss(edits), executor.gradients(edits))

    return name(measure, problem)


def variations_of(problem: Problem):
    from engine.doctor.mistakes.variants.tree_edits import Setting

    return variations(Setting.of(problem))


def test_equal_mistakes_are_alternatives() -> None:
    last, every = make_problem(), make_problem(predict="every")
    found = of(last, "recurrence-dropped")
    assert found.diagnoses[0].ids == ("recurrence-dropped",)
    assert [other.ids for other in found.alternatives] == [("truncated-early",)]
    found = of(every, "recurrence-dropped")
    assert found.diagnoses[0].ids == ("future-gradient-dropped",)
    assert ("recurrence-dropped",) in [other.ids for other in found.alternatives]


def test_another_problem_separates_what_one_cannot() -> None:
    # With five steps, to stop after four of them is to skip the first one.
    assert of(make_problem(steps=5), "first-step-skipped").alternatives == ()


def test_a_rate_that_is_one_over_the_batch_is_an_average() -> None:
    assert of(make_problem(), "batch-averaged-twice").diagnoses[0].ids == ("batch-averaged-twice",)


def test_some_gradients_are_enough() -> None:
    problem = make_problem()

    def measure(other: Problem) -> Measurement:
        executor = Executor(other)
        (edit,) = (v.edits for v in variations_of(problem) if v.id == "wa-not-transposed")
        return Measurement(None, {n: executor.gradient(n, edit) for n in ("Wx", "Wa")}, frozenset({"ba", "Wy", "by"}))

    (diagnosis,) = name(measure, problem).diagnoses
    assert diagnosis.ids == ("wa-not-transposed",)
    assert diagnosis.parameters == ("Wx", "Wa")


def test_nonsense_has_no_name() -> None:
    rng = np.random.default_rng(0)
    nonsense = {n: rng.normal(size=value.shape) for n, value in make_problem().parameters.items()}
    assert name(lambda _: Measurement(None, nonsense), make_problem()).diagnoses == ()


def test_a_mask_that_counts_zero_as_on_is_a_note_only() -> None:
    style = STYLES_BY_NAME["per-sample lists"]
    source = edit(style.source, [("d_z = d_h * (zs[t] > 0)", "d_z = d_h * (zs[t] >= 0)")])
    (note,) = notes(run(style, source), problem_of(style))
    assert note.startswith("relu-mask-at-zero")
    assert notes(run(style, style.source), problem_of(style)) == ()
    assert name(run(style, source), problem_of(style)).diagnoses == ()


def test_numbers_of_a_program() -> None:
    assert set(constants(ast.parse("lr = -0.02\nx = [1, True, 'a', 5e-3]"))) == {0.02, 1.0, 0.005}
