"""Functions of cells, drawn together: every gradient against the complex step through a plain NumPy forward pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Network, record
from engine.explain.terms import explain
from engine.language.functions import FUNCTIONS
from engine.tables.cells import Cell
from engine.tables.check import CellError, check
from tests.examples import examples

Array = np.ndarray[Any, Any]
SMALLEST = 1e-30

PLAIN: dict[str, Any] = {  # for complex numbers, and with [:, None] left standing: what a textbook says they are
    "tanh": np.tanh,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "sigmoid": lambda u: 1 / (1 + np.exp(-u)),
    "softplus": lambda u: np.log(1 + np.exp(u)),
    "abs": lambda u: u * np.sign(np.real(u)),
    "relu": lambda u: u * (np.real(u) > 0),
    "mean": lambda u: u.sum(axis=1, keepdims=True) / u.shape[1],
    "variance": lambda u: (
        ((u - u.sum(axis=1, keepdims=True) / u.shape[1]) ** 2).sum(axis=1, keepdims=True) / u.shape[1]
    ),
}

ROWS = ("u", "tanh(u)", "abs(u)", "softplus(u)", "exp(-u ** 2)", "sigmoid(u) * u", "sqrt(1 + u ** 2)", "u - mean(u)")
PER_SAMPLE = (
    "mean(u)",
    "variance(u)",
    "mean(abs(u))",
    "sqrt(variance(u) + 0.01)",
    "exp(-mean(u ** 2))",
    "mean(softplus(u))",
)
OF_PARAMETERS = ("sigmoid(k)", "exp(-exp(k))", "softplus(k)", "sqrt(1 + k ** 2)", "abs(k)", "tanh(k) / (1 + k ** 2)")
MATRICES = ("relu(V)", "V @ V.T", "V * sigmoid(k)", "softplus(V) - abs(V)", "V.T")


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """A cell with a decay and a matrix made of parameters, something for each unit and something for each sample."""
    last = draw(
        st.sampled_from(
            ("d * h_prev + (1 - d) * tanh(v / (1 + q))", "tanh(v * q + d * h_prev)", "d * tanh(v) + q * h_prev * k")
        )
    )
    again = draw(st.sampled_from(("", " + h_prev @ V", " + k * d")))
    equations = (
        f"d = {draw(st.sampled_from(OF_PARAMETERS))}",
        f"R = {draw(st.sampled_from(MATRICES))}",
        f"u = x @ Wx + h_prev @ R{again}",
        f"q = {draw(st.sampled_from(PER_SAMPLE))}",
        f"v = {draw(st.sampled_from(ROWS))} * q + {draw(st.sampled_from(ROWS))}",
        f"h = {last}",
    )
    return Cell("drawn", equations, {"Wx": ("D", "H"), "V": ("H", "H"), "k": ("H",)}, ("h",), "h")


def plain_loss(cell: Cell, weights: Mapping[str, Any], X: Array, y: Array) -> Any:
    """The mean squared error of the read-out at the last step, by Python's own arithmetic."""
    h: Any = np.zeros((len(X), len(weights["k"])))
    for t in range(X.shape[1]):
        values = {**PLAIN, **weights, "x": X[:, t], "h_prev": h}
        for line in cell.equations:
            name, _, right = line.partition(" = ")
            values[name] = eval(right, values)
        h = values["h"]
    return np.mean((h @ weights["Wy"] + weights["by"] - y) ** 2)


