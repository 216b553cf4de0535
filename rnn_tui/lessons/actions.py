"""What the debugger's screen does about lessons: opens one, leaves it, and passes the learner's keys to the tutor."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.errors import InputError
from engine.lessons.lesson import Lesson, in_language, lesson_names, read_lesson
from rnn_tui.control.controller import Controller
from rnn_tui.lessons.examiner import Examiner
from rnn_tui.lessons.keys import LessonKeys
from rnn_tui.lessons.language import WORDS
from rnn_tui.lessons.opening import opened
from rnn_tui.lessons.tutor import Tutor
from rnn_tui.screens.dialog import Dialog
from rnn_tui.screens.walk import WalkScreen

if TYPE_CHECKING:
    from engine.doctor.report.lockstep import Lockstep
    from engine.session import Session


class LessonsScreen(Dialog[str]):
    """The lessons that come along, with an entry to leave the one that is open; gives the name, "" for leaving."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,L", "close", "Close")]

    def __init__(self, language: str, now: str) -> None:
        super().__init__()
        self._language, self._words, self._now = language, WORDS[language], now

    def compose(self) -> ComposeResult:
        """A list to choose from."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._words["lessons"]
            yield OptionList()
            yield Static(Content(self._words["opens"]), classes="note")

    def on_mount(self) -> None:
        """The lessons in their order."""
        options = self.query_one(OptionList)
        for number, (name, path) in enumerate(lesson_names().items(), 1):
            lesson = read_lesson(path)
            text = f"{number} {in_language(lesson.title, self._language)}   {lesson.minutes} {self._words['minutes']}"
            options.add_option(Option(Content(text), id=name))
        if self._now:
            options.add_option(Option(Content(self._words["leave"]), id=""))
        names = list(lesson_names())
        options.highlighted = names.index(self._now) + 1 if self._now in names[:-1] else 0
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes the lesson."""
        self.answer(event.option.id or "")


class LessonActions(LessonKeys):
    """The debugger's screen: opens lessons."""

    language = "en"
    controller: Controller
    _before: Controller | None = None
    """What was open before the lesson."""

    def _controller(self, session: Session, lockstep: Lockstep | None = None) -> Controller:
        controller = Controller(session, self._look, self._say, lockstep)
        controller.commands = self.commands
        return controller

    def action_lessons(self) -> None:
        """Asks for a lesson."""
        now = self.guide.lesson.name if self.guide else ""
        self._open(LessonsScreen(self.language, now), self._chosen)

    def _chosen(self, name: str) -> None:
        if not name:
            self.leave_lesson()
            return
        try:
            self.begin_lesson(read_lesson(lesson_names()[name]))
        except InputError as error:
            self._say(str(error))

    def begin_lesson(self, lesson: Lesson, session: Session | None = None) -> None:
        """Opens a lesson, on its data; what was open stays for later."""
        if lesson.program:
            self._begin_exercise(lesson)
            return
        controller = self._controller(session or opened(lesson))
        if self.guide is None:
            self._before = self.controller
        self.controller = controller
        self.guide = Tutor(lesson, self.language, controller)
        self.call_later(self._press)

    def _begin_exercise(self, lesson: Lesson) -> None:
        from engine.lessons.exercise import check_exercise, prepared  # with the doctor, which nobody else waits for

        check_exercise(lesson)
        exercise = prepared(lesson, Path.cwd())
        self._say(f"running {exercise.path.name} …")
        examiner = Examiner(lesson, self.language, exercise)
        self.run_worker(partial(self._examined_first, examiner), thread=True, exclusive=True, group="examine")

    def leave_lesson(self) -> None:
        """Back to what was open before."""
        if self.guide is not None and self._before is not None:
            self.controller.running = self.controller.training = False
            self.controller, self.guide = self._before, None

    def action_answer(self, choice: int) -> None:
        """A guess."""
        if isinstance(self.guide, Tutor):
            self.show(self.guide.guess(choice))

    def _examined_first(self, examiner: Examiner) -> None:
        """Runs in a thread: it takes some seconds."""
        try:
            walk = examiner.exercise.examined()
        except InputError as error:
            self.app.call_from_thread(self._say, str(error))
        else:
            self.app.call_from_thread(self.app.push_screen, WalkScreen(walk, self._look, examiner, self.keys))
