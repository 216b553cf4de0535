"""The user's own run is asked first, then the functions; one report says what was run and compared, and what was not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.codegen import program_text
from engine.doctor.diagnose import NOTHING_RUNS, TOO, _joined, diagnose, of_functions
from engine.doctor.lineage.gradients.unseen import NOTHING_CAME
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.verdict.meant import GROWS
from engine.doctor.mending.trials import trying
from engine.doctor.opening import open_walk
from engine.doctor.read.source import read_source
from engine.doctor.report import own_run_report, repaired_report
from engine.doctor.report.own_run_report import NOT_OF_THE_GUESS, OwnRun, examine_own_run
from engine.doctor.report.report import Report, text
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from engine.session import open_session
from rnn_tui.cli import main
from rnn_tui.panes.program.source import gradients_told
from tests.engine.doctor.lineage.programs import ADDING, LONG, NO_READ_OUT, TAGGER, changed, line_of
from tests.engine.doctor.lineage.trained import network

LAYER = """
import numpy as np


def rnn_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    h, prev, cache = np.zeros((N, T, len(b))), h0, []
    for t in range(T):
        new = np.tanh(x[:, t] @ Wx + prev @ Wh + b)
        cache.append((x[:, t], prev, new, Wx, Wh))
        h[:, t] = prev = new
    return h, cache


def rnn_backward(dh, cache):
    N, T, H = dh.shape
    D = cache[0][0].shape[1]
    dx, dprev = np.zeros((N, T, D)), np.zeros((N, H))
    dWx, dWh, db = np.zeros((D, H)), np.zeros((H, H)), np.zeros(H)
    for t in reversed(range(T)):
        x, prev, new, Wx, Wh = cache[t]
        dz = (dh[:, t] + dprev) * (1 - new ** 2)
        dWx += x.T @ dz
        dWh += prev.T @ dz
        db += dz.sum(axis=0)
        dx[:, t] = dz @ Wx.T
        dprev = dz @ Wh.T
    return dx, dprev, dWx, dWh, db
"""
TRAINED = """

rng = np.random.default_rng(0)
x, y = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4, 5))
Wx, Wh, b = rng.normal(size=(2, 5)), rng.normal(size=(5, 5)), np.zeros(5)
for step in range(9):
    h, cache = rnn_forward(x, np.zeros((3, 5)), Wx, Wh, b)
    loss = 0.5 * np.sum((h - y) ** 2)
    _, _, dWx, dWh, db = rnn_backward(h - y, cache)
    Wx -= 0.1 * dWx
    Wh -= 0.1 * dWh
    b -= 0.1 * db
