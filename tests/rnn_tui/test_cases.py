"""Problems that people had, built small: what each needed is printed by one command of the README."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.engine.doctor.test_made_up import KEEPS_ITS_STATE
from tests.rnn_tui.test_cli import Done, rnn_tui

__all__ = ["rnn_tui"]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_which_operation_was_nan_first_and_after_which_update(rnn_tui: Callable[..., Done]) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(24, 40, 2))
    X[:, :, 1] = 0
    for sample in X:
        sample[rng.choice(40, 2, replace=False), 1] = 1
    np.savez("data.npz", X=X, y=(X[:, :, 0] * X[:, :, 1]).sum(1) * 10)
    options = "--activation relu --hidden 12 --lr 0.03 --dtype float32 --seed 3 --findings --iterations 30"
    out = rnn_tui("run", "data.npz", *options.split()).out
    assert "z@12[0,0] is −∞: a@11[0,2] = 4.84e+37 × Wa[2,0] = −2517 is more than the largest float32" in out
    assert "the update of Wa is large: ‖ΔWa‖/‖Wa‖ is 14508" in out


def test_every_sequence_gets_the_same_prediction(rnn_tui: Callable[..., Done]) -> None:
    lengths = np.random.default_rng(3).integers(60, 170, 9)
    np.savez("data.npz", X=np.ones((9, 200, 1)), y=lengths / 200, lengths=lengths)
    out = rnn_tui("run", "data.npz", "--cell", "lstm", "--hidden", "10", "--findings").out
    assert "falls below 1e−06 of what it is at each sample's own end 29 steps before it (gain 0.6" in out
    assert "the gate f lets 0.51" in out and "what if: --set 'bf = 1.1'" in out
    assert "all predictions are alike: −0.087 to −0.087, where y goes from 0.3" in out


def test_a_dated_series(rnn_tui: Callable[..., Done]) -> None:
    days = [f"2021-03-{day:02}" for day in range(1, 29)]
    Path("weather.csv").write_text(
        "date,temp,pressure\n" + "".join(f"{day},{20 + i % 3}.5,{1000 + i}.2\n" for i, day in enumerate(days))
    )
    done = rnn_tui("run", "weather.csv", "--timesteps", "10", "--findings")
    assert "where each row is a time step, --series --window 10" in done.err
    done = rnn_tui("run", "weather.csv", "--series", "--window", "10", "--target", "temp", "--findings")
    assert "weather.csv: column 1 (date) holds dates: left out\n" in done.err
    assert "weather.csv: 18 samples of 10 rows, with the target one row later (--window, --ahead)\n" in done.err
    assert "the inputs saturate the first step" in done.out and "x goes from 1000 to 1026 (feature 1)" in done.out


def test_a_state_that_is_carried_between_batches(rnn_tui: Callable[..., Done]) -> None:
    Path("text.txt").write_text("to be or not to be, that is the question")
    options = ("text.txt", "--timesteps", "5", "--hidden", "3", "--stateful")
    carried = rnn_tui("show", "a@0", *options, "--iteration", "1").out
    assert "zeros 0%" in carried.splitlines()[1]  # it is where iteration 0 ended
    code = rnn_tui("code", *options, "--iteration", "1").out
    assert "a_last = a[T]  # where the next one goes on" in code


LAYER_NORM = """
from engine.cells import Cell

CELL = Cell(
    name="lnrnn",
    equations=("u = x @ Wx + h_prev @ Wh", "d = u - {mean}", "v = {variance}", "z = gain * d / sqrt(v + 1e-5) + b", "h = tanh(z)"),
    parameters={{"Wx": ("D", "H"), "Wh": ("H", "H"), "gain": ("H",), "b": ("H",){more}}},
    states=("h",),
    output="h",
)
"""


def test_where_the_nan_of_a_layer_normalised_cell_comes_from(rnn_tui: Callable[..., Done]) -> None:
    Path("ln.py").write_text(LAYER_NORM.format(mean="mean(u)", variance="mean(d ** 2)", more=""))
    assert "the gradients are right" in rnn_tui("check", "--cell", "ln.py").out
    Path("ln2.py").write_text(LAYER_NORM.format(mean="u @ A", variance="d ** 2 @ A", more=', "A": ("H", "H")'))
    out = rnn_tui("run", "--cell", "ln2.py", "--findings").out
    assert out.startswith(
        "! non-finite: z@1[0,0] is NaN: what it divides by, made of v@1[0,0] = −0.172, is NaN, in the forward line z"
    )


TWO_LAYERS = """
import numpy as np


class Net:
    def __init__(self, n_in, n_units, n_out):
        r = np.random.default_rng(0)
        self.U1, self.W1 = r.normal(size=(n_in, n_units)) * 0.4, r.normal(size=(n_units, n_units)) * 0.4
        self.U2, self.W2 = r.normal(size=(n_units, n_units)) * 0.4, r.normal(size=(n_units, n_units)) * 0.4
        self.V = r.normal(size=(n_units, n_out)) * 0.4

    def forward(self, X):
        self.h1, self.h2 = ([np.zeros((len(X), len(self.W1)))] for _ in range(2))
        for t in range(X.shape[1]):
            self.h1.append(np.tanh(X[:, t] @ self.U1 + self.h1[-1] @ self.W1))
            self.h2.append(np.tanh(self.h1[-1] @ self.U2 + self.h2[-1] @ self.W2))
        e = np.exp(self.h2[-1] @ self.V)
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, X, y):
        d = self.forward(X)
        d[np.arange(len(X)), y] -= 1
        dU1, dW1, dU2, dW2 = (np.zeros_like(W) for W in (self.U1, self.W1, self.U2, self.W2))
        dV = self.h2[-1].T @ d
        back2 = d @ self.V.T
        back1 = np.zeros_like(back2)
        for t in reversed(range(X.shape[1])):
            dz2 = back2 * (1 - self.h2[t + 1] ** 2)
            dU2 += self.h1[t + 1].T @ dz2
            dW2 += self.h2[t].T @ dz2
            back2 = dz2 @ self.W2.T
            {line}
            dz1 = dh1 * (1 - self.h1[t + 1] ** 2)
            dU1 += X[:, t].T @ dz1
            dW1 += self.h1[t].T @ dz1
            back1 = dz1 @ self.W1.T
        return dU1, dW1, dU2, dW2, dV
