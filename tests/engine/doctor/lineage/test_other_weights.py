"""Programs whose first weights make a wrong gradient look right: another start shows it, and is no harm to a right program."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage.verdict import other_weights
from engine.doctor.lineage.verdict.other_weights import SEEN, settled
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged
from tests.engine.doctor.lineage.programs import TAGGER, changed, runs_of, statuses

IDENTITY = ("rng.randn(H, H) * 0.5", "np.eye(H)")
TINY = (
    "rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5, rng.randn(K, H) * 0.5",
    "[rng.randn(*s) * 1e-4 for s in ((H, D), (H, H), (K, H))]",
)
SMALL = (TINY[0], TINY[1].replace("1e-4", "2e-3"))
"""So small that the states, and what is wrong with their derivative, are lost in rounding, though no weight is tiny."""
NOT_USED = ("    for weight, grad in zip((U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n", "")
ONCE = ("range(3)", "range(1)")
NO_BIAS = ("b, c = rng.randn(H) * 0.1", "b, c = np.zeros(H)")


def both(folder: Path, *changes: tuple[str, str]) -> tuple[RunVerdict, RunVerdict]:
    """The verdict on a program's own run, and the one that other first weights leave."""
    runs = runs_of(folder, changed(TAGGER, *changes), rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    own = judged(record)
    return own, settled(runs, own)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ((IDENTITY, ("later = W.T @ dz", "later = W @ dz"), NOT_USED, ONCE), "UWb"),
        ((TINY, NO_BIAS, ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh")), "UWb"),
        ((SMALL, NO_BIAS, ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh * (1 - np.tanh(hs[t + 1]) ** 2)")), "UWb"),
        ((NO_BIAS, ("W @ hs[-1] + b", "W @ hs[-1] * (1 + b)"), ("db += dz", "db += dz * (W @ hs[t])")), "UWb"),
    ],
    ids=["identity", "tiny", "small", "zero"],
)
def test_what_first_weights_hide(tmp_path: Path, changes: tuple[tuple[str, str], ...], wrong: str) -> None:
    own, told = both(tmp_path, *changes)
    assert (own.verdict, told.verdict) == ("right", "wrong")
    assert {name for name, status in statuses(told).items() if status == "wrong"} == set(wrong)
    assert told.shifted
    assert SEEN in told.conventions


def test_a_right_program_stays_right_from_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_weights, "_hides", lambda values: True)
    seen: list[RunVerdict] = []
    monkeypatch.setattr(other_weights, "judged", lambda *given: seen.append(judged(*given)) or seen[0])
    own, told = both(tmp_path)
    assert told is own
    assert seen[0].verdict == "right"
    assert own.loss is not None
    assert seen[0].loss is not None
    assert abs(own.loss.value - seen[0].loss.value) > 0.01


SMALL = (TINY[0], TINY[1].replace("1e-4", "8e-3"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (("(1 - hs[t + 1] ** 2)", "(1 - np.tanh(hs[t + 1]) ** 2)"), "wrong"),
        (("np.log(ps[-1][label])", "np.log(ps[-1][label] + 1e-6)"), "right"),
    ],
    ids=["nearly the derivative", "a small number in the logarithm"],
)
def test_a_gradient_that_is_nearly_right_is_looked_at_from_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], word: str
) -> None:
    """Also after a run so long that others are not run again."""
    monkeypatch.setattr(other_weights, "MOST", 0)
    own, told = both(tmp_path, SMALL, NO_BIAS, ONCE, change)
    assert own.verdict == "right"
    assert max(row.match.error for row in own.compared if row.match) > other_weights.ROUNDING
    assert told.verdict == word


def test_an_odd_multiple_of_all_gradients_is_asked_again_from_other_weights(tmp_path: Path) -> None:
    """From tiny weights all outputs are alike, and the term of the other classes is 1 / 3 of the rest for each."""
    both = "loss -= np.log(ps[-1][label]) + np.log(1 - np.delete(ps[-1], label)).sum()"
    tiny = (
        "rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5, rng.randn(K, H) * 0.5",
        "rng.randn(H, D) * 5e-9, rng.randn(H, H) * 5e-9, rng.randn(K, H) * 5e-9",
    )
    small = ("rng.randn(H) * 0.1", "rng.randn(H) * 1e-9")
    runs = runs_of(tmp_path, changed(TAGGER, ("loss -= np.log(ps[-1][label])", both), tiny, small), rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    assert settled(runs, judged(record)).verdict == "wrong"
