"""How the doctor meets code: clipping at the end, loops over the wrong axis that fail, notebooks' cells, functions inside tests."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

import engine.doctor
from engine.doctor import assert_backward_correct
from engine.doctor.report.report import text
from tests.engine.doctor.lineage.programs import changed
from tests.engine.doctor.reports import examine
from tests.engine.doctor.styles import characters

CLIP = "    np.clip(dparam, -5, 5, out=dparam) # clip to mitigate exploding gradients"
BY_NORM = """    pass
  norm = np.sqrt(sum(np.sum(g ** 2) for g in (dWxh, dWhh, dWhy, dbh, dby)))
  if norm > 0.5:
    for g in (dWxh, dWhh, dWhy, dbh, dby): g *= 0.5 / norm"""


@pytest.mark.parametrize("clip", ["    np.clip(dparam, -0.5, 0.5, out=dparam)", BY_NORM], ids=["value", "norm"])
def test_clipping_at_the_end_raises_no_alarm(tmp_path: Path, clip: str) -> None:
    path = tmp_path / "characters.py"
    path.write_text(changed(characters.SOURCE, (CLIP, clip)))
    assert examine(path).verdict == "correct"


def test_clipping_at_the_end_hides_no_name(tmp_path: Path) -> None:
    path = tmp_path / "characters.py"
    turned = (characters.NEXT, "dhnext = np.dot(Whh, dhraw)")
    path.write_text(changed(characters.SOURCE, (CLIP, BY_NORM), turned))
    assert [finding.id for finding in examine(path).diagnoses] == ["wa-not-transposed"]


SCRIPT = """
import numpy as np
rng = np.random.default_rng(0)
X, y = rng.normal(size=(6, 4, 2)), np.array([0, 1, 1, 0, 1, 0])
Wx, Wa, Wy = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
samples, steps, _ = X.shape
for epoch in range(100):
    a = [np.zeros((samples, 3))]
    for t in range(steps):
        a.append(np.tanh(X[:, t] @ Wx + a[-1] @ Wa))
    p = np.exp(a[-1] @ Wy)
    p /= p.sum(axis=1, keepdims=True)
    delta = (p - np.eye(2)[y]) / samples
    dWy = a[-1].T @ delta
    dWx, dWa = np.zeros_like(Wx), np.zeros_like(Wa)
    da = delta @ Wy.T
    for t in range(steps, 0, -1):
        dz = da * (1 - a[t] ** 2)
        dWx += X[:, t - 1].T @ dz
        dWa += a[t - 1].T @ dz
        da = dz @ Wa.T
    Wx, Wa, Wy = Wx - 0.1 * dWx, Wa - 0.1 * dWa, Wy - 0.1 * dWy
"""


def test_an_index_that_fails_names_the_loop_over_the_wrong_axis(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.replace("for t in range(steps, 0, -1):", "for t in range(samples, 0, -1):"))
    report = examine(path)
    assert "IndexError" in report.reason
    (finding,) = report.diagnoses
    assert finding.id == "loop-over-wrong-axis"
    assert finding.place is not None
    assert finding.place.source == "for t in range(samples, 0, -1):"
    path.write_text(SCRIPT[: SCRIPT.index("    dWy =")].replace("range(100)", "range(1)"))
    assert examine(path).verdict == "cannot-run"  # a forward pass alone is not wrong


def test_a_line_of_a_notebook_is_told_by_its_cell(tmp_path: Path) -> None:
    wrong = SCRIPT.replace("dz @ Wa.T", "dz @ Wa").replace("import numpy as np\n", "")
    path = notebook(tmp_path, "import numpy as np", wrong.strip(), "x = 1\nprint('half")
    told = text(examine(path))
    assert "cell 2, line 19:  da = dz @ Wa" in told
    assert "a cell was left out: cell 3, line 2 is not Python" in re.sub(r"\n *", " ", told)
    # also where gradients were made, what is taken for the loss, and the line before
    assert "gradient of         place" in told and re.search(r"\n  Wx +WRONG +2:17 ", told)
    assert not [
        found
        for found in re.finditer(r"(.{8})\bline \d+", told.replace("\n", " "))
        if not re.search(r"cell \d+, $", found[1])
    ]


def notebook(folder: Path, *cells: str) -> Path:
    path = folder / "book.ipynb"
    made = [{"cell_type": "code", "source": source} for source in cells]
    path.write_text(json.dumps({"cells": made, "nbformat": 4}))
    return path


def test_a_cell_that_is_no_python_is_the_reason_where_the_others_decide_nothing(tmp_path: Path) -> None:
    report = examine(notebook(tmp_path, "rate = 0.1", "def backward(h:\n    return h"))
    assert report.verdict == "cannot-run"
    assert report.reason.startswith("a cell was left out: cell 2, line 1 is not Python")
    assert examine(notebook(tmp_path, "def backward(h:\n    return h")).reason.startswith(
        "cell 1, line 1 is not Python"
    )


INSIDE = """
import numpy as np
from engine.doctor.helper import assert_backward_correct

def test_it() -> None:
    factor = 1.0

    def states(X, Wx, Wa):
        found = [np.zeros((len(X), len(Wa)))]
        for t in range(X.shape[1]):
            found.append(np.tanh(X[:, t] @ Wx + found[-1] @ Wa))
        return found

    def backward(X, y, Wx, Wa, Wy):
        a = states(X, Wx, Wa)
        p = np.exp(a[-1] @ Wy) / np.exp(a[-1] @ Wy).sum(axis=1, keepdims=True)
        delta = factor * (p - np.eye(Wy.shape[1])[y]) / len(X)
        dWx, dWa, da = np.zeros_like(Wx), np.zeros_like(Wa), delta @ Wy.T
        for t in reversed(range(X.shape[1])):
            dz = da * (1 - a[t + 1] ** 2)
            dWx += X[:, t].T @ dz
            dWa += a[t].T @ dz
            da = dz @ Wa.T
        return dWx, dWa, a[-1].T @ delta

    assert_backward_correct(backward)
"""


def test_functions_defined_inside_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_of_mine.py").write_text(INSIDE)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("test_of_mine").test_it()
    with pytest.raises(TypeError, match="no name in its file"):
        assert_backward_correct(lambda X, y: None)


def test_what_the_doctor_hands_out() -> None:
    assert {"Report", "assert_backward_correct"} == set(engine.doctor.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        engine.doctor.nothing  # noqa: B018
