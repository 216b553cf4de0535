"""Runs of a program, and of texts in its place: each with its record, in the same folder, with the same arguments and limits."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, cast

from engine.doctor.lineage.reading import Floats, Record, read
from engine.doctor.run.launch import Wishes, run
from engine.doctor.run.outcome import Outcome
from engine.doctor.run.program import ProgramFile
from engine.errors import InputError


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs a program as its user wishes. `progress` is where the first run shows how far it is."""

    program: ProgramFile
    wishes: Wishes
    progress: TextIO | None = None

    @property
    def name(self) -> str:
        """What records call the program's own file."""
        return self.program.file.name

    def followed(self) -> tuple[Outcome, Record | str]:
        """The program run and recorded: how it ended, and its record, or a sentence on why there is none. InputError, see `launch.run`."""
        with tempfile.TemporaryDirectory(prefix="rnn-tui-record-") as temporary:
            folder = Path(temporary)
            outcome = run(self.program, self.wishes, folder, self.progress)
            if not (folder / "record.json").exists():
                return outcome, "nothing of the run was recorded"
            try:
                return outcome, read(folder)
            except InputError as damaged:
                return outcome, str(damaged)

    def recorded(self, text: str, rounds: int, numbers: int) -> Record | None:
        """The record of a changed text, of so many numbers at most; None where it ends before one is written, or where that is damaged."""
        with tempfile.TemporaryDirectory(prefix="rnn-tui-record-") as temporary:
            self._run(text, Path(temporary), "runner", {"rounds": rounds, "numbers": numbers})
            try:
                return read(Path(temporary))
            except InputError:
                return None

    def probed(self, request: Mapping[str, Any], table: Floats) -> list[dict[str, Any]] | None:
        """What `recording/probe.py` answers; None where the program ends before it does."""
        with tempfile.TemporaryDirectory(prefix="rnn-tui-probe-") as temporary:
            folder = Path(temporary)
            (folder / "probe.json").write_text(json.dumps(request), encoding="utf-8")
            table.tofile(folder / "table")
            self._run(self.program.text, folder, "probe", {})
            try:
                return cast("list[dict[str, Any]]", json.loads((folder / "answer.json").read_text(encoding="utf-8")))
            except (OSError, ValueError, RecursionError):
                return None

    def _run(self, text: str, folder: Path, runner: str, options: Mapping[str, Any]) -> None:
        run(replace(self.program, text=text), replace(self.wishes, runner=runner, options=options), folder)
