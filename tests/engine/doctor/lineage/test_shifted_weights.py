"""Weights whose first values are shifted by a number, in a program that computes no loss."""

from __future__ import annotations

from pathlib import Path

from tests.engine.doctor.lineage.programs import verdict_on

TEXT = """
import numpy as np
np.random.seed(1)
W, V = 2 * np.random.random((3, 4)) - 1, 2 * np.random.random((4, 1)) - 1
for step in range(3):
    x, y = np.random.randn(1, 3), np.array([[step % 2]])
    h = np.tanh(x @ W)
    e = y - h @ V
    size = np.abs(e).sum()
    V_step = h.T @ e
    W_step = x.T @ ((e @ V.T) * (1 - h ** 2))
    V += 0.1 * V_step
    W += 0.1 * W_step
"""


def test_a_weight_minus_one_is_no_output(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, TEXT)
    assert verdict.verdict == "right"
    assert {c.name for c in verdict.compared} == {"W", "V"}
