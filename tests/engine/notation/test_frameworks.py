"""Weights of other frameworks, as each computes with them by its own documentation, written out in NumPy."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from engine import InputError, record
from engine.files.weights import read_weights
from engine.model.network import Network
from engine.session import open_session
from rnn_tui import cli
from tests.engine import pytorch
from tests.engine.codegen.test_codegen import assert_same

Array = np.ndarray[Any, Any]
D, H, C, B, T, WIDE = 3, 4, 2, 5, 6, 9
RNG = np.random.default_rng(8)


def drawn(*shape: int) -> Array:
    return RNG.normal(size=shape) * 0.5


def s(u: Array) -> Array:
    return 1 / (1 + np.exp(-u))


def lstm(order: str, z: Callable[[Array, Array], Array], X: Array, forget: float = 0.0) -> Array:
    """The states of an LSTM whose pre-activations lie in this order."""
    h, c, states = np.zeros((B, H)), np.zeros((B, H)), []
    for t in range(T):
        gate = dict(zip(order, np.split(z(X[:, t], h), 4, axis=1), strict=True))
        c = s(gate["f"] + forget) * c + s(gate["i"]) * np.tanh(gate["c"])
        h = s(gate["o"]) * np.tanh(c)
        states.append(h)
    return np.stack(states)


def keras_lstm(X: Array) -> tuple[dict[str, Array], Array]:
    W = {"lstm/kernel:0": drawn(D, 4 * H), "lstm/recurrent_kernel:0": drawn(H, 4 * H), "lstm/bias:0": drawn(4 * H)}
    kernel, recurrent, bias = W.values()
    return W, lstm("ifco", lambda x, h: x @ kernel + h @ recurrent + bias, X)


def keras_gru(X: Array, *, after: bool) -> tuple[dict[str, Array], Array]:
    bias = drawn(2, 3 * H) if after else drawn(3 * H)
    W = {"gru.kernel": drawn(D, 3 * H), "gru.recurrent_kernel": drawn(H, 3 * H), "gru.bias": bias}
    k, u = (np.split(W[name], 3, axis=1) for name in ("gru.kernel", "gru.recurrent_kernel"))
    b, v = (np.split(part, 3) for part in (bias if after else (bias, np.zeros(3 * H))))
    h, states = np.zeros((B, H)), []
    for t in range(T):
        x = X[:, t]
        z = s(x @ k[0] + b[0] + h @ u[0] + v[0])
        r = s(x @ k[1] + b[1] + h @ u[1] + v[1])
        back = r * (h @ u[2] + v[2]) if after else (r * h) @ u[2]
        h = z * h + (1 - z) * np.tanh(x @ k[2] + b[2] + back)
        states.append(h)
    return W, np.stack(states)


def keras_rnn(X: Array) -> tuple[dict[str, Array], Array]:
    W = {"kernel": drawn(D, H), "recurrent_kernel": drawn(H, H), "bias": drawn(H)}
    return W, simple(lambda x, h: x @ W["kernel"] + h @ W["recurrent_kernel"] + W["bias"], X)


def simple(z: Callable[[Array, Array], Array], X: Array) -> Array:
    h, states = np.zeros((B, H)), []
    for t in range(T):
        h = np.tanh(z(X[:, t], h))
        states.append(h)
    return np.stack(states)


def tf1_lstm(X: Array) -> tuple[dict[str, Array], Array]:
    W = {"rnn/basic_lstm_cell/kernel:0": drawn(D + H, 4 * H), "rnn/basic_lstm_cell/bias:0": drawn(4 * H)}
    kernel, bias = W.values()
    return W, lstm("icfo", lambda x, h: np.concatenate([x, h], axis=1) @ kernel + bias, X, forget=1.0)


def tf1_projected(X: Array) -> tuple[dict[str, Array], Array]:
    """tf.nn.rnn_cell.LSTMCell(num_proj=H): its kernel has fewer rows than there are units."""
    kernel, bias, projection = drawn(D + H, 4 * WIDE), drawn(4 * WIDE), drawn(WIDE, H)
    m, c, states = np.zeros((B, H)), np.zeros((B, WIDE)), []
    for t in range(T):
        i, j, f, o = np.split(np.concatenate([X[:, t], m], axis=1) @ kernel + bias, 4, axis=1)
        c = s(f + 1) * c + s(i) * np.tanh(j)
        m = (s(o) * np.tanh(c)) @ projection
        states.append(m)
    names = ("rnn/lstm_cell/kernel", "rnn/lstm_cell/bias", "rnn/lstm_cell/projection/kernel")
    return dict(zip(names, (kernel, bias, projection), strict=True)), np.stack(states)


def tf1_gru(X: Array) -> tuple[dict[str, Array], Array]:
    W = {
        "rnn/gru_cell/gates/kernel": drawn(D + H, 2 * H), "rnn/gru_cell/gates/bias": drawn(2 * H),
        "rnn/gru_cell/candidate/kernel": drawn(D + H, H), "rnn/gru_cell/candidate/bias": drawn(H),
    }  # fmt: skip
    gates, b, candidate, c = W.values()
    h, states = np.zeros((B, H)), []
    for t in range(T):
        r, u = np.split(s(np.concatenate([X[:, t], h], axis=1) @ gates + b), 2, axis=1)
        h = u * h + (1 - u) * np.tanh(np.concatenate([X[:, t], r * h], axis=1) @ candidate + c)
        states.append(h)
    return W, np.stack(states)


def onnx_lstm(X: Array) -> tuple[dict[str, Array], Array]:
    W = {"W": drawn(1, 4 * H, D), "R": drawn(1, 4 * H, H), "B": drawn(1, 8 * H)}
    both = W["B"][0, : 4 * H] + W["B"][0, 4 * H :]
    return W, lstm("iofc", lambda x, h: x @ W["W"][0].T + h @ W["R"][0].T + both, X)


def onnx_gru(X: Array) -> tuple[dict[str, Array], Array]:
    W = {"gru.W": drawn(1, 3 * H, D), "gru.R": drawn(1, 3 * H, H), "gru.B": drawn(1, 6 * H)}
    w, r = (np.split(W[name][0].T, 3, axis=1) for name in ("gru.W", "gru.R"))
    b = np.split(W["gru.B"][0], 6)
    h, states = np.zeros((B, H)), []
    for t in range(T):
        x = X[:, t]
        z = s(x @ w[0] + h @ r[0] + b[0] + b[3])
        reset = s(x @ w[1] + h @ r[1] + b[1] + b[4])
        h = (1 - z) * np.tanh(x @ w[2] + b[2] + reset * (h @ r[2] + b[5])) + z * h
        states.append(h)
    return W, np.stack(states)


def flax_lstm(X: Array) -> tuple[dict[str, Array], Array]:
    W = {f"params/cell/i{k}/kernel": drawn(D, H) for k in "ifgo"}
    W |= {
        f"params/cell/h{k}/{part}": drawn(*shape)
        for k in "ifgo"
        for part, shape in (("kernel", (H, H)), ("bias", (H,)))
    }

    def z(x: Array, h: Array) -> Array:
        cell = "params/cell"
        each = [x @ W[f"{cell}/i{k}/kernel"] + h @ W[f"{cell}/h{k}/kernel"] + W[f"{cell}/h{k}/bias"] for k in "ifgo"]
        return np.concatenate(each, axis=1)

    return W, lstm("ifco", z, X)


def flax_gru(X: Array) -> tuple[dict[str, Array], Array]:
    W = {f"i{k}.{part}": drawn(*shape) for k in "rzn" for part, shape in (("kernel", (D, H)), ("bias", (H,)))}
    W |= {f"h{k}.kernel": drawn(H, H) for k in "rzn"} | {"hn.bias": drawn(H)}
    h, states = np.zeros((B, H)), []
    for t in range(T):
        x = X[:, t]
        r, z = (s(x @ W[f"i{k}.kernel"] + W[f"i{k}.bias"] + h @ W[f"h{k}.kernel"]) for k in "rz")
        n = np.tanh(x @ W["in.kernel"] + W["in.bias"] + r * (h @ W["hn.kernel"] + W["hn.bias"]))
        h = (1 - z) * n + z * h
        states.append(h)
    return W, np.stack(states)


FRAMEWORKS: dict[str, Callable[[Array], tuple[dict[str, Array], Array]]] = {
    "keras lstm": keras_lstm,
    "keras gru, reset after": lambda X: keras_gru(X, after=True),
    "keras gru, reset before": lambda X: keras_gru(X, after=False),
    "keras rnn": keras_rnn,
    "tf1 lstm": tf1_lstm,
    "tf1 gru": tf1_gru,
    "tf1 lstm, projected": tf1_projected,
    "onnx lstm": onnx_lstm,
    "onnx gru": onnx_gru,
    "flax lstm": flax_lstm,
    "flax gru": flax_gru,
}
X = np.random.default_rng(1).normal(size=(B, T, D))
DENSE = {"kernel": drawn(H, C), "bias": drawn(C)}


def data(tmp_path: Path) -> str:
    np.savez(tmp_path / "data.npz", X=X, y=np.arange(B) % 2)
    return str(tmp_path / "data.npz")


@pytest.mark.parametrize("framework", list(FRAMEWORKS))
def test_the_states_are_those_that_the_framework_computes(tmp_path: Path, framework: str) -> None:
    arrays, states = FRAMEWORKS[framework](X)
    np.savez(tmp_path / "w.npz", **arrays, **{f"dense/{name}": array for name, array in DENSE.items()})
    weights = read_weights(tmp_path / "w.npz")
    sizes = {"H": WIDE, "P": H} if weights.cell.has_projection else {"H": H}
    assert (weights.sizes, weights.recipe.words != "") == ({"D": D, **sizes, "C": C}, True)
    network = Network(
        D, C, sizes["H"], cell=weights.cell, projection=weights.recipe.projection, weights=weights.parameters
    )
    tape = record(network, X, np.arange(B) % 2)
    np.testing.assert_allclose(tape[network.table.output][1:], states, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(tape["logits"], states[-1] @ DENSE["kernel"] + DENSE["bias"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("framework", list(FRAMEWORKS))
def test_the_gradients_are_written_as_the_file_has_its_weights(tmp_path: Path, framework: str) -> None:
    """By the central difference of the loss in a direction of the file's own arrays, and by that of X."""
    arrays, _ = FRAMEWORKS[framework](X)
    np.savez(tmp_path / "w.npz", **arrays, **{f"dense/{name}": array for name, array in DENSE.items()})
    out = tmp_path / "g.npz"
    assert cli.main(["gradients", data(tmp_path), "--weights", str(tmp_path / "w.npz"), "-o", str(out)]) == 0
    with np.load(out) as file:
        found = dict(file)
    everything = {**arrays, **{f"dense/{name}": array for name, array in DENSE.items()}}
    assert {name: array.shape for name, array in found.items() if name not in ("loss", "dx")} == {
        name: array.shape for name, array in everything.items()
    }
    assert found["dx"].shape == X.shape
    direction = {name: np.random.default_rng(3).normal(size=array.shape) for name, array in everything.items()}

    def loss(step: float) -> float:
        np.savez(tmp_path / "moved.npz", **{n: a + step * direction[n] for n, a in everything.items()})
        return open_session(data(tmp_path), {"weights": tmp_path / "moved.npz"}).debugger.tape(0).loss

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert sum(np.sum(found[n] * d) for n, d in direction.items()) == pytest.approx(slope, rel=1e-6, abs=1e-9)
    assert float(found["loss"]) == pytest.approx(loss(0), rel=1e-14)


