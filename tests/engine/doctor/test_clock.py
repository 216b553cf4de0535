"""What the doctor says does not depend on how fast the machine is: only the user's own program has a limit in time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.doctor.diagnose import diagnose
from engine.doctor.report.report import text
from engine.doctor.run.launch import Wishes
from tests.engine.doctor.lineage.programs import TAGGER, changed

CLOCKS = ("process_time", "monotonic", "perf_counter", "time")
SLOWER = "import time; own = {{n: getattr(time, n) for n in {}}}; [setattr(time, n, lambda f=f: {} * f()) for n, f in own.items()]"
"""The first line of a program: all clocks of its process go so many times faster, as if it took so many times longer."""


def told(folder: Path, times: int) -> tuple[object, ...]:
    """All that is said of a wrong program, but for how it was run."""
    wrong = changed(
        TAGGER,
        ("\nimport numpy", f"{SLOWER.format(CLOCKS, times)}\nimport numpy"),
        ("later = W.T @ dz", "later = W @ dz"),
    )
    path = folder / "mine.py"
    path.write_text(wrong, encoding="utf-8")
    report = diagnose(path, wishes=Wishes(stand=folder, options={"rounds": 1}))
    assert report.diagnoses
    return report.verdict, report.diagnoses, report.parameters, report.meanings, report.conventions, text(report)


def test_a_machine_eight_times_slower_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = told(tmp_path, 1)
    for name in CLOCKS:
        own = getattr(time, name)
        monkeypatch.setattr(time, name, lambda own=own: 8 * own())
    assert told(tmp_path, 8) == at_once
