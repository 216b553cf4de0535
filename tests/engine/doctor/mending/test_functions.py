"""Corrections of functions that nothing runs: judged by what they give back, beside the loss that they compute."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.made_up import examine_functions
from engine.doctor.read.source import read_source
from engine.doctor.run.launch import Wishes
from tests.engine.doctor.lineage.programs import changed, line_of

FUNCTION = """import numpy as np


def loss_and_gradients(X, y, Wx, Wh, Wy, bh, by):
    N, T, D = X.shape
    h = np.zeros((T + 1, N, Wh.shape[0]))
    for k in range(T):
        h[k + 1] = np.tanh(X[:, k] @ Wx + h[k] @ Wh + bh)
    scores = h[T] @ Wy + by
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).sum() / N
    d = p.copy()
    d[np.arange(N), y] -= 1
    d = d / N
    dWy, dby = h[T].T @ d, d.sum(0)
    dWx, dWh, dbh = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(bh)
    dh = d @ Wy.T
    t = T - 1
    while t >= 0:
        dz = dh * (1 - h[t + 1] ** 2)
        dWx += X[:, t].T @ dz
        dWh += h[t].T @ dz
        dbh += dz.sum(0)
        dh = dz @ Wh.T
        t -= 1
    return loss, (dWx, dWh, dWy, dbh, dby)
"""


def examined(path: Path, text: str) -> tuple[str, list[tuple[str, int]]]:
    path.write_text(text, encoding="utf-8")
    (report,) = examine_functions(read_source(path), None, Wishes(stand=path.parent))
    return report.verdict, [(found.id, found.place.line if found.place else 0) for found in report.diagnoses]


def test_as_it_is_it_is_right(tmp_path: Path) -> None:
    assert examined(tmp_path / "mine.py", FUNCTION) == ("correct", [])


@pytest.mark.parametrize(
    ("edits", "named"),
    [
        ([("dWx += ", "dWx = "), ("dWh += ", "dWh = ")], ["overwritten-not-accumulated"] * 2),
        ([("(dWx, dWh, dWy, dbh, dby)\n", "(dWx / T, dWh / T, dWy, dbh / T, dby)\n")], ["averaged-over-time"]),
        ([("(dWx, dWh, dWy, dbh, dby)\n", "[g / N for g in (dWx, dWh, dWy, dbh, dby)]\n")], ["batch-averaged-twice"]),
        ([("dh = dz @ Wh.T\n", "dh = dz @ Wh.T / T\n")], ["scaled-every-step"]),
        ([("t = T - 1\n", "t = T - 2\n")], ["last-step-skipped"]),
        ([("h[T].T @ d,", "h[T - 1].T @ d,")], ["dwy-wrong-state"]),
    ],
)
def test_a_correction_is_found_and_named(tmp_path: Path, edits: list[tuple[str, str]], named: list[str]) -> None:
    text = changed(FUNCTION, *edits)
    lines = [line_of(text, new.strip()) for _, new in edits]
    assert examined(tmp_path / "mine.py", text) == ("wrong", list(zip(named, lines, strict=True)))


def test_a_loss_divided_by_what_its_gradients_are_not(tmp_path: Path) -> None:
    text = changed(FUNCTION, ("d = d / N", "d = 1.0 * d"))
    assert examined(tmp_path / "mine.py", text) == ("wrong", [("batch-not-averaged", line_of(text, "d = 1.0 * d"))])


OBJECTS = """import numpy as np


class Logistic:
    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, x, top):
        y = self.forward(x)
        return y * (1 - y) * top


class Layer:
    def forward(self, X, W):
        self.z = X @ W
        self.a = squash.forward(self.z)
        return self.a

    def backward(self, X, W, d):
        dz = squash.backward(self.z, d)
        return X.T @ dz, dz @ W.T


squash = Logistic()


def loss_and_gradients(X, Y, W, V):
    layer = Layer()
    a = layer.forward(X, W)
    d = a @ V - Y
    loss = 0.5 * np.sum(d**2)
    dW, dX = layer.backward(X, W, d @ V.T)
    return loss, dX, dW, a.T @ d
"""


def test_what_a_helper_is_handed_is_corrected_where_it_is_handed_over(tmp_path: Path) -> None:
    """`return top * (x * (1 - x))` would make all gradients right, too, and leave what the helper computes unread."""
    text = changed(OBJECTS, ("squash.backward(self.z, d)", "squash.backward(self.a, d)"))
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    (report,) = examine_functions(read_source(path), "loss_and_gradients", Wishes(stand=tmp_path))
    assert [found.place and found.place.line for found in report.diagnoses] == [line_of(text, "squash.backward(self.a")]