"""


def test_the_lower_of_two_layers_forgets_its_own_next_step(rnn_tui: Callable[..., Done]) -> None:
    Path("mine.py").write_text(TWO_LAYERS.format(line="dh1 = dz2 @ self.U2.T"))
    done = rnn_tui("doctor", "mine.py")
    assert done.code == 1
    assert "the gradient from the next step is not added to the output's own\n" in done.out
    assert "should be:  dh1 = dz2 @ self.U2.T + back1\n" in done.out
    wrong = [line.split()[0] for line in done.out.splitlines() if " WRONG " in line]
    assert wrong == ["self.U1", "self.W1"]
    Path("mine.py").write_text(TWO_LAYERS.format(line="dh1 = dz2 @ self.U2.T + back1"))
    assert rnn_tui("doctor", "mine.py").out.startswith("mine.py: the backward pass is right  (Net.backward)\n")


GROWS = """
import numpy as np

r = np.random.default_rng(2)
X, y = r.random((12, 6, 3)), r.integers(0, 3, 12)
U, W, V = r.normal(size=(3, 5)), r.normal(size=(5, 5)) * 0.3, r.normal(size=(5, 3))
for n in range(12):
    h = [np.zeros(5)]
    for t in range(6):
        h.append(np.maximum(X[n, t] @ U + h[-1] @ W, 0))
    e = np.exp(h[-1] @ V)
    p = e / e.sum()
    loss = -np.log(p[y[n]])
    d = p.copy()
    d[y[n]] -= 1
    dV, dh = np.outer(h[-1], d), V @ d
    dU, dW = np.zeros_like(U), np.zeros_like(W)
    for t in range(6, 0, -1):
        dz = dh * (h[t] > 0)
        dU += np.outer(X[n, t - 1], dz)
        dW += np.outer(h[t - 1], dz)
        dh = W @ dz
    U = U + 0.01 * dU
    W = W + 0.01 * dW
    V = V + 0.01 * dV
"""


def test_weights_that_grow_because_the_gradient_is_added(rnn_tui: Callable[..., Done]) -> None:
    Path("mine.py").write_text(GROWS)
    out = rnn_tui("doctor", "mine.py").out
    assert "the gradients are right, but they are added: the loss grows  [gradients-added]\n" in out
    assert "line 23:  U = U + 0.01 * dU\n" in out and "should be:  subtract the step\n" in out
    Path("minus.py").write_text(GROWS.replace(" + 0.01", " - 0.01"))
    assert rnn_tui("doctor", "minus.py").out.startswith("minus.py: the backward pass is right\n")


def test_a_state_that_the_next_call_begins_with_is_told(rnn_tui: Callable[..., Done]) -> None:
    Path("mine.py").write_text(KEEPS_ITS_STATE)
    out = " ".join(rnn_tui("doctor", "mine.py").out.split())
    assert out.startswith(
        "mine.py: the backward pass is right; one remark (Net.backward) seen in the program, and no verdict line 15: "
    )
    told = "it begins with the state that line 17 left in the call before, and no error is carried back there: "
    assert told + "right where this call continues the sequences of the last one [state-kept]" in out


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("explain dhnext", "dhnext is in time; name the step too: dhnext@3[0,0]\n"),
        ("explain dWaa[0,0]", "there is no quantity dWaa; there are x, targets, hraw, h, y, "),
        ("show dhnext@99", "dhnext has the time steps 0 to 10, not 99\n"),
        ("show dWhh@2[0,9]", "dWhh@2 has the shape 8×8; [0, 9] is not a cell of it\n"),
        ("show nope", "there is no quantity 'nope'; there are x, targets, hraw, h, y, "),
        ("run --break norm(nope)", "there is no quantity nope; there are x, targets, hraw, h, y, "),
        (
            "run --break norm(dWhh)",
            "this gives a number, not true or false; compare it, for example: norm(dWhh) < 0.1 (column 1 of 'norm(dWhh)')\n",
        ),
    ],
)
def test_refusals_name_numbers_as_the_notation_does(rnn_tui: Callable[..., Done], command: str, told: str) -> None:
    done = rnn_tui(*command.split(), "--notation", "karpathy")
    assert done.code == 2 and done.err.startswith(f"rnn-tui: {told}")
    assert "dWhh" in done.err or "dhnext" in done.err
    assert "dWa" not in done.err.replace("dWaa", "")


def test_findings_and_their_places_have_the_notations_names(rnn_tui: Callable[..., Done]) -> None:
    out = rnn_tui("run", "vanishing", "--findings", "--notation", "karpathy").out
    assert out.startswith("! vanishing: ‖dh_t‖ falls below 1e−06 ") and "tanh′ 0.914 × Whh 0.58" in out
    assert out.endswith(" (iteration 0, backward, t = 19, dh)\n")
    np.savez("small.npz", X=np.ones((4, 3, 1)), y=[0, 1, 0, 1])
    out = rnn_tui("run", "small.npz", "--findings", "--lr", "1e-6", "--notation", "pytorch").out
    assert "the update of W_hh is small: ‖ΔW_hh‖/‖W_hh‖ is " in out and "(iteration 0, update, W_hh)" in out
