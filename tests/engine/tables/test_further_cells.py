"""The cells that come along by name, against their papers' formulas written out in autograd's NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from engine import Network, record
from engine.codegen import program_text
from engine.explain.gradcheck import check
from engine.files.weights import write_weights
from engine.session import open_session
from engine.tables.cells import BY_NAME, FURTHER
from rnn_tui import cli

Array = np.ndarray[Any, Any]
W = Mapping[str, Any]
Step = Callable[[Any, tuple[Any, ...], W], tuple[Any, ...]]


def s(u: Any) -> Any:
    return 1 / (1 + anp.exp(-u))


def normed(u: Any, gain: Any, bias: Any) -> Any:
    mean = anp.mean(u, axis=1, keepdims=True)
    return gain * (u - mean) / anp.sqrt(anp.mean((u - mean) ** 2, axis=1, keepdims=True) + 1e-5) + bias


def peephole(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    h, c = states
    i = s(x @ w["Wxi"] + h @ w["Whi"] + w["pi"] * c + w["bi"])
    f = s(x @ w["Wxf"] + h @ w["Whf"] + w["pf"] * c + w["bf"])
    c = f * c + i * anp.tanh(x @ w["Wxg"] + h @ w["Whg"] + w["bg"])
    o = s(x @ w["Wxo"] + h @ w["Who"] + w["po"] * c + w["bo"])
    return o * anp.tanh(c), c


def lstmp(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    r, c = states
    i, f, g, o = (x @ w[f"Wx{k}"] + r @ w[f"Wh{k}"] + w[f"b{k}"] for k in "ifgo")
    c = s(f) * c + s(i) * anp.tanh(g)
    return (s(o) * anp.tanh(c)) @ w["Wr"], c


def layernorm(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    h, c = states
    z = {k: normed(x @ w[f"Wx{k}"] + h @ w[f"Wh{k}"], w[f"s{k}"], w[f"b{k}"]) for k in "ifgo"}
    c = s(z["f"]) * c + s(z["i"]) * anp.tanh(z["g"])
    return s(z["o"]) * anp.tanh(normed(c, w["sc"], w["bc"])), c


def coupled(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    h, c = states
    z = {k: x @ w[f"Wx{k}"] + h @ w[f"Wh{k}"] + w[f"b{k}"] for k in "fgo"}
    c = s(z["f"]) * c + (1 - s(z["f"])) * anp.tanh(z["g"])
    return s(z["o"]) * anp.tanh(c), c


def gru_before(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    (h,) = states
    r, z = (s(x @ w[f"Wx{k}"] + h @ w[f"Wh{k}"] + w[f"b{k}"]) for k in "rz")
    return ((1 - z) * anp.tanh(x @ w["Wxn"] + (r * h) @ w["Whn"] + w["bn"]) + z * h,)


def mgu(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    (h,) = states
    f = s(x @ w["Wxf"] + h @ w["Whf"] + w["bf"])
    return ((1 - f) * h + f * anp.tanh(x @ w["Wxn"] + (f * h) @ w["Whn"] + w["bn"]),)


def leaky(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    (a,) = states
    rate = 1 / (1 + anp.log(1 + anp.exp(w["k"])))
    return ((1 - rate) * a + rate * anp.tanh(x @ w["Wx"] + a @ w["Wa"] + w["ba"]),)


def mingru(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    z = s(x @ w["Wxz"] + w["bz"])
    return ((1 - z) * states[0] + z * (x @ w["Wxn"] + w["bn"]),)


def lru(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    decay = anp.exp(-anp.exp(w["nu"]))
    return (decay * states[0] + anp.sqrt(1 - decay**2) * (x @ w["Wx"]),)


def irnn(x: Any, states: tuple[Any, ...], w: W) -> tuple[Any, ...]:
    return (anp.maximum(x @ w["Wx"] + states[0] @ w["Wa"] + w["ba"], 0),)


PAPERS: dict[str, Step] = {
    "peephole": peephole, "lstmp": lstmp, "layernorm": layernorm, "coupled": coupled, "gru-before": gru_before, "mgu": mgu, "leaky": leaky,
    "mingru": mingru, "lru": lru, "irnn": irnn,
}  # fmt: skip


@pytest.mark.parametrize("cell", list(FURTHER))
def test_loss_and_gradients_are_those_of_the_paper(cell: str) -> None:
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(4, 5, 2)), rng.integers(0, 3, 4)
    network = Network(inputs=2, hidden=4, outputs=3, cell=cell, seed=3)
    moved = {name: value + 0.3 * rng.normal(size=value.shape) for name, value in network.weights.items()}
    tape = record(network, X, y, parameters=moved)

    def loss(weights: W, inputs: Any = X) -> Any:
        states: tuple[Any, ...] = tuple(np.zeros((4, network.sizes[a])) for _, a in network.state_axes.values())
        for t in range(5):
            states = PAPERS[cell](inputs[:, t], states, weights)
        logits = states[0] @ weights["Wy"] + weights["by"]
        return anp.mean(anp.log(anp.sum(anp.exp(logits), axis=1)) - logits[np.arange(4), y])

    assert tape.loss == pytest.approx(float(loss(moved)), rel=1e-13)
    for name, expected in autograd.grad(loss)(moved).items():
        np.testing.assert_allclose(tape.gradients[name], expected, rtol=1e-10, atol=1e-14, err_msg=name)
    of_inputs = np.moveaxis(autograd.grad(loss, 1)(moved, X), 0, 1)
    np.testing.assert_allclose(tape["dx"], of_inputs, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("cell", list(FURTHER))
def test_checked_printed_and_its_weights_read_again(cell: str, tmp_path: Path) -> None:
    """In the course's names or in others, by turns."""
    notation = ("ng", "karpathy")[list(FURTHER).index(cell) % 2]
    session = open_session(None, {"cell": cell, "hidden": 3, "notation": notation, "seed": 1})
    network, tape = session.debugger.network, session.debugger.tape(0)
    assert check(network, session.data.X, session.data.y, draws=4).ok
    names: dict[str, Any] = {}
    exec(compile(program_text(session).replace("print(", "str("), "<program>", "exec"), names)
    assert float(names["loss"]) == pytest.approx(tape.loss, rel=1e-13)
    write_weights(tmp_path / "w.npz", network.weights)
    read = open_session(None, {"weights": tmp_path / "w.npz", **({"cell": "irnn"} if cell == "irnn" else {})})
    assert read.debugger.network.table is FURTHER[cell]
    assert read.debugger.tape(0).loss == tape.loss


def test_what_starts_otherwise_than_drawn() -> None:
    network = Network(inputs=1, hidden=3, outputs=2, cell="irnn")
    np.testing.assert_array_equal(network.weights["Wa"], np.eye(3))
    np.testing.assert_array_equal(network.weights["ba"], np.zeros(3))
    np.testing.assert_array_equal(Network(inputs=1, hidden=3, outputs=2, cell="lru").weights["nu"], [-5, -2.75, -0.5])
    assert set(Network(inputs=1, hidden=3, outputs=2, cell="layernorm").weights["sf"]) == {1.0}


def test_they_are_listed_with_equations_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cells"]) == 0
    out = capsys.readouterr().out
    for name, cell in BY_NAME.items():
        assert f"{name} " in out and cell.source and cell.source in out
    assert "lam = exp(-exp(nu))" in out
