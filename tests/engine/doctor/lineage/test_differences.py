"""A verdict counts only where the program's own loss, from weights a little beside its own, changes as the loss carried back says."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage import differences
from engine.doctor.lineage.differences import disagreement
from engine.doctor.lineage.reading import Record
from engine.doctor.lineage.verdict import RunVerdict, judged
from tests.engine.doctor.lineage.programs import TAGGER, changed, runs_of

ONE = "hs.append(np.tanh(U @ x + W @ hs[-1] + b))"
PICKLED = f"{ONE}\n        if len(hs) == 4:\n            hs[-1] = __import__('pickle').loads(__import__('pickle').dumps(hs[-1]))"
SCALED = "hs.append(np.tanh(U @ x + W @ hs[-1] + b) * float(repr(float(1 + hs[-1][0] ** 2))))"


def said_of(folder: Path, text: str) -> tuple[RunVerdict, str, Record]:
    runs = runs_of(folder, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    verdict = judged(record)
    return verdict, disagreement(runs, verdict), record


@pytest.mark.parametrize(
    ("line", "says"),
    [(PICKLED, "changes with the weights, but was not followed"), (SCALED, "the loss carried back says")],
    ids=["array", "number"],
)
def test_a_number_that_lost_its_origin_is_seen(tmp_path: Path, line: str, says: str) -> None:
    assert says in said_of(tmp_path, changed(TAGGER, (ONE, line)))[1]


def test_a_right_program_is_asked_and_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    seen = differences._changes_otherwise

    def kept(record: Record, again: Record, *given: object) -> str:
        asked.append(abs(float(record.pool[1:].sum() - again.pool[1:].sum())))
        return seen(record, again, *given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(differences, "_changes_otherwise", kept)
    verdict, said, _ = said_of(tmp_path, TAGGER)
    assert (verdict.verdict, said) == ("right", "")
    assert len(asked) == 1
    assert 0 < asked[0] < 1e-3


def test_a_program_that_draws_other_numbers_each_time_is_not_doubted(tmp_path: Path) -> None:
    drawn = changed(
        TAGGER, ("rng = np.random.RandomState(4)", "import os\nrng = np.random.RandomState(os.getpid() % 9999)")
    )
    assert said_of(tmp_path, drawn)[1] == ""
