"""What the debugger's screen does with files: shows the program, opens other data and the user's own programs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.files.locate import PROGRAMS, resolve
from engine.session import Session, open_session
from engine.text import clean
from rnn_tui.screens.lessons.actions import LessonActions

if TYPE_CHECKING:
    from engine.doctor.walk.lockstep import Lockstep
    from rnn_tui.kept.saving import Shown


class FileActions(LessonActions):
    """The debugger's screen: opens files."""

    @property
    def shown(self) -> Shown:
        """What is on this screen, whatever stands over it."""
        from rnn_tui.kept.saving import Shown

        return Shown(self._compositor.render_strips(), self.controller.frame, self.controller.session)

    def action_program(self) -> None:
        """Shows the model as a program."""
        from rnn_tui.kept.saving import program
        from rnn_tui.screens.dialogs.file_dialogs import ProgramScreen

        try:
            self._open(ProgramScreen(program(self.shown), self.controller.notation), self._of_program)
        except InputError as error:
            self._say(str(error))

    def _of_program(self, wanted: str) -> None:
        """What was wanted of the program that was shown."""
        if wanted == "save":
            beside = self.controller.lockstep is not None  # the name of the user's own program is taken
            name = self.controller.session.data.name
            self.action_save(f"{name.removesuffix('.py')}_reference.py" if beside else f"{name}.py")
        else:
            self.controller.take_notation(self.controller.next_notation)
            self.show()
            self.action_program()

    def action_open_other(self) -> None:
        """Asks for other data and opens it."""
        from rnn_tui.screens.dialogs.file_dialogs import OpenScreen

        self._open(OpenScreen(), self._open_other)

    def _open_other(self, name: str) -> None:
        if Path(name).suffix in PROGRAMS:
            self._examine(resolve(name))
            return
        self._say_doing(f"opening {clean(name)} …")
        self.run_worker(partial(self._opened_other, name), thread=True, exclusive=True, group="open")

    def _opened_other(self, name: str) -> None:
        """Runs in a thread: reading may take some seconds."""
        try:
            session = open_session(name, {})
        except InputError as error:
            self.app.call_from_thread(self._say, str(error))
        else:
            self.app.call_from_thread(self._take_session, session)

    def _take_session(self, session: Session, lockstep: Lockstep | None = None) -> None:
        """Puts another session in the place of the one that is open; a lesson is about the one that it began on, and ends."""
        self.app.clear_notifications()
        self.controller, self.guide = self._controller(session, lockstep), None
        self.show()

    # The user's own program

    def action_examine(self) -> None:
        """Examines the user's program again, or asks for its file."""
        if self.controller.lockstep is None:
            from rnn_tui.screens.dialogs.examine import ExamineScreen

            self._open(ExamineScreen(), self._examine)
        else:
            self._examine(self.controller.session.data.path, self.controller.lockstep)

    def action_file(self) -> None:
        """The next file of the user's program."""
        self.act(self.controller.file)

    def action_derived(self) -> None:
        """The missing backward pass, in the walk through the user's own run."""
        from rnn_tui.screens.walk import WalkScreen

        lockstep = self.controller.lockstep
        if lockstep is None:
            self._say("This is about a program of your own: `r` opens it.")
        else:
            self.controller.running = False
            self.app.push_screen(WalkScreen(lockstep.walk, self._look, keys=self.keys, derives=True))

    def _examine(self, path: Path, before: Lockstep | None = None) -> None:
        self.controller.running = False
        self._say_doing(f"examining {clean(path.name)} …")
        self.run_worker(partial(self._examined, path, before), thread=True, exclusive=True, group="examine")

    def _examined(self, path: Path, before: Lockstep | None) -> None:
        """Runs in a thread: it takes some seconds. What is open already is run as it was `before`."""
        from engine.doctor.opening import open_again, open_program  # nobody else needs to wait for it
        from rnn_tui.screens.walk import WalkScreen

        try:
            opened = open_program(path) if before is None else open_again(path, before)
        except InputError as error:
            self.app.call_from_thread(self.controller.say, str(error))
            return
        if isinstance(opened, tuple):
            self.app.call_from_thread(self._take_session, *opened)
        else:
            self.app.call_from_thread(self.app.push_screen, WalkScreen(opened, self._look, keys=self.keys))
