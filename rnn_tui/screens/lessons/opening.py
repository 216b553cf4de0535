"""Opens a lesson: its data, and the check of what it presses and points at."""

from __future__ import annotations

from engine.errors import InputError
from engine.files.raw import shown
from engine.lessons.course import open_lesson
from engine.lessons.lesson import Lesson
from engine.session import Session, open_session
from engine.text import clean
from rnn_tui.keys.bindings import COMMANDS, LOOK, MOVE
from rnn_tui.keys.command import Command
from rnn_tui.screens.layout import ABOVE, BELOW, LEFT, RIGHT

_OPENS_MORE = ("goto", "find", "run", "run_lines", "train")
PRESSED: dict[str, Command] = {
    name: command
    for command in COMMANDS
    if command.group in (MOVE, LOOK) and command.action not in _OPENS_MORE
    for name in (*command.keys.split(","), command.shown)
}
"""What a lesson may press, by the keys' names and as the help shows them: moves, and what is looked at."""
PANES = (*ABOVE, *LEFT, *RIGHT, *BELOW)
"""What a lesson may point at."""


def opened(lesson: Lesson) -> Session:
    """The session of a lesson; of one with a program, what is open behind it. InputError names the file and the step that cannot be."""
    for number, step in enumerate(lesson.steps, 1):
        for words, known, what in ((step.press, PRESSED, "key"), (step.show, PANES, "part of the screen")):
            for word in words:
                if word not in known:
                    there = " ".join(name for name in known if len(name) == 1 or known is PANES)
                    raise InputError(
                        f"{shown(lesson.path)}, step {number}: {clean(word, 30)} is no {what}; there are {there}"
                    )
    if lesson.program:
        from engine.lessons.exercise import check_exercise  # with the doctor, which nobody else waits for

        check_exercise(lesson)
        return open_session(None, {})
    return open_lesson(lesson)