def keras_layers(X: Array) -> tuple[dict[str, Array], Array]:
    """Two Bidirectional(LSTM) one above the other."""
    W: dict[str, Array] = {}
    read = X
    for place in ("bidirectional", "bidirectional_1"):
        ways: list[Array] = []
        for way in ("forward", "backward"):
            names = [f"{place}/{way}_lstm/lstm_cell/{kind}:0" for kind in ("kernel", "recurrent_kernel", "bias")]
            kernel, recurrent, bias = drawn(read.shape[2], 4 * H), drawn(H, 4 * H), drawn(4 * H)
            W |= dict(zip(names, (kernel, recurrent, bias), strict=True))
            turn = -1 if way == "backward" else 1
            states = lstm("ifco", lambda x, h, k=kernel, r=recurrent, b=bias: x @ k + h @ r + b, read[:, ::turn])
            ways.append(states[::turn])
        read = np.concatenate(ways, axis=2).swapaxes(0, 1)
    return W, read.swapaxes(0, 1)


def onnx_directions(X: Array) -> tuple[dict[str, Array], Array]:
    W = {"W": drawn(2, 4 * H, D), "R": drawn(2, 4 * H, H), "B": drawn(2, 8 * H)}
    ways: list[Array] = []
    for way, turn in enumerate((1, -1)):
        w, r, b = (W[name][way] for name in "WRB")
        states = lstm("iofc", lambda x, h, w=w, r=r, b=b: x @ w.T + h @ r.T + b[: 4 * H] + b[4 * H :], X[:, ::turn])
        ways.append(states[::turn])
    return W, np.concatenate(ways, axis=2)


