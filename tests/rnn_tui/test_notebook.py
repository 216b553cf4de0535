"""In notebooks and beside files of other people: short texts, the same pictures, no hanging cell, nothing of ours shadowed."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import rnn_tui
from engine import Debugger, Network, View, record
from engine.recording.tape import Tape
from rnn_tui import terminal
from rnn_tui.notebook import NotebookView, html_at, html_of

ROOT = Path(__file__).parents[2]
X, Y = np.random.default_rng(1).normal(size=(4, 6, 2)), np.array([0, 1, 1, 0])
NETWORK = Network(inputs=2, hidden=5, outputs=2)


def drawn_in(page: str | None) -> str:
    """The picture of a page: an image, which a notebook that is opened again shows although it is not trusted with more."""
    assert page is not None
    found = re.search(r'<img [^>]*src="data:image/svg\+xml;base64,([\w+/=]+)">', page)
    assert found is not None
    return base64.b64decode(found[1]).decode()


def test_a_recording_is_a_line_and_in_a_notebook_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = record(NETWORK, X, Y)
    assert repr(tape) == f"<Tape: rnn tanh 2→5→2, T = 6, 4 samples, loss {tape.loss:.6g}>"
    assert repr(NETWORK) == "<Network: rnn tanh 2→5→2, last, cross-entropy, float64>"
    assert tape._repr_html_() is None, "nothing that draws was imported for a notebook"
    monkeypatch.setattr(Tape, "drawn", html_of)
    page = tape._repr_html_()
    assert "&lt;Tape: rnn tanh" in page and "‖da‖" in drawn_in(page) and "fill: #" in drawn_in(page)
    assert len(page) < 150_000


def test_a_debugger_is_a_line_and_in_a_notebook_its_point(monkeypatch: pytest.MonkeyPatch) -> None:
    debugger = Debugger(NETWORK, X, Y)
    assert repr(debugger).startswith("<Debugger: start, of <Tape: rnn")
    debugger.finish()
    assert repr(debugger.view).startswith("<View: iteration 0, forward, t = 6, p, of <Tape: rnn")
    assert repr(debugger.program) == "<Program: 16 lines, T = 6>"
    assert debugger._repr_html_() is None
    monkeypatch.setattr(View, "drawn", html_at)
    page = debugger._repr_html_()
    assert "forward, t = 6, p" in page and "‖da‖" in drawn_in(page)


def test_debug_in_a_notebook_returns_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1)))
    shown = rnn_tui.debug(NETWORK, X, Y)
    assert isinstance(shown, NotebookView)
    assert len(repr(shown)) < 120
    assert "‖da‖" in drawn_in(shown._repr_html_())


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
