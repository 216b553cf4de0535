"""How the backward passes of a file can be called: found by trying, in the user's own interpreter (see `recording/calls/calls.py`)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from engine.doctor.recognise.passes import Pass
from engine.doctor.recording.calls.driven import HELPERS, at_rest
from engine.doctor.run.launch import Wishes, run
from engine.doctor.run.program import ProgramFile
from engine.text import clean


@dataclass(frozen=True, eq=False)
class FoundCall:
    """A pass and the program's text with what calls it below, in every way that fits equally well; `reason` says why there is none.
    `at_rest` are the same with first states of zeros, where it is handed any; `flags` are arguments that are given otherwise than by
    default, as `name=True`."""

    examined: Pass
    texts: tuple[str, ...] = ()
    reason: str = ""
    at_rest: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def calls(
    program: ProgramFile, examined: Sequence[Pass], wishes: Wishes, *, is_forward: bool = False
) -> list[FoundCall]:
    """Looks for calls of each pass with arguments that are made up; `program` does nothing but define, import and assign. Of a forward
    pass nothing comes back that has the shapes of weights."""
    options = {"passes": [each.request() | {"is_forward": is_forward} for each in examined]}
    with tempfile.TemporaryDirectory(prefix="rnn-tui-calls-") as folder:
        outcome = run(program, replace(wishes, arguments=(), runner="calls.calls", options=options), Path(folder))
        try:
            told = cast("dict[str, Any]", json.loads((Path(folder) / "calls.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return [FoundCall(each, reason=outcome.sentence()) for each in examined]
    text = _without(program.text, told["replaced"])
    return [
        FoundCall(
            each,
            tuple(f"{text}\n{HELPERS}{below}" for below in answer["texts"]),
            clean(answer["reason"], 300),
            tuple(f"{text}\n{HELPERS}{below}" for below in map(at_rest, answer["texts"]) if below),
            tuple(clean(flag, 60) for flag in answer.get("flags", ())),
        )
        for each, answer in zip(examined, told["calls"], strict=True)
    ]


def _without(text: str, replaced: Sequence[tuple[int, int, str]]) -> str:
    """The text with other statements in place of some; lines keep their numbers."""
    lines = text.split("\n")
    for first, last, instead in replaced:
        lines[first - 1 : last] = [instead, *[""] * (last - first)]
    return "\n".join(lines)
