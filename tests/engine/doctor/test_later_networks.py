"""Programs that train one network after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.diagnose import diagnose
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes

PROGRAM = """import numpy as np
rng = np.random.default_rng(3)

class Layer:
    def __init__(self):
        self.W, self.b = rng.normal(size=(3, 2)) * 0.4, np.zeros((1, 2))

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.W -= 0.1 * self.x.T @ dy
        self.b -= 0.1 * dy.sum(0, keepdims=True)

class Recurrent:
    def __init__(self):
        self.Wx, self.Wh = rng.normal(size=(3, 2)) * 0.4, rng.normal(size=(2, 2)) * 0.4
        self.b = np.zeros((1, 2))

    def forward(self, x):
        self.x, self.h = x, [np.zeros((1, 2))]
        for t in range(len(x)):
            self.h.append(np.tanh(x[t : t + 1] @ self.Wx + self.h[-1] @ self.Wh + self.b))
        return self.h[-1]

    def backward(self, dh):
        dWx, dWh, db = np.zeros_like(self.Wx), np.zeros_like(self.Wh), np.zeros_like(self.b)
        for t in reversed(range(len(self.x))):
            dz = dh * (1 - self.h[t + 1] ** 2)
            dWx += self.x[t : t + 1].T @ dz
            dWh += self.h[t].T @ dz
            db += dz
            dh = {back}
        self.Wx -= 0.1 * dWx
        self.Wh -= 0.1 * dWh
        self.b -= 0.1 * db

def train(model, x, y, epochs):
    for _ in range(epochs):
        out = model.forward(x)
        loss = 0.5 * np.sum((out - y) ** 2)
        model.backward(out - y)

train(Layer(), rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), 300)
{after}
"""
TRAINS = "train(Recurrent(), rng.normal(size=(5, 3)), rng.normal(size=(1, 2)), 300)"


def examined(folder: Path, back: str, after: str = TRAINS) -> Report:
    path = folder / "mine.py"
    path.write_text(PROGRAM.format(back=back, after=after))
    return diagnose(path, None, Wishes(stand=folder))


def test_a_network_that_trains_later_is_followed_too(tmp_path: Path) -> None:
    report = examined(tmp_path, "dz @ self.Wh.T")
    assert report.verdict == "correct"
    assert list(report.parameters) == ["self.W", "self.b", "self.b (later)", "self.Wx", "self.Wh"]
    assert report.notes[0].startswith("line 45 (train(Layer(), ")


def test_its_mistake_is_found(tmp_path: Path) -> None:
    report = examined(tmp_path, "dz @ self.Wh")
    assert report.verdict == "wrong"
    assert [found.place and found.place.line for found in report.diagnoses] == [34]


@pytest.mark.parametrize("after", ["", "print(Layer())"])
def test_a_pass_that_nothing_leads_to_is_only_named(tmp_path: Path, after: str) -> None:
    report = examined(tmp_path, "dz @ self.Wh", after)
    assert report.verdict == "correct"
    assert report.notes[-1].endswith("Recurrent.backward")
