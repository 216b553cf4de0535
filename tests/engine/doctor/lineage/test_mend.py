"""The line to blame and what it should be: verified by running the corrected program."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage.mend import blamed
from engine.doctor.lineage.verdict import judged
from tests.engine.doctor.lineage.programs import TAGGER, changed, line_of, runs_of


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        ("later = W.T @ dz", "later = W @ dz", "transpose"),
        ("dh = V.T @ dy + later", "dh = V.T @ dy", "term-missing"),
        ("db += dz", "db = dz", "accumulation"),
        ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh * (1 - np.tanh(hs[t + 1]) ** 2)", "derivative"),
    ],
)
def test_one_line(tmp_path: Path, right: str, wrong: str, kind: str) -> None:
    text = changed(TAGGER, (right, wrong))
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    found = blamed(runs, record, judged(record))
    assert [(b.line, b.verified) for b in found] == [(line_of(text, wrong), True)]
    assert found[0].id == kind