"""


def report_on(folder: Path, source: str) -> Report:
    path = folder / "mine.py"
    path.write_text(source, encoding="utf-8")
    return diagnose(path, wishes=Wishes(stand=folder))


def test_a_right_run_is_the_verdict_with_what_was_compared(tmp_path: Path) -> None:
    shown = "import numpy as np, nowhere_a\nfrom nowhere_b import table; nowhere_a.enable(); print(table([1]))"
    source = changed(LONG, ("import numpy as np\n", shown))
    report = report_on(tmp_path, source)
    told = report.to_json()
    assert told["verdict"] == "correct"
    assert told["run"]["stubs"] == ["nowhere_a", "nowhere_b"]
    assert told["function"] is None
    assert "python mine.py" in told["run"]["command"]
    assert "first updates" in told["run"]["stopped"]
    line = line_of(TAGGER, "loss -= np.log")
    assert told["loss"] == {"line": line, "source": "loss -= np.log(ps[-1][label])", "assumed": None}
    assert set(told["parameters"]) == {"U", "W", "V", "b", "c"}
    assert told["parameters"]["W"]["line"] == line_of(TAGGER, "dW += np.outer")
    assert told["not_compared"] == []
    assert all(len(line) <= 80 for line in text(report).splitlines())


def test_a_wrong_run_has_its_line_and_the_line_as_it_should_be(tmp_path: Path) -> None:
    source = changed(TAGGER, ("later = W.T @ dz", "later = W @ dz"))
    report = report_on(tmp_path, source)
    (finding,) = report.to_json()["diagnoses"]
    assert (report.verdict, report.exit_code) == ("wrong", 1)
    assert (finding["id"], finding["line"], finding["fix"]) == (
        "wa-not-transposed",
        line_of(source, "later = W @ dz"),
        "later = W.T @ dz",
    )
    assert text(report).startswith("mine.py: the backward pass is wrong\n")
    forward = f"line {line_of(source, 'hs.append(np.tanh')}, t = 4"
    assert f"    line {line_of(source, 'later = W')}: later should be dL/d hs through {forward}\n" in text(report)
    first = next(row for row in report.to_json()["meanings"] if row["name"] == "dh")
    assert (first["is"], first["line"], first["t"]) == (f"dL/d hs of {forward}", line_of(source, "dh = "), 4)


def test_an_error_of_the_doctors_own_takes_nothing_from_what_is_known_without_that_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise KeyError("\x1bmade on purpose")

    for step in ("blamed", "remarks", "Meanings"):
        monkeypatch.setattr(own_run_report, step, broken)
    report = report_on(tmp_path, changed(TAGGER, ("dU += np.outer(dz, xs[t])", "dU += np.outer(dh, xs[t])")))
    assert (report.verdict, report.exit_code, report.diagnoses) == ("wrong", 1, ())
    assert [name for name, each in report.parameters.items() if not each.ok] == ["U"]
    doing = ["looked for the correction", "looked for remarks", "looked up what the lines make"]
    assert [note.partition(" (")[0] for note in report.notes] == [
        f"the doctor itself failed when it {d}" for d in doing
    ]
    assert all("made on purpose'; test_diagnose.py, line " in note and "report this" in note for note in report.notes)
    assert "\x1b" not in text(report)

    monkeypatch.setattr(own_run_report, "judged", broken)
    monkeypatch.setattr(repaired_report, "overwritten", broken)
    report = report_on(tmp_path, NO_READ_OUT)
    assert (report.verdict, report.exit_code) == ("cannot-run", 2)
    assert "the doctor itself failed when it judged the run (KeyError" in report.reason
    assert ["what is overwritten" in note for note in report.notes] == [True]


def test_where_nothing_runs_the_functions_are_called_and_all_that_they_return_counts(tmp_path: Path) -> None:
    right = report_on(tmp_path, LAYER)
    assert right.verdict == "correct"
    assert NOTHING_RUNS in right.notes
    assert right.run is None
    for old, new, name in (
        ("dz @ Wx.T", "2 * dz @ Wx.T", "x"),
        ("return dx, dprev,", "return dx, np.zeros((N, H)),", "h0"),
    ):
        wrong = report_on(tmp_path, changed(LAYER, (old, new)))
        assert wrong.verdict == "wrong"
        assert [n for n, each in wrong.parameters.items() if not each.ok] == [name]


def test_what_the_run_lacks_is_a_condition_and_the_functions_are_examined(tmp_path: Path) -> None:
    report = report_on(tmp_path, LAYER + "\n\ntext = open('novel.txt').read()\n")
    assert report.verdict == "correct"
    assert any("novel.txt" in note and "line" in note for note in report.notes)


@pytest.mark.parametrize("line", ["x = np.ones(3) + np.ones(4)", "from a_module_that_nobody_has import x; print(x())"])
def test_an_exception_is_a_condition_where_nothing_else_can_be_said(tmp_path: Path, line: str) -> None:
    report = report_on(tmp_path, f"import numpy as np\n{line}\n")
    assert (report.verdict, report.exit_code) == ("cannot-run", 2)
    assert "line 2" in report.reason


def test_a_forward_pass_alone_is_told_what_writes_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\nW = np.random.randn(3, 3)\nloss = np.sum(np.tanh(np.random.randn(4, 3) @ W) ** 2)\nprint(loss)\n"
    )
    report = diagnose(path)
    assert report.verdict == "cannot-run"
    assert report.notes[-1] == "rnn-tui derive mine.py writes a backward pass that is missing"


def test_an_exception_on_arguments_that_were_made_up_is_never_wrong(tmp_path: Path) -> None:
    report = report_on(
        tmp_path, changed(LAYER, ("x, prev, new, Wx, Wh = cache[t]", "x, prev, new, Wx, Wh = cache[t][9]"))
    )
    assert report.verdict == "cannot-run"


def test_arguments_reach_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        changed(TAGGER, ("import numpy as np\n", "import sys\nimport numpy as np\nassert sys.argv[1] == '--deep'\n"))
    )
    assert main(["doctor", str(path), "--limit", "30s", "--json", "--", "--deep"]) == 0
    assert json.loads(capsys.readouterr().out)["run"]["command"].endswith("mine.py --deep")


def test_zeros_beside_zeros_are_not_compared(tmp_path: Path) -> None:
    """With three units of ReLU and these weights all units are off: every gradient but one is zero, as it should be."""
    report = report_on(tmp_path, program_text(open_session(None, {"cell": "rnn", "hidden": 3})))
    assert (report.verdict, report.exit_code) == ("undecided", 2)
    assert not {"Wx", "Wa", "ba", "Wy"} & report.parameters.keys()


def test_lines_of_a_helper_module_beyond_the_programs_own_last_one_are_no_calls_of_ours(tmp_path: Path) -> None:
    """Arrays that are assigned there are not what a call of the doctor's own returned."""
    text = network(training="")
    step = "def step():\n    inputs, targets = batch()\n    _, *grads = passes(inputs, targets, np.zeros((H, 1)))\n"
    step += "    for w, d in zip((Wxh, Whh, Why, bh, by), grads):\n        w -= 0.1 * d\n    shown = np.outer(d, d)\n"
    (tmp_path / "helper.py").write_text(text + step)
    path = tmp_path / "main.py"
    path.write_text("from helper import step\n\nfor _ in range(50):\n    step()\n")
    assert diagnose(path).verdict == "correct"


