"""Exercises: a small program with a mistake of the doctor's catalogue planted in its backward pass, for the learner to find and mend.

The program is a file of the learner's, run and examined as the doctor does it; the line that is wrong is not looked for, since it is known.
"""

from __future__ import annotations

import random
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from engine.doctor.mistakes.catalogue import SECTIONS
from engine.doctor.mistakes.mistake import Example, Mistake
from engine.doctor.opening import open_walk
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.files.raw import read_text, shown, unreadable
from engine.lessons.chinese import MISTAKES
from engine.lessons.lesson import ANY, RIGHT, Lesson
from engine.text import clean

PROGRAMS = ("loop", "batch")
"""Those of the catalogue's programs that fit a screen."""
LEFT_OUT = ("In the update", "delta-sign")
"""A part of programs, and a mistake, of which each gradient by itself looks right: what is wrong is the step that is made with them."""
_HEAD = "# Exercise {code} of rnn-tui learn: one statement of this backward pass is wrong. Mend it and press r.\n"
_CODE = re.compile(r"# Exercise ([0-9a-f]{4}) of rnn-tui learn")
_LARGEST = 100_000


@dataclass(frozen=True)
class Exercise:
    """A mistake that is planted in the learner's file."""

    path: Path
    mistake: Mistake
    example: Example

    def values(self, language: str) -> dict[str, str]:
        """What texts in a language may say of it in braces."""
        line = self.example.wrong_line + 1  # below the head
        title, advice = self.mistake.title, self.mistake.advice
        if language == "zh":
            title, advice = MISTAKES[self.mistake.id]
        return {
            "file": shown(self.path),
            "line": str(line),
            "title": title,
            "advice": advice,
            "wrong": (self.example.line or self.example.wrong).strip().splitlines()[0].strip(),
        }

    def examined(self) -> ProgramWalk:
        """The learner's program, run again and compared; the report says which gradients are right. InputError where it cannot be run."""
        return open_walk(self.path, mend=False)


def catalogue() -> list[tuple[Mistake, Example]]:
    """The mistakes that can be planted."""
    return [
        (mistake, mistake.example)
        for part, mistakes in SECTIONS.items()
        for mistake in mistakes
        if mistake.example is not None and not mistake.remark and mistake.example.program in PROGRAMS
        if part not in LEFT_OUT and mistake.id not in LEFT_OUT
    ]


def code_of(mistake: Mistake) -> str:
    """What a file calls its mistake: made of the name, which itself would give it away."""
    return f"{zlib.crc32(mistake.id.encode()):08x}"[:4]


def prepared(lesson: Lesson, folder: Path) -> Exercise:
    """The exercise of a lesson in a folder: its file is written there; one that is there already is gone on with, and never replaced."""
    path = folder / f"{lesson.name}.py"
    if path.exists():
        found = _CODE.match(read_text(path, _LARGEST))
        planted = [entry for entry in catalogue() if found and code_of(entry[0]) == found[1]]
        if not planted:
            raise InputError(f"{shown(path)} is there already and is no exercise; start rnn-tui in another folder")
        return Exercise(path, *planted[0])
    exercise = Exercise(path, *_chosen(lesson.program))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_HEAD.format(code=code_of(exercise.mistake)) + exercise.example.wrong_text)
    except OSError as error:
        raise unreadable(path, error) from None
    return exercise


def _chosen(wanted: str) -> tuple[Mistake, Example]:
    if wanted == ANY:
        return random.SystemRandom().choice(catalogue())
    for mistake, example in catalogue():
        if mistake.id == wanted:
            return mistake, example
    raise InputError(f"there is no mistake {clean(wanted, 60)} to plant; docs/mistakes.md lists them")


def check_exercise(lesson: Lesson) -> None:
    """InputError where a lesson asks of an exercise what only a recording knows."""
    if lesson.program != ANY:
        _chosen(lesson.program)
    for number, step in enumerate(lesson.steps, 1):
        where = f"{shown(lesson.path)}, step {number}"
        if step.ask or step.edit or step.at or step.press:
            raise InputError(f"{where}: a lesson with a program has say, do and hint; at, press, ask and try need data")
        if step.until not in ("", RIGHT):
            raise InputError(f"{where}: with a program until is {RIGHT}: done when the gradients are right")
