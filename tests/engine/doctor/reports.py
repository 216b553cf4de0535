"""Reports that several tests look at: a text is examined once a session, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from engine.doctor.diagnose import diagnose
from engine.doctor.opening import open_program
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.walk.lockstep import Lockstep
from engine.session import Session

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
