"""A program that stops at its first slip is followed on with repairs in memory, and everything that is wrong in it comes in one report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.doctor.diagnose import diagnose
from engine.doctor.lineage.record.running import Runs
from engine.doctor.repair.followed import CERTAIN, SEEN, Followed, followed_on
from engine.doctor.repair.seen import SeenRun
from engine.doctor.report.report import text
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from tests.engine.doctor.lineage.programs import NO_READ_OUT
from tests.engine.doctor.repair import first_tries
from tests.engine.doctor.repair.first_tries import marked


def written(tmp_path: Path, program: str) -> Runs:
    path = tmp_path / "mine.py"
    path.write_text(program)
    return Runs(ProgramFile(path, program), Wishes())


def found(followed: Followed | None) -> set[tuple[int, str]]:
    assert followed is not None
    return {(slip.line, slip.id) for slip in followed.slips}


@pytest.mark.parametrize("name", ["GLOBALS", "COLUMNS", "SAMPLES", "METHODS"])
def test_every_slip_is_found_with_its_line(name: str, tmp_path: Path) -> None:
    program, wanted = marked(getattr(first_tries, name))
    runs = written(tmp_path, program)
    followed = followed_on(runs)
    assert found(followed) == wanted
    assert followed is not None
    assert followed.last.failed is None
    assert runs.program.path.read_text() == program


def test_one_report_in_the_order_of_the_file(tmp_path: Path) -> None:
    program, wanted = marked(first_tries.NESTED)
    runs = written(tmp_path, program)
    report = diagnose(runs.program.path)
    findings = report.to_json()["diagnoses"]
    assert [(f["line"], f["id"]) for f in findings] == sorted(wanted)
    assert report.verdict == "cannot-run"
    lines = program.split("\n")
    stop = next(n for n, line in enumerate(lines, 1) if "astype(np.float)" in line)
    assert report.reason_line == stop
    assert {f["id"]: f["after"] for f in findings}["numpy-name-gone"] is None
    assert {f["id"]: f["after"] for f in findings}["misspelt-name"] == stop
    assert json.dumps(report.to_json())
    said = text(report)
    assert said.index("[output-width]") < said.index("[local-hides-outer]") < said.index("[numpy-name-gone]")
    assert f"(seen after line {stop} is repaired)" in said
    assert "is right" not in said.replace("is not right", "")
    assert "'all'" not in said  # what stands in the text only in memory


def test_a_slip_in_the_mathematics_is_wrong(tmp_path: Path) -> None:
    program = NO_READ_OUT.replace("h[t].T @ d", "h[t] @ d")
    report = diagnose(written(tmp_path, program).program.path)
    assert [d.id for d in report.diagnoses] == ["misfit"]
    assert report.diagnoses[0].fix == "dW += h[t].T @ d"
    assert report.verdict == "wrong"


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("print('loss %d %f' % (3, total))", "print('loss %d %f' % (3, total.item()))"),
        ("print('loss %f' % (0.5 * total))", "print('loss %f' % ((0.5 * total).item()))"),
        ("losses[0] = total", "losses[0] = total.item()"),
        ("losses.append(float(total))", "losses.append(float(total.item()))"),
    ],
)
def test_an_array_of_one_number_is_made_that_number(line: str, fix: str, tmp_path: Path) -> None:
    program = f"""
import numpy as np
W = np.ones((4, 1))
losses, total = {"[]" if "append" in line else "np.zeros(2)"}, np.ones((1, 4)) @ W
{line}
"""
    followed = followed_on(written(tmp_path, program))
    assert found(followed) == {(5, "array-for-number")}
    assert followed is not None
    assert (followed.slips[0].fix, followed.last.failed) == (fix, None)


def test_the_matrix_is_turned_where_the_other_factor_is_none(tmp_path: Path) -> None:
    """A vector on either side, and three axes in front of it."""
    for wrong, fix in (("v @ W", "v @ W.T"), ("W @ u", "W.T @ u"), ("many @ W", "many @ W.T")):
        program = f"""
import numpy as np
W, u, v, many = np.ones((4, 3)), np.ones(4), np.ones(3), np.ones((5, 2, 3))
made = {wrong}
print(made)
"""
        followed = followed_on(written(tmp_path, program))
        assert followed is not None
        assert [slip.fix for slip in followed.slips] == [f"made = {fix}"]


def test_what_cannot_be_repaired_is_left_alone(tmp_path: Path) -> None:
    program = NO_READ_OUT + "raise ValueError('no more')\n"
    runs = written(tmp_path, program)
    assert followed_on(runs) is None
    outcome, told = runs.seen()
    assert told is not None
    seen = SeenRun(program, outcome, told)
    assert [slip for kind in (*CERTAIN, *SEEN) for slip in kind(seen)] == []


def test_a_program_that_runs_is_not_repaired(tmp_path: Path) -> None:
    assert followed_on(written(tmp_path, NO_READ_OUT)) is None


def test_a_line_is_told_with_all_its_repairs(tmp_path: Path) -> None:
    """A misspelt name beside a width that another line's repair changes, too: written as told, the program runs."""
    program, _ = marked(first_tries.NESTED.replace("C - eta * np", "C - etta * np"))
    followed = followed_on(written(tmp_path, program))
    assert followed is not None
    (told,) = [s.fix for s in followed.slips if s.id == "misspelt-name" and "etta" in s.title]
    assert "C - eta * np.dot(" in told
    assert ", window)" not in told


