"""The ledger of a weight gradient: its addends are those of the explanation, its sums what is stored."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import InputError, Network
from engine.explain.ledger import by_sample, ledger
from engine.explain.terms import explain
from engine.recording.record import record
from engine.recording.tape import Tape
from engine.tables.cells import Cell
from tests.engine.strategies import Case, all_cases, case
from tests.examples import examples

TIED = Cell(
    name="tied",  # a parameter in two places, one of them a product that is not with a whole state
    equations=("z = x @ Wx + (g * a_prev) @ Wa + a_prev @ Wa", "a = tanh(z * s)"),
    parameters={"Wx": ("D", "H"), "Wa": ("H", "H"), "g": ("H",), "s": ("H",)},
    states=("a",),
    output="a",
)


def taped(drawn: Case) -> Tape:
    return record(drawn.network, drawn.X, drawn.y, initial=drawn.initial, lengths=drawn.lengths)


@examples(80)
@given(st.data(), all_cases())
def test_the_addends_are_the_terms_of_the_explanation_and_add_up(data: st.DataObject, drawn: Case) -> None:
    tape = taped(drawn)
    name = "d" + data.draw(st.sampled_from(sorted(tape.parameters)))
    index = tuple(data.draw(st.integers(0, n - 1)) for n in tape[name].shape)
    found = ledger(tape, name, index)
    every = found.steps if len(found.steps) > 1 else (None,)
    for row, t in enumerate(every):
        for b in range(tape.plan.batch):
            own = explain(tape, name, t, index, one_step=t is not None, sample=b)
            assert found.addends[row, b] == pytest.approx(own.value, rel=1e-12, abs=1e-300)
    rounding = 8 * np.finfo(float).eps * float(np.abs(found.addends).sum())
    assert abs(math.fsum(found.addends.ravel().tolist()) - found.value) <= rounding
    assert found.of_steps.shape == (len(found.steps),)
    assert found.of_samples.shape == (tape.plan.batch,)
    assert found.value == tape[name][index]


@examples(40)
@given(all_cases())
def test_the_samples_gradients_are_those_of_each_sample_alone(drawn: Case) -> None:
    tape = taped(drawn)
    for parameter in tape.parameters:
        own = by_sample(tape, f"d{parameter}")
        assert own.shape == (tape.plan.batch, *tape[parameter].shape)
        np.testing.assert_allclose(own.sum(axis=0), tape[f"d{parameter}"], rtol=1e-9, atol=1e-12)


def test_a_parameter_in_two_places_of_any_form() -> None:
    rng = np.random.default_rng(0)
    network = Network(inputs=2, outputs=3, hidden=4, cell=TIED)
    tape = record(network, rng.normal(size=(5, 6, 2)), np.array([0, 1, 2, 0, 1]))
    for name in ("dWa", "dg", "ds"):
        parts = by_sample(tape, name)
        np.testing.assert_allclose(parts.sum(axis=0), tape[name], rtol=1e-12)
        index = (1,) * tape[name].ndim
        found = ledger(tape, name, index)
        np.testing.assert_allclose(found.of_samples, parts[(slice(None), *index)], rtol=1e-12)
        assert found.addends.sum() == pytest.approx(found.value, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "index", "said"),
    [("dz", (0, 0), "no gradient of a parameter"), ("dWa", (0,), "not a cell"), ("dWa", (3, 0), "not a cell")],
)
def test_what_is_no_cell_of_a_gradient_is_refused(name: str, index: tuple[int, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ledger(taped(case()), name, index)
