"""Errors of the doctor's own: the step of an examination in which one is raised is left out, and the report says so."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from engine.doctor.report.report import Report
from engine.text import clean


class OwnFailures:
    """What failed in an examination, as sentences."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def when(self, doing: str) -> _ExaminedStep:
        """A `with` block that an exception ends without a traceback, and what is done in it: `it looked for remarks`."""
        return _ExaminedStep(doing, self.said)

    def told(self, report: Report) -> Report:
        """The report with what failed."""
        return replace(report, notes=(*report.notes, *self.said)) if self.said else report


@dataclass(frozen=True)
class _ExaminedStep:
    doing: str
    said: list[str]

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        last = traceback.extract_tb(at)[-1]
        what = f"{clean(f'{type(error).__name__}: {error}', 80)}; {Path(last.filename).name}, line {last.lineno}"
        self.said.append(
            f"the doctor itself failed when {self.doing} ({what}); please report this to its maintainers, if you can with the file"
        )
        return True
