"""Points as people name them: `7`, `backward 7`, `dz@7`, `loss`, `iteration 3`, `start`."""

from __future__ import annotations

import re

from engine.debug.debugger import Debugger
from engine.errors import InputError
from engine.model.program import PHASES, START
from engine.text import clean

FURTHEST = 1000
"""Iterations to train for one move at most; more would look like a frozen screen."""

_WORD = re.compile(
    r"iteration\s*=?\s*(?P<iteration>\d{1,9})(?!\d)|t?\s*=?\s*@?(?P<t>\d{1,9})(?!\d)|(?P<word>[A-Za-z_]\w{0,39})",
    re.ASCII,
)


def parse_place(text: str, debugger: Debugger) -> int:
    """The position that `text` names, what it leaves open being taken from the present point; InputError when there is none.

    A time step alone goes to the end of that step in the present pass; with a line, to that line at that step.
    """
    iteration, t, words = _words(text)
    if START in words:
        return 0
    program, point = debugger.program, debugger.program.point(debugger.position)
    phase = next((word for word in words if word in PHASES), None)
    line = next((word for word in words if word not in PHASES), None)
    if line is None and phase == "loss":
        line = "loss"
    if t is not None and not 1 <= t <= program.steps:
        raise InputError(f"there are the time steps 1 to {program.steps}, not {t}")
    if line is not None and line not in {other.name for other in program.lines}:
        raise InputError(
            f"there is no line {line}; there are {', '.join(dict.fromkeys(other.name for other in program.lines))}"
        )
    if iteration is not None and iteration > point.iteration + FURTHEST:
        raise InputError(
            f"iteration {iteration} is far away: every one before it must be trained; go at most {FURTHEST} on at a time"
        )
    base = 1 + (point.iteration if iteration is None else iteration) * program.length
    if line is None and phase is None and t is None:
        if iteration is None:
            raise InputError("name a time step, a phase, a line or an iteration, for example: backward 7")
        return base
    wanted = phase or (None if line else point.phase if point.phase in ("forward", "backward") else "forward")
    offsets = [
        offset
        for other in program.lines
        if wanted in (None, other.phase) and line in (None, other.name)
        for offset in [program.offset(other, t)]
        if t is None or program.point(1 + offset).t == t
    ]
    if not offsets:
        raise InputError(f"no point of the program fits {clean(text, 40)}")
    return base + (max(offsets) if line is None and t is not None else min(offsets))


def _words(text: str) -> tuple[int | None, int | None, list[str]]:
    iteration = t = None
    words: list[str] = []
    rest = text.replace(",", " ").replace("@", " @").strip()
    while rest:
        match = _WORD.match(rest)
        if match is None:
            raise InputError(f"{clean(text, 40)} is not a place; write for example: backward 7")
        if match["iteration"]:
            iteration = int(match["iteration"])
        elif match["t"]:
            t = int(match["t"])
        else:
            words.append(match["word"])
        rest = rest[match.end() :].strip()
    return iteration, t, words
