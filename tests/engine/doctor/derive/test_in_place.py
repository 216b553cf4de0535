"""A program with a backward pass of its own: what is right in it is used, the derived lines stand in the place of what is wrong."""

from __future__ import annotations

import ast
import json
import textwrap
from pathlib import Path

import numpy as np

from engine.doctor.derive.beside import completed
from engine.doctor.derive.derive import derive
from engine.doctor.derive.derived import Derived
from engine.doctor.lineage.record.running import Runs
from engine.doctor.read.notebook import with_lines
from engine.doctor.read.source import read_source
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile

BEGIN = """import numpy as np

np.random.seed(1)
X, Y = np.random.randn(6, 5, 3), np.array([0, 2, 1, 1, 0, 2])
Wx, Wh, Wy = np.random.randn(3, 4) * 0.5, np.random.randn(4, 4) * 0.5, np.random.randn(4, 3) * 0.5
"""
FORWARD = """
for epoch in range(2):
    h = {-1: np.zeros((6, 4))}
    for t in range(5):
        h[t] = np.tanh(np.dot(X[:, t], Wx) + np.dot(h[t - 1], Wh))
    p = np.exp(np.dot(h[4], Wy))
    p /= np.sum(p, axis=1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(6), Y]))
"""
BACKWARD = """
    dz_p = (p - np.eye(3)[Y]) / 6
    dWy = np.dot(h[4].T, dz_p)
    dh = np.dot(dz_p, Wy.T)
    dWx, dWh = np.zeros_like(Wx), np.zeros_like(Wh)
    for t in reversed(range(5)):
        dz = dh * (1 - h[t] ** 2)
        dWx += np.dot(X[:, t].T, dz)
        dWh += np.dot(h[t - 1].T, dz)
        dh = np.dot(dz, Wh.T)
"""
UPDATE = """
    for W, dW in zip([Wx, Wh, Wy], [dWx, dWh, dWy]):
        W -= 0.05 * dW
"""
PROGRAM = BEGIN + FORWARD + BACKWARD + UPDATE
WRONG = PROGRAM.replace("h[t - 1].T, dz)", "h[t].T, dz)")


def made_of(tmp_path: Path, text: str) -> Derived:
    path = tmp_path / "mine.py"
    path.write_text(text)
    return derive(Runs(ProgramFile(path, text), Wishes()), read_source(path))


def is_no_longer_than_twice(made: Derived, text: str) -> bool:
    """Whether the derived lines, without those that step, are at most twice the statements that a person wrote."""
    by_hand = [n for n in ast.walk(ast.parse(textwrap.dedent(text))) if isinstance(n, ast.stmt)]
    plumbing = sum(len(one.lines) + 1 for one in made.functions)
    lines = made.body if made.functions else made.lines
    return plumbing + sum(line.kind != "update" for line in lines) <= 2 * len(by_hand)


def between(text: str, first: str, last: str) -> str:
    """A part of a program's text, from the line with the one words to that before the line with the others."""
    lines = text.split("\n")
    start = next(k for k, line in enumerate(lines) if first in line)
    return "\n".join(lines[start : next(k for k in range(start, len(lines)) if last in lines[k])])


def weights(text: str) -> list[np.ndarray]:
    names: dict[str, np.ndarray] = {}
    exec(text, names)  # a program of this file
    return [names["Wx"], names["Wh"], names["Wy"]]


def are_same(one: str, other: str) -> bool:
    return all(np.allclose(a, b, rtol=1e-12) for a, b in zip(weights(one), weights(other), strict=True))


def test_what_is_wrong_is_replaced_and_the_program_steps_as_the_right_one(tmp_path: Path) -> None:
    made = made_of(tmp_path, WRONG)
    assert [(one.name, one.is_used) for one in made.own] == [("Wx", True), ("Wh", False), ("Wy", True)]
    assert not are_same(WRONG, PROGRAM)
    assert are_same(made.program, PROGRAM)
    assert "# The gradient of Wh, line 26, is not right; the one below takes its place." in made.text()


def test_what_is_wrong_from_the_output_on_leaves_nothing_of_the_own_backward_pass(tmp_path: Path) -> None:
    text = PROGRAM.replace("(p - np.eye(3)[Y]) / 6", "(np.eye(3)[Y] - p) * p / 6")
    made = made_of(tmp_path, text)
    assert not any(one.is_used for one in made.own)
    assert are_same(made.program, PROGRAM)
    assert made.left_out == tuple(range(15, 24))
    assert "in the place of line 15 to line 23" in made.text()


