"""Runs of a program, and of texts in its place: each with its record, in the same folder, with the same arguments and limits."""

from __future__ import annotations

import ast
import json
import os
import select
import shutil
import tempfile
import threading
import time
import tokenize
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO, cast

from engine.doctor.lineage.record.reading import Floats, Record, read
from engine.doctor.lineage.record.windows import own_part
from engine.doctor.run.launch import Wishes, run
from engine.doctor.run.outcome import Outcome
from engine.doctor.run.program import ProgramFile
from engine.doctor.run.told_line import ToldLine
from engine.errors import InputError

SLOW = 20.0
"""How many times longer than it computes a trial may take on a busy machine."""

PROBING = 60.0
"""Seconds of computing that trying edits may take."""
ABOVE = 6
"""In so many folders above the program its other files are looked for."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs a program as its user wishes. `progress` is where the first run shows how far it is."""

    program: ProgramFile
    wishes: Wishes
    progress: TextIO | None = None
    line: ToldLine = field(default_factory=ToldLine)
    """What says there how far it is, after that run."""
    ends: str = "it"
    """What Ctrl+C ends, as that line says."""

    def says(self, sentence: str) -> None:
        """Shows how far it is, where progress is shown on a terminal; "" takes the line away."""
        if self.progress is not None and self.progress.isatty():
            self.line.say(self.progress, sentence, self.ends)

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
                return outcome, own_part(read(folder))
            except InputError as damaged:
                return outcome, str(damaged)

    def with_texts(self, texts: Mapping[str, str]) -> Runs:
        """The same with these texts in the place of its files' own, by their names in the record; without progress."""
        others = {**self.program.others, **{name: text for name, text in texts.items() if name != self.name}}
        program = replace(self.program, text=texts.get(self.name, self.program.text), others=others)
        return replace(self, program=program, progress=None)

    def seen(self, file: str = "") -> tuple[Outcome, dict[str, Any] | None]:
        """Run, and a file of it (its own, if none is named) seen by `recording/trials/seen.py`: how it ended, and what is said of that
        file's expressions; None where nothing is."""
        wishes = replace(self.wishes, runner="trials.seen", options={"see": file or self.name})
        with tempfile.TemporaryDirectory(prefix="rnn-tui-seen-") as temporary:
            folder = Path(temporary)
            outcome = run(self.program, wishes, folder)
            try:
                return outcome, cast("dict[str, Any]", json.loads((folder / "seen.json").read_text(encoding="utf-8")))
            except (OSError, ValueError, RecursionError):
                return outcome, None

    def text_of(self, name: str) -> str | None:
        """The text of one of the program's files, by its name in the record; None where it is not below the program's folder or one of the
        folders above it."""
        if name == self.name:
            return self.program.text
        if name in self.program.others:
            return self.program.others[name]
        for folder in list(self.program.file.resolve().parents)[:ABOVE] if name.endswith(".py") else ():
            try:
                with tokenize.open(folder / name) as file:
                    text = file.read()
                ast.parse(text)
                return text
            except (OSError, SyntaxError, ValueError):
                continue
        return None


class Trials:
    """Runs changed texts of a program, one after the other, in copies of one process: most of a short run is its start. Use it in a `with`
    block."""

    def __init__(self, runs: Runs, modules: Sequence[str] = ()) -> None:
        """`modules` are loaded once: what the program's own run has loaded, as far as it is not its own."""
        self._runs = runs
        self._modules = tuple(modules)
        self._folder = Path()
        self._thread: threading.Thread | None = None
        self._ask = self._told = -1
        self._count = 0

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def recorded(self, texts: Mapping[str, str], seconds: float, **options: Any) -> Record | None:
        """The record of a program with these texts in the place of its files' own; None where it has none, or was not over after so many
        seconds of computing."""
        with self._tried(texts, "tracing.runner", seconds, options, {}) as folder:
            try:
                return None if folder is None else own_part(read(folder))
            except (OSError, InputError):
                return None

    def probed(
        self, texts: Mapping[str, str], request: Mapping[str, Any], table: Floats
    ) -> list[dict[str, Any]] | None:
        """What `recording/trials/probe.py` answers for such a program; None where it ends before it does."""
        with self._tried(
            texts, "trials.probe", PROBING, {}, {"probe.json": json.dumps(request), "table": table}
        ) as folder:
            try:
                text = "null" if folder is None else (folder / "answer.json").read_text(encoding="utf-8")
                return cast("list[dict[str, Any]] | None", json.loads(text))
            except (OSError, ValueError, RecursionError):
                return None

    @contextmanager
    def _tried(
        self,
        texts: Mapping[str, str],
        runner: str,
        seconds: float,
        options: Mapping[str, Any],
        files: Mapping[str, str | Floats],
    ) -> Generator[Path | None]:
        """The folder in which a runner has left what it has to tell; None where it did not come to its end."""
        if self._thread is None:
            self._begin()
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        own = self._runs.name
        others = {**self._runs.program.others, **{name: text for name, text in texts.items() if name != own}}
        text = texts.get(own, self._runs.program.text)
        trial = {"text": text, "texts": others, "runner": runner, "seconds": seconds, "options": options}
        for name, content in {"trial.json": json.dumps(trial), **files}.items():
            if isinstance(content, str):
                (folder / name).write_text(content, encoding="utf-8")
            else:
                content.tofile(folder / name)
        try:
            yield folder if self._ran(folder, seconds) else None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _ran(self, folder: Path, seconds: float) -> bool:
        """Runs what a folder asks for; whether it came to its end."""
        try:
            os.write(self._ask, (str(folder) + "\n").encode())
        except OSError:
            return False
        if self._is_over(SLOW * seconds):
            return True
        self.close()
        return False

    def _begin(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="rnn-tui-trials-"))
        for name in ("ask", "told"):
            os.mkfifo(self._folder / name)
        self._ask, self._told = (os.open(self._folder / name, os.O_RDWR | os.O_NONBLOCK) for name in ("ask", "told"))
        wishes = replace(self._runs.wishes, runner="trials.trials", options={"modules": self._modules})
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
        with suppress(OSError):
            os.write(self._ask, b"\n")
        self._thread.join()  # with `ask` still open: a process that is only starting would wait for somebody who opens it
        os.close(self._ask)
        os.close(self._told)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._thread = None
