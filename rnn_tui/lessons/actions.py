"""What the debugger's screen does about lessons: opens one, leaves it, and passes the learner's keys to the tutor."""

from __future__ import annotations

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
from rnn_tui.lessons.opening import PRESSED, opened
from rnn_tui.lessons.tutor import Tutor
from rnn_tui.screens.dialogs import Dialog
from rnn_tui.screens.paned import PanedScreen

if TYPE_CHECKING:
    from engine.doctor.report.lockstep import Lockstep
    from engine.session import Session


class LessonsScreen(Dialog[str]):
    """The lessons that come along, with an entry to leave the one that is open; gives the name, "" for leaving."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,L", "close", "Close")]

    def __init__(self, language: str, now: str) -> None:
        super().__init__()
        self._language, self._now = language, now

    def compose(self) -> ComposeResult:
        """A list to choose from."""
        with Vertical(classes="dialog") as box:
            box.border_title = "lessons"
            yield OptionList()
            yield Static(Content("enter opens, esc closes"), classes="note")

    def on_mount(self) -> None:
        """The lessons in their order."""
        options = self.query_one(OptionList)
        for number, (name, path) in enumerate(lesson_names().items(), 1):
            lesson = read_lesson(path)
            text = f"{number} {in_language(lesson.title, self._language)}   {lesson.minutes} min"
            options.add_option(Option(Content(text), id=name))
        if self._now:
            options.add_option(Option(Content("Leave the lesson, back to what was open before"), id=""))
        names = list(lesson_names())
        options.highlighted = names.index(self._now) + 1 if self._now in names[:-1] else 0
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes the lesson."""
        self.answer(event.option.id or "")


class LessonActions(PanedScreen):
    """A part of the debugger's screen."""

    language = "en"
    controller: Controller
    tutor: Tutor | None = None
    """The lesson that goes on."""
    _before: Controller | None = None
    """What was open before the lesson."""

    def _controller(self, session: Session, lockstep: Lockstep | None = None) -> Controller:
        raise NotImplementedError

    def action_lessons(self) -> None:
        """Asks for a lesson."""
        now = self.tutor.lesson.name if self.tutor else ""
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
        controller = self._controller(session or opened(lesson))
        if self.tutor is None:
            self._before = self.controller
        self.controller = controller
        self.tutor = Tutor(lesson, self.language, controller)
        self.call_later(self._press)

    def leave_lesson(self) -> None:
        """Back to what was open before."""
        if self.tutor is not None and self._before is not None:
            self.controller.running = self.controller.training = False
            self.controller, self.tutor = self._before, None

    async def action_lesson_next(self) -> None:
        """The next step of the lesson; after the last one the next lesson."""
        if self.tutor is not None and self.tutor.over:
            self.action_lessons()
        elif self.tutor is not None:
            self.show(self.tutor.next())
            await self._press()

    async def action_lesson_back(self) -> None:
        """The step of the lesson before."""
        if self.tutor is not None:
            self.show(self.tutor.back())
            await self._press()

    def action_hint(self) -> None:
        """One more hint."""
        if self.tutor is not None:
            self.show(self.tutor.hint())

    def action_answer(self, choice: int) -> None:
        """A guess."""
        if self.tutor is not None:
            self.show(self.tutor.guess(choice))

    async def _press(self) -> None:
        """Presses what the step presses."""
        for key in self.tutor.step.press if self.tutor is not None else ():
            await self.run_action(PRESSED[key].action)

    def lesson_works(self, action: str) -> bool | None:
        """Whether a lesson's key does something now; None: it is no key of a lesson."""
        match action:
            case "answer":
                return self.tutor is not None and self.tutor.asking
            case "lesson_next" | "lesson_back" | "hint":
                return self.tutor is not None
            case _:
                return None