def test_what_the_functions_say_of_one_does_not_settle_another_that_the_run_left_open() -> None:
    left = (("Net.backward", NOTHING_CAME),)
    own = OwnRun(Report("undecided", "mine.py", not_compared=left), f"Net.backward: {NOTHING_CAME}", compared=True)
    told = {
        name: _joined(own, Report("correct", "mine.py", function=name)).verdict for name in ("Net.backward", "other")
    }
    assert told == {"Net.backward": "correct", "other": "undecided"}
    grows = replace(own, report=replace(own.report, not_compared=(("U", GROWS.format(9)),)))
    assert _joined(grows, Report("correct", "mine.py", function="Net.backward")).verdict == "undecided"


def test_a_script_that_computes_no_loss_is_not_called_wrong_for_one_that_was_guessed(tmp_path: Path) -> None:
    """Read as binary cross-entropy at the last step its gradients are wrong; it descends the squared error at every step."""
    source = changed(ADDING, ("rng.randint(0, 2, 5)", "[int(b) for b in rng.randint(0, 2, 5)]"))
    assert report_on(tmp_path, source).verdict != "wrong"


def test_gradients_of_none_of_the_losses_that_were_guessed_are_not_called_wrong_until_it_is_known(
    tmp_path: Path,
) -> None:
    source = changed(TAGGER, ("loss -= np.log(ps[-1][label])", "pass"), ("dy = ps[t].copy()", "dy = 3 * ps[t]"))
    path = tmp_path / "mine.py"
    path.write_text(source, encoding="utf-8")
    own = examine_own_run(Runs(ProgramFile(path, source), Wishes(stand=tmp_path)), read_source(path))
    assert (own.report.verdict, own.report.parameters) == ("undecided", {})
    assert own.reason.endswith("is a guess: --loss says what it is")
    assert {why for _, why in own.report.not_compared} == {NOT_OF_THE_GUESS}
    known = Wishes(stand=tmp_path, loss="cross-entropy")
    known_run = Runs(ProgramFile(path, source), known)
    assert examine_own_run(known_run, read_source(path), mend=False).report.verdict == "wrong"


def test_a_file_is_right_only_if_every_backward_pass_in_it_is(tmp_path: Path) -> None:
    unlike = "\n\ndef other_backward(dout, cache):\n    return cache.lookup(dout)[::-1]\n"
    report = report_on(tmp_path, LAYER + unlike)
    assert report.verdict == "undecided"
    assert report.reason.startswith("rnn_backward is right; other_backward: it could not be called: ")
    assert [name for name, _ in report.not_compared] == ["other_backward"]


