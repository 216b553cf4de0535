"""In notebooks and beside files of other people: short texts, the same pictures, no hanging cell, nothing of ours shadowed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import rnn_tui
from engine import Network, record
from engine.recording.tape import Tape
from rnn_tui import terminal
from rnn_tui.notebook import NotebookView, html_of

ROOT = Path(__file__).parents[2]
X, Y = np.random.default_rng(1).normal(size=(4, 6, 2)), np.array([0, 1, 1, 0])
NETWORK = Network(inputs=2, hidden=5, outputs=2)


def test_a_recording_is_a_line_and_in_a_notebook_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = record(NETWORK, X, Y)
    assert repr(tape) == f"<Tape: rnn tanh 2→5→2, T = 6, 4 samples, loss {tape.loss:.6g}>"
    assert repr(NETWORK) == "<Network: rnn tanh 2→5→2, last, cross-entropy, float64>"
    assert tape._repr_html_() is None, "nothing that draws was imported for a notebook"
    monkeypatch.setattr(Tape, "drawn", html_of)
    page = tape._repr_html_()
    assert page is not None
    assert "‖da‖" in page and "background-color: #" in page and "<script" not in page
    assert len(page) < 100_000


def test_debug_in_a_notebook_returns_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1)))
    shown = rnn_tui.debug(NETWORK, X, Y)
    assert isinstance(shown, NotebookView)
    assert len(repr(shown)) < 120
    assert "‖da‖" in shown._repr_html_()


def test_a_cell_that_takes_no_keys_and_windows_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    told = terminal.problem({"JPY_PARENT_PID": "7", "TERM": "xterm-color"}, None, None, None)
    assert told is not None
    assert "a notebook's cell takes no keys" in told
    monkeypatch.setattr(sys, "platform", "win32")
    told = terminal.problem({}, None, None, None)
    assert told is not None
    assert "WSL" in told


def test_an_engine_of_the_users_own_shadows_nothing_and_stays_theirs(tmp_path: Path) -> None:
    (tmp_path / "engine.py").write_text("X = 7\n", encoding="utf-8")
    (tmp_path / "use.py").write_text(
        "import engine\nimport rnn_tui\n"
        "try:\n    rnn_tui.debug(None, [[1.0]], [0])\nexcept Exception as error:\n    print(type(error).__name__)\n"
        "import engine as again\nprint(engine.X, again is engine)\n",
        encoding="utf-8",
    )
    environ = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = [
        subprocess.run([sys.executable, *rest], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        for rest in (["use.py"], ["-m", "rnn_tui", "--version"])
    ]
    assert done[0].stdout == "InputError\n7 True\n", done[0].stderr
    assert done[1].stdout.startswith("rnn-tui "), done[1].stderr


@pytest.mark.parametrize("package", ["engine", "rnn_tui"])
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
