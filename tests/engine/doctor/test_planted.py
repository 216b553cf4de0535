"""The whole doctor on a few planted programs; all of them are the business of `make doctor-score`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.doctor.planted import STYLES, pairs
from tests.engine.doctor.reports import STEPPED, report_on
from tests.engine.doctor.score import Outcome
from tests.engine.doctor.styles.style import Style, plant

SAMPLE = (
    ("columns with caches", "wa-applied-twice"),
    ("vectorised, transposed weights", "dwy-wrong-state"),
    ("globals, characters", "delta-sign"),
    ("per-sample lists", "delta-without-target"),
)


def written(folder: Path, source: str) -> Path:
    path = folder / "mine.py"
    path.write_text(source)
    return path


@pytest.mark.parametrize("style", [style for style in STYLES if style not in STEPPED], ids=lambda style: style.name)
def test_a_correct_program_raises_no_alarm(style: Style, tmp_path: Path) -> None:
    report = report_on(written(tmp_path, style.source))
    assert (report.verdict, report.diagnoses) == ("correct", ())


@pytest.mark.parametrize(("name", "id"), SAMPLE)
def test_a_planted_mistake_is_found_named_and_placed(name: str, id: str, tmp_path: Path) -> None:
    style = next(style for style in STYLES if style.name == name)
    planted = plant(style, id, style.plants[id][0])
    outcome = Outcome(planted, report_on(written(tmp_path, planted.source)), 0)
    assert outcome.found and outcome.named and outcome.placed


def test_two_planted_mistakes_are_corrected_one_after_the_other(tmp_path: Path) -> None:
    style = next(style for style in STYLES if style.name == "columns with caches")
    (planted, *_) = pairs(style, 1)
    assert planted.ids == ("overwritten-not-accumulated", "last-step-skipped")
    outcome = Outcome(planted, report_on(written(tmp_path, planted.source)), 0)
    assert outcome.found and outcome.named and outcome.placed
