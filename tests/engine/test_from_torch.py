"""PyTorch's modules, played by small stand-ins with the same attributes, become networks that compute the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine import InputError, Network, record
from engine.in_memory import session_of
from engine.tables.cells import CELLS
from tests.engine import pytorch
from tests.engine.pytorch import Module, Tensor, modules

Array = np.ndarray[Any, Any]


X = np.random.default_rng(1).normal(size=(4, 6, 2))
Y = np.array([0, 1, 1, 0])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_network_of_modules_computes_what_they_do(cell: str, dtype: str) -> None:
    rnn, linear = modules(cell, dtype=dtype)
    network = Network.from_torch(rnn, linear, lr=0.5)
    assert (network.table, network.dtype, network.lr) == (CELLS[cell], dtype, 0.5)
    tape = record(network, X.astype(dtype), Y)
    h = pytorch.hidden_states(cell, rnn.arrays, X)
    tolerance = {"rtol": 1e-12, "atol": 1e-13} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(tape[network.table.output][1:], h, **tolerance)
    np.testing.assert_allclose(tape["logits"], pytorch.logits(h, linear.arrays), **tolerance)


def test_the_activation_is_the_modules() -> None:
    rnn, linear = modules(nonlinearity="relu")
    network = Network.from_torch(rnn, linear)
    assert network.activation == "relu"
    np.testing.assert_allclose(record(network, X, Y)["a"][1:], pytorch.hidden_states("rnn", rnn.arrays, X, "relu"))


@pytest.mark.parametrize("every", [False, True])
def test_a_layer_without_a_read_out_may_be_compared_itself(every: bool) -> None:
    """The layer's own outputs against numbers, as torch.nn.MSELoss does."""
    rnn, _ = modules("gru")
    y = np.random.default_rng(2).normal(size=(4, 6, 3) if every else (4, 3))
    h = pytorch.hidden_states("gru", rnn.arrays, X)
    tape = session_of(rnn, X, y, loss="squared", predict="every" if every else "last").debugger.tape(0)
    assert tape.loss == pytest.approx((((np.swapaxes(h, 0, 1) if every else h[-1]) - y) ** 2).mean(), rel=1e-12)
    with pytest.raises(InputError, match=r"the read-out is missing; give the torch\.nn\.Linear too"):
        session_of(rnn, X, y)


def test_another_precision_may_be_asked_for() -> None:
    assert Network.from_torch(*modules(dtype="float16"), dtype="float32").dtype == "float32"
    with pytest.raises(InputError, match=r"'float16' does not exist; choose float64, float32"):
        Network.from_torch(*modules(dtype="float16"))


def test_the_modules_keep_their_weights() -> None:
    rnn, linear = modules()
    network = Network.from_torch(rnn, linear)
    assert not any(np.shares_memory(network.weights["Wa"], array) for array in rnn.arrays.values())
    assert rnn.arrays["weight_hh_l0"].flags.writeable


LSTM = pytorch.state("lstm")