@pytest.mark.parametrize("stored", [keras_layers, onnx_directions])
def test_layers_and_directions(tmp_path: Path, stored: Callable[[Array], tuple[dict[str, Array], Array]]) -> None:
    arrays, states = stored(X)
    kernel = drawn(2 * H, C)
    np.savez(tmp_path / "w.npz", **arrays, **{"dense/kernel": kernel, "dense/bias": DENSE["bias"]})
    opened = open_session(data(tmp_path), {"weights": tmp_path / "w.npz"})
    ends = np.concatenate([states[-1, :, :H], states[0, :, H:]], axis=1)
    np.testing.assert_allclose(opened.debugger.tape(0)["logits"], ends @ kernel + DENSE["bias"], rtol=1e-12, atol=1e-14)
    assert_same(opened)


def test_a_list_of_keras_weights_and_a_layer_alone(tmp_path: Path) -> None:
    arrays, states = keras_lstm(X)
    np.savez(tmp_path / "list.npz", *arrays.values(), *DENSE.values())
    tape = open_session(data(tmp_path), {"weights": tmp_path / "list.npz"}).debugger.tape(0)
    np.testing.assert_allclose(tape["h"][1:], states, rtol=1e-12, atol=1e-14)
    upper = (drawn(H, 4 * H), drawn(H, 4 * H), drawn(4 * H))
    np.savez(tmp_path / "two.npz", *arrays.values(), *upper, *DENSE.values())
    two = open_session(data(tmp_path), {"weights": tmp_path / "two.npz"}).debugger.tape(0)
    above = lstm("ifco", lambda x, h: x @ upper[0] + h @ upper[1] + upper[2], states.swapaxes(0, 1))
    np.testing.assert_allclose(two["h2"][1:], above, rtol=1e-12, atol=1e-14)
    for name, layer in (("alone.npz", arrays), ("torch.npz", pytorch.state("gru"))):
        np.savez(tmp_path / name, **layer)
        weights = read_weights(tmp_path / name)
        assert "C" not in weights.sizes and "Wy" not in weights.parameters
    session = open_session(data(tmp_path), {"weights": tmp_path / "alone.npz", "seed": 3})
    assert_same(session)