EACH_OVERWRITES = """import numpy as np

rng = np.random.default_rng(2)
X, y, T = rng.normal(size=(6, 4, 2)), np.array([0, 1, 1, 0, 1, 0]), 4
Wx, Wa, Wy = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
states, outputs = {0: np.zeros((1, 3))}, []
for sample in X:
    for t in range(T):
        states[t + 1] = np.tanh(states[t] @ Wa + sample[t : t + 1] @ Wx)
    scores = states[T] @ Wy
    outputs.append((np.exp(scores) / np.exp(scores).sum())[0])
delta = np.array(outputs) - np.eye(2)[y]
dWx, dWa, dWy = np.zeros_like(Wx), np.zeros_like(Wa), np.zeros_like(Wy)
for n in range(len(X)):
    dWy += states[T].T @ delta[n : n + 1]
    da = delta[n : n + 1] @ Wy.T
    for t in range(T, 0, -1):
        dz = da * (1 - states[t] ** 2)
        dWa += states[t - 1].T @ dz
        dWx += X[n, t - 1].reshape(2, 1) @ dz
        da = dz @ Wa.T
"""


def test_where_a_gradient_was_made_in_another_file_is_told_with_that_file(tmp_path: Path) -> None:
    begin = TAGGER.index("def forward")
    end = TAGGER.index("for step in range")
    (tmp_path / "passes.py").write_text("from weights import *\n\n\n" + TAGGER[begin:end])
    (tmp_path / "weights.py").write_text(TAGGER[:begin])
    path = tmp_path / "mine.py"
    path.write_text("from passes import *\n\n" + TAGGER[end:])
    report = diagnose(path)
    assert report.verdict == "correct"
    places = {each.where for each in report.parameters.values()}
    assert len(places) > 1 and all(place.startswith("passes.py:") for place in places)
    assert "gradient of" in text(report) and "passes.py:2" in text(report)


def test_a_correction_that_only_the_functions_show_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its own run, in which no edit is tried here, only the lines are known to which its wrong gradients lead."""
    path, whole = tmp_path / "mine.py", trying.WORK

    def with_all_edits(*arguments: Any, **named: Any) -> Report:
        monkeypatch.setattr(trying, "WORK", whole)
        return of_functions(*arguments, **named)

    monkeypatch.setattr(trying, "WORK", 0)
    monkeypatch.setattr("engine.doctor.diagnose.of_functions", with_all_edits)
    path.write_text(changed(LAYER, ("(1 - new ** 2)", "(1 - np.tanh(new) ** 2)")) + TRAINED)
    report = diagnose(path)
    assert report.verdict == "wrong"
    assert [found.id for found in report.diagnoses] == ["tanh-derivative-of-activation"]
    assert report.run is not None and report.run["ended"] == "stopped" and TOO in report.notes


def test_a_program_in_which_every_sample_overwrites_the_states(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(EACH_OVERWRITES)
    report = diagnose(path)
    assert (report.verdict, [(d.id, d.place and d.place.line) for d in report.diagnoses]) == (
        "wrong",
        [("last-sample-only", 9)],
    )
    assert "with each sample's kept, its gradients are right" in report.notes
    assert "  with each sample's kept:\n  gradient of " in text(report)
    opened = open_walk(path).report
    assert (opened.verdict, opened.diagnoses) == ("wrong", report.diagnoses), "the app says what the doctor says"
    assert gradients_told(opened).startswith("with each sample's kept, gradients right: ")


def test_a_backward_pass_that_has_not_run_is_no_part_of_a_right_verdict(tmp_path: Path) -> None:
    """A second network that the file trains later is named."""
    later = "\nclass Gated:\n    def backward(self, error):\n        self.dW = 2.0 * error\n"
    (tmp_path / "mine.py").write_text(LONG.replace("\nfor step", later + "\nfor step", 1))
    report = diagnose(tmp_path / "mine.py", None, Wishes(stand=tmp_path))
    assert report.verdict == "correct"
    assert report.notes[-1].endswith("no part of this verdict: Gated.backward")


STEPS = """
import numpy as np
rng = np.random.default_rng(0)
W, V = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
for step in range(9):
    x, y = rng.normal(size=3), rng.normal(size=2)
    h = np.tanh(W @ x)
    e = V @ h - y
    loss = 0.5 * np.sum(e**2)
    dz = (V.T @ e) * (1 - h**2)
    V -= np.outer(0.1 * e, h)
    W -= np.outer(0.1 * dz, x)
"""


def test_a_rate_in_the_step_itself_is_no_factor_of_a_gradient(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(STEPS)
    report = diagnose(tmp_path / "mine.py", None, Wishes(stand=tmp_path))
    assert report.verdict == "correct"
    assert report.conventions["gradients"] == "the steps of all are 0.1 times dL/d(parameter)"
