"""The gain of a time step: exact ratios of norms, split where the error has one way through."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Network
from engine.explain.flow import Cut, bottleneck, cuts, gain, norm_of
from engine.recording.record import record
from engine.session import open_session
from engine.tables.cells import Cell
from tests.engine.strategies import Case, case, cases
from tests.examples import examples

TWO_WAYS = Cell(
    name="two ways back",
    equations=(
        "z = x @ Wx + a_prev @ Wa + ba",
        "u = a_prev @ Wu",
        "a = tanh(z) * sigmoid(u)",
    ),
    parameters={"Wx": ("D", "H"), "Wa": ("H", "H"), "ba": ("H",), "Wu": ("H", "H")},
    states=("a",),
    output="a",
)
LSTM = Cell(
    name="lstm-like",
    equations=(
        "zi = x @ Wxi + h_prev @ Whi",
        "zf = x @ Wxf + h_prev @ Whf",
        "i = sigmoid(zi)",
        "f = sigmoid(zf)",
        "c = f * c_prev + i * tanh(zi)",
        "h = f * tanh(c)",
    ),
    parameters={"Wxi": ("D", "H"), "Whi": ("H", "H"), "Wxf": ("D", "H"), "Whf": ("H", "H")},
    states=("h", "c"),
    output="h",
)


@examples(100)
@given(st.data(), cases())
def test_the_gains_are_the_ratios_of_the_norms(data: st.DataObject, drawn: Case) -> None:
    tape = record(drawn.network, drawn.X, drawn.y, initial=drawn.initial)
    t = data.draw(st.integers(1, tape.plan.steps), "t")
    found = gain(tape, t)
    before, between, after = (
        float(np.linalg.norm(tape[name][row])) for name, row in (("da", t), ("dz", t - 1), ("da", t - 1))
    )
    assert found.t == t
    assert found.live == np.mean(tape.at("dz", t) != 0)
    for value, above, below in (
        (found.total, after, before),
        (found.activation, between, before),
        (found.weights, after, between),
    ):
        assert value is not None
        if below == 0:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(above / below, rel=1e-13)
    if between:
        assert found.activation * found.weights == pytest.approx(found.total, rel=4 * 2.0**-52)


def test_the_gains_of_all_steps_lead_from_the_loss_to_the_first_state() -> None:
    tape = open_session("exploding", {}).debugger.tape(0)
    gains = [gain(tape, t).total for t in range(1, tape.plan.steps + 1)]
    first, last = tape.norms("da")[0], tape.norms("da")[-1]
    assert math.prod(gains) == pytest.approx(first / last, rel=1e-12)
    assert {gain(tape, t).activation for t in range(1, 31)} == {1.0}  # identity: all of it comes from Wa


def test_the_share_of_live_units() -> None:
    tape = open_session("dying_relu", {}).debugger.tape(0)
    assert all(gain(tape, t).live <= 2 / 8 for t in range(1, tape.plan.steps + 1))


def test_a_dead_network_has_no_gain() -> None:
    drawn = case(activation="relu", given=False)
    weights = {**drawn.network.weights, "ba": np.full(3, -1e6)}
    network = Network(inputs=2, outputs=3, hidden=3, activation="relu", weights=weights)
    tape = record(network, drawn.X, drawn.y)
    last, before = gain(tape, 5), gain(tape, 4)
    assert (last.total, last.activation, last.live) == (0.0, 0.0, 0.0)
    assert math.isnan(last.weights)
    assert math.isnan(before.total)


@pytest.mark.parametrize("cell", [TWO_WAYS, LSTM], ids=["two ways", "lstm"])
def test_with_several_ways_back_there_is_no_split(cell: Cell) -> None:
    rng = np.random.default_rng(3)
    network = Network(inputs=2, outputs=3, hidden=4, cell=cell)
    tape = record(network, rng.normal(size=(5, 6, 2)), np.array([0, 1, 2, 0, 1]))
    assert bottleneck(tape) is None
    state = f"d{cell.output}"
    for t in range(1, 7):
        found = gain(tape, t)
        assert (found.activation, found.weights, found.live) == (None, None, None)
        assert found.total == pytest.approx(np.linalg.norm(tape[state][t - 1]) / np.linalg.norm(tape[state][t]))


def test_the_one_way_back_of_the_simple_network() -> None:
    drawn = case()
    assert bottleneck(record(drawn.network, drawn.X, drawn.y)) == "dz"


# Truncation


def _tape(lengths: list[int] | None = None, **options: object):
    network = Network(inputs=1, outputs=2, hidden=3, **options)
    each = (2, 6) if options.get("predict") == "every" else (2,)
    rng = np.random.default_rng(0)
    ends = None if lengths is None else np.array(lengths)
    return record(network, rng.normal(size=(2, 6, 1)), np.ones(each, dtype=int), lengths=ends)


@pytest.mark.parametrize("predict", ["last", "every"])
def test_chunks_are_cut_between_runs_of_steps(predict: str) -> None:
    tape = _tape(predict=predict, truncate=2, truncate_by="chunk")
    assert cuts(tape) == cuts(tape, 1) == [Cut(3, True), Cut(5, True)]


def test_a_window_ends_once_and_where_its_sample_ends() -> None:
    assert cuts(_tape(truncate=2)) == [Cut(4, True)]
    assert cuts(_tape([6, 5], truncate=2)) == [Cut(3, False), Cut(4, False)]
    assert cuts(_tape([6, 5], truncate=2), 0) == [Cut(4, True)]
    assert cuts(_tape([6, 5], truncate=2), 1) == [Cut(3, True)]


def test_a_sample_that_has_ended_does_not_count() -> None:
    assert cuts(_tape([6, 3], predict="every", truncate=2, truncate_by="chunk")) == [Cut(3, True), Cut(5, True)]


def test_without_truncation_and_with_a_window_for_each_loss_there_is_no_place() -> None:
    assert cuts(_tape()) == cuts(_tape(predict="every", truncate=2)) == []


def test_padding_is_what_lies_beyond_the_lengths() -> None:
    assert _tape().padding is None
    padding = _tape([6, 3]).padding
    assert padding is not None
    np.testing.assert_array_equal(padding[:, 0], np.arange(7) > 6)
    np.testing.assert_array_equal(padding[:, 1], np.arange(7) > 3)


def test_the_norm_of_a_step() -> None:
    tape = _tape()
    for t in range(1, 7):
        assert norm_of(tape, "dz", t) == pytest.approx(np.linalg.norm(tape.at("dz", t)), rel=1e-12)
        assert norm_of(tape, "da", t, 1) == pytest.approx(np.linalg.norm(tape.at("da", t)[1]), rel=1e-12)
