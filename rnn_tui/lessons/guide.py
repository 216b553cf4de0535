"""The learner's way through one lesson: which step, what is told of it, which keys do something. It knows no screen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.lessons.lesson import Lesson, LessonStep, Words, in_language
from rnn_tui.keys.bindings import COMMANDS, with_keys
from rnn_tui.keys.command import Command
from rnn_tui.lessons.language import WORDS
from rnn_tui.shown.card import CardTone, Choice, LessonCard


@dataclass(frozen=True)
class Progress:
    """Where the learner is: the number of the step, what is right there, the guess, how many hints were asked for, whether it is done."""

    number: int = 0
    right: int | None = None
    guess: int | None = None
    hints: int = 0
    done: bool = False


class Guide(ABC):
    """A lesson's steps one after the other. What a step does, and when it is done, is said by the kinds of lessons below."""

    commands: tuple[Command, ...] = COMMANDS
    """What can be done, with the learner's keys."""

    def __init__(self, lesson: Lesson, language: str) -> None:
        self.lesson = lesson
        self.progress = Progress()
        self._language, self._words = language, WORDS[language]

    @abstractmethod
    def _begin(self, number: int) -> None:
        """Begins a step."""

    @abstractmethod
    def _said(self, words: Words) -> str:
        """A text in the learner's language, with what is in braces put in."""

    @abstractmethod
    def _is_done(self) -> bool:
        """Whether what the step gives to do is done."""

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
        """To the next step, where no guess is wanted first."""
        return not self.asking and self._go(self.progress.number + 1)

    def guess(self, choice: int) -> bool:
        """Takes a guess, where one is wanted."""
        return False

    def back(self) -> bool:
        """To the step before."""
        return self._go(self.progress.number - 1)

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

    # What is shown

    def card(self) -> LessonCard:
        """The present step as it stands; a task that has once been done stays done."""
        step = self.step
        if step.until and not self.progress.done:
            self.progress = replace(self.progress, done=self._is_done())
        return LessonCard(
            title=in_language(self.lesson.title, self._language),
            place=f"{self.progress.number + 1}/{len(self.lesson.steps)}",
            texts=tuple((with_keys(text, self.commands), tone) for text, tone in self._texts(step)),
            choices=self._choices(step),
            keys=self._keys(step),
            show=step.show,
        )

    def _texts(self, step: LessonStep) -> Iterator[tuple[str, CardTone]]:
        words, progress = self._words, self.progress
        if step.edit and not self.asking:
            yield f"{words['try']}{step.edit}", "hint"
        if question := step.ask or step.do:
            yield self._asked(question), "ask"
        for n, hint in enumerate(() if progress.done else step.hints[: progress.hints], 1):
            yield words["hinted"].format(n) + self._said(hint), "hint"
        if not self.asking and (progress.done or not step.until):
            told = self._told(step)
            said = "" if step.say is None else self._said(step.say)
            if told or said:
                yield words.get(told, "") + said, "say"
            if self.over:
                yield words["over"], "dim"

    def _asked(self, words: Words) -> str:
        """A question, or a choice, with its numbers: they stay when the answer changes the recording."""
        return self._said(words)

    def _told(self, step: LessonStep) -> str:
        """Which word begins what is said once a task is done or a guess was made; "" for none."""
        if self.progress.guess is None:
            return "done" if self.progress.done else ""
        return "right" if self.progress.guess == self.progress.right else "why" if step.why else "wrong"

    def _choices(self, step: LessonStep) -> tuple[Choice, ...]:
        guess = self.progress.guess
        right = None if guess is None else self.progress.right
        return tuple(
            Choice(
                str(n + 1),
                with_keys(self._asked(text), self.commands),
                n == guess,
                None if right is None else n == right,
            )
            for n, text in enumerate(step.choices)
        )

    def _keys(self, step: LessonStep) -> tuple[tuple[str, str, str], ...]:
        words, keys = self._words, list[tuple[str, str, str]]()
        if self.asking:
            keys.append((f"1–{len(step.choices)}", words["guess"], ""))
        elif not self.over:
            on = "skip" if step.until and not self.progress.done else "next"
            keys.append(("`>`", words[on], "lesson_next"))
        if self.progress.number:
            keys.append(("`<`", words["back"], "lesson_back"))
        if self.progress.hints < len(step.hints) and not self.progress.done:
            keys.append(("`H`", words["hint"], "hint"))
        keys.append(("`L`", words["lessons"], "lessons"))
        return tuple((with_keys(key, self.commands), label, action) for key, label, action in keys)
