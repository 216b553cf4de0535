"""The gradient check passes what is right, catches what is wrong, and says what it could not test."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import InputError
from engine.explain import gradcheck, numeric_derivatives
from engine.explain.gradcheck import GradientCheck, NumericComparison, check
from engine.explain.numeric_derivatives import forward_only
from engine.language.evaluate import evaluate
from engine.language.expression import Name
from engine.language.functions import ACTIVATIONS
from engine.model.network import Network
from engine.recording.record import record
from engine.recording.tape import Tape
from engine.registry import REDUCTIONS
from engine.tables.cells import Cell

Floats = NDArray[np.float64]
B, T, D, H, C = 4, 6, 3, 5, 2
DERIVATIVES: dict[str, Callable[[Floats], Floats]] = {
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "relu": lambda z: (z > 0).astype(float),
    "sigmoid": lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    "identity": np.ones_like,
}
MISTAKES = (
    "delta-sign",
    "delta-without-target",
    "batch-not-averaged",
    "dwy-wrong-state",
    "activation-derivative-missing",
    "tanh-derivative-of-activation",
    "recurrence-dropped",
    "wa-not-transposed",
    "wa-not-applied",
    "recurrence-skips-derivative",
    "output-gradient-every-step",
    "overwritten-not-accumulated",
    "dwa-uses-current-state",
    "dwx-wrong-step",
    "first-step-skipped",
    "initial-state-ignored",
    "dwa-transposed",
    "bias-gradient-not-summed",
)


def network(**options: object) -> Network:
    return Network(**{"inputs": D, "outputs": C, "hidden": H, "seed": 1, **options})


def batch() -> tuple[Floats, NDArray[np.int64], dict[str, Floats]]:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((B, T, D))
    return X, rng.integers(0, C, B), {"a": 0.5 * rng.standard_normal((B, H))}


def by_hand(tape: Tape, mistake: str = "") -> dict[str, Floats]:
    """The backward pass as people write it, from the forward quantities of a tape; with a mistake of the catalogue in it."""
    x, z, a = tape["x"], tape["z"], tape["a"]
    Wa, Wy, n = tape["Wa"], tape["Wy"], tape.plan.network

    def by_table(z: Floats) -> Floats:
        return evaluate(ACTIVATIONS[n.activation].derivative, {Name("u"): z}.__getitem__)

    derivative = DERIVATIVES.get(n.activation, by_table)
    delta = tape["p"].copy()
    if mistake != "delta-without-target":
        delta[np.arange(B), tape["y"]] -= 1
    if mistake == "delta-sign":
        delta = -delta
    if n.reduction == "mean" and mistake != "batch-not-averaged":
        delta = delta / B
    dWy, dby = (a[T - 1] if mistake == "dwy-wrong-state" else a[T]).T @ delta, delta.sum(axis=0)
    dWx, dWa, dba = np.zeros((D, H)), np.zeros((H, H)), np.zeros(H)
    da = delta @ Wy.T
    for t in range(T, 0, -1):
        if mistake == "output-gradient-every-step" and t < T:
            da = da + delta @ Wy.T
        slope = derivative(a[t] if mistake == "tanh-derivative-of-activation" else z[t - 1])
        dz = da if mistake == "activation-derivative-missing" else da * slope
        if not (mistake == "first-step-skipped" and t == 1):
            previous = a[t] if mistake == "dwa-uses-current-state" else a[t - 1]
            if mistake == "initial-state-ignored" and t == 1:
                previous = np.zeros_like(previous)
            term = previous.T @ dz
            dWa = term if mistake == "overwritten-not-accumulated" else dWa + term
            dWx = dWx + x[max(t - 2, 0) if mistake == "dwx-wrong-step" else t - 1].T @ dz
            dba = dba + (dz[0] if mistake == "bias-gradient-not-summed" else dz.sum(axis=0))
        flow = da if mistake == "recurrence-skips-derivative" else dz
        da = flow @ (Wa if mistake == "wa-not-transposed" else Wa.T)
        if mistake == "wa-not-applied":
            da = dz
        if mistake == "recurrence-dropped":
            da = np.zeros_like(da)
    if mistake == "dwa-transposed":
        dWa = dWa.T
    return {"Wx": dWx, "Wa": dWa, "ba": dba, "Wy": dWy, "by": dby}


def checked(made: Network, mistake: str | None = None, **options: object) -> GradientCheck:
    """The report on the engine's gradients, or (mistake not None) on those by hand."""
    X, y, initial = batch()
    gradients = None if mistake is None else by_hand(record(made, X, y, initial=initial), mistake)
    return check(made, X, y, initial=initial, gradients=gradients, **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("mistake", [None, ""], ids=["engine", "by hand"])
def test_right_gradients_pass(activation: str, reduction: str, mistake: str | None) -> None:
    report = checked(network(activation=activation, reduction=reduction), mistake, everything=True)
    assert report.ok
    assert report.max_relative_error < 1e-6
    sizes = {"Wx": D * H, "Wa": H * H, "ba": H, "Wy": H * C, "by": C}
    assert {name: c.checked + c.kinks for name, c in report.parameters.items()} == sizes
    assert all(c.tested for c in report.parameters.values())
    assert report.direction.checked == 1
    assert report.notes == ()


@pytest.mark.parametrize(("seed", "scale"), [(3, 3.0), (2, 4.0), (4, 6.0)])
def test_steep_networks_raise_no_false_alarm(seed: int, scale: float) -> None:
    """Their loss bends within the first step in a way that its four points do not show."""
    rng = np.random.default_rng(seed)
    X, y = 3 * rng.standard_normal((B, T, D)), rng.integers(0, C, B)
    report = check(network(seed=seed, init_scale=scale), X, y)
    assert report.ok
    assert all(c.tested for c in report.parameters.values())


@pytest.mark.parametrize("mistake", MISTAKES)
def test_planted_mistakes_are_caught(mistake: str) -> None:
    """Far above the tolerance: none of them is caught by luck."""
    report = checked(network(activation="tanh", init_scale=1.5), mistake)
    assert not report.ok
    assert report.max_relative_error > 1e-3


@pytest.mark.parametrize(
    ("mistake", "wrong"),
    [
        ("dwy-wrong-state", {"Wy"}),
        ("dwa-transposed", {"Wa"}),
        ("dwx-wrong-step", {"Wx"}),
        ("bias-gradient-not-summed", {"ba"}),
        ("wa-not-transposed", {"Wx", "Wa", "ba"}),
    ],
)
def test_the_report_shows_which_parameters_are_wrong(mistake: str, wrong: set[str]) -> None:
    report = checked(network(), mistake)
    assert {n for n, c in report.parameters.items() if (c.max_relative_error or 0) > report.tolerance} == wrong


@pytest.mark.parametrize("mistake", ["activation-derivative-missing", "wa-not-transposed", "initial-state-ignored"])
def test_mistakes_are_caught_across_the_kinks_of_relu(mistake: str) -> None:
    assert not checked(network(activation="relu"), mistake).ok


def test_a_mistake_far_below_a_loose_check_is_caught() -> None:
    """Small weights let the term of t = 1 vanish: at 1e-2 such a mistake passes, at 1e-6 it does not."""
    made = network(init_scale=0.2)
    strict = checked(made, "first-step-skipped")
    assert not strict.ok
    assert checked(made, "first-step-skipped", tolerance=min(0.5, 2 * strict.max_relative_error)).ok


def test_one_wrong_entry_is_reported_with_its_place_and_both_values() -> None:
    made = network()
    X, y, _ = batch()
    right = record(made, X, y).gradients
    wrong = right["Wa"].copy()
    wrong[2, 3] *= 1.001
    comparison = check(made, X, y, gradients={**right, "Wa": wrong}, everything=True).parameters["Wa"]
    assert comparison.index == (2, 3)
    assert comparison.analytic == wrong[2, 3]
    assert comparison.numeric == pytest.approx(right["Wa"][2, 3], rel=1e-6)
    assert comparison.max_relative_error == pytest.approx(0.001 / 1.001, rel=1e-3)


def test_the_random_direction_sees_what_no_drawn_entry_shows() -> None:
    made = network(hidden=40)
    X, y, _ = batch()
    right = record(made, X, y).gradients
    wrong = right["Wa"].copy()
    seen = check(made, X, y, draws=1).parameters["Wa"].index
    wrong[tuple(np.argwhere(np.abs(wrong) < np.abs(wrong[seen]))[-1])] += 0.5 * abs(wrong[seen])
    report = check(made, X, y, gradients={**right, "Wa": wrong}, draws=1)
    assert report.parameters["Wa"].max_relative_error is not None
    assert report.parameters["Wa"].max_relative_error < report.tolerance
    assert report.direction.max_relative_error is not None
    assert report.direction.max_relative_error > report.tolerance
    assert not report.ok


# Kinks


def at_a_kink(cell: Cell | str = "rnn", offset: float = 0.0) -> tuple[Network, Floats, NDArray[np.int64]]:
    """One step, two units: z = (offset, 1), so that with offset 0 the first unit stands exactly on its kink."""
    weights = {
        "Wx": np.array([[1.0, 1.0]]),
        "Wa": np.zeros((2, 2)),
        "ba": np.array([offset - 1.0, 0.0]),
        "Wy": np.array([[1.0, -1.0], [0.5, 2.0]]),
        "by": np.zeros(2),
    }
    made = Network(inputs=1, outputs=2, hidden=2, cell=cell, activation="relu", weights=weights)
    return made, np.ones((1, 1, 1)), np.array([0])


INLINE = Cell(
    name="inline",
    equations=("a = {activation}(x @ Wx + a_prev @ Wa + ba)",),
    parameters={"Wx": ("D", "H"), "Wa": ("H", "H"), "ba": ("H",)},
    states=("a",),
    output="a",
    has_activation=True,
)


@pytest.mark.parametrize("cell", ["rnn", INLINE], ids=["named", "inline"])
def test_entries_at_a_kink_are_left_out_and_counted(cell: Cell | str) -> None:
    report = check(*at_a_kink(cell))
    counts = {name: (c.kinks, c.checked) for name, c in report.parameters.items()}
    # a_0 = 0, so no entry of Wa moves z at all
    assert counts == {"Wx": (1, 1), "Wa": (0, 4), "ba": (1, 1), "Wy": (0, 4), "by": (0, 2)}
    assert report.direction == NumericComparison(None, None, None, None, 5, 0, False)
    assert any("direction" in note for note in report.notes)
    assert report.ok


def test_the_step_shrinks_until_it_fits_beside_a_kink() -> None:
    """A distance that the first step would jump over."""
    report = check(*at_a_kink(offset=1e-4))
    assert sum(c.kinks for c in report.parameters.values()) == 0
    assert report.direction.checked == 1
    assert report.ok


def test_a_smooth_function_has_no_kinks() -> None:
    made, X, y = at_a_kink()
    report = check(replace(made, activation="tanh"), X, y)
    assert sum(c.kinks for c in report.parameters.values()) == report.direction.kinks == 0
    assert report.ok


# What cannot be tested


def test_a_dead_network_does_not_pass() -> None:
    """All units off: every gradient inside the loop is 0, and 0 = 0 proves nothing."""
    made = network(activation="relu")
    dead = replace(made, weights={**made.weights, "ba": np.full(H, -100.0)})
    X, y, _ = batch()
    report = check(dead, X, y)
    assert report.max_relative_error < 1e-6
    assert not report.ok
    assert {name for name, c in report.parameters.items() if c.tested} == {"by"}
    for name in ("Wx", "Wa", "ba", "Wy"):
        assert any(note.startswith(f"{name}: its gradient is 0") for note in report.notes)
    assert "proves nothing" in report.notes[-1]


def test_one_step_leaves_wa_untested_and_says_so() -> None:
    X, y, _ = batch()
    report = check(network(), X[:, :1], y)
    assert report.ok
    assert [note.split(":")[0] for note in report.notes] == ["Wa"]


def test_a_zero_in_place_of_a_gradient_is_wrong_not_dead() -> None:
    made = network()
    X, y, _ = batch()
    gradients = {**record(made, X, y).gradients, "Wa": np.zeros((H, H))}
    report = check(made, X, y, gradients=gradients)
    assert report.parameters["Wa"].max_relative_error == 1
    assert not report.ok


def test_gradients_below_rounding_are_not_called_wrong_nor_tested() -> None:
    """Weights so small that nothing of t = 1 … T reaches the loss within float64."""
    X, y, _ = batch()
    made = network(init_scale=1e-12)
    report = check(made, X, y)
    assert report.max_relative_error < 1e-6
    assert not report.parameters["Wa"].tested
    assert any(note.startswith("Wa: every entry compared is smaller") for note in report.notes)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_does_not_pass(value: float) -> None:
    X, y, _ = batch()
    X[1, 2, 0] = value
    report = check(network(activation="identity"), X, y)
    assert not report.ok
    assert report.max_relative_error == math.inf
    assert any("not finite" in note for note in report.notes)


def test_a_nan_gradient_of_a_finite_loss_is_found_wherever_it_is() -> None:
    made = network(hidden=40)
    X, y, _ = batch()
    gradients = {name: g.copy() for name, g in record(made, X, y).gradients.items()}
    gradients["Wa"][31, 17] = np.nan
    assert check(made, X, y, gradients=gradients, draws=1).parameters["Wa"].index == (31, 17)


def test_an_exploding_network_is_not_called_wrong_without_saying_why() -> None:
    """Its loss jumps between neighbouring floats, so no difference means anything."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((4, 80, D)), rng.integers(0, C, 4)
    report = check(network(hidden=48, init_scale=8.0), X, y, draws=5)
    assert not report.ok
    assert any("the network explodes" in note for note in report.notes)


class Stub:
    """A loss along every direction that is a cubic, with noise."""

    def __init__(self, noise: float) -> None:
        self.base = 1.0
        self.parameters = {"W": np.ones(3)}
        self.noise = noise
        self.rng = np.random.default_rng(0)

    def along(self, direction: object, distance: float) -> float:
        s = distance / numeric_derivatives.NOISE_STEP
        return 1 + 1e-6 * s**3 - 1e-5 * s + self.noise * self.rng.standard_normal()


def test_the_noise_of_the_loss_is_measured_apart_from_its_slope() -> None:
    rng = np.random.default_rng(1)
    assert numeric_derivatives.rounding_noise(Stub(1e-9), rng) == pytest.approx(1e-9, rel=0.6)
    assert numeric_derivatives.rounding_noise(Stub(0.0), rng) < 1e-15


# Options


def test_float32_is_checked_in_float64() -> None:
    X, y, initial = batch()
    single = network(dtype="float32")
    double = network(dtype="float64", weights=single.weights)
    report = check(single, X, y, initial=initial)
    assert report.ok
    assert report.max_relative_error < 1e-6
    assert report == check(double, X, y, initial=initial)


def test_the_gradients_of_a_float32_recording_fail_where_float64_ones_pass() -> None:
    single = network(dtype="float32")
    X, y, _ = batch()
    assert not check(single, X, y, gradients=record(single, X, y).gradients, tolerance=1e-8).ok
    assert check(single, X, y, tolerance=1e-4, gradients=record(single, X, y).gradients).ok


def test_draws_are_bounded_repeatable_and_contain_the_largest() -> None:
    made = network(hidden=12)
    X, y, _ = batch()
    report = check(made, X, y, draws=7, seed=3)
    assert {name: c.checked for name, c in report.parameters.items()} == {"Wx": 7, "Wa": 7, "ba": 7, "Wy": 7, "by": 2}
    assert report == check(made, X, y, draws=7, seed=3)
    assert report.direction.analytic != check(made, X, y, draws=7, seed=4).direction.analytic
    one = check(made, X, y, draws=1)
    largest = record(made, X, y).gradients["Wa"]
    assert one.parameters["Wa"].index == np.unravel_index(np.abs(largest).argmax(), largest.shape)


def test_no_entry_is_drawn_twice() -> None:
    gradient = np.arange(12.0).reshape(3, 4)
    for seed in range(20):
        drawn = gradcheck._drawn(gradient, 11, np.random.default_rng(seed))
        assert len(set(drawn)) == 11
        assert (2, 3) in drawn
    gradient[0, 0] = -99
    assert {gradcheck._drawn(gradient, 2, np.random.default_rng(seed))[0] for seed in range(9)} == {(0, 0)}
    assert len({gradcheck._drawn(gradient, 2, np.random.default_rng(seed))[1] for seed in range(99)}) == 11


def test_initial_states_are_part_of_the_loss() -> None:
    X, y, initial = batch()
    made = network()
    without = record(made, X, y).gradients
    assert not check(made, X, y, initial=initial, gradients=without).ok


def test_learned_initial_states_of_both_directions_are_moved() -> None:
    X, y, _ = batch()
    checked = check(network(bidirectional=True, learn_initial=True), X, y, draws=2)
    assert checked.ok and all(each.tested for each in checked.parameters.values())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tolerance": 0.0}, "tolerance must lie between 0 and 1, not 0"),
        ({"tolerance": float("nan")}, "tolerance must lie between 0 and 1, not nan"),
        ({"draws": 0}, "draws must be at least 1, not 0"),
        ({"gradients": {}}, "the gradient of Wx is missing; give one of shape (3, 5)"),
        ({"gradients": {"Wx": np.zeros((5, 3))}}, "the gradient of Wx has shape (5, 3), it needs (3, 5)"),
    ],
)
def test_refusals(options: dict[str, object], sentence: str) -> None:
    X, y, _ = batch()
    with pytest.raises(InputError) as refused:
        check(network(), X, y, **options)
    assert str(refused.value) == sentence


# JSON and the forward pass


def plain(text: str) -> object:
    def refuse(constant: str) -> object:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_json_has_the_shape_of_the_contract() -> None:
    report = checked(network(activation="relu"))
    result = plain(json.dumps(report.to_json()))
    assert result == report.to_json()
    assert isinstance(result, dict)
    assert {"ok", "max_relative_error", "parameters"} <= set(result)
    assert list(result["parameters"]) == ["Wx", "Wa", "ba", "Wy", "by"]
    for comparison in result["parameters"].values():
        assert set(comparison) == {"max_relative_error", "index", "analytic", "numeric", "kinks"}
    assert len(result["parameters"]["Wa"]["index"]) == 2
    assert result["ok"] is True


def test_json_says_nan_and_infinities_as_strings() -> None:
    X, y, _ = batch()
    gradients = {name: np.full(w.shape, -np.inf) for name, w in network().weights.items()}
    result = check(network(), X, y, gradients=gradients).to_json()
    plain(json.dumps(result))
    assert result["max_relative_error"] == "Infinity"
    assert result["parameters"]["Wa"]["analytic"] == "-Infinity"
    assert NumericComparison(math.inf, (0,), math.nan, 1.0, 0, 1, False).to_json()["analytic"] == "NaN"


def test_the_forward_pass_alone_gives_the_same_bits() -> None:
    X, y, _ = batch()
    tape = record(network(), X, y)
    alone = forward_only(tape.plan)
    arrays = alone.allocate()
    for name in ("x", "y"):
        arrays[name][...] = tape[name]
    alone.run(arrays, tape.parameters)
    assert set(arrays) == {"x", "y", "z", "a", "logits", "p", "loss"}
    assert all(np.array_equal(array, tape[name]) for name, array in arrays.items())
