"""What `rnn_tui.terminal` says about streams and environments, without a terminal."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from rnn_tui import terminal
from rnn_tui.terminal import color_mode, prepare_environment, problem

GOOD = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


class Stream(io.StringIO):
    """A text stream of which only two properties matter here."""

    def __init__(self, tty: bool = True, encoding: str = "utf-8") -> None:
        super().__init__()
        self._tty = tty
        self._encoding = encoding

    @property
    def encoding(self) -> str:
        return self._encoding

    def isatty(self) -> bool:
        return self._tty


TTY = Stream()
PIPE = Stream(tty=False)


def test_a_good_terminal_has_no_problem():
    assert problem(GOOD, TTY, TTY, TTY) is None


@pytest.mark.parametrize(
    ("stdout", "stderr", "which"), [(PIPE, TTY, "output"), (TTY, PIPE, "error"), (None, TTY, "output")]
)
def test_output_that_is_no_terminal_names_the_commands_that_need_none(stdout, stderr, which):
    why = problem(GOOD, TTY, stdout, stderr)
    assert why is not None
    assert f"standard {which}" in why
    assert "rnn-tui trace" in why


def test_closed_output_is_no_terminal():
    closed = io.StringIO()
    closed.close()
    assert "standard output" in (problem(GOOD, TTY, closed, TTY) or "")


@pytest.mark.parametrize(("environ", "said"), [({}, "TERM is not set"), ({"TERM": "dumb"}, "TERM is dumb")])
def test_terminals_that_cannot_draw(environ, said):
    assert said in (problem(environ, TTY, TTY, TTY) or "")


@pytest.mark.parametrize("stdin", [PIPE, None])
def test_piped_input_is_fine_while_the_terminal_can_be_opened(stdin, monkeypatch, tmp_path):
    tty = tmp_path / "tty"
    tty.touch()
    monkeypatch.setattr(terminal, "TTY", str(tty))
    assert problem(GOOD, stdin, TTY, TTY) is None
    tty.unlink()
    assert "keys" in (problem(GOOD, stdin, TTY, TTY) or "")


@pytest.mark.parametrize(
    ("locale", "encoding", "works"),
    [
        ({"LC_ALL": "de_DE.ISO-8859-1"}, "iso8859-1", False),
        ({"LANG": "en_US"}, "iso8859-1", False),
        ({"LC_ALL": "de_DE.ISO-8859-1"}, "utf-8", True),  # PYTHONUTF8=1
        ({"LC_ALL": "C"}, "ascii", True),  # PYTHONIOENCODING=ascii
        ({}, "ascii", True),
        ({"LC_ALL": "", "LANG": "en_US.utf8"}, "ascii", True),
        ({"LC_CTYPE": "UTF-8"}, "ascii", True),  # macOS
        ({"LC_ALL": "de_DE.ISO-8859-1", "LANG": "C.UTF-8"}, "ascii", False),
    ],
)
def test_encodings(locale, encoding, works):
    why = problem({"TERM": "xterm", **locale}, TTY, TTY, Stream(encoding=encoding))
    assert (why is None) == works
    assert works or "LC_ALL=C.UTF-8" in why


@pytest.mark.parametrize(
    ("environ", "mode"),
    [
        ({"TERM": "xterm"}, "16"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "vt220"}, "16"),
        ({}, "16"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-kitty"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, "truecolor"),
        ({"TERM": "xterm-direct"}, "truecolor"),
        ({"TERM": "xterm", "COLORTERM": "yes"}, "16"),
        ({"TERM": "screen", "COLORTERM": "truecolor"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "STY": "1.tty"}, "256"),
        ({"TERM": "screen-256color", "COLORTERM": "truecolor", "TMUX": "/tmp/t"}, "truecolor"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "256"),
    ],
)
def test_color_mode_follows_the_environment(environ, mode):
    assert color_mode("auto", environ) == mode


@pytest.mark.parametrize("choice", ["truecolor", "256", "16", "none"])
def test_an_explicit_choice_of_colors_wins(choice):
    assert color_mode(choice, {"TERM": "screen", "NO_COLOR": "1", "STY": "1", "COLORTERM": "truecolor"}) == choice


@pytest.mark.parametrize("mode", ["truecolor", "256", "16", "none"])
def test_textual_draws_in_the_mode_prepared_for(mode):
    environ = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "", "TEXTUAL_COLOR_SYSTEM": "nonsense"}
    if mode == "truecolor":
        environ.pop("COLORTERM")
    prepare_environment(mode, environ)
    program = (
        "from textual.app import App; app = App(); print(app.console.color_system, app.no_color, 'COLORTERM' in "
        "__import__('os').environ)"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    system = {"truecolor": "truecolor", "256": "256"}.get(mode, "standard")
    assert done.stdout.split() == [system, str(mode == "none"), str(mode == "truecolor")]


def test_importing_it_loads_neither_textual_nor_rich_nor_numpy():
    program = (
        "import rnn_tui.terminal, sys; print([m for m in ('textual', 'rich', 'numpy', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
