"""The programs that `rnn-tui code` prints are right, in every notation: the doctor says so, and finds what is then made wrong in them."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from engine.doctor import Report
from rnn_tui.cli import main
from tests.engine.doctor.reports import examine

DATA = {
    "cross-entropy": "x1,x2,x3,y\n0.3,-0.8,0.5,a\n-0.6,0.2,0.9,b\n0.7,0.4,-0.1,c\n-0.2,-0.5,0.6,a\n",
    "binary": "x1,x2,x3,y\n0.3,-0.8,0.5,0\n-0.6,0.2,0.9,1\n0.7,0.4,-0.1,1\n-0.2,-0.5,0.6,0\n",
    "squared": "x1,x2,x3,y\n0.3,-0.8,0.5,1.2\n-0.6,0.2,0.9,-0.4\n0.7,0.4,-0.1,0.7\n-0.2,-0.5,0.6,0.1\n",
}


def printed(*arguments: str) -> str:
    """The program printed for these arguments."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main(["code", *arguments]) == 0
    return output.getvalue()


def report(tmp_path: Path, *arguments: str) -> Report:
    """The doctor's report on it."""
    path = tmp_path / "printed.py"
    path.write_text(printed(*arguments))
    return examine(path)


@pytest.mark.parametrize(
    ("sample", "notation"),
    [
        ("many_to_one", "wildml"),
        ("many_to_one", "pytorch"),
        ("dying_relu", "goodfellow"),
        ("reber", "ng"),  # its strings end early
        ("reber", "karpathy"),
    ],
)
def test_a_sample_s_program_is_right(tmp_path: Path, sample: str, notation: str) -> None:
    found = report(tmp_path, sample, "--notation", notation)
    assert (found.verdict, found.reason) == ("correct", "")


@pytest.mark.parametrize(
    ("cell", "loss", "notation"),
    [
        ("rnn", "binary", "ng"),
        ("rnn", "squared", "pytorch"),
        ("lstm", "cross-entropy", "pytorch"),
        ("lstm", "squared", "goodfellow"),
        ("lstm", "binary", "wildml"),
        ("gru", "binary", "karpathy"),
        ("gru", "squared", "goodfellow"),
        ("gru", "cross-entropy", "ng"),
    ],
)
def test_a_cell_s_program_is_right(tmp_path: Path, cell: str, loss: str, notation: str) -> None:
    data = tmp_path / "data.csv"
    data.write_text(DATA[loss])
    found = report(tmp_path, str(data), "--cell", cell, "--loss", loss, "--hidden", "3", "--notation", notation)
    assert (found.verdict, found.reason) == ("correct", "")


def test_a_program_in_single_precision_is_compared_as_such(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text(DATA["squared"])
    given = ("--cell", "lstm", "--hidden", "3", "--dtype", "float32")
    assert report(tmp_path, str(data), *given).verdict == "correct"
