"""The dialog that asks for the user's program."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.errors import InputError
from engine.files.locate import existing
from rnn_tui.screens.dialogs import PLAIN, Dialog

HELP = """\
a Python file or notebook with a backward pass you wrote: a function, a class or a whole script
it is run, with your rights, in a process of its own with limits of time and memory
enter examines it, esc closes"""


class ExamineScreen(Dialog[Path]):
    """Asks for the file; gives its path."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def compose(self) -> ComposeResult:
        """One line to type into."""
        with Vertical(classes="dialog") as box:
            box.border_title = "your own backward pass"
            yield Input(restrict=PLAIN, placeholder="mine.py")
            yield Static(Content(HELP), classes="note")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes the file, or says why not."""
        try:
            path = existing(str(Path(event.value.strip()).expanduser()) if event.value.strip() else "", "Python")
        except InputError as error:
            self.say_wrong(str(error))
            return
        self.answer(path)
