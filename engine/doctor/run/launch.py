"""Runs a program as its user does, `python mine.py ARGS`, and says how it ended.

The run has a private copy of the program's folder (see `workplace`), the interpreter in which the program works (see `interpreter`), and
limits. In there the folder `engine/doctor/recording` is the first thing to run: it holds the program to the limits and records it.

The program works in the folder in which the user stands, when that is its own folder, one above it or one below; else, and for a
notebook, in its own folder. When a file is missing there that lies in the other of the two, it is run again in that one.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TextIO

from engine.doctor.run import interpreter as interpreters
from engine.doctor.run import processes, result
from engine.doctor.run.interpreter import Interpreter
from engine.doctor.run.limits import Limits
from engine.doctor.run.outcome import Outcome
from engine.doctor.run.program import Belonging, ProgramFile, belonging, is_too_high
from engine.doctor.run.watching import RunWatch
from engine.doctor.run.workplace import Workplace
from engine.errors import InputError
from engine.text import clean

RECORDING = Path(__file__).resolve().parents[1] / "recording"
MARK = "RNN_TUI_RUN"
"""The environment variable by which what the program has started is known."""
_SETTINGS = {
    "MPLBACKEND": "Agg",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONBREAKPOINT": "0",
    "OMP_NUM_THREADS": "1",  # sums in the same order every time, and memory for one thread
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_UNLESS_SET = {"PYTHONHASHSEED": "0", "PYTHONIOENCODING": "utf-8"}
"""So that a second run does the same: `set("abc")` has one order."""


@dataclass(frozen=True)
class Wishes:
    """How a program is to be run: arguments, interpreter, network, limits, where its user stands; `runner` is what follows it there, and
    `options` what that is told."""

    arguments: tuple[str, ...] = ()
    python: str | None = None
    network: bool = False
    limits: Limits = field(default_factory=Limits)
    stand: Path = field(default_factory=Path.cwd)
    runner: str = "tracing.runner"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    loss: str = ""
    """What its loss is taken to be where it computes none: cross-entropy, binary or squared; "" for what its updates agree with."""
    unfollowed: tuple[tuple[str, str], ...] = ()
    """Statements that are run without being recorded: file, by its name in the record, and text of a line of each."""
    alone: bool = False
    """Whether single numbers may be weights, each by itself."""


def run(program: ProgramFile, wishes: Wishes, record: Path, progress: TextIO | None = None) -> Outcome:
    """Runs a program; what is recorded of it is then in the folder `record`.

    Progress is shown on `progress` when that is a terminal. Raises InputError when the interpreter asked for cannot be used or nothing
    can be run for want of room, and KeyboardInterrupt on Ctrl+C; in every case nothing is left running and no folder but `record`.
    """
    try:
        return _run(program, wishes, record, progress)
    except OSError as error:  # what the program meets is in its outcome: this is ours
        reason = clean(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        raise InputError(
            f"{clean(program.path.name)} could not be run: {reason}; is there room for temporary files?"
        ) from error


def _run(program: ProgramFile, wishes: Wishes, record: Path, progress: TextIO | None) -> Outcome:
    python = interpreters.find(program.folder, wishes.python)
    place = belonging(program)
    folders = working_folders(program, wishes.stand.resolve())
    outcome = _run_in(folders[0], program, place, python, wishes, record, progress)
    if len(folders) > 1 and outcome.ending.kind == "file" and (name := _relative(outcome, folders[0])):
        other = folders[1]
        if (other / name).exists():
            note = clean(f"it was run in {other}, where {name} lies; in {folders[0]} it does not", 1000)
            return replace(_run_in(other, program, place, python, wishes, record, progress), note=note)
    return outcome


def working_folders(program: ProgramFile, stand: Path) -> list[Path]:
    """Where it is run, the first choice first: where its user stands, and its own folder."""
    own = program.folder
    if stand == own:
        return [own]
    near = stand in own.parents or own in stand.parents
    stand_first = near and not is_too_high(stand) and not program.is_notebook
    return [stand, own] if stand_first else [own, stand]


def _relative(outcome: Outcome, folder: Path) -> str:
    """The missing file's name when the program gave it relative to where it worked."""
    name = outcome.ending.name
    if not Path(name).is_absolute():
        return name
    return str(Path(name).relative_to(folder)) if folder in Path(name).parents else ""