@pytest.mark.parametrize("notation", ["ng", "karpathy"])
@pytest.mark.parametrize("framework", ["keras gru, reset after", "tf1 lstm, projected", "onnx lstm"])
def test_the_printed_program_reads_them_too(tmp_path: Path, framework: str, notation: str) -> None:
    arrays, _ = FRAMEWORKS[framework](X)
    np.savez(tmp_path / "w.npz", **arrays, Wy=DENSE["kernel"], by=DENSE["bias"])
    session = open_session(data(tmp_path), {"weights": tmp_path / "w.npz", "notation": notation})
    assert_same(session)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        (
            {"kernel": drawn(D, 16), "recurrent_kernel": drawn(4, 15)},
            r"recurrent_kernel has shape \(4, 15\), it needs \(H, H\)",
        ),
        (
            {"kernel": drawn(D, 12), "recurrent_kernel": drawn(4, 16)},
            r"kernel has shape \(3, 12\); .* it needs \(D, 16\)",
        ),
        ({"recurrent_kernel": drawn(4, 16)}, "beside recurrent_kernel an array kernel is missing"),
        ({"W": drawn(3, 16, D), "R": drawn(3, 16, 4)}, r"R has shape \(3, 16, 4\), it needs \(1, G·H, H\)"),
        (
            {
                "lstm/kernel": drawn(D, 16),
                "lstm/recurrent_kernel": drawn(4, 16),
                "lstm_1/kernel": drawn(5, 16),
                "lstm_1/recurrent_kernel": drawn(4, 16),
            },
            "layer 2: its arrays are for H1 = 5, those before for 4",
        ),
        (
            {
                "forward_lstm/kernel": drawn(D, 16),
                "forward_lstm/recurrent_kernel": drawn(4, 16),
                "backward_lstm/kernel": drawn(D, 16),
                "backward_lstm/recurrent_kernel": drawn(4, 16),
                "lstm/kernel": drawn(8, 16),
                "lstm/recurrent_kernel": drawn(4, 16),
            },
            "its layers have not all two directions",
        ),
        ({"kernel": drawn(D, 16), "recurrent_kernel": drawn(4, 16), "other": drawn(2)}, "other of shape"),
    ],
)
def test_what_does_not_fit_is_told_by_its_array(tmp_path: Path, arrays: Mapping[str, Array], sentence: str) -> None:
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(InputError, match=sentence):
        read_weights(tmp_path / "w.npz")


