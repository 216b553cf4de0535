"""What the debugger's screen does with files and the clipboard: saves, copies, shows the program, opens other data."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.errors import InputError
from engine.files.locate import resolve
from engine.files.project import samples
from engine.session import Session, open_session
from engine.text import clean
from rnn_tui.lessons.actions import LessonActions
from rnn_tui.saving import KINDS, Shown, program, save, where_to
from rnn_tui.screens.dialogs import PLAIN, Dialog
from rnn_tui.screens.examine import ExamineScreen
from rnn_tui.screens.walk import WalkScreen

if TYPE_CHECKING:
    from engine.doctor.report.lockstep import Lockstep

OWN_PROGRAMS = (".py", ".ipynb")


class SaveScreen(Dialog[Path]):
    """Asks for a file's name, whose ending says what is saved."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def compose(self) -> ComposeResult:
        """One line to type into, and what the endings mean."""
        with Vertical(classes="dialog") as box:
            box.border_title = "save"
            yield Input(restrict=PLAIN, placeholder="name.svg")
            kinds = "\n".join(f"name{ending:<6} {meaning}" for ending, meaning in KINDS.items())
            yield Static(Content(f"{kinds}\nenter saves, esc closes"), classes="note")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes the name, or says why not."""
        try:
            self.answer(where_to(event.value))
        except InputError as error:
            self.say_wrong(str(error))


class ProgramScreen(Dialog[None]):
    """The model as a NumPy program, to be read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,P,enter", "close", "Close")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Its lines."""
        with VerticalScroll(classes="dialog wide") as box:
            box.border_title = "this model as a NumPy program"
            box.border_subtitle = "esc closes, ↑ ↓ scroll; x and a name.py saves it, N changes the names"
            yield Static(Content(self._text))

    def on_mount(self) -> None:
        """Lets the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


class OpenScreen(Dialog[str]):
    """Asks for data, an example or a program of the user's own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def compose(self) -> ComposeResult:
        """One line to type into, and the examples."""
        with Vertical(classes="dialog") as box:
            box.border_title = "open"
            yield Input(restrict=PLAIN, placeholder="a file (CSV, NPZ, text, TOML; .py: your own), or an example below")
            yield OptionList()
            yield Static(Content("enter opens, esc closes"), classes="note")

    def on_mount(self) -> None:
        """Shows all examples to begin with."""
        self._fill("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrows the list."""
        self._fill(event.value.strip())

    def _fill(self, text: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        fitting = [sample for sample in samples() if sample.name.startswith(text)]
        options.add_options(Option(Content(f"{sample.name:<15} {sample.title}"), id=sample.name) for sample in fitting)
        options.highlighted = 0 if fitting else None

    def action_move(self, step: int) -> None:
        """Moves in the list while the typing goes on."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes the example."""
        self.answer(event.option.id)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes the file, or the example that is highlighted; says why not."""
        typed = event.value.strip()
        option = self.query_one(OptionList).highlighted_option
        name = typed if option is None or Path(typed).is_file() else option.id or typed
        try:
            resolve(name)
        except InputError as error:
            self.say_wrong(str(error))
        else:
            self.answer(name)


class FileActions(LessonActions):
    """The debugger's screen: opens and saves files."""

    @property
    def shown(self) -> Shown:
        """What is on this screen, whatever stands over it."""
        return Shown(self._compositor.render_strips(), self.controller.frame, self.controller.session)

    def action_save(self) -> None:
        """Asks for a name and saves what its ending says."""
        self._open(SaveScreen(), self._save)

    def _save(self, path: Path) -> None:
        try:
            self._say(save(path, self.shown))
        except InputError as error:
            self._say(str(error))

    def action_copy(self) -> None:
        """The number at the cursor to the clipboard."""
        self._copy(self.controller.here.copied())

    def action_copy_all(self) -> None:
        """The whole picture at the cursor to the clipboard."""
        self._copy(self.controller.here.copied_all())

    def _copy(self, copied: tuple[str, str] | None) -> None:
        if copied is None:
            self._say("There is no number at the cursor to copy.")
            return
        what, text = copied
        self.app.copy_to_clipboard(text)
        self._say(f"copied {what}")

    def action_program(self) -> None:
        """Shows the model as a program."""
        try:
            self._open(ProgramScreen(program(self.shown)))
        except InputError as error:
            self._say(str(error))

    def action_open_other(self) -> None:
        """Asks for other data and opens it."""
        self._open(OpenScreen(), self._open_other)

    def _open_other(self, name: str) -> None:
        if Path(name).suffix in OWN_PROGRAMS:
            self._examine(resolve(name))
            return
        self._say(f"opening {clean(name)} …")
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
        self.controller, self.guide = self._controller(session, lockstep), None
        self.show()

    # The user's own program

    def action_examine(self) -> None:
        """Examines the user's program again, or asks for its file."""
        if self.controller.lockstep is None:
            self._open(ExamineScreen(), self._examine)
        else:
            self._examine(self.controller.session.data.path)

    def _examine(self, path: Path) -> None:
        self.controller.running = False
        self.controller.say(f"examining {clean(path.name)} …")
        options = self.controller.session.options
        function = options.get("function") if self.controller.lockstep is not None else None
        self.run_worker(partial(self._examined, path, function), thread=True, exclusive=True, group="examine")

    def _examined(self, path: Path, function: str | None) -> None:
        """Runs in a thread: it takes some seconds."""
        from engine.doctor.opening import open_program  # nobody else needs to wait for it

        try:
            opened = open_program(path, function)
        except InputError as error:
            self.app.call_from_thread(self.controller.say, str(error))
            return
        if isinstance(opened, tuple):
            self.app.call_from_thread(self._take_session, *opened)
        else:
            self.app.call_from_thread(self.app.push_screen, WalkScreen(opened, self._look, keys=self.keys))
