"""Weights that are stepped while the state runs on: real-time recurrent learning, steps by zeros until a window ends, errors back through
states of earlier rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage.verdict.followed_further import followed_further
from engine.doctor.lineage.verdict.over_versions import BACK, OF_THE_NEWEST, RUNS_ON, SINCE
from engine.doctor.lineage.verdict.verdict import judged
from tests.engine.doctor.lineage.programs import changed, runs_of, verdict_on

REAL_TIME = """
import numpy as np
rng = np.random.default_rng(0)
H, D = 3, 2
W, V = rng.normal(0, 0.5, (H, H + D)), rng.normal(0, 0.5, (2, H))
h, P = np.zeros(H), np.zeros((H, H, H + D))
for _ in range(6):
    x, y = rng.normal(size=D), rng.normal(size=2)
    both = np.concatenate([h, x])
    h = np.tanh(W @ both)
    P = np.einsum("ij,jkl->ikl", W[:, :H], P)
    P[range(H), range(H)] += both
    P *= (1 - h ** 2)[:, None, None]
    error = V @ h - y
    loss = 0.5 * np.sum(error ** 2)
    dW, dV = np.tensordot(error @ V, P, 1), np.outer(error, h)
    W, V = W - 0.1 * dW, V - 0.1 * dV
"""

ALONE = """
import numpy as np
rng = np.random.default_rng(0)
H, D = 3, 2
W = rng.normal(0, 0.5, (H, H + D))
h, P = np.zeros(H), np.zeros((H, H, H + D))
for _ in range(6):
    error = h[0] - rng.normal()
    loss = 0.5 * error ** 2
    dW = error * P[0]
    both = np.concatenate([h, rng.normal(size=D)])
    h = np.tanh(W @ both)
    P = np.einsum("ij,jkl->ikl", W[:, :H], P)
    P[range(H), range(H)] += both
    P *= (1 - h ** 2)[:, None, None]
    W = W - 0.1 * dW
"""

WINDOWS = """
import numpy as np
rng = np.random.default_rng(0)
I, H, O, T = 2, 3, 2, 3
Wx, Wh, V = rng.normal(0, 0.5, (H, I)), rng.normal(0, 0.5, (H, H)), rng.normal(0, 0.5, (O, H))
h, kept = np.zeros(H), []
for _ in range(6):
    x, y, before = rng.normal(size=I), rng.normal(size=O), h
    h = np.tanh(Wx @ x + Wh @ before)
    error = V @ h - y
    loss = 0.5 * np.sum(error ** 2)
    kept.append((x, before, h, V.T @ error))
    dWx, dWh, dh = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(H)
    if len(kept) == T:
        for x, before, state, direct in reversed(kept):
            dz = (direct + dh) * (1 - state ** 2)
            dWx += np.outer(dz, x)
            dWh += np.outer(dz, before)
            dh = Wh.T @ dz
        kept = []
    Wx, Wh, V = [w - 0.1 * d for w, d in zip((Wx, Wh, V), (dWx, dWh, np.outer(error, h)))]
"""

ERRORS_BACK = """    kept = [*kept, (x, before, h)][-3:]
    dWx, dWh, dh = np.zeros_like(Wx), np.zeros_like(Wh), V.T @ error
    for x, before, state in reversed(kept):
        dz = dh * (1 - state ** 2)
        dWx += np.outer(dz, x)
        dWh += np.outer(dz, before)
        dh = Wh.T @ dz
"""


def backwards() -> str:
    """Each error is carried back over the last three steps."""
    begin, end = WINDOWS.index("    kept.append"), WINDOWS.index("    Wx, Wh, V = [")
    return WINDOWS[:begin] + ERRORS_BACK + WINDOWS[end:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (REAL_TIME, {RUNS_ON}),
        (ALONE, {RUNS_ON}),
        (WINDOWS, {SINCE}),
        (backwards(), {RUNS_ON, OF_THE_NEWEST, BACK.format(2)}),
    ],
    ids=["real-time", "alone", "windows", "back"],
)
def test_gradients_over_all_versions_of_weights_are_right(tmp_path: Path, text: str, said: set[str]) -> None:
    found = verdict_on(tmp_path, text)
    assert (found.verdict, {*found.conventions}) == ("right", said)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (REAL_TIME, "W[:, :H], P)", "W[:, :H].T, P)"),
        (ALONE, "W[:, :H], P)", "W[:, :H].T, P)"),
        (WINDOWS, "dh = Wh.T @ dz", "dh = dz"),
        (WINDOWS, "len(kept) == T", "len(kept) > 99"),
        (backwards(), "dh = Wh.T @ dz", "dh = Wh @ dz"),
    ],
)
def test_those_that_are_not_the_sums_are_not(tmp_path: Path, text: str, old: str, new: str) -> None:
    assert verdict_on(tmp_path, text.replace(old, new)).verdict != "right"


def test_a_window_that_is_longer_than_a_run_is_followed_is_followed_further(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, changed(WINDOWS, ("O, T = 2, 3, 2, 3", "O, T = 2, 3, 2, 10"), ("range(6)", "range(20)")))
    record = runs.followed()[1]
    assert not isinstance(record, str)
    verdict = judged(record)
    assert verdict.verdict == "wrong"
    assert followed_further(runs, record, verdict)[1].verdict == "right"
