"""A line that says what is going on: for how long once that takes seconds, and nothing where no terminal is."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.doctor.read.source import read_source
from engine.doctor.report import own_run_report
from engine.doctor.report.own_run_report import examine_own_run
from engine.doctor.run import launch, told_line
from engine.doctor.run.told_line import told
from tests.engine.doctor.lineage.programs import TAGGER, changed, runs_of


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_what_takes_long_says_for_how_long_and_then_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told_line, "EVERY", 0.01)
    stream = Terminal()
    with told(stream, "carrying its loss back"):
        assert stream.getvalue() == "\rcarrying its loss back (Ctrl+C ends it)\x1b[K"
        until = time.monotonic() + 5
        while ", 0 s (Ctrl+C ends it)" not in stream.getvalue() and time.monotonic() < until:
            time.sleep(0.005)
    assert stream.getvalue().startswith("\rcarrying its loss back (Ctrl+C ends it)\x1b[K\rcarrying its loss back, 0 s")
    assert stream.getvalue().endswith("\r\x1b[K")


def test_while_the_wrong_line_is_looked_for_an_interrupt_is_said_to_end_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal()
    monkeypatch.setattr(own_run_report, "blamed", lambda runs, *_: runs.says("looking") or [])
    runs = replace(runs_of(tmp_path, changed(TAGGER, ("dy = ps[t].copy()", "dy = ps[t] ** 2"))), progress=stream)
    examine_own_run(runs, read_source(tmp_path / "program.py"))
    assert "\rlooking (Ctrl+C ends the search)\x1b[K" in stream.getvalue()
    assert "\rlooking up what its lines make (Ctrl+C ends it)\x1b[K" in stream.getvalue()


def test_without_a_terminal_nothing_is_said() -> None:
    stream = io.StringIO()
    with told(stream, "carrying its loss back"), told(None, "carrying its loss back"):
        pass
    assert not stream.getvalue()


HELD_BACK = """
import io, os, signal, time
from engine.doctor.run import launch, told_line

class Terminal(io.StringIO):
    def isatty(self):
        return True

told_line.EVERY = 0.01
with told_line.told(Terminal(), "running"):
    time.sleep(0.05)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
    print(signal.SIGINT in signal.sigpending())
"""


def test_an_interrupt_that_is_held_back_is_not_taken_by_the_line() -> None:
    """In a process of its own: what runs the tests has threads that would take it."""
    done = subprocess.run([sys.executable, "-c", HELD_BACK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_an_interrupt_that_comes_as_they_are_held_back_leaves_none_held(monkeypatch: pytest.MonkeyPatch) -> None:
    masked = signal.pthread_sigmask
    usual = masked(signal.SIG_BLOCK, ())

    def interrupted(how: int, which: Iterable[int]) -> set[int]:
        """As the system's: it looks for what has come after it has changed the mask."""
        before = masked(how, which)
        if signal.SIGINT in masked(signal.SIG_BLOCK, ()) - usual:
            raise KeyboardInterrupt
        return before

    monkeypatch.setattr(signal, "pthread_sigmask", interrupted)
    with pytest.raises(KeyboardInterrupt), launch._uninterrupted():
        pass
    held = masked(signal.SIG_SETMASK, usual)
    assert held == usual