HELPER = """
import numpy as np

def loaded():
    rng = np.random.default_rng(1)
    return rng.normal(size=(3, 5, 2)).astype(np.float), rng.normal(size=(5, 4))

def step(W, dW, eta):
    W -= etta * dW
"""


def test_slips_in_the_files_that_it_imports_are_repaired_too(tmp_path: Path) -> None:
    """Both are told with their file, the mistake in the program's own file as seen after they are repaired, and nothing is written."""
    program = NO_READ_OUT.replace(
        "x, y = rng.normal(size=(3, 5, 2)), rng.normal(size=(5, 4))", "x, y = helper.loaded()"
    )
    program = program.replace("import numpy as np\n", "import numpy as np\nimport helper\n").replace("d @ W.T", "d @ W")
    program = program.replace("V -= 0.1 * dV", "helper.step(V, dV, 0.1)").replace(
        "W -= 0.1 * dW", "helper.step(W, dW, 0.1)"
    )
    runs = written(tmp_path, program)
    (tmp_path / "helper.py").write_text(HELPER)
    report = diagnose(runs.program.path)
    assert report.verdict == "cannot-run"
    assert [(d.place.shown, d.id, d.fix) for d in report.diagnoses if d.place is not None] == [
        (
            "line 6 of helper.py",
            "numpy-name-gone",
            "return rng.normal(size=(3, 5, 2)).astype(float), rng.normal(size=(5, 4))",
        ),
        ("line 9 of helper.py", "misspelt-name", "W -= eta * dW"),
        ("line 18", "wa-not-transposed", "dh = d @ W.T"),
    ]
    said = text(report)
    assert said.startswith("mine.py: it stops at line 6 of helper.py; with repairs in memory it was followed on")
    assert "(seen after line 6 of helper.py is repaired)" in said
    assert (tmp_path / "helper.py").read_text() == HELPER


FUNCTIONS = """
import numpy as np

def rnn_forward(x, h0, Wx, Wh):
    h = np.zeros((x.shape[0] + 1, *h0.shape), dtype=np.float)
    h[0] = h0
    for t in range(x.shape[0]):
        h[t + 1] = np.tanh(x[t] @ Wx + h[t] @ Wh)
    return h, (x, h, Wx, Wh)

def rnn_backward(dh, cache):
    x, h, Wx, Wh = cache
    dWx, dWh = np.zeros_lik(Wx), np.zeros_like(Wh)
    dprev = np.zeros_like(h[0])
    for t in reversed(range(x.shape[0])):
        dz = (dh[t + 1] + dprev) * (1 - h[t + 1] ** 2)
        dWx += x[t].T @ dz
        dWh += h[t].T @ dzz
        dprev = dz @ Wh.T
    return dWx, dWh, dprev + dh[0]
"""


def test_functions_that_nothing_runs_are_repaired_too(tmp_path: Path) -> None:
    """Nor does a run that is repaired and ends before it calls them."""
    report = diagnose(written(tmp_path, f"{FUNCTIONS}\nsteps = np.int(3)\ntext = open('gone.txt')\n").program.path)
    assert report.verdict == "cannot-run"
    assert [(d.place.line, d.id) for d in report.diagnoses if d.place is not None] == [
        (5, "numpy-name-gone"),
        (13, "misspelt-name"),
        (18, "misspelt-name"),
        (22, "numpy-name-gone"),
    ]
    assert any("with these repairs" in note and "gone.txt" in note for note in report.notes)
    assert {name: each.ok for name, each in report.parameters.items()} == {"Wx": True, "Wh": True, "h0": True}
    assert text(report).startswith("mine.py: it stops at line 22; with repairs in memory it was followed on")
    wrong = diagnose(written(tmp_path, FUNCTIONS.replace("dz @ Wh.T", "dz @ Wh")).program.path)
    assert wrong.verdict == "cannot-run"
    assert [d.fix for d in wrong.diagnoses][-1] == "dprev = dz @ Wh.T"
    assert text(wrong).startswith("mine.py: it cannot run as it is; with repairs in memory it was followed on")
