"""What the process of a run left behind, read without trust: sizes, kinds and ranges are checked."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from engine.doctor.run.outcome import Ending, Refusal, TracebackPlace
from engine.doctor.run.program import ProgramFile
from engine.doctor.run.watching import RunWatch
from engine.doctor.run.workplace import Workplace
from engine.text import clean

LARGEST = 8 << 20
"""Bytes of a result."""
KINDS = {
    "stopped",
    "end",
    "exit",
    "exception",
    "file",
    "folder",
    "program",
    "module",
    "input",
    "time",
    "waiting",
    "memory",
}
"""The kinds of ending that a process can tell itself."""


def read(
    folder: Path, program: ProgramFile, workplace: Workplace, watch: RunWatch, seen: str, code: int
) -> dict[str, Any]:
    """The fields of an Outcome that the process knows. `seen` is why it was ended, nothing when it ended by itself with `code`."""
    told = _told(folder / "result.json")
    said = _mapping(told.get("ended"))
    if not seen and said.get("kind") in KINDS:
        ending = _ending(said, program, workplace)
    else:
        crashed = _crashed_at(folder / "fault.txt", str(workplace.there(program.file)))
        ending = _without_a_word(crashed or _line(watch.told()[2]), seen or watch.asked, code)
    where, text = _where(ending, program)
    recorded = _mapping(told.get("recorded"))
    left = [pair for one in _list(recorded.get("left")) if len(pair := _list(one)) == 2]
    called = [(_text(name, 40), _line(line)) for name, line in list(_mapping(told.get("called")).items())[:40]]
    return {
        "ending": ending,
        "where": where,
        "text": text,
        "stubs": (*(_text(name, 40) for name in _list(told.get("stubs"))[:40]), *(name for name, _ in called)),
        "absent": tuple(_text(name, 40) for name in _list(told.get("absent"))[:40]),
        "left": tuple((_line(line) or 0, _text(name, 80)) for line, name in left[:40]),
        "implicit": tuple(_text(name, 40) for name in _list(told.get("implicit"))[:40]),
        "called": tuple(
            (name, f"{program.place(line)} ({program.line(line)})" if line else "") for name, line in called
        ),
        "refused": tuple(_refusal(_mapping(one), workplace) for one in _list(told.get("refused"))[:40]),
        "computed": _real(told.get("computed"), watch.told()[0]),
        "recorded": recorded,
    }


def _where(ending: Ending, program: ProgramFile) -> tuple[str, str]:
    """The place at which it ended and its text: in the program, or in a file of the user's that it uses."""
    last = ending.frames[-1] if ending.frames else None
    if last is not None and last.file != clean(str(program.file), 1000):
        return f"line {last.line} of {Path(last.file).name}", last.text
    return (program.place(ending.line), program.line(ending.line)) if ending.line else ("", "")


def _ending(said: Mapping[str, Any], program: ProgramFile, workplace: Workplace) -> Ending:
    frames = [_place(_mapping(frame), workplace) for frame in _list(said.get("frames"))[:40]]
    kind = str(said["kind"])
    return Ending(
        kind=kind,
        line=_line(said.get("line")),
        message=workplace.at_home(_text(said.get("why" if kind == "stopped" else "message"), 2000)),
        type=_text(said.get("type"), 80),
        name=workplace.at_home(_text(said.get("call" if kind == "exit" else "name"), 2000)),
        code=_whole(said.get("code")),
        frames=tuple(frame for frame in frames if frame.line),
        shapes={_text(k): v for k, v in list(_mapping(said.get("shapes")).items())[:40]},
        numbers={_text(k, 80): _whole(v) for k, v in list(_mapping(said.get("numbers")).items())[:200]},
    )


def _without_a_word(line: int | None, seen: str, code: int) -> Ending:
    """The ending of a process that could not tell it any more."""
    if seen:
        return Ending(seen, line)
    if code >= 0:
        return Ending("code", line, code=code)
    known = -code in set(signal.Signals)
    return Ending("signal", line, name=signal.Signals(-code).name if known else str(-code))


def _crashed_at(path: Path, file: str) -> int | None:
    """The line of the program at which it crashed, as Python itself noted it."""
    try:
        with path.open("rb") as stream:
            text = stream.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        return None
    found = re.search(rf'File "{re.escape(file)}", line (\d+)', text)
    return int(found[1]) if found else None


def _told(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            return {}
        return _mapping(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return {}


def _place(frame: Mapping[str, Any], workplace: Workplace) -> TracebackPlace:
    return TracebackPlace(
        workplace.at_home(_text(frame.get("file"), 1000)),
        _line(frame.get("line")) or 0,
        _text(frame.get("function"), 80),
        _text(frame.get("text"), 160),
    )


def _refusal(one: Mapping[str, Any], workplace: Workplace) -> Refusal:
    return Refusal(
        _text(one.get("kind"), 20), workplace.at_home(_text(one.get("what"), 300)), _line(one.get("line")) or 0
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(value: object, limit: int = 200) -> str:
    return clean(value, limit) if isinstance(value, str) else ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) and abs(value) < 1 << 63 else 0


def _line(value: object) -> int | None:
    return value if isinstance(value, int) and 0 < value < 1 << 31 else None


def _real(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else otherwise
