"""What a recording says to a lesson: the numbers in its texts, which choice is right, whether something is done; and a check of it all."""

from __future__ import annotations

import math
import re

from engine.debug.breakpoints import condition_of, value_at
from engine.debug.debugger import Debugger
from engine.debug.places import Destination, parse_place
from engine.debug.whatif import what_if
from engine.errors import InputError
from engine.explain.address import CellAddress
from engine.explain.why import parse_place as cell_of
from engine.files.raw import shown
from engine.language.derive import gradient
from engine.language.functions import Array
from engine.lessons.lesson import RIGHT, Lesson, LessonStep, in_language
from engine.model.blocks import PHASES
from engine.session import Session, open_session
from engine.text import clean

GAIN = "gain"
"""What texts and answers know besides: by how much the error grows a step on its way back from t = T to t = 1 (geometric mean)."""
WHY = "why "
"""Before the number that is to be asked, in `until`."""
_VALUE = re.compile(r"(?<!_)\{([^{}]*)\}")
"""An expression in a text; behind `_` it is a subscript, `a_{t-1}`, which stays as it stands."""


def open_lesson(lesson: Lesson) -> Session:
    """The debugger on a lesson's data. InputError names the file, and the step that does not fit the recording."""
    try:
        session = open_session(lesson.data, lesson.options)
    except InputError as error:
        raise InputError(f"{shown(lesson.path)}: {error}") from None
    check(lesson, session)
    return session


def check(lesson: Lesson, session: Session) -> None:
    """Goes through all steps; InputError where a place, a condition, a number or an edit does not fit this recording."""
    for number, step in enumerate(lesson.steps, 1):
        try:
            _check_step(step, session.debugger)
        except InputError as error:
            raise InputError(f"{shown(lesson.path)}, step {number}: {error}") from None


def _check_step(step: LessonStep, debugger: Debugger) -> None:
    if step.at:
        place(step.at, debugger)
    if step.run:
        end_of(step.run, debugger)
    if step.why:
        number(step.why, debugger)
    if step.until:
        _check_until(step.until, debugger)
    later = edited(step, debugger)
    if step.answers:
        right_choice(step, later)
    for words in (step.say, step.ask, step.do, *step.choices, *step.hints):
        for text in (words or {}).values():
            filled(text, debugger, strict=True)


def place(text: str, debugger: Debugger) -> Destination:
    """The place that a step goes to."""
    return parse_place(text, debugger)


def edited(step: LessonStep, debugger: Debugger) -> Debugger:
    """The debugger with a step's edit made, if it has one."""
    return debugger if not step.edit else what_if(debugger, step.edit, iteration=debugger.view.point.iteration)


def end_of(phase: str, debugger: Debugger) -> int:
    """The position at which a phase of the present iteration is over."""
    program = debugger.program
    for known in PHASES:
        if known == phase:
            return debugger.view.point.iteration * program.length + program.phase_range(known).stop
    raise InputError(f"run = {clean(phase, 30)} is no phase; there are {', '.join(PHASES)}")


def number(text: str, debugger: Debugger) -> CellAddress:
    """The number that a step explains."""
    return cell_of(text, debugger, debugger.view.point.iteration)


# What the whole iteration says


def right_choice(step: LessonStep, debugger: Debugger) -> int:
    """Which choice the recording (the edited one, where the step has an edit) says is right; InputError unless it is one."""
    right = [n for n, text in enumerate(step.answers) if text and _truth(text, debugger)]
    if len(right) != 1:
        asked = in_language(step.ask or {"en": ""}, "en")
        held = f"{len(right)} of its answers hold" if right else "none of its answers holds"
        raise InputError(f"of {clean(asked, 60)!r} {held} in this recording; exactly one must")
    return right[0]


def filled(text: str, debugger: Debugger, *, strict: bool = False) -> str:
    """A text with the value of every `{expression}` in the present iteration put in; with `strict` InputError where one has none."""

    def value(found: re.Match[str]) -> str:
        result = _at_end(found[1], debugger)
        if strict and (result is None or isinstance(result, str)):
            raise InputError(f"{{{clean(found[1], 60)}}} has no value{'' if result is None else f': {result}'}")
        return "?" if result is None else result if isinstance(result, str) else _written(result)

    return _VALUE.sub(value, text)


def _written(value: Array | float) -> str:
    """A number in three digits, as it is said."""
    if getattr(value, "ndim", 0):
        raise InputError("a text holds single numbers; take norm(...), max(...) or one cell")
    text = f"{float(value):.3g}"
    mantissa, _, exponent = text.partition("e")
    return (f"{mantissa}e{int(exponent)}" if exponent else mantissa).replace("-", "−")


def _gain(debugger: Debugger) -> float:
    norms = debugger.tape(debugger.view.point.iteration).norms(gradient(debugger.program.output), None)
    first, last, steps = float(norms[-1]), float(norms[1]), len(norms) - 2
    return last ** (1 / steps) / first ** (1 / steps) if first > 0 and last > 0 and steps else math.nan


def _truth(text: str, debugger: Debugger) -> bool:
    value = _at_end(text, debugger)
    if isinstance(value, str):
        raise InputError(value)
    return value is not None and bool(value.all())


def _at_end(text: str, debugger: Debugger) -> Array | str | None:
    if re.search(rf"\b{GAIN}\b", text):
        gain = _gain(debugger)
        if not math.isfinite(gain):  # nothing came back to t = 1, or it was no number any more
            return None
        text = re.sub(rf"\b{GAIN}\b", repr(gain), text)
    return _at(text, debugger, debugger.program.length - 1)


def _at(text: str, debugger: Debugger, offset: int) -> Array | str | None:
    iteration = debugger.view.point.iteration
    return value_at(condition_of(text, debugger.program), debugger.tape(iteration), iteration, offset, debugger.lines)


def _check_until(text: str, debugger: Debugger) -> None:
    if text == RIGHT:
        raise InputError(f"until = {RIGHT} is for a lesson with a program to be mended; write a condition")
    if text.startswith(WHY):
        number(text.removeprefix(WHY), debugger)
    elif isinstance(value := _at_end(text, debugger), str):
        raise InputError(value)


# What is so at the present point


def done(text: str, debugger: Debugger, asked: tuple[CellAddress, ...] = ()) -> bool:
    """Whether what `until` says is so: a condition holds, or the last number `asked` about is this one."""
    if text.startswith(WHY):
        wanted = number(text.removeprefix(WHY), debugger)
        return bool(asked) and (wanted.name, wanted.t, wanted.index) == (asked[-1].name, asked[-1].t, asked[-1].index)
    if debugger.position == 0:
        return False
    value = _at(text, debugger, (debugger.position - 1) % debugger.program.length)
    return value is not None and not isinstance(value, str) and bool(value.all())
