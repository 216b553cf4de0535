"""Programs without arrays, whose weights are single numbers under names of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.doctor.reports import examine

PROGRAM = """import math
import random
random.seed(1)
wx, wh, bh, wy, by = random.random(), 0.2, 0.0, 0.1, 0.0
inputs, targets = [1, 2, 1, 2], [2, 1, 2, 1]
rate = 0.1
for epoch in range(3):
    h, loss, hs, ys = 0.0, 0.0, [], []
    for x, target in zip(inputs, targets):
        h = math.tanh(wx * x + wh * h + bh)
        y = wy * h + by
        hs.append(h)
        ys.append(y)
        loss += 0.5 * (y - target) ** 2
    dwx = dwh = dbh = dwy = dby = later = 0.0
    for t in reversed(range(4)):
        dy = ys[t] - targets[t]
        dwy += dy * hs[t]
        dby += dy
        dz = (dy * wy + later) * (1 - hs[t] ** 2)
        dwx += dz * inputs[t]
        dwh += dz * (hs[t - 1] if t else 0.0)
        dbh += dz
        later = dz * wh
    wx -= rate * dwx
    wh -= rate * dwh
    bh -= rate * dbh
    wy -= rate * dwy
    by -= rate * dby
"""


@pytest.mark.parametrize(("line", "wrong"), [("", []), ("later = dz * wh", ["bh", "wh", "wx"])])
def test_single_numbers_are_weights_where_there_are_no_arrays(tmp_path: Path, line: str, wrong: list[str]) -> None:
    """Of a single number only the factor says whether it is right: those that are as the loss has them say which."""
    (tmp_path / "mine.py").write_text(PROGRAM.replace(line, "later = dz") if line else PROGRAM)
    report = examine(tmp_path / "mine.py")
    assert report.verdict == ("wrong" if wrong else "correct")
    assert {*report.parameters} == {"wx", "wh", "bh", "wy", "by"}
    assert sorted(name for name, each in report.parameters.items() if not each.ok) == wrong
