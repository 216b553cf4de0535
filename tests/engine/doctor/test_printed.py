"""The programs that `rnn-tui code` prints are right: the doctor says so, or that it cannot tell, but never that they are wrong."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from engine.doctor.diagnose import diagnose
from rnn_tui.cli import main

DATA = {
    "cross-entropy": "x1,x2,x3,y\n0.3,-0.8,0.5,a\n-0.6,0.2,0.9,b\n0.7,0.4,-0.1,c\n-0.2,-0.5,0.6,a\n",
    "binary": "x1,x2,x3,y\n0.3,-0.8,0.5,0\n-0.6,0.2,0.9,1\n0.7,0.4,-0.1,1\n-0.2,-0.5,0.6,0\n",
    "squared": "x1,x2,x3,y\n0.3,-0.8,0.5,1.2\n-0.6,0.2,0.9,-0.4\n0.7,0.4,-0.1,0.7\n-0.2,-0.5,0.6,0.1\n",
}


def verdict(tmp_path: Path, *arguments: str) -> str:
    """The doctor's verdict on the program printed for these arguments."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["code", *arguments]) == 0
    path = tmp_path / "printed.py"
    path.write_text(printed.getvalue())
    return diagnose(path).verdict


@pytest.mark.parametrize(
    ("sample", "notation", "expected"),
    [
        ("many_to_one", "wildml", "correct"),
        ("many_to_one", "karpathy", "correct"),
        ("dying_relu", "goodfellow", "correct"),
        ("many_to_one", "pytorch", "cannot-run"),
        ("reber", "ng", "cannot-run"),  # its strings end early
    ],
)
def test_a_sample_s_program_is_not_called_wrong(tmp_path: Path, sample: str, notation: str, expected: str) -> None:
    assert verdict(tmp_path, sample, "--notation", notation) == expected


@pytest.mark.parametrize(
    ("cell", "loss", "notation", "expected"),
    [
        ("rnn", "binary", "ng", "correct"),
        ("rnn", "squared", "goodfellow", "correct"),
        ("lstm", "cross-entropy", "ng", "correct"),
        ("lstm", "squared", "ng", "correct"),
        ("lstm", "binary", "wildml", "cannot-run"),
        ("gru", "binary", "ng", "correct"),
        ("gru", "binary", "karpathy", "cannot-run"),
        ("gru", "squared", "goodfellow", "cannot-run"),
    ],
)
def test_a_cell_s_program_is_not_called_wrong(
    tmp_path: Path, cell: str, loss: str, notation: str, expected: str
) -> None:
    data = tmp_path / "data.csv"
    data.write_text(DATA[loss])
    given = ("--cell", cell, "--loss", loss, "--hidden", "3", "--notation", notation)
    assert verdict(tmp_path, str(data), *given) == expected
