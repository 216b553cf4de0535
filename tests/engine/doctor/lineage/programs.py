"""Small programs for the tests, and how they are run: each is a text with places that a test may change."""

from __future__ import annotations

from pathlib import Path

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile

TAGGER = """
import numpy as np

rng = np.random.RandomState(4)
D, H, K, T = 3, 4, 3, 5
U, W, V = rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5, rng.randn(K, H) * 0.5
b, c = rng.randn(H) * 0.1, np.zeros(K)


def forward(xs, labels):
    hs, ps, loss = [np.zeros(H)], [], 0.0
    for x, label in zip(xs, labels):
        hs.append(np.tanh(U @ x + W @ hs[-1] + b))
        e = np.exp(V @ hs[-1] + c)
        ps.append(e / e.sum())
        loss -= np.log(ps[-1][label])
    return hs, ps, loss


def backward(xs, labels, hs, ps):
    dU, dW, dV, db, dc = (np.zeros_like(m) for m in (U, W, V, b, c))
    later = np.zeros(H)
    for t in range(T - 1, -1, -1):
        dy = ps[t].copy()
        dy[labels[t]] -= 1
        dV += np.outer(dy, hs[t + 1])
        dc += dy
        dh = V.T @ dy + later
        dz = dh * (1 - hs[t + 1] ** 2)
        dU += np.outer(dz, xs[t])
        dW += np.outer(dz, hs[t])
        db += dz
        later = W.T @ dz
    return dU, dW, dV, db, dc


for step in range(3):
    xs, labels = rng.randn(T, D), rng.randint(0, K, T)
    hs, ps, loss = forward(xs, labels)
    grads = backward(xs, labels, hs, ps)
    for weight, grad in zip((U, W, V, b, c), grads):
        weight -= 0.1 * grad
    print(step, loss)
"""
"""What is carried on shows in its second update, and each one more is recorded and judged."""

ADDING = """
import numpy as np

rng = np.random.RandomState(1)
U, W, V = rng.randn(2, 4), rng.randn(4, 4), rng.randn(4, 1)
dU, dW, dV = np.zeros_like(U), np.zeros_like(W), np.zeros_like(V)
for step in range(3):
    xs, bits = rng.randint(0, 2, (5, 2)), rng.randint(0, 2, 5)
    hs, errors = [np.zeros((1, 4))], []
    for x, bit in zip(xs, bits):
        hs.append(1 / (1 + np.exp(-(x[None] @ U + hs[-1] @ W))))
        p = 1 / (1 + np.exp(-(hs[-1] @ V)))
        errors.append((bit - p) * p * (1 - p))
    later = np.zeros((1, 4))
    for t in reversed(range(5)):
        dz = (later @ W.T + errors[t] @ V.T) * hs[t + 1] * (1 - hs[t + 1])
        dV += hs[t + 1].T @ errors[t]
        dW += hs[t].T @ dz
        dU += xs[t][:, None] @ dz
        later = dz
    U += 0.1 * dU
    V += 0.1 * dV
    W += 0.1 * dW
    dU *= 0
    dV *= 0
    dW *= 0
"""
"""It adds its gradients' opposites, computes no loss, and keeps the error terms."""

NO_READ_OUT = """
import numpy as np

rng = np.random.default_rng(1)
x, y = rng.normal(size=(3, 5, 2)), rng.normal(size=(5, 4))
V, W = rng.normal(size=(2, 4)), rng.normal(size=(4, 4))
h = {0: np.zeros((5, 4))}
for t in range(3):
    h[t + 1] = np.tanh(x[t] @ V + h[t] @ W)
loss = 0.5 * np.sum((h[3] - y) ** 2)
dh = h[3] - y
dV, dW = np.zeros_like(V), np.zeros_like(W)
for t in reversed(range(3)):
    d = dh * (1 - h[t + 1] ** 2)
    dV += x[t].T @ d
    dW += h[t].T @ d
    dh = d @ W.T
V -= 0.1 * dV
W -= 0.1 * dW
"""
"""Its last states are compared with targets as they are."""


def changed(text: str, *changes: tuple[str, str]) -> str:
    """A program with each old text replaced by the new one; every old text must be there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


LONG = changed(TAGGER, ("range(3)", "range(30)"))
"""It trains for longer than a run is followed."""


def line_of(text: str, part: str) -> int:
    """The number of the first line in which a text stands."""
    return next(k for k, line in enumerate(text.splitlines(), 1) if part in line)


def runs_of(folder: Path, text: str, **options: int) -> Runs:
    """A program to be run, written to a folder."""
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return Runs(ProgramFile(path, text), Wishes(stand=folder, options=options))


def run(folder: Path, text: str, **options: int) -> Record:
    """The record of a program's run."""
    outcome, record = runs_of(folder, text, **options).followed()
    assert not isinstance(record, str), (record, outcome.sentence(), outcome.output)
    return record


def verdict_on(folder: Path, text: str, **options: int) -> RunVerdict:
    """The verdict on a program."""
    return judged(run(folder, text, **options))


def statuses(verdict: RunVerdict) -> dict[str, str]:
    """What became of each gradient."""
    return {row.name: row.status for row in verdict.compared}