@pytest.mark.parametrize(
    ("rnn", "linear", "options", "sentence"),
    [
        (Module({**LSTM, "weight_ih_l1": np.zeros((12, 3))}, num_layers=2), None, {}, "beside rnn.weight_ih_l1 an array"),
        (Module({**LSTM, "weight_ih_l0_reverse": np.zeros((12, 2))}, bidirectional=True), None, {}, "beside rnn.weight_ih_l0_reverse"),
        (Module({**LSTM, "weight_hr_l0": np.zeros((2, 3))}, proj_size=2), None, {}, "rnn.weight_hr_l0 has shape (2, 3); the cell lstmp"),
        (Module({"weight": np.zeros((4, 4))}), None, {}, "its arrays (rnn.weight, linear.weight, linear.bias) are not the weights"),
        (Module(LSTM), Module({"weight": np.zeros((2, 4))}), {}, "the linear layer is missing: its weight needs the shape (C, 3)"),
        (Module(LSTM), Module({"0.weight": np.zeros((8, 3))}), {}, "the read-out is not one torch.nn.Linear: Module holds 0.weight; "),
        (object(), None, {}, "object has no state_dict; give a torch.nn.RNN, LSTM or GRU"),
        (Module({**LSTM, "weight_ih_l0": np.zeros((12, 2), np.complex64)}), None, {}, "NumPy cannot hold torch.complex64"),
        (Module(LSTM), None, {"hidden": 3}, "hidden is the modules'; leave it away"),
        (Module(LSTM), None, {"weights": {}}, "weights is the modules'; leave it away"),
    ],
)  # fmt: skip
def test_modules_that_cannot_be_shown(rnn: Any, linear: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        Network.from_torch(rnn, linear or Module(pytorch.linear()), **options)
    assert str(refused.value).startswith(sentence)


# Data in memory


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("predict", ["last", "every"])
def test_data_lies_as_the_module_takes_it(predict: str, batch_first: bool) -> None:
    rnn, linear = modules("gru", batch_first=batch_first)
    linear.out_features = 2
    y = np.random.default_rng(3).integers(0, 2, (4, 6) if predict == "every" else 4)
    expected = record(Network.from_torch(rnn, linear, predict=predict), X, y).loss
    inputs = X if batch_first else X.swapaxes(0, 1)
    targets = y if batch_first or predict == "last" else y.T
    session = session_of((rnn, linear), Tensor(inputs), Tensor(targets))
    assert session.debugger.tape(0).loss == expected
    assert session.data.X.shape == (4, 6, 2)
    assert session.description == "gru 2→3→2 · 4 samples · float64"


@pytest.mark.parametrize("y", [Y, Y[:, None], Y.astype(float), Y[:, None].astype(np.float32), Y == 1])
def test_targets_as_other_losses_want_them(y: Array) -> None:
    network = Network(inputs=2, hidden=3, outputs=1, loss="binary")
    assert session_of(network, X, y).debugger.tape(0).loss == record(network, X, Y).loss


@pytest.mark.parametrize("y", [Y + 0.5, np.array([0, 1, np.nan, 1]), np.zeros((4, 2))])
def test_targets_that_are_no_classes(y: Array) -> None:
    with pytest.raises(InputError, match="y "):
        session_of(Network(inputs=2, hidden=3, outputs=2), X, y)


def test_options_go_where_they_belong() -> None:
    rnn, linear = modules("lstm")
    h = np.ones((4, 3))
    options = {"initial": {"h": h}, "lengths": np.array([6, 5, 4, 3]), "batch_size": 2, "lr": 0.25}
    session = session_of(rnn, X, Y, linear, name="mine\x1b", classes=("no", "yes"), **options)
    debugger = session.debugger
    assert (debugger.network.lr, debugger.batches.size, session.data.classes) == (0.25, 2, ("no", "yes"))
    assert session.data.lengths is not None and session.data.lengths.tolist() == [6, 5, 4, 3]
    np.testing.assert_array_equal(debugger.tape(0)["h"][0], h[:2])
    assert session.data.name == "mine␛"


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((modules()[0], X, Y), {}, "the read-out is missing; give the torch.nn.Linear too"),
        ((Network(inputs=2, hidden=3, outputs=2), X, Y), {"lr": 1}, "an engine.Network is complete; leave lr away"),
        ((Network(inputs=2, hidden=3, outputs=2), X, Y, modules()[1]), {}, "an engine.Network is complete; leave linear"),
        ((modules(), X[0], Y), {}, "X has shape (6, 2), this network needs (samples, time steps, 2)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(arguments: tuple[Any, ...], options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        session_of(*arguments, **options)
    assert str(refused.value).startswith(sentence)


class _Frame:
    """A table as pandas has it: what NumPy makes an array of."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values


@pytest.mark.parametrize("kind", [np.asarray, _Frame])
def test_one_value_a_step_needs_no_axis_of_features(kind: Any) -> None:
    X, y = np.random.default_rng(0).normal(size=(4, 6)), np.array([0, 1, 1, 0])
    network = Network(inputs=1, outputs=2)
    flat, full = (session_of(network, given, y).debugger.tape(0) for given in (kind(X), X[..., None]))
    assert flat.loss == full.loss
    with pytest.raises(InputError):
        session_of(Network(inputs=2, outputs=2), kind(X), y)
