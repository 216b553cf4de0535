"""Programs in Python 2 are converted where a converter is installed, and no line of them moves."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.doctor.diagnose import FROM_PYTHON_2
from engine.doctor.read import python2
from engine.doctor.read.source import read_source
from engine.doctor.recording.division import floored
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


def test_a_tab_beside_spaces_goes_to_the_next_column_of_eight() -> None:
    pytest.importorskip("fissix")
    new = python2.converted("def f(x):\n    if x:\n\tprint x\n        return 1\n")
    assert new == "def f(x):\n    if x:\n        print(x)\n        return 1\n"
    assert python2.converted("if 1:\n\tx = 1\n        y = 2\n") is None  # in Python 3 it is a mistake


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
    inside = tmp_path / "inside"  # the module lies above the program's folder
    inside.mkdir()
    path = inside / "old.py"
    path.write_text(f"import halves\nassert halves.of(9) == 9 / 2 == 4\nprint 'hello'\n{BACKWARD}")
    (tmp_path / "halves.py").write_text("def of(n):\n    print n\n    return n / 2\n")
    report = examine(path)
    assert (report.verdict, report.notes[-1]) == ("correct", FROM_PYTHON_2)
    assert not any("fails" in note for note in report.notes)


def test_a_notebook_of_python_2_is_converted_in_its_cells(tmp_path: Path) -> None:
    pytest.importorskip("fissix")
    cells = [{"cell_type": "code", "source": text} for text in ("import numpy\n%matplotlib inline", "print 'x', 1 / 2")]
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    source = read_source(path)
    assert (source.from_python_2, source.cells, source.line(3)) == (True, (1, 3), "print('x', 1 / 2)")


def test_whole_numbers_are_divided_without_a_remainder() -> None:
    text = "a, b, c = 7 / 2, 7.0 / 2, np.arange(4) / 3\nd = [9]\nd[0] /= 2\ne = np.ones(2)\ne /= 4\nf = np.arange(3)\nf /= 2\n"
    space: dict[str, Any] = {"np": np}
    exec(compile(floored(ast.parse(text)), "program", "exec"), space)
    assert [space[name] for name in "abd"] == [3, 3.5, [4]]
    assert [space[name].tolist() for name in "cef"] == [[0, 0, 0, 1], [0.25, 0.25], [0, 0, 1]]
    exec(compile(floored(ast.parse("from __future__ import division\na = 7 / 2\n")), "program", "exec"), space)
    assert space["a"] == 3.5
