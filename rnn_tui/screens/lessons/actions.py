"""What the debugger's screen does about lessons: opens one, leaves it, and passes the learner's keys to the tutor."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from rnn_tui.control.controller import Controller
from rnn_tui.screens.lessons.keys import LessonKeys

if TYPE_CHECKING:
    from engine.doctor.walk.lockstep import Lockstep
    from engine.lessons.lesson import Lesson
    from engine.session import Session
    from rnn_tui.lessons.examiner import Examiner


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
        from rnn_tui.screens.lessons.choosing import LessonsScreen  # what a lesson needs is loaded when one is wanted

        now = self.guide.lesson.name if self.guide else ""
        self._open(LessonsScreen(self.language, now), self._chosen)

    def _chosen(self, name: str) -> None:
        if not name:
            self.leave_lesson()
            return
        from engine.lessons.lesson import lesson_names, read_lesson

        try:
            self.begin_lesson(read_lesson(lesson_names()[name]))
        except InputError as error:
            self._say(str(error))

    def begin_lesson(self, lesson: Lesson, session: Session | None = None) -> None:
        """Opens a lesson, on its data; what was open stays for later."""
        if lesson.program:
            self._begin_exercise(lesson)
            return
        from rnn_tui.lessons.tutor import Tutor
        from rnn_tui.screens.lessons.opening import opened

        controller = self._controller(session or opened(lesson))
        if self.guide is None:
            self._before = self.controller
        self.controller = controller
        self.guide = Tutor(lesson, self.language, controller)
        self.call_later(self._press)

    def _begin_exercise(self, lesson: Lesson) -> None:
        from engine.lessons.exercise import check_exercise, prepared  # with the doctor, which nobody else waits for
        from rnn_tui.lessons.examiner import Examiner

        check_exercise(lesson)
        exercise = prepared(lesson, Path.cwd())
        self._say_doing(f"running {exercise.path.name} …")
        examiner = Examiner(lesson, self.language, exercise)
        self.run_worker(partial(self._examined_first, examiner), thread=True, exclusive=True, group="examine")

    @property
    def apart_from_lessons(self) -> Controller:
        """What is open, or was before the lesson."""
        return self.controller if self.guide is None or self._before is None else self._before

    def leave_lesson(self) -> None:
        """Back to what was open before."""
        if self.guide is not None and self._before is not None:
            self.controller.running = self.controller.training = False
            self.controller, self.guide = self._before, None

    def action_answer(self, choice: int) -> None:
        """A guess."""
        if self.guide is not None:
            self.show(self.guide.guess(choice))

    def _examined_first(self, examiner: Examiner) -> None:
        """Runs in a thread: it takes some seconds."""
        from rnn_tui.screens.walk import WalkScreen

        try:
            walk = examiner.exercise.examined()
        except InputError as error:
            self.app.call_from_thread(self._say, str(error))
        else:
            self.app.call_from_thread(self.app.push_screen, WalkScreen(walk, self._look, examiner, self.keys))
