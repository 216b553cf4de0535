"""A program with two backward passes, of which only one trains."""

from __future__ import annotations

from pathlib import Path

from tests.engine.doctor.lineage.programs import verdict_on
from tests.engine.doctor.lineage.trained import network

OTHER = """
class Exercise:
    def __init__(self):
        self.U = np.random.randn(4, 4)

    def forward(self, x):
        self.x = x
        return np.tanh(x @ self.U)

    def backward(self, h, upstream):
        dU = self.x.T @ upstream
        return {"dU": dU}

exercise = Exercise()
exercise.backward(exercise.forward(np.random.randn(2, 4)), np.random.randn(2, 4))
"""


def test_right_is_not_said_of_a_backward_pass_that_was_not_compared(tmp_path: Path) -> None:
    assert verdict_on(tmp_path, network()).verdict == "right"
    verdict = verdict_on(tmp_path, network(before=OTHER))
    assert verdict.verdict == "undecided"
    assert any("Exercise.backward" in text for text in verdict.not_compared)


ONE_OF_TWO = """
import numpy as np
np.random.seed(2)
U, V = np.random.randn(3, 4), np.random.randn(4, 2)
x, y = np.random.randn(5, 3), np.random.randn(5, 2)
h = np.tanh(x @ U)
e = h @ V - y
loss = 0.5 * (e ** 2).sum()
dV = h.T @ e
"""


def test_one_gradient_of_a_program_that_steps_nothing_is_not_all_of_them(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, ONE_OF_TWO)
    assert verdict.verdict == "undecided"
    both = ONE_OF_TWO + "dU = x.T @ ((e @ V.T) * (1 - h ** 2))\n"
    assert verdict_on(tmp_path, both).verdict == "right"
