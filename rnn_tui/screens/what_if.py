"""The what-if dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.errors import InputError
from rnn_tui.screens.dialogs import PLAIN, Dialog

HELP = """\
= a number, *= a factor, = flip
cells da@3[0,5] · a sample da@3[0,:] · a row da@3 · all steps da
weights Wa[2,3] · labels y[4] = flip · inputs x@2[0,0]
flow@3 = 0: nothing flows back from step 3 · activation = relu
enter runs on with it, esc closes; the original is kept, u undoes"""


class EditScreen(Dialog[None]):
    """Asks for an edit and makes it: `apply` takes the text and raises InputError for an edit that does not fit."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def __init__(self, text: str, apply: Callable[[str], None]) -> None:
        super().__init__()
        self._text, self._apply = text, apply

    def compose(self) -> ComposeResult:
        """One line to type into, filled as far as it is known."""
        with Vertical(classes="dialog") as box:
            box.border_title = "what if"
            yield Input(self._text, restrict=PLAIN, placeholder="da@3[0,5] = 0", select_on_focus=False)
            yield Static(Content(HELP), classes="note")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Sets it, or says why not."""
        if self._answered:
            return
        try:
            self._apply(event.value)
        except InputError as error:
            self.say_wrong(str(error))
            return
        self.answer()
