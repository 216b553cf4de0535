"""What the engine is given and cannot use is refused with an InputError that says what would be right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine import InputError, Network, record
from tests.engine.strategies import case

ONE = case(batch=4, steps=5, inputs=2, hidden=3, outputs=3)
W = ONE.network.weights


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((4, 5)), r"\(4, 5\)"),
        (np.zeros((4, 5, 3)), r"needs \(samples, time steps, 2\)"),
        (np.zeros((0, 5, 2)), r"\(0, 5, 2\)"),
        (np.zeros((4, 0, 2)), r"\(4, 0, 2\)"),
    ],
)
def test_inputs_that_do_not_fit(X: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        record(ONE.network, X, ONE.y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(3, int), r"\(3,\)"),
        (np.zeros((4, 1), int), r"\(4, 1\)"),
        (np.zeros(4), "float64"),
        (np.array([0, 1, 2, 3]), "0 to 3"),
        (np.array([0, -1, 2, 1]), "-1 to 2"),
        (np.array([True, False, True, False]), "bool"),
    ],
)
def test_targets_that_do_not_fit(y: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        record(ONE.network, ONE.X, y)


@pytest.mark.parametrize(
    "initial",
    [
        {"h": np.zeros((4, 3))},
        {"z": np.zeros((4, 3))},
        {"a": np.zeros((4, 2))},
        {"a": np.zeros((3, 3))},
        {"a": np.zeros(3)},
    ],
    ids=["no such state", "not a state", "units", "samples", "no samples"],
)
def test_initial_states_that_do_not_fit(initial: Any) -> None:
    with pytest.raises(InputError):
        record(ONE.network, ONE.X, ONE.y, initial=initial)


@pytest.mark.parametrize(
    "parameters",
    [{"Wx": W["Wx"]}, {**W, "ba": np.zeros(1)}, {**W, "Wa": np.zeros((3, 4))}, {**W, "Wq": np.zeros(3)}],
    ids=["missing", "spread", "shape", "unknown"],
)
def test_parameters_that_do_not_fit(parameters: Any) -> None:
    with pytest.raises(InputError):
        record(ONE.network, ONE.X, ONE.y, parameters=parameters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "rmm"}, "cell 'rmm'.*rnn"),
        ({"activation": "gelu"}, "activation 'gelu'.*tanh, relu, sigmoid, identity"),
        ({"reduction": "max"}, "mean, sum"),
        ({"dtype": "float16"}, "float64, float32"),
        ({"loss": "hinge"}, "cross-entropy"),
        ({"optimizer": "lion"}, "sgd"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"weights": {"Wh": np.zeros((8, 8))}}, "'Wh'.*Wx, Wa, ba, Wy, by"),
        ({"weights": {"Wa": np.zeros((8, 7))}}, r"Wa has shape \(8, 7\).*\(8, 8\)"),
    ],
)
def test_options_that_do_not_exist(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Network(**{"inputs": 2, "outputs": 3, **options})


def test_initial_weights_are_pytorchs_range_in_the_order_of_the_tables() -> None:
    network = Network(inputs=3, hidden=4, outputs=2, seed=9, init_scale=2.0)
    rng = np.random.default_rng(9)
    shapes = {"Wx": (3, 4), "Wa": (4, 4), "ba": (4,), "Wy": (4, 2), "by": (2,)}
    expected = {name: rng.uniform(-1.0, 1.0, shape) for name, shape in shapes.items()}
    assert list(network.weights) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(network.weights[name], value)
        assert not network.weights[name].flags.writeable


def test_given_weights_are_copied() -> None:
    given = np.ones((3, 3))
    network = Network(inputs=2, hidden=3, outputs=2, weights={"Wa": given})
    given[...] = 0
    assert (network.weights["Wa"] == 1).all()