def test_what_is_missing_is_added_beside_what_is_right_with_the_rate_of_the_own_updates(tmp_path: Path) -> None:
    text = PROGRAM.replace("        dWh += np.dot(h[t - 1].T, dz)\n", "")
    text = text.replace("[Wx, Wh, Wy], [dWx, dWh, dWy]", "[Wx, Wy], [dWx, dWy]")
    text = text.replace("dWx, dWh = np.zeros_like(Wx), np.zeros_like(Wh)", "dWx = np.zeros_like(Wx)")
    made = made_of(tmp_path, text)
    assert [line.text for line in made.lines if line.kind == "update"] == ["Wh -= 0.05 * dWh"]
    assert are_same(made.program, PROGRAM)


def test_a_right_backward_pass_is_left_alone(tmp_path: Path) -> None:
    made = made_of(tmp_path, PROGRAM)
    assert (made.is_there, made.program) == (True, "")
    assert "makes every gradient already, and right" in made.text()
    assert is_no_longer_than_twice(made, BACKWARD)


IN_A_METHOD = """import numpy as np

class Net:
    def __init__(self):
        rng = np.random.RandomState(3)
        self.U, self.W, self.V = rng.randn(2, 5) * 0.5, rng.randn(5, 5) * 0.4, rng.randn(5, 1)

    def forward(self, x):
        self.x, self.h = x, [np.zeros((len(x), 5))]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] @ self.U + self.h[-1] @ self.W))
        return self.h[-1] @ self.V

    def learn(self, error, step):
        gV = self.h[-1].T @ error
        gU, gW = np.zeros_like(self.U), np.zeros_like(self.W)
        back = error @ self.V.T
        for t in range(self.x.shape[1] - 1, -1, -1):
            d = back * (1 - self.h[t] ** 2)
            gU += self.x[:, t].T @ d
            gW += self.h[t].T @ d
            back = d @ self.W.T
        self.U -= step * gU
        self.W -= step * gW
        self.V -= step * gV

rng = np.random.RandomState(5)
x, y = rng.randn(4, 3, 2), rng.randn(4, 1)
net = Net()
for k in range(2):
    out = net.forward(x)
    loss = 0.5 * np.sum((out - y) ** 2)
    net.learn(out - y, 0.1)
Wx, Wh, Wy = net.U, net.W, net.V
"""


def test_a_call_that_makes_and_uses_all_gradients_gives_way(tmp_path: Path) -> None:
    made = made_of(tmp_path, IN_A_METHOD)
    assert made.left_out == (33,)
    assert "The gradient of net.V, line 25, is right, and made below with the others." in made.text()
    assert is_no_longer_than_twice(made, between(IN_A_METHOD, "gV =", "self.U -="))
    assert are_same(made.program, IN_A_METHOD.replace("(1 - self.h[t] ** 2)", "(1 - self.h[t + 1] ** 2)"))


def test_a_program_in_single_precision_is_proved_in_double(tmp_path: Path) -> None:
    text = (
        (BEGIN + FORWARD)
        .replace("* 0.5", "* np.float32(0.5)")
        .replace("np.random.randn(3, 4)", "np.random.randn(3, 4).astype(np.float32)")
    )
    made = made_of(tmp_path, text)
    assert (made.gaps, set(made.agreement)) == ((), {"Wx", "Wh", "Wy"})
    assert max(made.agreement.values()) < 1e-9


def notebook(path: Path, text: str) -> None:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# A network"}]
    for part in ("%matplotlib inline\n" + BEGIN, text.removeprefix(BEGIN).strip("\n"), "print(loss)"):
        outputs = [{"output_type": "stream", "name": "stdout", "text": "1.1"}]
        cells.append({"cell_type": "code", "execution_count": 3, "metadata": {}, "outputs": outputs, "source": part})
    path.write_text(json.dumps({"cells": cells, "metadata": {"kernel": "p"}, "nbformat": 4, "nbformat_minor": 5}))


