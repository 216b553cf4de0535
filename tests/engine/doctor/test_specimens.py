"""Programs as people write them, right ones and wrong ones, through the whole doctor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.doctor import assert_backward_correct
from engine.doctor.lineage.record.running import Runs
from engine.doctor.made_up import examine_functions
from engine.doctor.read.source import read_source
from engine.doctor.report.own_run_report import examine_own_run
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from engine.session import open_session
from tests.engine.doctor.reports import STEPPED_SPECIMENS, assert_called_right, examine, report_on
from tests.engine.doctor.specimens import forward_beside, stateful_class

SPECIMENS = Path(__file__).parent / "specimens"
NOT_CALLED = "lstm_with_bias_row"
"""Its one method takes what another one returns in an order that no guess has."""
RIGHT = sorted(
    path.stem for path in SPECIMENS.glob("*.py") if path.stem not in ("__init__", NOT_CALLED, *STEPPED_SPECIMENS)
)


def changed(tmp_path: Path, name: str, old: str = "", new: str = "") -> Path:
    """A specimen with one line changed, or none, in a folder of its own: what lies beside a program is copied for each run."""
    text = (SPECIMENS / f"{name}.py").read_text()
    assert old in text
    path = tmp_path / f"{name}.py"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_called_right(name: str, tmp_path: Path) -> None:
    """Among them optimizers that keep states, a gradient that begins as a penalty or has one added, `p - y` as dL/d(-y)."""
    assert_called_right(report_on(changed(tmp_path, name)))


@pytest.mark.parametrize(
    ("name", "old", "new", "ids"),
    [
        ("forward_beside", "dh = dz @ W_rec.T", "dh = dz @ W_rec", {"wa-not-transposed"}),
        ("updates_itself", "d_h = self.Whh.T @ temp", "d_h = self.Whh @ temp", {"wa-not-transposed"}),
        ("script_rows", "for t in range(T, 0, -1):", "for t in range(N, 0, -1):", {"loop-over-wrong-axis"}),
    ],
)
def test_one_changed_line_is_named_and_placed(tmp_path: Path, name: str, old: str, new: str, ids: set[str]) -> None:
    path = changed(tmp_path, name, old, new)
    report = report_on(path)
    assert report.verdict == "wrong"
    assert {finding.id for finding in report.diagnoses} == ids
    (line,) = [k for k, text in enumerate(path.read_text().splitlines(), 1) if new in text]
    places = [finding.place for finding in report.diagnoses]
    assert [place.line for place in places if place] == [line]
    json.dumps(report.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("script_columns", "da = Waa.T.dot(dz)", "da = Waa.dot(dz)", ("wa-not-transposed", 34)),
        ("script_each_sample", "ds = W.T @ dz", "ds = W @ dz", ("wa-not-transposed", 29)),
        (
            "script_rows",
            "dh = dz @ W_hh.T",
            "W_hh -= 0.1 * dW_hh; dh = dz @ W_hh.T",
            ("weights-updated-during-backward", 54),
        ),
        ("binary_addition", "dot(synapse_h.T)", "dot(synapse_h)", ("wa-not-transposed", 74)),
    ],
)
def test_a_run_alone_names_and_places_it(tmp_path: Path, name: str, old: str, new: str, told: tuple[str, int]) -> None:
    source = read_source(changed(tmp_path, name, old, new))
    report = examine_own_run(Runs(ProgramFile(source.path, source.text), Wishes()), source).report
    assert report.verdict == "wrong"
    assert [(finding.id, finding.place and finding.place.line) for finding in report.diagnoses] == [told]


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("word_class", "self.W.T.dot(delta_t)", "self.W.dot(delta_t)", ("wa-not-transposed", 51)),
        ("trains_inside", "da = dz.dot(Wa.T)", "da = dz.dot(Wa)", ("wa-not-transposed", 33)),
        ("unnamed", "ga += sig[t].T @ d", "ga = sig[t].T @ d", ("overwritten-not-accumulated", 21)),
        ("regression_flat", "for t in range(T, 0, -1):", "for t in range(T, 1, -1):", ("first-step-skipped", 16)),
        ("squared_sigmoid", "d = 2 * (out - y)", "d = 2 * (y - out)", ("delta-sign", 16)),
        ("layers_of_steps", "grads[i] += grad", "grads[i] = grad", ("overwritten-not-accumulated", 68)),
        ("token_rows", "dh *= 1 - h[t + 1] ** 2", "dh *= 1 - h[t] ** 2", ("activation-derivative-wrong-step", 26)),
    ],
)
def test_calls_alone_name_and_place_it(tmp_path: Path, name: str, old: str, new: str, told: tuple[str, int]) -> None:
    (report,) = examine_functions(read_source(changed(tmp_path, name, old, new)), None, Wishes())
    assert report.verdict == "wrong"
    assert [(finding.id, finding.place and finding.place.line) for finding in report.diagnoses] == [told]


def test_gradients_that_a_method_keeps_are_seen_in_its_second_call_only(tmp_path: Path) -> None:
    path = changed(tmp_path, "stateful_class", "        self.d_W_hh = np.zeros(self.W_hh.shape)\n", "")
    made = "        self.b_y = np.zeros((output_size, 1))\n"
    path.write_text(path.read_text().replace(made, f"{made}        self.d_W_hh = 0 * self.W_hh\n"))
    assert {finding.id for finding in examine(path).diagnoses} == {"gradients-not-reset"}


def test_the_corrected_line_is_in_the_users_own_names(tmp_path: Path) -> None:
    report = report_on(changed(tmp_path, "forward_beside", "dh = dz @ W_rec.T", "dh = dz @ W_rec"))
    assert report.diagnoses[0].fix == "dh = dz @ W_rec.T"


def test_what_cannot_be_called_is_said_to_be_so() -> None:
    report = report_on(SPECIMENS / f"{NOT_CALLED}.py")
    assert report.verdict == "cannot-run"
    assert "could not be called" in report.reason


def test_what_a_script_prints_is_kept_apart(capfd: pytest.CaptureFixture[str]) -> None:
    assert examine(SPECIMENS / "script_columns.py").verdict == "correct"
    assert capfd.readouterr() == ("", "")


def test_a_notebook_is_its_code_cells_without_magics(tmp_path: Path) -> None:
    text = (SPECIMENS / "forward_beside.py").read_text()
    cells = [
        {"cell_type": "markdown", "source": ["# not code\n"]},
        {
            "cell_type": "code",
            "source": [
                "%matplotlib inline\n",
                "!ls\n",
                "pip install numpy\n",
                "?np.dot",
            ],
        },
        {
            "cell_type": "code",
            "source": [
                "  print('loss of %s'\n",
                "        % 'the network')",
            ],
        },
        {"cell_type": "code", "source": text},
    ]
    path = tmp_path / "book.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    assert_called_right(examine(path))


@pytest.mark.parametrize("name", ["many_to_one", "dying_relu", "exploding", "temporal_order"])
def test_programs_that_code_prints_are_right(tmp_path: Path, name: str) -> None:
    from engine.codegen import program_text

    path = tmp_path / "printed.py"
    path.write_text(program_text(open_session(name, {})))
    assert examine(path).verdict == "correct"


def test_the_helper_says_what_the_doctor_says(tmp_path: Path) -> None:
    assert_backward_correct(forward_beside.backward)
    assert_backward_correct(stateful_class.SimpleRNN)
    path = changed(tmp_path, "forward_beside", "dh = dz @ W_rec.T", "dh = dz @ W_rec")
    space: dict[str, object] = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    with pytest.raises(AssertionError, match="not transposed"):
        assert_backward_correct(space["backward"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="in no file"):
        assert_backward_correct(len)
