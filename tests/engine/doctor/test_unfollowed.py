"""Programs that compute so much before their first update that it fills the record."""

from __future__ import annotations

from pathlib import Path

from engine.doctor.diagnose import diagnose
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes

PROGRAM = """import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=({count}, 5, 3)), rng.normal(size=({count}, 2))
Wx, Wh, Wy = rng.normal(size=(8, 3)) * 0.4, rng.normal(size=(8, 8)) * 0.3, rng.normal(size=(2, 8)) * 0.5
centre = np.zeros(3)

def forward(x):
    h = [np.zeros(8)]
    for t in range(len(x)):
        h.append(np.tanh(Wx @ (x[t] - centre) + Wh @ h[-1]))
    return h, Wy @ h[-1]

def mean_loss():
    global centre
    total = 0.0
    for x, y in zip(X, Y):
        centre += x.mean(0) / len(X)
        total += 0.5 * np.sum((forward(x)[1] - y) ** 2)
    return total / len(X)

{before}
for x, y in zip(X, Y):
    {taken}
    loss = 0.5 * np.sum((out - y) ** 2)
    dy = out - y
    dWx, dWh, dWy = np.zeros_like(Wx), np.zeros_like(Wh), np.outer(dy, h[-1])
    dh = Wy.T @ dy
    for t in reversed(range(len(x))):
        dz = dh * (1 - h[t + 1] ** 2)
        dWx += np.outer(dz, x[t] - centre)
        dWh += np.outer(dz, {earlier})
        dh = Wh.T @ dz
    Wx -= 0.1 * dWx
    Wh -= 0.1 * dWh
    Wy -= 0.1 * dWy
"""
MEAN, ONE = "print('before', mean_loss())", "h, out = forward(x)"
INITIAL = "initial = sum([np.sum(forward(x)[1] ** 2) for x in X]) / len(X)"


def examined(folder: Path, before: str, taken: str = ONE, earlier: str = "h[t]", count: int = 2000) -> Report:
    path = folder / "mine.py"
    path.write_text(PROGRAM.format(before=before, taken=taken, earlier=earlier, count=count))
    return diagnose(path, None, Wishes(stand=folder, options={"numbers": 1_500_000}))


def test_what_fills_the_record_before_the_first_update_is_run_without_being_followed(tmp_path: Path) -> None:
    """The array that it steps in place is in the loss what it has become."""
    report = examined(tmp_path, MEAN)
    assert (report.verdict, report.reason) == ("correct", "")
    assert len(report.parameters) == 3
    assert report.notes[0].startswith("line 18 (total += ")


def test_a_mistake_is_found_behind_it(tmp_path: Path) -> None:
    """A wrong line and its correction, as in any other program."""
    report = examined(tmp_path, INITIAL, earlier="h[t + 1]")
    assert report.verdict == "wrong"
    assert report.notes[0].startswith("line 21 (initial = ")
    assert [found.place and found.place.line for found in report.diagnoses] == [31]


def test_a_pass_that_itself_fills_the_record_is_not_judged_without_it(tmp_path: Path) -> None:
    """Its gradients are made from what is not followed then, though the read-out is."""
    many = "h = [forward(x)[0] for _ in range(2600)][-1]; out = Wy @ h[-1]"
    report = examined(tmp_path, "", many, count=20)
    assert report.verdict == "cannot-run"
    assert "nothing could be compared yet: --limit" in report.reason
