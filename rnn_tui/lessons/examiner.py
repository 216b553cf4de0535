"""A lesson on a program of the learner's: done when its gradients are right. It knows no screen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.lessons.lesson import Lesson, Words, in_language
from rnn_tui.lessons.guide import Guide, Progress

if TYPE_CHECKING:
    from engine.doctor.walk.walk import ProgramWalk
    from engine.lessons.exercise import Exercise
    from rnn_tui.control.walker import Walker


class Examiner(Guide):
    """One exercise on the walk through the learner's program."""

    def __init__(self, lesson: Lesson, language: str, exercise: Exercise) -> None:
        super().__init__(lesson, language)
        self.exercise = exercise
        self._walk: ProgramWalk | None = None

    def take(self, walker: Walker) -> None:
        """Goes on with the walk through the program as it is now, from the loss on; what is wrong is marked from the first hint on."""
        self._walk, self.commands = walker.walk, walker.commands
        walker.lesson = self.card
        walker.sought = lambda: not (self.progress.hints or self._is_done())
        walker.choose(at=walker.walk.turn)

    def _begin(self, number: int) -> None:
        self.progress = Progress(number)

    def _is_done(self) -> bool:
        return self._walk is not None and self._walk.report.verdict == "correct"

    def _said(self, words: Words) -> str:
        values = self.exercise.values(self._language)
        return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), in_language(words, self._language))
