"""A lesson on a recording: its places, questions, tasks and edits, over the controller's debugger. It knows no screen."""

from __future__ import annotations

from dataclasses import replace

from engine.debug.whatif import hand_over
from engine.lessons import course
from engine.lessons.lesson import Lesson, Words, in_language
from rnn_tui.control.controller import Controller
from rnn_tui.lessons.guide import Guide, Progress


class Tutor(Guide):
    """One lesson on one controller. The recording decides what is right."""

    def __init__(self, lesson: Lesson, language: str, controller: Controller) -> None:
        super().__init__(lesson, language)
        self.commands = controller.commands
        self._desk, self._unedited = controller, controller.debugger
        self._iteration = controller.debugger.view.point.iteration
        self._begin(0)
        controller.lesson = self.card

    def guess(self, choice: int) -> bool:
        """Takes a guess, runs what was asked about, and explains it to who was wrong."""
        if not self.asking or not 0 <= choice < len(self.step.choices):
            return False
        self.progress = replace(self.progress, guess=choice)
        step = self.step
        self._edit()
        debugger = self._desk.debugger
        if step.run:
            self._desk.go(course.end_of(step.run, debugger))
        if step.why and choice != self.progress.right:
            self._desk.ask(course.number(step.why, debugger))
        return True

    def _begin(self, number: int) -> None:
        """A step begins without edits, in the iteration that the lesson is about, with what it has of its own."""
        desk, step = self._desk, self.lesson.steps[number]
        if desk.debugger is not self._unedited:
            hand_over(desk.debugger, self._unedited)
            desk.take(self._unedited)
        if desk.debugger.view.point.iteration != self._iteration:
            desk.go(self._iteration * desk.debugger.program.length)
        if step.at:
            desk.visit(course.place(step.at, desk.debugger))
        elif desk.selection.asked:
            desk.ask()
        self._edited = course.edited(step, desk.debugger)
        self.progress = Progress(number, course.right_choice(step, self._edited) if step.choices else None)
        if not step.choices:
            self._edit()

    def _edit(self) -> None:
        """Takes the step's edit into force; the point stays."""
        if self._edited is not self._desk.debugger:
            hand_over(self._desk.debugger, self._edited)
            self._desk.take(self._edited)

    def _is_done(self) -> bool:
        return course.done(self.step.until, self._desk.debugger, self._desk.selection.asked)

    def _asked(self, words: Words) -> str:
        before = self._unedited if self.step.choices else self._desk.debugger
        return course.filled(in_language(words, self._language), before)

    def _said(self, words: Words) -> str:
        return course.filled(in_language(words, self._language), self._desk.debugger)
