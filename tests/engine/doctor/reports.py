"""Reports that several tests look at: a text is examined once a session, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from engine.doctor.by_reference import examine
from engine.doctor.opening import open_beside
from engine.doctor.report.lockstep import Lockstep
from engine.doctor.report.report import Report
from engine.session import Session

_REPORTS: dict[tuple[str, str], Report] = {}


def report_on(path: Path) -> Report:
    """What the doctor says of a file, for programs that read no other file."""
    key = path.name, path.read_text()
    if key not in _REPORTS:
        _REPORTS[key] = examine(path)
    return _REPORTS[key]


def opened(path: Path) -> tuple[Session, Lockstep]:
    """As `open_yours`: a session and the two programs in step, both new."""
    return open_beside(report_on(path), path)