class _Tensor:
    """What a tensor is to us."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def detach(self) -> _Tensor:
        return self

    def cpu(self) -> _Tensor:
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return self.array


def test_pytorchs_own_files_where_torch_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    state = {name: _Tensor(array) for name, array in pytorch.model("lstm").items()}

    def load(file: BinaryIO, **options: Any) -> Any:
        asked.update(options)
        if file.read() != b"tensors":
            raise ValueError("Unsupported class evil")
        return {"epoch": 3, "model": state}

    torch = types.ModuleType("torch")
    torch.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    torch.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    (tmp_path / "w.pt").write_bytes(b"tensors")
    weights = read_weights(tmp_path / "w.pt")
    assert weights.cell.name == "lstm" and asked["weights_only"] is True
    (tmp_path / "bad.pt").write_bytes(b"code")
    with pytest.raises(InputError, match=r"bad\.pt holds more than tensors, or is damaged \(Unsupported class evil\)"):
        read_weights(tmp_path / "bad.pt")
    state.clear()
    with pytest.raises(InputError, match=r"w\.pt holds no state_dict"):
        read_weights(tmp_path / "w.pt")


def test_gradients_need_weights_and_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, **keras_lstm(X)[0])
    with pytest.raises(InputError, match="say which with --weights"):
        cli.main(["gradients", data(tmp_path), "-o", str(tmp_path / "g.npz")])
    with pytest.raises(InputError, match="give -o another name"):
        cli.main(["gradients", data(tmp_path), "--weights", str(path), "-o", str(path)])
    assert cli.main(["gradients", data(tmp_path), "--weights", str(path), "-o", str(tmp_path / "g.npz")]) == 0
    said = capsys.readouterr().err
    assert "w.npz: Keras's kernels, gates i f c o" in said and "the read-out is not in the file" in said
