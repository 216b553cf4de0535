"""Programs with as much data as people really have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.doctor.reference.values import SUMS, Reference
from tests.engine.doctor.problems import make_problem
from tests.engine.doctor.reports import examine

EACH = """
import numpy as np
rng = np.random.default_rng(7)
{data}
Wx = rng.normal(size=(2, 6)) * 0.4
Wa = rng.normal(size=(6, 6)) * 0.3
Wy = rng.normal(size=(6, 3)) * 0.4
dWx, dWa, dWy = np.zeros_like(Wx), np.zeros_like(Wa), np.zeros_like(Wy)
for x, label in zip(X, y):
    a = [np.zeros((1, 6))]
    for t in range(len(x)):
        a.append(np.tanh(x[t : t + 1] @ Wx + a[-1] @ Wa))
    e = np.exp(a[-1] @ Wy)
    p = e / e.sum()
    d = p.copy()
    d[0, label] -= 1
    d /= len(X)
    dWy += a[-1].T @ d
    da = d @ Wy.T
    for t in range(len(x), 0, -1):
        dz = da * (1 - a[t] ** 2)
        dWx += x[t - 1 : t].T @ dz
        dWa += a[t - 1].T @ dz
        da = dz @ Wa.T
"""
LISTS = """X, y = [], []
for i in range(40):
    X.append(rng.normal(size=(3 + i % 4, 2)))
    y.append(i % 3)"""
WHOLE = """
import numpy as np

def make_data(n_samples={N}, n_steps={T}):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_steps, 3)){kind}
    return X, (X.sum(axis=(1, 2)) > 0).astype(int)

def train(X, y, n_hidden=32, epochs=10000, lr=0.1):
    rng = np.random.default_rng(1)
    Wxh = rng.normal(size=(3, n_hidden)){kind} * 0.3
    Whh = rng.normal(size=(n_hidden, n_hidden)){kind} * 0.17
    Why = rng.normal(size=(n_hidden, 2)){kind} * 0.3
    N, T = len(X), X.shape[1]
    for epoch in range(epochs):
        h = np.zeros((T + 1, N, n_hidden)){kind}
        for t in range(T):
            h[t + 1] = np.tanh(X[:, t] @ Wxh + h[t] @ Whh)
        e = np.exp(h[T] @ Why)
        delta = e / e.sum(axis=1, keepdims=True)
        delta[np.arange(N), y] -= 1
        delta *= {mean}
        dWhy = h[T].T @ delta
        dWxh, dWhh = np.zeros_like(Wxh), np.zeros_like(Whh)
        dh = delta @ Why.T
        for t in range(T - 1, -1, -1):
            dz = dh * (1 - h[t + 1] ** 2)
            dWxh += X[:, t].T @ dz
            dWhh += h[t].T @ dz
            dh = dz @ Whh.T
        Wxh, Whh, Why = Wxh - lr * dWxh, Whh - lr * dWhh, Why - lr * dWhy

{call}
"""
CALL = "X, y = make_data()\ntrain(X, y)"


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def whole(samples: int, steps: int, *, kind: str = "", mean: str = "1 / N", call: str = CALL) -> str:
    return WHOLE.format(N=samples, T=steps, kind=kind, mean=mean, call=call)


@pytest.mark.parametrize(
    "text",
    [EACH.format(data=LISTS), whole(200, 30), whole(100, 30, kind=".astype(np.float32)")],
    ids=["lists of several lengths", "called", "single precision"],
)
def test_what_is_right_is_called_right(tmp_path: Path, text: str) -> None:
    report = examine(written(tmp_path, text))
    assert (report.verdict, report.reason) == ("correct", "")
    assert all(each.ok for each in report.parameters.values())


@pytest.mark.parametrize(
    ("text", "old", "new", "id"),
    [
        (whole(100, 30), "dWhh += h[t].T", "dWhh += h[t + 1].T", "dwa-uses-current-state"),
        (whole(9, 6, kind=".astype(np.float32)"), "dh = dz @ Whh.T", "dh = dh @ Whh.T", "recurrence-skips-derivative"),
    ],
    ids=["samples and steps", "single precision"],
)
def test_what_is_wrong_is_named_and_placed(tmp_path: Path, text: str, old: str, new: str, id: str) -> None:
    assert old in text
    report = examine(written(tmp_path, text.replace(old, new)))
    (finding,) = report.diagnoses
    assert (report.verdict, finding.id) == ("wrong", id)
    assert finding.place is not None
    assert finding.place.line == text[: text.index(old)].count("\n") + 1


def test_partial_sums_of_long_recordings_stay_small() -> None:
    problem = make_problem(batch=4, steps=300, hidden=64, outputs=3)
    reference = Reference(problem)
    gradient = problem.tape["dWa"]
    assert any(m.entry.name == "dWa" and m.entry.kind == "value" for m in reference.matches(gradient * 3))
    late = np.sum([problem.tape["a"][t - 1].T @ problem.tape["dz"][t - 1] for t in range(296, 301)], axis=0)
    assert any((m.entry.name, m.entry.t) == ("dWa", 296) for m in reference.matches(late))
    kept = [
        reference.find("dWa", t, b, k) for t in range(1, 301) for b in (None, 0, 1, 2, 3) for k in ("term", "partial")
    ]
    assert sum(entry.value.nbytes for entry in kept if entry is not None) <= SUMS
