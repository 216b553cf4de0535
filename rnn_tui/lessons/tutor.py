"""The learner's way through one lesson: what is told, asked and done, over the controller's debugger. It knows no screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.debug.whatif import hand_over
from engine.lessons import course
from engine.lessons.lesson import Lesson, LessonStep, Words, in_language
from rnn_tui.control.controller import Controller
from rnn_tui.lessons.card import CardTone, Choice, LessonCard
from rnn_tui.lessons.language import WORDS


@dataclass(frozen=True)
class Progress:
    """Where the learner is: the number of the step, what is right there, the guess, how many hints were asked for, whether it is done."""

    number: int = 0
    right: int | None = None
    guess: int | None = None
    hints: int = 0
    done: bool = False


class Tutor:
    """One lesson on one controller. The recording decides what is right; nothing here is kept beyond the `Progress`."""

    def __init__(self, lesson: Lesson, language: str, controller: Controller) -> None:
        self.lesson = lesson
        self._language, self._words = language, WORDS[language]
        self._desk, self._unedited = controller, controller.debugger
        self._iteration = controller.debugger.view.point.iteration
        self._begin(0)
        controller.lesson = self.card

    @property
    def step(self) -> LessonStep:
        """The present step."""
        return self.lesson.steps[self.progress.number]

    @property
    def asking(self) -> bool:
        """Whether a guess is wanted."""
        return bool(self.step.choices) and self.progress.guess is None

    @property
    def over(self) -> bool:
        """Whether this is the last step, and nothing is left to be done in it."""
        return self.progress.number == len(self.lesson.steps) - 1 and not self.asking

    # What the learner does. False: nothing changed

    def next(self) -> bool:
        """To the next step; a question is answered first."""
        if self.asking:
            self._desk.say(f"{self._words['guess']}: 1–{len(self.step.choices)}")
            return False
        return self._go(self.progress.number + 1)

    def back(self) -> bool:
        """To the step before."""
        return self._go(self.progress.number - 1)

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

    def hint(self) -> bool:
        """One more hint."""
        more = self.progress.hints < len(self.step.hints)
        self.progress = replace(self.progress, hints=self.progress.hints + more)
        return more

    def _go(self, number: int) -> bool:
        if not 0 <= number < len(self.lesson.steps):
            return False
        self._begin(number)
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

    # What is shown

    def card(self) -> LessonCard:
        """The present step as it stands; a task that has once been done stays done."""
        step, debugger, selection = self.step, self._desk.debugger, self._desk.selection
        if step.until and not self.progress.done:
            done = course.done(step.until, debugger, selection.asked)
            self.progress = replace(self.progress, done=done)
        return LessonCard(
            title=in_language(self.lesson.title, self._language),
            place=f"{self.progress.number + 1}/{len(self.lesson.steps)}",
            texts=tuple(self._texts(step)),
            choices=self._choices(step),
            keys=self._keys(step),
            show=step.show,
        )

    def _said(self, words: Words) -> str:
        return course.filled(in_language(words, self._language), self._desk.debugger)

    def _texts(self, step: LessonStep) -> Iterator[tuple[str, CardTone]]:
        words, progress = self._words, self.progress
        if step.edit and not self.asking:
            yield f"{words['try']}{step.edit}", "hint"
        if question := step.ask or step.do:
            yield self._said(question), "ask"
        for n, hint in enumerate(() if progress.done else step.hints[: progress.hints], 1):
            yield f"{words['hint']} {n}: {self._said(hint)}", "hint"
        if not self.asking and (progress.done or not step.until):
            told = self._told(step)
            said = "" if step.say is None else self._said(step.say)
            if told or said:
                yield f"{words[told]} {said}" if told else said, "say"
            if self.over:
                yield words["over"], "dim"

    def _told(self, step: LessonStep) -> str:
        """Which word begins what is said once a task is done or a guess was made; "" for none."""
        if self.progress.guess is None:
            return "done" if self.progress.done else ""
        return "right" if self.progress.guess == self.progress.right else "why" if step.why else "wrong"

    def _choices(self, step: LessonStep) -> tuple[Choice, ...]:
        guess = self.progress.guess
        right = None if guess is None else self.progress.right
        return tuple(
            Choice(str(n + 1), self._said(text), n == guess, None if right is None else n == right)
            for n, text in enumerate(step.choices)
        )

    def _keys(self, step: LessonStep) -> tuple[tuple[str, str, str], ...]:
        words, keys = self._words, list[tuple[str, str, str]]()
        if not self.asking and not self.over:
            on = "skip" if step.until and not self.progress.done else "next"
            keys.append((">", words[on], "lesson_next"))
        if self.progress.number:
            keys.append(("<", words["back"], "lesson_back"))
        if self.progress.hints < len(step.hints) and not self.progress.done:
            keys.append(("H", words["hint"], "hint"))
        return (*keys, ("L", words["lessons"], "lessons"))
