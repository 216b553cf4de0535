"""Figures of iterations as rows of an array: what goes in comes out, what was handed out stays, little memory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.recording.history import History
from engine.recording.measures import Measured


def measured(number: int, *, accuracy: bool = True) -> Measured:
    flows = {"a1": np.arange(4.0) + number, "a2": np.full(4, math.inf if number % 2 else -number)}
    return Measured(1 / (1 + number), number / 1000 if accuracy else None, float(number), flows)


def same(one: Measured, other: Measured) -> bool:
    figures = [(m.loss, m.accuracy, m.gradient_norm, *m.flows) for m in (one, other)]
    return figures[0] == figures[1] and all(np.array_equal(one.flows[k], other.flows[k]) for k in one.flows)


@pytest.mark.parametrize("accuracy", [True, False])
def test_what_goes_in_comes_out(accuracy: bool) -> None:
    history = History()
    assert not history and history.get(0) is None and not history.losses.size
    for number in range(100):
        history.append(measured(number, accuracy=accuracy))
    assert list(history) == list(range(100)) and 100 not in history and -1 not in history
    assert all(same(history[number], measured(number, accuracy=accuracy)) for number in history)
    assert history.flows("a2").shape == (100, 4) and history.gradient_norms.tolist() == list(range(100))
    assert history[3].accuracy == (0.003 if accuracy else None)


def test_what_was_handed_out_stays_and_goes_on_by_itself() -> None:
    history = History()
    for number in range(10):
        history.append(measured(number))
    now, branch = history.until(len(history)), history.until(5)
    for number in range(10, 40):
        history.append(measured(number))
        branch.append(measured(number))
    assert (len(now), len(branch), len(history)) == (10, 35, 40)
    assert same(now[9], measured(9)) and same(history[5], measured(5)) and same(branch[5], measured(10))


def test_ten_thousand_iterations_take_less_than_two_megabytes() -> None:
    history = History()
    for _ in range(10_000):
        history.append(Measured(1.0, None, 1.0, {"a": np.zeros(10)}))
    assert history._rows.nbytes < 2e6
