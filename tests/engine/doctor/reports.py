"""Reports that several tests look at: a text is examined once a session, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from engine.doctor.diagnose import diagnose
from engine.doctor.opening import open_program
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.walk.lockstep import Lockstep
from engine.session import Session
from tests.engine.doctor.styles import STYLES

STEPPED = STYLES[::2]
STEPPED_SPECIMENS = ("penalty", "squared_sigmoid", "script_adagrad", "lstm_caches")
"""Correct programs that the tests of the walk open, and therefore examine: the tests of reports leave them to these."""

_REPORTS: dict[tuple[str, str], Report] = {}
_OPENED: dict[tuple[str, str], tuple[Session, Lockstep]] = {}


def examine(path: Path, function: str | None = None) -> Report:
    """What the doctor says of a file."""
    return diagnose(path, function, Wishes(stand=path.parent))


def report_on(path: Path) -> Report:
    """The same, for programs that read no other file."""
    key = path.name, path.read_text()
    if key not in _REPORTS:
        _REPORTS[key] = examine(path)
    return _REPORTS[key]


def opened(path: Path) -> tuple[Session, Lockstep]:
    """A program with the reference beside it: a session, and the two in step. The session is shared: where it is, another test left it."""
    key = path.name, path.read_text()
    if key not in _OPENED:
        found = open_program(path, wishes=Wishes(stand=path.parent))
        assert isinstance(found, tuple)
        _OPENED[key] = found
    return _OPENED[key]


def assert_called_right(report: Report) -> None:
    """The whole report on a correct program."""
    assert (report.verdict, report.reason) == ("correct", "")
    assert report.diagnoses == ()
    assert report.loss_matches or "taken to be" in report.conventions["loss"]
    assert report.parameters
    assert all(each.ok for each in report.parameters.values())
    assert report.exit_code == 0
