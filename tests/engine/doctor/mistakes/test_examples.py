"""The examples of the catalogue, judged by lineage: the right program is right, the wrong one is wrong, and its correction has the name.

A third of them, taken by their names; `make doctor-names` lets the doctor find the line and the correction of all by itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from engine.doctor.lineage.record.running import Runs, Trials
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.mistakes.mistake import Mistake
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from tests.engine.doctor.mistakes.corrections import name_of

SEARCHED = ("carry-never-updated", "gradient-never-stored", "recurrence-dropped")
"""Found by a search of their own, not by an edit of a statement."""
SOME = [m for m in CATALOGUE.values() if m.example is not None and not m.remark and m.id not in SEARCHED]
SOME = [m for m in SOME if zlib.crc32(m.id.encode()) % 3 == 0]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """One process for all programs."""
    path = tmp_path_factory.mktemp("examples") / "program.py"
    path.write_text("")
    with Trials(Runs(ProgramFile(path, ""), Wishes(stand=path.parent))) as made:
        yield made


@pytest.mark.parametrize("mistake", SOME, ids=lambda mistake: mistake.id)
def test_an_example_is_wrong_and_its_correction_has_the_name(mistake: Mistake, trials: Trials) -> None:
    example = mistake.example
    assert example is not None
    right, wrong = (
        trials.recorded({"program.py": text}, 20, rounds=2) for text in (example.right_text, example.wrong_text)
    )
    assert right is not None and wrong is not None
    assert judged(right).verdict == "right"
    verdict = judged(wrong)
    assert verdict.verdict == "wrong"
    assert name_of(example, verdict, right) == mistake.id