def test_of_a_notebook_a_notebook_is_made_with_the_lines_in_their_cell(tmp_path: Path) -> None:
    path = tmp_path / "mine.ipynb"
    notebook(path, WRONG)
    source = read_source(path)
    made = derive(Runs(ProgramFile(path, source.text, source.cells), Wishes()), source)
    before = json.loads(path.read_text())
    after = json.loads(with_lines(path, source.cells, made.program.split("\n"), made.numbers))
    assert [k for k in range(4) if before["cells"][k] != after["cells"][k]] == [2]
    assert (after["metadata"], after["nbformat"]) == (before["metadata"], 4)
    assert (after["cells"][2]["outputs"], after["cells"][2]["execution_count"]) == ([], None)
    code = "\n".join("".join(cell["source"]) for cell in after["cells"][1:])
    assert are_same(code.replace("%matplotlib inline", ""), PROGRAM)
    whole = completed(made, source)
    assert whole is not None
    (line,) = (k for k, text in enumerate(whole.lines, 1) if text == "print(loss)")
    assert (whole.place(line), source.in_cells(made.loss)) == ("cell 3, line 1", "loss, cell 2, line 7")


ONE_METHOD = """import numpy as np


class Net:
    def __init__(self):
        self.W, self.R, self.v = np.random.randn(4, 2) * 0.5, np.random.randn(4, 4) * 0.4, np.random.randn(4) * 0.5

    def run(self, xs):
        n = len(xs)
        self.hs = [np.zeros(4)]
        self.ys = np.zeros(n)
        for t in range(n):
            self.hs.append(np.tanh(self.W @ xs[t] + self.R @ self.hs[-1]))
            self.ys[t] = self.v @ self.hs[-1]

    def learn(self, xs, targets, rate):
        n = len(targets) - 1
        dy = self.ys - targets
        loss = 0.5 * np.sum(dy**2)
        dW, dR, dv, dh = np.zeros_like(self.W), np.zeros_like(self.R), np.zeros_like(self.v), np.zeros(4)
        for t in range(n, -1, -1):
            dh += dy[t] * self.v
            dv += dy[t] * self.hs[t + 1]
            dz = dh * (1 - self.hs[t + 1] ** 2)
            dW += np.outer(dz, xs[t])
            dR += np.outer(dz, self.hs[{step}])
            dh = self.R.T @ dz
        self.W -= rate * dW
        self.R -= rate * dR
        self.v -= rate * dv
        return loss


np.random.seed(1)
net = Net()
for epoch in range(2):
    xs, targets = np.random.randn(5, 2), np.random.randn(5)
    net.run(xs)
    print(net.learn(xs, targets, 0.1))
"""


def test_a_loss_its_gradients_and_their_updates_in_one_method(tmp_path: Path) -> None:
    """What another method of the object computed is read by the names that this one has."""
    made = made_of(tmp_path, ONE_METHOD.format(step="t"))
    assert (made.gaps, made.is_there, set(made.agreement)) == ((), True, {"self.W", "self.R", "self.v"})
    made = made_of(tmp_path, ONE_METHOD.format(step="t + 1"))
    assert {one.name: one.is_used for one in made.own} == {"self.W": True, "self.R": False, "self.v": True}
    assert "self.R -= rate * dR" in made.program
    assert is_no_longer_than_twice(made, between(ONE_METHOD, "dW, dR, dv, dh =", "self.W -=").format(step="t"))


ONE_OUTPUT = """import numpy as np


class Recurrent:
    def __init__(self):
        self.U, self.W = np.random.randn(4, 1), np.random.randn(4, 4)

    def forward(self, x, h):
        return np.tanh(self.U * x + self.W @ h)


class Dense:
    def __init__(self):
        self.w, self.lr = np.random.randn(1, 4), 0.01

    def forward(self, h):
        self.h = h
        return self.w @ h


np.random.seed(2)
recurrent, dense = Recurrent(), Dense()
h = np.zeros((4, 1))
for x in (0.3, -0.5, 0.8):
    h = recurrent.forward(x, h)
y = dense.forward(h)
loss = np.mean((y - 0.4) ** 2)
print(loss)
"""


def test_a_state_of_which_a_gradient_is_a_multiple_is_none_and_the_rate_is_that_of_the_object_that_has_one(
    tmp_path: Path,
) -> None:
    made = made_of(tmp_path, ONE_OUTPUT)
    assert (made.gaps, made.own) == ((), ())
    assert [line.text for line in made.lines if line.kind == "update"] == [
        "recurrent.U -= dense.lr * dU",
        "recurrent.W -= dense.lr * dW",
        "dense.w -= dense.lr * dw",
    ]
