"""Programs in Python 2 are converted where a converter is installed, and no line of them moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.diagnose import FROM_PYTHON_2
from engine.doctor.read import python2
from tests.engine.doctor.reports import examine
from tests.engine.doctor.test_hostile import BACKWARD

OLD = """
import cPickle as pickle
for i in xrange(2):
    print 'iter %d' % i,
    print "loss", \\
        0.5
try:
    d = {'a': 1}
    print d.has_key('a'), d.keys()[0]
except ValueError, error:
    raise KeyError, error
"""


def test_what_is_no_python_2_is_left_alone() -> None:
    assert python2.converted("print(1)\n") is None
    assert python2.converted("this is no Python at all\n") is None


def test_python_2_becomes_python_3_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fissix")
    new = python2.converted(OLD)
    assert new is not None
    assert new.count("\n") == OLD.count("\n")
    assert new.splitlines()[3] == "    print('iter %d' % i, end=' ')"
    exec(compile(new, "program", "exec"), {})
    assert capsys.readouterr().out == "iter 0 loss 0.5\niter 1 loss 0.5\nTrue a\n"


def test_what_would_move_lines_is_not_converted() -> None:
    pytest.importorskip("fissix")
    assert python2.converted("from urllib import urlopen, quote\nprint 'x'\n") is None


def test_a_program_of_python_2_is_examined_as_converted_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.py"
    path.write_text(f"print 'hello'\n{BACKWARD}")
    monkeypatch.setattr(python2, "is_convertible", lambda: False)
    report = examine(path)
    assert (report.verdict, report.reason_line) == ("cannot-run", 1)
    assert "is Python 2" in report.reason
    monkeypatch.undo()
    pytest.importorskip("fissix")
    report = examine(path)
    assert (report.verdict, report.notes[-1]) == ("correct", FROM_PYTHON_2)