def _run_in(
    stand: Path,
    program: ProgramFile,
    place: Belonging,
    python: Interpreter,
    wishes: Wishes,
    record: Path,
    progress: TextIO | None,
) -> Outcome:
    private = Path(os.path.realpath(tempfile.mkdtemp(prefix="rnn-tui-job-")))
    try:
        with _ended_by_signals(), Workplace(place.root, stand, program.folder) as workplace:
            job = _job(program, place, stand, wishes, workplace, private, record)
            (private / "job.json").write_text(json.dumps(job), encoding="utf-8")
            (private / "progress").write_bytes(bytes(64))
            watch = RunWatch(wishes.limits, private / "progress", program.path.name, progress)
            seen, code = _waited_for([python.path, RECORDING / "start.py", private / "job.json"], job, workplace, watch)
            return Outcome(
                **result.read(private, program, workplace, watch, seen, code),
                output=workplace.at_home(watch.output.text()),
                cut=watch.output.cut,
                written=workplace.written(),
                interpreter=python,
                command=_command(program, place, stand, python, wishes.arguments),
                folder=clean(str(stand), 1000),
                note="",
                limit=wishes.limits.words(),
            )
    finally:
        with _uninterrupted():
            shutil.rmtree(private, ignore_errors=True)


def _waited_for(
    command: Sequence[Path], job: Mapping[str, Any], workplace: Workplace, watch: RunWatch
) -> tuple[str, int]:
    """Why a run was ended (nothing when it ended by itself), and the code with which it ended; nothing of it runs any more."""
    name, mark = job["mark"]
    process = _started(command, job["folder"], _environment(workplace, mark))

    def abandon() -> None:
        """When the program ends, it does not wait for the thread that waits here."""
        processes.end(process.pid, (name, mark))
        for folder in (workplace.base, Path(job["result"]).parent):
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(abandon)
    try:
        seen = watch.until_its_end(process)
    finally:
        with _uninterrupted():
            atexit.unregister(abandon)
            processes.end(process.pid, (name, mark))
            process.wait()
            watch.close(process)
    return seen, process.returncode


def _started(command: Sequence[Path], folder: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def _job(
    program: ProgramFile,
    place: Belonging,
    stand: Path,
    wishes: Wishes,
    workplace: Workplace,
    private: Path,
    record: Path,
) -> dict[str, Any]:
    """The job as `recording/start.py` describes it."""
    record.mkdir(parents=True, exist_ok=True)
    file = workplace.there(program.file)
    name = str(file) if place.package else os.path.relpath(file, workplace.there(stand))
    return {
        "file": str(file),
        "text": program.text,
        "texts": dict(program.others),
        "notebook": program.is_notebook,
        "cells": list(program.cells),
        "python_2": program.python_2,
        "argv": [name, *wishes.arguments],
        "folder": str(workplace.there(stand)),
        "path": str(workplace.there(place.path)),
        "package": place.package,
        "more": [str(workplace.there(folder)) for folder in place.more],
        "user": [str(workplace.view)],
        "inside": [str(workplace.view), str(workplace.temporary)],
        "hidden": ["engine", "rnn_tui"],
        "compiled": not sys.dont_write_bytecode,
        "mark": [MARK, str(workplace.base)],
        "network": wishes.network,
        "seconds": wishes.limits.seconds,
        "memory": wishes.limits.memory,
        "runner": wishes.runner,
        "options": dict(wishes.options),
        "unfollowed": list(wishes.unfollowed),
        "alone": wishes.alone,
        "record": str(record.resolve()),
        "result": str(private / "result.json"),
        "progress": str(private / "progress"),
        "fault": str(private / "fault.txt"),
    }


def _environment(workplace: Workplace, mark: str) -> dict[str, str]:
    """The user's own environment, with what makes runs alike; folders of modules that are copied are looked for in the copy."""
    environment = {**_UNLESS_SET, **os.environ, **_SETTINGS, MARK: mark, "TMPDIR": str(workplace.temporary)}
    if own := os.environ.get("PYTHONPATH"):
        parts = [Path(os.path.abspath(part)) for part in own.split(os.pathsep) if part]  # noqa: PTH100 - not through links
        there = [workplace.there(part) if workplace.there(part).exists() else part for part in parts]
        environment["PYTHONPATH"] = os.pathsep.join(map(str, there))
    return environment


def _command(program: ProgramFile, place: Belonging, stand: Path, python: Interpreter, arguments: Sequence[str]) -> str:
    """What the user would type, standing there."""
    name = "python" if python.why.startswith(("our own", "the active")) else str(python.path)
    file = os.path.relpath(program.file, stand)
    what = ["-m", f"{place.package}.{program.file.stem}"] if place.package else [file]
    return clean(shlex.join([name, *what, *arguments]), 1000)


@contextlib.contextmanager
def _uninterrupted() -> Generator[None]:
    """What cleans up is not cleaned up after: signals wait until it is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:  # holding them back raises KeyboardInterrupt where one has just come, and they are held back then
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _ended_by_signals() -> Generator[None]:
    """A signal that would end this process without a word ends the run first."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    wanted = [signal.SIGTERM, signal.SIGHUP] if threading.current_thread() is threading.main_thread() else []
    changed = [number for number in wanted if signal.getsignal(number) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
