"""What is found without asking: the right thing first where something is wrong, nothing serious where nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from engine import Debugger, Network
from engine.explain.findings import Finding, findings, first_seen
from engine.explain.line_parts import writer_for
from engine.session import open_session
from engine.tables.cells import Cell
from tests.engine.strategies import Case, all_cases
from tests.examples import examples

HEALTHY = ("many_to_one", "sunspots", "temporal_order", "adding", "reber", "sonnet", "delayed_recall")
X = np.random.default_rng(0).normal(size=(4, 6, 2))
Y = np.array([0, 1, 1, 0])


def debugger(x: Any = X, y: Any = Y, **options: Any) -> Debugger:
    return Debugger(Network(**{"inputs": 2, "outputs": 2, "hidden": 3, **options}), x, y)


def found_in(x: Any = X, y: Any = Y, **options: Any) -> list[Finding]:
    return findings(debugger(x, y, **options), 0)


def only(kind: str, found: list[Finding]) -> Finding:
    (one,) = [each for each in found if each.kind == kind]
    return one


@pytest.mark.parametrize("iteration", [0, 20])
@pytest.mark.parametrize("name", HEALTHY)
def test_samples_that_learn_have_nothing_serious(name: str, iteration: int) -> None:
    found = findings(open_session(name, {}).debugger, iteration)
    assert not [each.text for each in found if each.serious]


@pytest.mark.parametrize(
    ("name", "kind", "quantity"),
    [("dying_relu", "dead units", "a"), ("vanishing", "vanishing", "da"), ("exploding", "exploding", "da")],
)
def test_samples_of_a_trouble_have_it_first(name: str, kind: str, quantity: str) -> None:
    first = findings(open_session(name, {}).debugger, 0)[0]
    assert (first.kind, first.quantity, first.serious) == (kind, quantity, True)


def test_nan_in_a_file_is_found_where_it_is_and_where_it_spoils_first(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("t1,t2,t3,label\n1,2,3,a\n1,nan,3,b\n")
    session = open_session(path, {"allow-nan": True, "timesteps": 3})
    first = findings(session.debugger, 0)[0]
    assert (first.kind, first.quantity, first.t, first.index) == ("non-finite", "x", 2, (1, 0))
    assert first.text.startswith("x@2[1,0] is NaN in the data")
    point = session.debugger.program.point(first.position)
    assert (point.iteration, point.phase, point.t, point.line) == (0, "forward", 2, "z")
    later = findings(session.debugger, 5)[0]
    assert later.text.startswith("since iteration 0: x@2[1,0] is NaN")
    assert later.position == first.position


@pytest.mark.parametrize(
    ("x", "weights", "iteration", "options", "said"),
    [
        ((1e200, 0), (1e200, 1), 0, {}, "z@1[0,0] is ∞: x@1[0,0] = 1e+200 × Wx[0,0] = 1e+200 overflowed, in the forward line z"),
        ((1e20, 0), (1e20, 1), 0, {"dtype": "float32"}, "× Wx[0,0] = 1e+20 is more than the largest float32, 3.4e+38"),
        ((1.7e308, 1.7e308), (1, 1), 0, {}, "z@1[0,0] is ∞: the sum of 4 terms is more than the largest float64"),
        ((1e200, 1e200), (1e200, -1e200), 0, {}, ": ∞ − ∞, in the forward line z"),  # ∞ or NaN, as the matrix library multiplies and adds
        ((1e200, 1), None, 0, {"lr": 1e300}, "Wx[0,0] is −∞: −1 × lr × dWx[0,0] = 1.99e+199 overflowed, in the update's line Wx"),
        ((1e200, 1), None, 2, {"lr": 1e300, "optimizer": "momentum"}, "since iteration 0: Wx[0,0] is −∞: −1 × lr × vWx[0,0]"),
        ((1e200, 1), (1, 1), 0, {"optimizer": "adam"}, "vWx[0,0] is ∞: 0.001 × dWx[0,0]"),
    ],
)  # fmt: skip
def test_what_overflows_first_is_told_with_the_arithmetic(
    x: tuple[float, float],
    weights: tuple[float, float] | None,
    iteration: int,
    options: dict[str, Any],
    said: str,
) -> None:
    given = {} if weights is None else {"Wx": np.array(weights, float).reshape(2, 1)}
    debug = debugger(np.array([[x]]), Y[:1], hidden=1, activation="identity", weights=given, **options)
    first = only("non-finite", findings(debug, iteration))
    assert said in first.text
    assert first.serious


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_infinite_weights_are_found_in_every_cell(cell: str) -> None:
    network = debugger(cell=cell).network
    name = next(n for n, axes in network.parameter_axes.items() if axes == ("H", "H"))
    weights = {name: np.full((3, 3), np.inf)}
    first = found_in(cell=cell, weights=weights, x=np.zeros((4, 6, 2)) + 1)[0]
    assert (first.kind, first.quantity, first.index) == ("non-finite", name, (0, 0))
    assert "in the weights" in first.text


def test_a_product_that_overflows_is_named_with_its_factors() -> None:
    weights = {"Wa": np.full((3, 3), 1e9, np.float32)}
    first = found_in(X * 1e30, activation="identity", dtype="float32", weights=weights)[0]
    assert first.kind == "non-finite"
    assert first.text.startswith("z@2") and "× Wa[" in first.text and "float32" in first.text


def test_infinity_less_infinity() -> None:
    weights = {"Wx": np.array([[1e200] * 3, [-1e200] * 3])}
    first = found_in(np.full((4, 6, 2), 1e200), activation="identity", weights=weights)[0]
    assert (first.quantity, first.t) == ("z", 1)
    assert "∞ − ∞" in first.text


def test_the_update_that_overflows_is_found_in_the_iteration_that_made_it() -> None:
    broken = debugger(activation="identity", lr=1e200)
    text = findings(broken, 6)[0].text
    assert text.startswith("since iteration 1: ")


def test_dead_units_are_told_with_their_numbers() -> None:
    one = only("dead units", found_in(activation="relu", weights={"ba": np.array([-99.0, 1, -99])}))
    assert one.text.startswith("2 of 3 units of a are off (z ≤ 0) at every t for every sample: units 0 and 2")
    assert (one.quantity, one.t, one.index, one.serious) == ("a", 1, (0, 0), True)
    few = only("dead units", found_in(activation="relu", weights={"ba": np.array([-99.0, 9, 9])}))
    assert not few.serious


def test_a_network_of_dead_units_learns_nothing() -> None:
    found = found_in(activation="relu", weights={"ba": np.full(3, -99.0)})
    assert [each.kind for each in found if each.serious] == ["dead units", "vanishing", "zero gradient"]
    assert "dWx, dWa, dba and dWy are 0 in all entries" in found[2].text
    assert "no gradient reaches t = 5" in found[1].text


def test_a_kink_and_a_bounded_function_are_found_in_a_cell_of_ones_own() -> None:
    cell = Cell(
        name="own",
        equations=("u = x @ Wx + s_prev @ Ws + bs", "k = sigmoid(u)", "s = relu(u - 50) + k * s_prev"),
        parameters={"Wx": ("D", "H"), "Ws": ("H", "H"), "bs": ("H",)},
        states=("s",),
        output="s",
    )
    found = found_in(cell=cell, weights={"bs": np.array([20.0, 0, 0])})
    assert only("dead units", found).text.startswith("3 of 3 units of s are off (the argument of relu ≤ 0)")
    gates = only("saturated", found)
    assert gates.text.startswith("1 of 3 units of k are saturated")
    assert not gates.serious  # a gate may be open


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_a_saturated_state_is_serious(activation: str) -> None:
    assert only("saturated", found_in(activation=activation, weights={"ba": np.full(3, 30.0)})).serious


@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_what_has_no_end_does_not_saturate(activation: str) -> None:
    found = found_in(activation=activation, weights={"ba": np.full(3, 30.0)})
    assert "saturated" not in [each.kind for each in found]


def test_the_step_at_which_the_error_has_faded() -> None:
    """All weights chosen so that each step multiplies it by exactly a tenth."""
    weights = {"Wa": np.eye(3) / 10}
    x = np.random.default_rng(1).normal(size=(4, 9, 2))
    broken = debugger(x, activation="identity", weights=weights)
    one = only("vanishing", findings(broken, 0))
    assert (one.t, one.serious) == (9 - 7, True)  # 1e-7 is the first below 1e-6
    assert "gain 0.1 a step" in one.text
    assert broken.program.point(one.position).t == one.t + 1  # the step that hands it on
    grown = only("exploding", found_in(x, activation="identity", weights={"Wa": np.eye(3) * 10}))
    assert (grown.t, grown.serious) == (9 - 4, True)


@pytest.mark.parametrize("state", ["a", "a1r"])
def test_a_gain_is_split_into_activation_and_weights(state: str) -> None:
    mark, both = state.removeprefix("a"), state == "a1r"
    weights = {f"Wa{mark}": np.eye(3) / 10, f"ba{mark}": np.full(3, 0.5), f"Wx{mark}": np.zeros((2, 3))}
    a, slopes = 0.0, []
    for _ in range(6):
        a = float(np.tanh(a / 10 + 0.5))
        slopes.append(1 - a**2)
    slope = np.prod(slopes[1:]) ** (1 / 5)
    found = found_in(weights=weights, bidirectional=both)
    (text,) = [each.text for each in found if (each.kind, each.quantity) == ("vanishing", f"d{state}")]
    assert f"(gain {slope / 10:.3g} a step = tanh′ {slope:.3g} × Wa{mark} 0.1)" in text


@pytest.mark.parametrize("predict", ["last", "every"])
def test_a_gate_that_lets_too_little_through_is_blamed_and_its_bias_offered(predict: str) -> None:
    y = np.zeros((4, 6), int) if predict == "every" else Y
    weights = {name: np.zeros((3, 3)) for name in ("Whi", "Whf", "Whg", "Who")}
    weights |= {"Wxf": np.zeros((2, 3)), "bf": np.full(3, -2.0)}  # sigmoid(−2) is 0.119 at every step
    one = only("vanishing", found_in(cell="lstm", predict=predict, y=y, weights=weights))
    dc = "" if predict == "every" else "dc 0.119: "
    assert f", {dc}the gate f lets 0.119 of c through; what if: --set 'bf = -1')" in one.text


def test_each_sample_is_followed_from_its_own_end() -> None:
    """Each step multiplies the error by a tenth, wherever its sample ends."""
    x, lengths = np.random.default_rng(1).normal(size=(4, 30, 2)), np.array([30, 9, 12, 20])
    network = debugger(x, activation="identity", weights={"Wa": np.eye(3) / 10}).network
    for checkpoints in (False, True):
        broken = Debugger(network, x, Y, lengths=lengths, checkpoints=checkpoints)
        text = only("vanishing", findings(broken, 0)).text
        assert (
            text
            == "‖da_t‖ falls below 1e−06 of what it is at each sample's own end 7 steps before it (gain 0.1 a step)"
        )


def test_layers_are_followed_each_for_itself() -> None:
    weights = {"Wa1": np.eye(3) / 10, "Wa2": np.eye(3) * 0.9}
    x = np.random.default_rng(1).normal(size=(4, 9, 2))
    found = found_in(x, hidden=(3, 3), activation="identity", weights=weights)
    assert [each.quantity for each in found if each.kind == "vanishing"] == []  # layer 2 keeps feeding layer 1
    found = found_in(x, hidden=(3, 3), activation="identity", weights={**weights, "Wa2": np.eye(3) / 10})
    assert [each.quantity for each in found if each.kind == "vanishing"] == ["da1", "da2"]


def test_inputs_of_a_scale_that_saturates_the_first_step() -> None:
    one = only("input scale", found_in(X + np.array([1000, 0])))
    assert one.serious and one.text.startswith(
        "the inputs saturate the first step: 100% of a at t = 1 are within 0.5% of an end of tanh's range"
    )
    low, high = (f"{value:.0f}" for value in (X[:, :, 0].min() + 1000, X[:, :, 0].max() + 1000))
    assert f"x goes from {low} to {high} (feature 0): subtract its mean" in one.text
    assert "input scale" not in [each.kind for each in found_in(X + 1000, activation="relu")]


def test_whole_numbers_that_look_like_ids() -> None:
    numbers = np.random.default_rng(0).integers(0, 60, size=(40, 20, 1))
    numbers[0, 0], y = 60, np.arange(40) % 2
    text = only("ids", found_in(numbers, y, inputs=1)).text
    assert text.startswith("x (feature 0) holds whole numbers from 0 to 60, ")
    for other in (numbers + 0.5, -numbers, numbers % 10):
        assert "ids" not in [each.kind for each in found_in(other, y, inputs=1)]


@pytest.mark.parametrize(("word", "t"), [("end", 9), ("begin", 1)])
def test_zeros_that_look_like_padding(word: str, t: int) -> None:
    x = np.random.default_rng(0).normal(size=(4, 9, 2))
    for sample, count in enumerate((0, 3, 5, 0)):
        x[sample, slice(9 - count, 9) if word == "end" else slice(0, count)] = 0
    one = only("padding", found_in(x))
    assert one.text.startswith(f"2 of 4 samples {word} in 3 to 5 steps of zeros: if that is padding, ")
    assert one.t == t
    x[:, ::2] = 0  # a zero is a value like others
    assert "padding" not in [each.kind for each in found_in(x)]


def test_predictions_that_are_all_alike() -> None:
    zero = {"Wy": np.zeros((3, 2)), "by": np.zeros(2)}
    text = only("equal predictions", found_in(weights=zero)).text
    assert (
        text
        == "all predictions are alike: p is (0.5, 0.5) for every sample, to 0; the loss 0.693 is ln 2, that of guessing"
    )
    y = np.array([1.0, 2.0, 3.0, 6.0])
    mean = {"Wy": np.zeros((3, 1)), "by": np.array([3.0])}
    text = only("equal predictions", found_in(y=y, outputs=1, loss="squared", weights=mean)).text
    assert text == (
        "all predictions are alike: 3 to 3, where y goes from 1 to 6; the mean of y is 3, "
        "and the loss 3.5 is that of always predicting it"
    )
    assert "equal predictions" not in [each.kind for each in found_in()]


def test_updates_are_measured_as_they_are_made() -> None:
    large = only("update size", found_in(lr=1e5))
    assert large.serious and "is large" in large.text
    clipped = found_in(lr=1e5, clip_norm=1e-9)
    assert "update size" in [each.kind for each in clipped]
    assert "is small" in only("update size", clipped).text
    assert only("clipping", clipped).quantity == "gnorm"
    assert "entries of the gradients are clipped to ±0.0001" in only("clipping", found_in(clip_value=1e-4)).text


def test_gradients_of_one_sign() -> None:
    """Positive inputs, positive weights, one class: every sample pushes every recurrent weight the same way."""
    weights = {"Wx": np.full((2, 3), 0.1), "Wa": np.full((3, 3), 0.1), "Wy": np.array([[1.0, -1.0]] * 3)}
    weights |= {"ba": np.zeros(3)}
    one = only("one-sided gradient", found_in(np.abs(X), np.zeros(4, int), activation="identity", weights=weights))
    assert one.text.startswith("dWx, dWa and dba have one sign in all entries, for every sample")


def test_truncation_that_cuts_more_than_it_keeps() -> None:
    weights = {"Wa": np.eye(3) * 3}
    one = only("truncation", found_in(activation="identity", weights=weights, truncate=1))
    assert (one.quantity, one.serious) == ("da_cut", False)
    assert "truncation" not in [each.kind for each in found_in(truncate=5)]


@examples(60)
@given(all_cases())
def test_every_finding_leads_to_a_point_and_its_quantity(drawn: Case) -> None:
    broken = Debugger(drawn.network, drawn.X, drawn.y, initial=drawn.initial, lengths=drawn.lengths)
    found = findings(broken, 1)
    assert [each.serious for each in found] == sorted((each.serious for each in found), reverse=True)
    for each in found:
        assert broken.program.point(each.position).iteration <= 1
        assert each.quantity in broken.tape(1)
        assert "\n" not in each.text


def test_over_iterations_each_thing_is_told_where_it_comes_up() -> None:
    broken = open_session("exploding", {}).debugger
    told = list(first_seen(broken, range(30)))
    assert len({(each.kind, each.quantity, each.severity) for _, each in told}) == len(told)
    assert [iteration for iteration, _ in told] == sorted(iteration for iteration, _ in told)
    assert told[0][1].kind == "exploding"


def test_names_are_written_in_a_notation() -> None:
    session = open_session("dying_relu", {"notation": "goodfellow"})
    spell = writer_for(session.debugger.plan, "goodfellow").spelling.name
    first = findings(session.debugger, 0, spell)[0]
    assert first.text.startswith("6 of 8 units of h are off (a ≤ 0)")
    assert first.quantity == "a"  # what it is in the engine


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recording_with_checkpoints_has_the_same(cell: str) -> None:
    spoilt = X.copy()
    spoilt[2, 3, 1] = np.nan
    for x in (X, spoilt):
        network = debugger(cell=cell).network
        whole, kept = (findings(Debugger(network, x, Y, checkpoints=each), 0) for each in (False, True))
        assert whole == kept
