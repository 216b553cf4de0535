"""The commands doctor and compare: what they print, and with which exit code they end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError
from engine.session import open_session
from rnn_tui.cli import main

SPECIMEN = Path(__file__).parents[1] / "engine/doctor/specimens/forward_beside.py"


def test_right_code_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(SPECIMEN)]) == 0
    assert "the backward pass is right" in capsys.readouterr().out


def test_wrong_code_ends_with_1_and_is_json_for_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SPECIMEN.read_text().replace("dh = dz @ W_rec.T", "dh = dz @ W_rec"))
    assert main(["doctor", str(path), "--function", "backward", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "wrong"
    assert report["loss_matches"] is True
    (diagnosis,) = report["diagnoses"]
    assert diagnosis["id"] == "wa-not-transposed"
    assert diagnosis["source"] == "dh = dz @ W_rec"
    assert set(report["parameters"]["W_rec"]) == {"ok", "line", "max_relative_error", "cosine", "norm_ratio"}


def test_what_cannot_run_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def backward(X, y:\n")
    assert main(["doctor", str(path)]) == 2
    assert "is not Python" in capsys.readouterr().out
    with pytest.raises(InputError):
        main(["doctor", str(tmp_path / "missing.py")])


def test_the_help_says_that_the_file_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    assert "FILE is run, with your rights" in " ".join(capsys.readouterr().out.split())


def test_compare_ends_with_1_where_an_array_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tape = open_session(None, {}).debugger.tape(0)
    np.savez(tmp_path / "mine.npz", dWhh=tape["dWa"])
    assert main(["compare", str(tmp_path / "mine.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "correct"
    np.savez(tmp_path / "mine.npz", dWhh=tape["dWa"].T)
    capsys.readouterr()
    np.savez(tmp_path / "mine.npz", dWhh=2 * tape["dWa"])
    assert main(["compare", str(tmp_path / "mine.npz"), "many_to_one"]) == 1
    assert "dWhh should be dWa" in capsys.readouterr().out
