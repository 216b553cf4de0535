"""Errors that go back some steps and no further: a choice; errors that are not carried at all: a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage.the_loss import truncation
from engine.doctor.lineage.verdict.of_round import AS_GIVEN, IN_WINDOWS
from tests.engine.doctor.lineage.programs import verdict_on
from tests.engine.doctor.lineage.trained import network

EACH_ERROR = """    for t in reversed(range(T)):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        dWhy += dy @ hs[t].T
        dby += dy
        da = (1 - hs[t] ** 2) * (Why.T @ dy)
        for s in range(t, max(-1, t - 1 - STEPS), -1):
            dWxh += da @ inputs[s].T
            dWhh += da @ hs[s - 1].T
            dbh += da
            da = (1 - hs[s - 1] ** 2) * (Whh.T @ da)
"""


def truncated(steps: int) -> str:
    text = network(("T = 3, 4, 3, 5", "T = 3, 4, 3, 8"))
    begin, end = text.index("    dnext = np.zeros"), text.index("    return loss, dWxh")
    return text[:begin] + EACH_ERROR.replace("STEPS", str(steps)) + text[end:]


@pytest.mark.parametrize(("steps", "verdict"), [(3, "right"), (0, "wrong")])
def test_errors_that_go_back_some_steps(tmp_path: Path, steps: int, verdict: str) -> None:
    found = verdict_on(tmp_path, truncated(steps))
    assert found.verdict == verdict
    assert ("errors are carried back 3 steps and no further" in found.conventions) == (steps == 3)
    assert (AS_GIVEN in found.conventions) == (steps == 0)


@pytest.mark.parametrize(("wrong", "verdict"), [("", "undecided"), ("da = da * 0.5 + 0.1", "wrong")])
def test_a_way_back_that_may_be_longer_than_what_is_tried_is_told_as_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, verdict: str
) -> None:
    """With three lengths tried: errors that go back five steps are left open, and what is nearer to none of them is wrong."""
    monkeypatch.setattr(truncation, "MOST_STEPS", 3)
    text = truncated(5).replace("            dbh += da\n", f"            {wrong}\n            dbh += da\n")
    found = verdict_on(tmp_path, text)
    assert found.verdict == verdict
    assert ("no more than 2 are tried" in found.reason) == (verdict == "undecided")


def test_one_gradient_that_is_wrong_beside_those_that_go_back_some_steps(tmp_path: Path) -> None:
    found = verdict_on(tmp_path, truncated(3).replace("            dbh += da", "            dbh += da * hs[s]"))
    assert "errors are carried back 3 steps and no further" in found.conventions
    assert {row.name for row in found.compared if row.status == "wrong"} == {"bh"}


TWO_WINDOWS = """
h = np.zeros((H, 1))
for step in range(3):
    sums = [np.zeros_like(w) for w in (Wxh, Whh, Why, bh, by)]
    for window in range(2):
        inputs, targets = batch()
        loss, *parts, h = passes(inputs, targets, h)
        for s, d in zip(sums, parts):
            s += d
    for w, s in zip((Wxh, Whh, Why, bh, by), sums):
        w -= 0.1 * s
"""


@pytest.mark.parametrize(("bias", "right"), [("dbh += da", True), ("dbh += da * hs[t]", False)])
def test_errors_that_go_back_to_where_their_window_begins(tmp_path: Path, bias: str, right: bool) -> None:
    """Several windows before an update, over which the state goes on."""
    returned = "return loss, dWxh, dWhh, dWhy, dbh, dby"
    found = verdict_on(
        tmp_path, network((returned, returned + ", hs[T - 1]"), ("dbh += da", bias), training=TWO_WINDOWS)
    )
    assert found.verdict == ("right" if right else "wrong")
    assert (IN_WINDOWS in found.conventions) == right
