"""Every recorded number against two independent computations: the autograd package, and the complex step in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import engine.recording.compiled
import engine.recording.plan
from engine import Network, Tape, record
from engine.recording.compiled import MANY
from tests.engine.reference import reference
from tests.engine.strategies import ACTIVATION_NAMES, SMOOTH, Case, all_cases, case, cases
from tests.examples import examples

Array = np.ndarray[Any, Any]
SMALLEST = 1e-30
GRADIENTS = ("dlogits", "dWy", "dby", "da", "dz", "dx", "dWx", "dWa", "dba")


def assert_close(tape: Tape, expected: Mapping[str, Array], tolerance: float, floor: float) -> None:
    for name, wanted in expected.items():
        got = tape[name]
        assert got.shape == wanted.shape, name
        error, size = np.max(np.abs(got - wanted)), np.max(np.abs(wanted))
        assert error <= tolerance * size + floor, f"{name}: off by {error:.3g} where the largest is {size:.3g}"


def check(case: Case) -> None:
    """Every recorded quantity, and the flows that are derived, against the reference."""
    tape = record(case.network, case.X, case.y, initial=case.initial, lengths=case.lengths)
    expected = reference(case)
    # Where all samples are certain, p − y has lost its digits in both computations, and there is nothing to compare.
    assume("p" not in expected or case.network.outputs == 1 or np.max(np.abs(expected["dlogits"])) > 1e-5)
    assert set(tape.arrays) - {"x", "y", "mask", "N", "cut", "cutr", *case.network.masks} <= set(expected)
    assert_close(tape, expected, 1e-10, 1e-14)
    np.testing.assert_array_equal(tape["x"], np.moveaxis(case.X, 0, 1))
    if "mask" in tape.arrays:
        np.testing.assert_array_equal(tape["mask"], case.mask)
    assert tape.loss == float(tape["loss"])
    assert {name: id(tape[f"d{name}"]) for name in case.network.weights} == {
        name: id(gradient) for name, gradient in tape.gradients.items()
    }


@examples(60, derandomize=True)
@given(cases())
def test_every_quantity_is_autograds(case: Case) -> None:
    check(case)


@examples(150, derandomize=True)
@given(all_cases(), st.sampled_from([1, 40, engine.recording.plan.BLOCK_VALUES]), st.sampled_from([0, MANY]))
def test_every_quantity_of_every_network_is_autograds(case: Case, block: int, many: int) -> None:
    """Steps one by one, a few at a time, all at once; what needs no loop over them before it or inside it."""
    with (
        mock.patch.object(engine.recording.plan, "BLOCK_VALUES", block),
        mock.patch.object(engine.recording.compiled, "MANY", many),
    ):
        check(case)


@examples(30, derandomize=True)
@given(all_cases(truncate=2, truncate_by="window", predict="every"), st.sampled_from([0, MANY]))
def test_windows_of_many_losses_are_those_of_each_loss_alone(case: Case, many: int) -> None:
    with (
        mock.patch.object(engine.recording.plan, "BLOCK_VALUES", 40),
        mock.patch.object(engine.recording.compiled, "MANY", many),
    ):
        check(case)


@pytest.mark.parametrize("predict", ["every", "last"])
@pytest.mark.parametrize(("cell", "hidden", "window"), [("rnn", 4, 3), ("lstm", (3, 2), 2), ("gru", (2, 3, 2), 1)])
def test_a_window_ends_each_direction_on_its_own_way(
    cell: str, hidden: int | tuple[int, ...], window: int, predict: str
) -> None:
    """Cut at one place in every layer: K steps before the loss in the forward direction, K steps after it in the reverse one."""
    options: dict[str, Any] = {"bidirectional": True, "truncate": window, "predict": predict}
    one = case(batch=3, steps=8, hidden=hidden, cell=cell, ragged=True, **options)
    tape = record(one.network, one.X, one.y, initial=one.initial, lengths=one.lengths)
    assert_close(tape, reference(one), 1e-10, 1e-14)
    assert all(np.any(tape[f"d{state}_cut"] != 0) for state in one.network.table.states)


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
@pytest.mark.parametrize("given", [True, False])
def test_a_case_in_which_nothing_is_alike_or_zero(activation: str, given: bool) -> None:
    one = case(batch=4, steps=6, inputs=3, hidden=5, outputs=2, activation=activation, given=given, init_scale=1.5)
    expected = reference(one)
    assert all(np.any(expected[name] != 0) for name in GRADIENTS)
    assert_close(record(one.network, one.X, one.y, initial=one.initial), expected, 1e-11, 0)


@examples(60, derandomize=True)
@given(cases(SMOOTH, scales=(0.3, 1.0)))
def test_float32_is_float64_to_its_own_precision(case: Case) -> None:
    check_float32(case)


def test_float32_with_relu() -> None:
    check_float32(case(batch=5, steps=6, hidden=6, activation="relu"))


def check_float32(case: Case) -> None:
    X = case.X.astype(np.float32)
    initial = {name: value.astype(np.float32) for name, value in (case.initial or {}).items()}
    options: dict[str, Any] = {
        "inputs": case.network.inputs,
        "hidden": case.network.hidden,
        "outputs": case.network.outputs,
        "activation": case.network.activation,
        "reduction": case.network.reduction,
    }
    single = Network(**options, dtype="float32", weights=case.network.weights)
    double = Network(**options, dtype="float64", weights=single.weights)
    tape = record(single, X, case.y, initial=initial)
    exact = record(double, X, case.y, initial=initial)
    assert all(tape[name].dtype == np.float32 for name in ("z", "a", "logits", "p", "loss", *GRADIENTS))
    # The floor is what p − y loses where p is nearly 1; it flows into every gradient, multiplied by the weights on the way.
    assert_close(tape, {name: exact[name] for name in ("z", "a", "logits", "p")}, 1e-5, 1e-7)
    assert_close(tape, {name: exact[name] for name in ("loss", *GRADIENTS)}, 1e-5, 3e-6)


def plain_loss(
    case: Case, weights: Mapping[str, Array], X: Array, a: Array, g: Callable[[Array], Array]
) -> complex | float:
    """The loss with nothing of the engine in it, for complex numbers too."""
    for t in range(X.shape[1]):
        a = g(X[:, t] @ weights["Wx"] + a @ weights["Wa"] + weights["ba"])
    logits = a @ weights["Wy"] + weights["by"]
    logits = logits - logits.real.max(axis=1, keepdims=True)
    each = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(case.y)), case.y]
    return each.sum() if case.network.reduction == "sum" else each.mean()


@examples(80, derandomize=True)
@given(cases(SMOOTH))
def test_the_loss_changes_in_a_random_direction_as_the_complex_step_says(case: Case) -> None:
    g: Callable[[Array], Array] = {
        "tanh": np.tanh,
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "identity": lambda z: z,
    }[case.network.activation]
    tape = record(case.network, case.X, case.y, initial=case.initial)
    rng = np.random.default_rng(5)
    a0 = tape["a"][0]
    values = {**case.network.weights, "x": case.X, "a": a0}
    gradients = {**tape.gradients, "x": np.moveaxis(tape["dx"], 0, 1), "a": tape["da"][0]}
    for name, value in values.items():
        direction = rng.normal(size=value.shape)
        moved = {**values, name: value + SMALLEST * 1j * direction}
        expected = np.imag(plain_loss(case, moved, moved["x"], moved["a"], g)) / SMALLEST
        terms = gradients[name] * direction
        scale = np.abs(terms).sum() + 1e-5
        assert abs(terms.sum() - expected) <= 1e-10 * scale, f"loss wrt {name}: {terms.sum()}, by the step {expected}"


# What each step and each sample adds


@examples(40, derandomize=True)
@given(cases())
def test_the_terms_of_the_steps_are_outer_products_and_add_up(case: Case) -> None:
    tape = record(case.network, case.X, case.y, initial=case.initial)
    program = tape.plan.program
    T = case.X.shape[1]
    for name, left in (("dWa", "a"), ("dWx", "x"), ("dba", None)):
        (line,) = program.writers(name)
        terms = np.array([tape.term(line, t) for t in range(1, T + 1)])
        for t in range(1, T + 1):
            dz = tape["dz"][t - 1]
            samples = dz if left is None else tape[left][t - 1][:, :, None] * dz[:, None, :]
            np.testing.assert_allclose(terms[t - 1], samples.sum(axis=0), rtol=1e-11, atol=1e-14, err_msg=f"{name}@{t}")
        np.testing.assert_allclose(terms.sum(axis=0), tape[name], rtol=1e-11, atol=1e-13, err_msg=name)


@examples(40, derandomize=True)
@given(all_cases())
def test_terms_of_steps_and_samples_add_up_in_every_network(case: Case) -> None:
    tape = record(case.network, case.X, case.y, initial=case.initial, lengths=case.lengths)
    (B, T, _), backward = case.X.shape, [line for line in tape.plan.program.lines if line.equation.accumulate]
    in_loops = len(case.network.weights) - len(case.network.table.initial)
    assert len(backward) == in_loops - (0 if case.network.predict == "every" else 2)
    for line in backward:
        terms = np.array([tape.term(line, t) for t in range(1, T + 1)])
        samples = np.sum([tape.term(line, T, b) for b in range(B)], axis=0)
        size = np.abs(terms).sum(axis=0).max() + 1e-300
        assert np.abs(samples - terms[-1]).max() <= 1e-13 * size, f"{line.name}@{T} by samples"
        for t in range(1, T + 1):
            summed = [step - 1 for step in tape.plan.program.summed(line, t)]
            error = np.abs(terms[summed].sum(axis=0) - tape.partial(line.name, t)).max()
            assert error <= 1e-13 * size, f"{line.name} summed up to {t}"


def test_each_sample_alone_gives_its_part_of_every_gradient() -> None:
    whole = case(batch=5, steps=4, reduction="mean")
    tape = record(whole.network, whole.X, whole.y, initial=whole.initial)
    assert whole.initial is not None
    alone = [
        record(whole.network, whole.X[b : b + 1], whole.y[b : b + 1], initial={"a": whole.initial["a"][b : b + 1]})
        for b in range(5)
    ]
    assert np.mean([one.loss for one in alone]) == pytest.approx(tape.loss, rel=1e-14)
    for name, gradient in tape.gradients.items():
        np.testing.assert_allclose(np.mean([one.gradients[name] for one in alone], axis=0), gradient, rtol=1e-12)
    for b, one in enumerate(alone):
        np.testing.assert_allclose(one["da"][:, 0] / 5, tape["da"][:, b], rtol=1e-12, err_msg=f"da of sample {b}")


def test_reductions_differ_by_the_number_of_samples() -> None:
    mean, total = (case(batch=5, reduction=reduction) for reduction in ("mean", "sum"))
    first, second = (record(one.network, one.X, one.y, initial=one.initial) for one in (mean, total))
    assert second.loss == pytest.approx(5 * first.loss, rel=1e-14)
    for name in GRADIENTS:
        np.testing.assert_allclose(second[name], 5 * first[name], rtol=1e-13)


def test_the_flows_of_da_are_the_read_outs_at_the_end_and_the_next_steps_before() -> None:
    one = case(steps=4)
    tape = record(one.network, one.X, one.y, initial=one.initial)
    np.testing.assert_array_equal(tape["da_out"] + tape["da_next"], tape["da"])
    np.testing.assert_allclose(tape["da_out"][-1], tape["dlogits"] @ tape["Wy"].T, rtol=1e-14)
    assert not tape["da_out"][:-1].any()
    assert not tape["da_next"][-1].any()
    np.testing.assert_allclose(tape["da_next"][:-1], tape["dz"] @ tape["Wa"].T, rtol=1e-13)


# Shapes and refusals


def test_shapes_are_those_of_the_contract() -> None:
    one = case(batch=4, steps=6, inputs=2, hidden=3, outputs=5)
    tape = record(one.network, one.X, one.y, initial=one.initial)
    B, T, D, H, C = 4, 6, 2, 3, 5
    shapes = {
        "x": (T, B, D),
        "dx": (T, B, D),
        "z": (T, B, H),
        "dz": (T, B, H),
        "a": (T + 1, B, H),
        "da": (T + 1, B, H),
        "da_out": (T + 1, B, H),
        "da_next": (T + 1, B, H),
        "y": (B,),
        "loss": (),
        "logits": (B, C),
        "p": (B, C),
        "dlogits": (B, C),
        "Wx": (D, H),
        "Wa": (H, H),
        "ba": (H,),
        "Wy": (H, C),
        "by": (C,),
        "dWx": (D, H),
        "dWa": (H, H),
        "dba": (H,),
        "dWy": (H, C),
        "dby": (C,),
    }
    assert {name: tape[name].shape for name in shapes} == shapes
    np.testing.assert_array_equal(tape["x"], np.moveaxis(one.X, 0, 1))
    assert one.initial is not None
    np.testing.assert_array_equal(tape["a"][0], one.initial["a"])
    assert set(tape.arrays) | set(tape.parameters) | {"da_out", "da_next"} == set(shapes)
    assert all(name in tape for name in shapes)
    assert "dp" not in tape
    with pytest.raises(KeyError):
        tape["dp"]


def test_rows_by_step() -> None:
    one = case(steps=3)
    tape = record(one.network, one.X, one.y, initial=one.initial)
    for t in (1, 2, 3):
        assert np.shares_memory(tape.at("z", t), tape["z"])
        np.testing.assert_array_equal(tape.at("z", t), tape["z"][t - 1])
        np.testing.assert_array_equal(tape.at("a", t), tape["a"][t])
        np.testing.assert_array_equal(tape.at("da_next", t), tape["da_next"][t])
    np.testing.assert_array_equal(tape.at("a", 0), tape["a"][0])
    assert tape.at("logits", 3) is tape["logits"]


def test_norms_are_over_samples_and_units() -> None:
    one = case(batch=3, steps=4)
    tape = record(one.network, one.X, one.y)
    for name, rows in (("dz", 4), ("da", 5), ("da_next", 5)):
        expected = [np.linalg.norm(tape[name][row]) for row in range(rows)]
        np.testing.assert_allclose(tape.norms(name), expected, rtol=1e-14, err_msg=name)
    assert tape.norms("dz") is tape.norms("dz")
