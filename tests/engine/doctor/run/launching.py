"""Programs written to a folder and run as they are, nothing of them recorded."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

from engine.doctor.run.launch import Wishes, run
from engine.doctor.run.limits import Limits
from engine.doctor.run.outcome import Outcome
from engine.doctor.run.program import ProgramFile

PYTHON = os.environ.get("RNN_TUI_TEST_PYTHON")
"""Another Python in which the programs are run, the oldest that will do for example; ours when there is none."""


def written(path: Path, text: str) -> Path:
    """A file with this text, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def launch(
    path: Path,
    text: str | None = None,
    *arguments: str,
    stand: Path | None = None,
    python: str | None = None,
    network: bool = False,
    limits: Limits | None = None,
) -> Outcome:
    """The outcome of a program; with `text` it is written first."""
    if text is not None:
        written(path, text)
    wishes = Wishes(
        arguments, python or PYTHON, network, limits or Limits(10.0, waiting=10.0), stand or path.parent, "plain"
    )
    record = path.parent.parent / "record"
    return run(ProgramFile(path, path.read_text(encoding="utf-8")), wishes, record)
