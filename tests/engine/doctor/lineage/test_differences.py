"""A verdict counts only where the program's own loss, from weights a little beside its own, changes as the loss carried back says."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.verdict import differences
from engine.doctor.lineage.verdict.differences import disagreement
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged
from tests.engine.doctor.lineage.programs import TAGGER, changed, runs_of

ONE = "hs.append(np.tanh(U @ x + W @ hs[-1] + b))"
PICKLED = f"{ONE}\n        if len(hs) == 4:\n            hs[-1] = __import__('pickle').loads(__import__('pickle').dumps(hs[-1]))"
COMPLEX = "hs.append(np.exp(1j * (U @ x + W @ hs[-1] + b)).imag)"
SCALED = "hs.append(np.tanh(U @ x + W @ hs[-1] + b) * float(repr(float(1 + hs[-1][0] ** 2))))"


def said_of(folder: Path, text: str) -> tuple[RunVerdict, str, Record]:
    runs = runs_of(folder, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    verdict = judged(record)
    return verdict, disagreement(runs, verdict), record


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (PICKLED, "changes with the weights, but was not followed"),
        (COMPLEX, "changes with the weights, but was not followed"),
        (SCALED, "the loss carried back says"),
    ],
    ids=["array", "every state", "number"],
)
def test_a_number_that_lost_its_origin_is_seen(tmp_path: Path, line: str, says: str) -> None:
    assert says in said_of(tmp_path, changed(TAGGER, (ONE, line)))[1]


def test_a_right_program_is_asked_and_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[differences.LossChange] = []
    changed_by = differences._changed

    def kept(*given: object) -> differences.LossChange | None:
        seen = changed_by(*given)  # pyright: ignore[reportArgumentType]
        asked.extend([seen] if seen is not None else [])
        return seen

    monkeypatch.setattr(differences, "_changed", kept)
    verdict, said, _ = said_of(tmp_path, TAGGER)
    assert (verdict.verdict, said) == ("right", "")
    assert len(asked) == 1
    assert asked[0].seen != 0


CHAOTIC = (
    ("T = 3, 4, 3, 5", "T = 3, 40, 3, 60"),
    ("rng.randn(H, H) * 0.5", "rng.randn(H, H) * 2"),
)


def test_a_loss_that_bends_too_much_is_not_doubted(tmp_path: Path) -> None:
    """Sixty steps of a matrix whose products explode: no difference, however small, is the derivative."""
    verdict, said, _ = said_of(tmp_path, changed(TAGGER, *CHAOTIC))
    assert (verdict.verdict, said) == ("right", "")


def test_a_program_that_draws_other_numbers_each_time_is_not_doubted(tmp_path: Path) -> None:
    drawn = changed(
        TAGGER, ("rng = np.random.RandomState(4)", "import os\nrng = np.random.RandomState(os.getpid() % 9999)")
    )
    assert said_of(tmp_path, drawn)[1] == ""


def test_first_weights_may_be_scaled_by_what_was_computed_from_them(tmp_path: Path) -> None:
    """By their largest eigenvalue, which is not followed."""
    radius = "W *= 0.9 / np.abs(np.linalg.eigvals(W)).max()\n"
    runs = runs_of(tmp_path, changed(TAGGER, ("\n\ndef forward", radius + "\n\ndef forward")))
    _, record = runs.followed()
    assert not isinstance(record, str)
    verdict = judged(record)
    assert (verdict.verdict, disagreement(runs, verdict)) == ("right", "")
