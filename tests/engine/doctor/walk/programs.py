"""Two small programs: one has a backward pass with a wrong line, of the other it is missing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.doctor.lineage.meanings import Meanings
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.opening import open_walk
from engine.doctor.read.source import SourceFile
from engine.doctor.reference.results import NamedMistake, Place
from engine.doctor.report.own_run_report import OwnRun
from engine.doctor.report.report import Report
from engine.doctor.walk.opening import walked
from engine.doctor.walk.walk import ProgramWalk
from tests.engine.doctor.lineage.programs import verdict_on

FORWARD_ONLY = """import numpy as np

rng = np.random.RandomState(3)
x = rng.randn(4, 3, 2)
y = rng.randn(3, 1)
p = {"U": rng.randn(2, 5) * 0.5, "W": rng.randn(5, 5) * 0.5, "V": rng.randn(5, 1), "b": np.zeros(5)}


def forward(p, x, y):
    s = np.zeros((3, 5))
    states = []
    for t in range(4):
        z = x[t] @ p["U"] + s @ p["W"] + p["b"]
        s = np.tanh(z) * 0.9
        states.append(s)
    out = np.stack(states).mean(axis=0) @ p["V"]
    return np.sum((out - y) ** 2) / 3


loss = forward(p, x, y)
print(loss)
"""

WRONG = """import numpy as np

rng = np.random.RandomState(5)
U, W, V = rng.randn(2, 4) * 0.7, rng.randn(4, 4) * 0.5, rng.randn(4, 3)
for epoch in range(3):
    xs, target = rng.randn(6, 2), rng.randn(3)
    h = [np.zeros(4)]
    for x in xs:
        h.append(np.tanh(x @ U + h[-1] @ W))
    out = h[-1] @ V
    loss = 0.5 * np.sum((out - target) ** 2)
    dU, dW, dV = np.zeros_like(U), np.zeros_like(W), np.zeros_like(V)
    dout = out - target
    dV += np.outer(h[-1], dout)
    dh = V @ dout
    for t in reversed(range(6)):
        dz = dh * (1 - h[t + 1] ** 2)
        dU += np.outer(xs[t], dz)
        dW += np.outer(h[t], dz)
        dh = dz @ W
    U -= 0.1 * dU
    W -= 0.1 * dW
    V -= 0.1 * dV
"""


@cache
def forward_only() -> ProgramWalk:
    """The walk through the program without a backward pass."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mine.py"
        path.write_text(FORWARD_ONLY)
        return open_walk(path)


@cache
def wrong_one() -> ProgramWalk:
    """The walk through the wrong one, where no correction is known."""
    return _walk(None)


@cache
def corrected_one() -> ProgramWalk:
    """The same with the correction, which is given and not searched for: the search runs the program again and again."""
    with TemporaryDirectory() as folder:
        return _walk(verdict_on(Path(folder), WRONG.replace("dh = dz @ W", "dh = dz @ W.T")))


def _walk(corrected: RunVerdict | None) -> ProgramWalk:
    with TemporaryDirectory() as folder:
        verdict = verdict_on(Path(folder), WRONG)
    place = Place(20, "dh = dz @ W")
    mistake = NamedMistake("wa-not-transposed", "not transposed", ("U", "W"), None, place, "dh = dz @ W.T")
    report = Report("wrong", "mine.py", diagnoses=(mistake,))
    own = OwnRun(report, record=verdict.record, verdict=verdict, meanings=Meanings(verdict), corrected=corrected)
    return walked(SourceFile(Path("program.py"), WRONG), own)