@examples(80)
@given(cells(), st.integers(0, 99))
def test_every_gradient_is_that_of_the_complex_step_and_every_number_the_sum_of_its_terms(
    cell: Cell, seed: int
) -> None:
    check(cell)
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 1))
    network = Network(inputs=2, hidden=4, outputs=1, cell=cell, loss="squared", seed=seed)
    tape = record(network, X, y)
    assert tape.loss == pytest.approx(plain_loss(cell, network.weights, X, y), rel=1e-12)
    for name, value in network.weights.items():
        direction = rng.normal(size=value.shape)
        moved = {**network.weights, name: value + SMALLEST * 1j * direction}
        expected = np.imag(plain_loss(cell, moved, X, y)) / SMALLEST
        assert np.sum(tape.gradients[name] * direction) == pytest.approx(expected, rel=1e-9, abs=1e-13), name
    for name, quantity in tape.plan.program.quantities.items():
        if not quantity.given:
            found = explain(tape, name, 2 if quantity.rows else None, (0,) * len(quantity.axes))
            sizes = sum(abs(term.value) for term in found.terms)
            assert abs(sum(term.value for term in found.terms) - found.value) <= 1e-13 * max(sizes, 1e-3), name


def test_what_is_made_of_parameters_is_computed_once_and_its_gradient_after_the_steps() -> None:
    equations = ("lam = sigmoid(nu)", "g = sqrt(1 - lam ** 2)", "h = lam * h_prev + g * (x @ Wx)")
    cell = Cell("decay", equations, {"Wx": ("D", "H"), "nu": ("H",)}, ("h",), "h")
    X, y = np.random.default_rng(1).normal(size=(3, 5, 2)), np.array([0, 1, 1])
    tape = record(Network(inputs=2, hidden=4, outputs=2, cell=cell), X, y)
    lines = [(line.phase, line.name) for line in tape.plan.program.lines]
    assert lines[:3] == [("forward", "lam"), ("forward", "g"), ("forward", "h")]
    backward = [name for phase, name in lines if phase == "backward"]
    assert backward[-2:] == ["dlam", "dnu"] and {"dlam_steps", "dg"} < set(backward)
    assert tape["lam"].shape == tape["dlam"].shape == tape["dlam_steps"].shape == (4,)
    np.testing.assert_allclose(tape["dlam"], tape["dlam_steps"] - tape["dg"] * tape["lam"] / tape["g"], rtol=1e-13)
    np.testing.assert_allclose(tape["dnu"], tape["dlam"] * tape["lam"] * (1 - tape["lam"]), rtol=1e-13)


def test_a_mean_has_a_term_for_each_unit() -> None:
    cell = Cell("centred", ("u = x @ Wx + h_prev", "m = mean(u)", "h = tanh(u - m)"), {"Wx": ("D", "H")}, ("h",), "h")
    tape = record(Network(inputs=2, hidden=3, outputs=2, cell=cell), np.ones((2, 4, 2)), np.array([0, 1]))
    terms = explain(tape, "m", 2, (1,)).terms
    assert [[factor.name for factor in term.factors] for term in terms] == [["u", "1/3"]] * 3
    assert [term.factors[0].index for term in terms] == [(1, 0), (1, 1), (1, 2)]
    assert re.fullmatch(r"\(2,\)", str(tape.at("m", 2).shape))


def test_a_name_with_steps_at_its_end_is_the_programs_own() -> None:
    with pytest.raises(CellError, match="dk_steps means something else"):
        check(
            Cell(
                "own", ("dk_steps = x @ Wx", "h = h_prev * k + dk_steps"), {"Wx": ("D", "H"), "k": ("H",)}, ("h",), "h"
            )
        )


@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-14), ("float32", 1e-6)])
def test_a_small_sigmoid_keeps_its_digits(dtype: str, close: float) -> None:
    """Through tanh, 0.5 + 0.5 tanh(u/2), it would be a multiple of the rounding error of 0.5, and 0 below −37."""
    u = np.array([-2000, -80, -30, -1, 0, 30, 700], dtype)
    value = FUNCTIONS["sigmoid"].compute(u)
    e = np.exp(u.astype("float64"))
    np.testing.assert_allclose(value, e / (1 + e), rtol=close)
    network = Network(inputs=1, outputs=1, hidden=7, dtype=dtype, activation="sigmoid", weights={"ba": u})
    assert record(network, np.zeros((1, 1, 1)), np.zeros(1, int))["a"][1, 0].tobytes() == value.tobytes()
