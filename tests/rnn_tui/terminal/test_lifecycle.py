"""How the app ends and what it leaves behind, in a real terminal. The app is victim.py."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from textual import constants

from engine.errors import InputError
from rnn_tui.terminal.lifecycle import TerminalApp
from rnn_tui.terminal.signals import ENDING
from tests.tmux import ROOT, Tmux, tmux

__all__ = ["tmux"]  # the fixture

VICTIM = "python -m tests.rnn_tui.terminal.victim"
READY = re.compile(r"ready pid=(\d+)")


def started(terminal: Tmux, command: str = VICTIM, **options) -> int:
    """Start the victim and wait for its screen; its process id."""
    terminal.start(command, **options)
    return victim_pid(terminal.wait_for(READY))


def victim_pid(screen: str) -> int:
    found = READY.search(screen)
    assert found
    return int(found[1])


def assert_usable(terminal: Tmux) -> None:
    """The modes of the terminal and of its line discipline are those of a fresh shell."""
    screen = terminal.wait_for("[end]")
    state = terminal.state()
    assert (state["alternate_on"], state["mouse_any_flag"], state["cursor_flag"]) == (0, 0, 1)
    modes = screen.split()
    assert {"echo", "icanon", "isig", "iexten", "icrnl", "ixon"} <= set(modes)


def wait_for_modes(terminal: Tmux, wanted: tuple[int, int, int]) -> None:
    """Wait for (alternate_on, mouse_any_flag, cursor_flag): they change one after the other, in no time but not at once."""

    def reached(_: str) -> bool:
        state = terminal.state()
        return (state["alternate_on"], state["mouse_any_flag"], state["cursor_flag"]) == wanted

    terminal.wait_for(reached)


def test_while_it_runs_the_terminal_is_in_another_state(tmux):
    # Otherwise `assert_usable` could not fail.
    terminal = tmux()
    started(terminal)
    state = terminal.state()
    assert (state["alternate_on"], state["mouse_any_flag"], state["cursor_flag"]) == (1, 1, 0)


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("7", 7)])
def test_quitting_returns_the_apps_code(tmux, key, code):
    terminal = tmux()
    started(terminal)
    terminal.keys(key)
    assert terminal.wait_for_exit() == code
    assert_usable(terminal)
    assert "ready" not in terminal.screen()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_it_cleanly(tmux, number):
    terminal = tmux()
    os.kill(started(terminal), number)
    assert terminal.wait_for_exit() == 128 + number
    assert f"returned {128 + number}" in terminal.screen()  # not ended by force
    assert_usable(terminal)


def test_every_signal_that_would_end_it_is_handled():
    # What the system does for a signal that nobody handles: signal(7). Those of a fault in the interpreter are its own.
    ending = "INT TERM HUP QUIT ABRT ALRM USR1 USR2 VTALRM PROF XCPU"
    assert {f"SIG{name}" for name in ending.split()} == {number.name for number in ENDING}


def test_a_driver_that_cannot_be_loaded_is_said(monkeypatch):
    for driver in ("nosuch:Driver", "", "os:path", "os"):
        monkeypatch.setattr(constants, "DRIVER", driver)
        with pytest.raises(InputError, match=r"TEXTUAL_DRIVER=.* is no driver"):
            TerminalApp()


def test_ctrl_c_is_a_key_and_does_not_quit(tmux):
    terminal = tmux()
    started(terminal)
    terminal.keys("C-c", "c")
    assert "[exit" not in terminal.wait_for("count 1")
    assert terminal.state()["alternate_on"] == 1


@pytest.mark.parametrize("writable", [True, False])
def test_a_crash_exits_2_and_says_in_one_line_where_the_report_is(tmux, tmp_path, writable):
    terminal, home = tmux(), tmp_path if writable else Path("/proc/nowhere")
    started(terminal, width=300, height=50, environ={"XDG_STATE_HOME": str(home)})
    terminal.keys("x")
    assert terminal.wait_for_exit() == 2
    assert_usable(terminal)
    screen = terminal.screen()
    told = home / "rnn-tui" / "crash.txt"
    report = told.read_text() if writable else screen
    assert re.search(r"rnn-tui: an error of its own ended it \(RuntimeError, victim.py, line \d+\)", screen)
    assert (f"without your data, that is in {told}" in screen) == writable
    assert screen.splitlines().index("[exit 2]") <= 3 or not writable  # an empty line, and what the victim says
    assert "victim.py" in report and "in action_crash" in report and "numpy" in report
    assert not re.search(
        "on purpose|crashed on|local variable", screen + report
    )  # neither messages nor values nor lines of files


def test_a_thread_that_never_ends_is_not_waited_for(tmux):
    terminal = tmux()
    started(terminal)
    terminal.keys("h")
    terminal.wait_for("hangs")
    terminal.keys("7")
    assert terminal.wait_for_exit(timeout=5) == 7
    assert_usable(terminal)


@pytest.mark.parametrize("signals", [1, 2])
def test_a_blocked_app_dies_of_the_signal_and_leaves_the_terminal_usable(tmux, signals):
    terminal = tmux()
    pid = started(terminal)
    terminal.keys("b")
    terminal.wait_for("blocked")
    asked = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    if signals == 2:
        time.sleep(0.1)  # two pending signals of a kind are one
        os.kill(pid, signal.SIGTERM)
    assert terminal.wait_for_exit(timeout=5) == 128 + signal.SIGTERM
    assert (time.monotonic() - asked > 1.9) == (signals == 1)
    assert "returned" not in terminal.screen()
    assert_usable(terminal)


def in_a_shell(terminal: Tmux, command: str = VICTIM) -> int:
    """Start the victim from an interactive shell, which has job control."""
    terminal.start("PS1='shell> ' sh -i")
    terminal.wait_for("shell>")
    terminal.type(f"{command}\n")
    return victim_pid(terminal.wait_for(READY))


def test_suspended_and_continued_the_screen_is_all_there(tmux):
    terminal = tmux()
    in_a_shell(terminal)
    terminal.keys("c")
    before = terminal.wait_for("count 1")
    terminal.keys("C-z")
    terminal.wait_for("shell>")
    wait_for_modes(terminal, (0, 0, 1))
    terminal.type("fg\n")
    terminal.wait_for(lambda screen: screen == before)
    terminal.keys("c")
    terminal.wait_for("count 2")
    terminal.keys("q")
    terminal.wait_for("shell>")
    terminal.type("exit\n")
    assert terminal.wait_for_exit() == 0
    assert_usable(terminal)


def test_stopped_from_outside_and_continued(tmux):
    terminal = tmux()
    pid = in_a_shell(terminal)
    os.kill(pid, signal.SIGSTOP)
    terminal.type("\n")
    terminal.wait_for("shell>")
    # What other programs may do to the terminal in the meantime.
    terminal.type("stty sane; printf '\\033[?1049l\\033[?25h\\033[?1000l\\033[?1003l'; clear; echo be''side\n")
    terminal.wait_for("beside")
    terminal.type("fg\n")
    terminal.wait_for(lambda screen: "ready" in screen and "quiet" in screen and "beside" not in screen)
    wait_for_modes(terminal, (1, 1, 0))
    terminal.keys("c", "c", "c")
    terminal.wait_for("count 3")
    terminal.keys("q")
    terminal.wait_for("shell>")
    terminal.type("exit\n")
    terminal.wait_for_exit()
    assert_usable(terminal)


def test_sigcont_while_it_shuts_down_does_not_bring_the_screen_back(tmux):
    # `timeout` and systemd send one right after SIGTERM.
    terminal = tmux()
    pid = started(terminal)
    terminal.keys("s")
    terminal.wait_for(lambda _: terminal.state()["alternate_on"] == 0)
    os.kill(pid, signal.SIGCONT)
    assert terminal.wait_for_exit() == 0
    assert_usable(terminal)


def test_ended_while_suspended_it_does_not_come_back(tmux):
    terminal = tmux()
    in_a_shell(terminal)
    terminal.keys("C-z")
    terminal.wait_for("shell>")
    terminal.type("kill %1; bg; wait %1; echo co''de=$?\n")
    screen = terminal.wait_for(f"code={128 + signal.SIGTERM}")
    assert "shell> python -m" in screen  # nothing was cleared or drawn over
    terminal.type("exit\n")
    terminal.wait_for_exit()
    assert_usable(terminal)


def test_sigcont_right_after_sigterm(tmux):
    terminal = tmux()
    pid = started(terminal)
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    assert terminal.wait_for_exit() == 128 + signal.SIGTERM
    assert "returned" in terminal.screen()
    assert_usable(terminal)


def test_piped_input_is_read_and_keys_still_work(tmux):
    terminal = tmux()
    started(terminal, f"echo from a pipe | {VICTIM}")
    terminal.wait_for("from a pipe")
    terminal.keys("c")
    terminal.wait_for("count 1")
    terminal.keys("q")
    assert terminal.wait_for_exit() == 0
    assert_usable(terminal)


def test_closed_input(tmux):
    terminal = tmux()
    started(terminal, f"{VICTIM} <&-")
    terminal.keys("q")
    assert terminal.wait_for_exit() == 0
    assert_usable(terminal)


@pytest.mark.parametrize("environ", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_characters_survive_an_ascii_stderr(tmux, environ):
    terminal = tmux()
    started(terminal, environ=environ)
    screen = terminal.wait_for("red ▀█ ±")
    assert READY.search(screen) and "Error" not in screen
    terminal.keys("q")
    assert terminal.wait_for_exit() == 0


@pytest.mark.parametrize(
    ("choice", "red"), [("truecolor", "48;2;255;0;0"), ("256", "48;5;196"), ("16", "41"), ("none", None)]
)
def test_the_screen_is_drawn_in_the_colors_chosen(tmux, choice, red):
    terminal = tmux()
    started(terminal, f"{VICTIM} {choice}")
    codes = re.findall(r"\x1b\[([\d;]*)m", terminal.screen(colors=True))
    if red is None:
        assert not [code for code in codes if re.search(r"(^|;)(3[0-8]|4[0-8]|9\d|10\d)(;|$)", code)]
        assert any(code in ("7", "0;7") for code in codes)  # the background that stands out
        assert any(code in ("1", "0;1") for code in codes)
    else:
        assert red in codes


def test_a_closed_terminal_ends_it_even_if_sighup_is_ignored():
    process, master = in_a_pty_ignoring_hangup()
    try:
        read_until(master, b"ready")
        os.close(master)
        assert process.wait(timeout=5) in (128 + signal.SIGHUP, -signal.SIGHUP)
    finally:
        process.kill()  # or it would spin for ever


def test_without_any_terminal_there_is_one_sentence():
    command = [sys.executable, "-m", "tests.rnn_tui.terminal.victim"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"needs a terminal" in done.stderr


# Not a preexec_fn: Python warns of forking while the test runner has threads.
TAKE_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "tests.rnn_tui.terminal.victim"])
"""


def in_a_pty_ignoring_hangup() -> tuple[subprocess.Popen[bytes], int]:
    """The victim in a session of its own on a pseudo-terminal; its process and the terminal's other end."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL],
        cwd=ROOT,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(slave)
    return process, master


def read_until(descriptor: int, wanted: bytes) -> None:
    seen = b""
    with contextlib.suppress(OSError):
        while wanted not in seen:
            seen += os.read(descriptor, 65536)
    assert wanted in seen
