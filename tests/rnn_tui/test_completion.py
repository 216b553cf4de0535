"""What a shell offers after Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnn_tui.completion import files


def test_files_go_on_from_what_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine.csv", ".hidden", "data/my.npz"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert files("") == ["data/", "mine.csv"]
    assert files(".") == [".hidden"]
    assert files("m") == ["mine.csv"]
    assert files("data/") == files("data/my") == ["data/my.npz"]
    assert files("nowhere/x") == []


def offered(line: str, folder: Path) -> list[str]:
    """What a shell is told, with its line and cursor in the environment and the answer on descriptor 8."""
    asked = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n"}
    answer = folder / "answer"
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        **asked,
    }
    subprocess.run(
        [sys.executable, "-c", "from rnn_tui.cli import entry; entry()"], env=environ, cwd=folder, check=True
    )
    return [word.strip() for word in answer.read_text().splitlines()]


def test_each_command_is_completed_by_its_own_parser(tmp_path: Path) -> None:
    pytest.importorskip("argcomplete")
    (tmp_path / "vain.csv").touch()
    assert offered("rnn-tui va", tmp_path) == ["vanishing", "vain.csv"]
    assert offered("rnn-tui che", tmp_path) == ["check"]
    assert offered("rnn-tui check --cell l", tmp_path) == ["lstm", "lstmp", "layernorm", "leaky", "lru"]
    assert offered("rnn-tui shot dz@7 --vi", tmp_path) == ["--view"]
    assert offered("rnn-tui learn fl", tmp_path) == ["flows"]
    assert offered("rnn-tui vanishing --hidden ", tmp_path) == []
