"""Runs of a program, and of texts in its place: each with its record, in the same folder, with the same arguments and limits."""

from __future__ import annotations

import json
import os
import select
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, cast

from engine.doctor.lineage.reading import Floats, Record, read
from engine.doctor.run.launch import Wishes, run
from engine.doctor.run.outcome import Outcome
from engine.doctor.run.program import ProgramFile
from engine.errors import InputError

SLOW = 20.0
"""How many times longer than it computes a trial may take on a busy machine."""


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

    def seen(self, text: str) -> tuple[Outcome, dict[str, Any] | None]:
        """A text run and seen by `recording/seen.py`: how it ended, and what is said of its expressions; None where nothing is."""
        with tempfile.TemporaryDirectory(prefix="rnn-tui-seen-") as temporary:
            folder = Path(temporary)
            outcome = self._run(text, folder, "seen", {})
            try:
                return outcome, cast("dict[str, Any]", json.loads((folder / "seen.json").read_text(encoding="utf-8")))
            except (OSError, ValueError, RecursionError):
                return outcome, None

    def probed(self, text: str, request: Mapping[str, Any], table: Floats) -> list[dict[str, Any]] | None:
        """What `recording/probe.py` answers for a text; None where the program ends before it does."""
        with tempfile.TemporaryDirectory(prefix="rnn-tui-probe-") as temporary:
            folder = Path(temporary)
            (folder / "probe.json").write_text(json.dumps(request), encoding="utf-8")
            table.tofile(folder / "table")
            self._run(text, folder, "probe", {})
            try:
                return cast("list[dict[str, Any]]", json.loads((folder / "answer.json").read_text(encoding="utf-8")))
            except (OSError, ValueError, RecursionError):
                return None

    def _run(self, text: str, folder: Path, runner: str, options: Mapping[str, Any]) -> Outcome:
        return run(replace(self.program, text=text), replace(self.wishes, runner=runner, options=options), folder)


class Trials:
    """Runs changed texts of a program, one after the other, in copies of one process: most of a short run is its start. Use it in a `with`
    block."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._folder = Path()
        self._thread: threading.Thread | None = None
        self._ask = self._told = -1
        self._count = 0

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def recorded(self, text: str, seconds: float, **options: Any) -> Record | None:
        """The record of a text; None where it has none, or was not over after so many seconds of computing."""
        if self._thread is None:
            self._begin()
        self._count += 1
        record = self._folder / str(self._count)
        record.mkdir()
        file = record / "text"
        file.write_text(text, encoding="utf-8")
        trial = {"text": str(file), "record": str(record), "seconds": seconds, "options": options}
        try:
            os.write(self._ask, (json.dumps(trial) + "\n").encode())
            if not self._is_over(SLOW * seconds):
                self.close()
                return None
            return read(record)
        except (OSError, InputError):
            return None
        finally:
            shutil.rmtree(record, ignore_errors=True)

    def _begin(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="rnn-tui-trials-"))
        for name in ("ask", "told"):
            os.mkfifo(self._folder / name)
        self._ask, self._told = (os.open(self._folder / name, os.O_RDWR | os.O_NONBLOCK) for name in ("ask", "told"))
        wishes = replace(self._runs.wishes, runner="trials")
        self._thread = threading.Thread(target=run, args=(self._runs.program, wishes, self._folder), daemon=True)
        self._thread.start()

    def _is_over(self, seconds: float) -> bool:
        """Waits for a trial; whether it ended while its process was there."""
        assert self._thread is not None
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready, _, _ = select.select([self._told], [], [], 0.2)
            if ready:
                return bool(os.read(self._told, 100))
            if not self._thread.is_alive():
                return False
        return False

    def close(self) -> None:
        """Ends the process."""
        if self._thread is None:
            return
        os.close(self._ask)
        self._thread.join()
        os.close(self._told)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._thread = None
