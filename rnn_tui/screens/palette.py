"""The command palette: everything that can be done, found by any of its words.

Our own, for Textual's has neither groups nor keys at the right, finds "Breakpoints" for "save", and ends the app when it is closed while it
still gathers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from rnn_tui.screens.dialogs import PLAIN, Dialog

WIDTH = 66


@dataclass(frozen=True)
class PaletteEntry:
    """What can be chosen: a sentence, the group it stands in, its key, the action that does it, and further words that find it."""

    name: str
    group: str
    key: str
    action: str
    words: str = ""


def found(choices: Iterable[PaletteEntry], text: str) -> list[PaletteEntry]:
    """Those that have every word of the text; those of which a word begins so come first."""
    wanted = text.lower().split()

    def rank(choice: PaletteEntry) -> int:
        name = choice.name.lower()
        if name.startswith(text.lower()):
            return 0
        starts = all(any(word.startswith(part) for word in name.split()) for part in wanted)
        return 1 if starts else 2

    fitting = [choice for choice in choices if all(word in f"{choice.name} {choice.words}".lower() for word in wanted)]
    return sorted(fitting, key=rank) if wanted else fitting


class PaletteScreen(Dialog[str]):
    """Gives the action that was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+p", "close", "Close", priority=True),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, choices: Iterable[PaletteEntry], title: str = "what shall be done?") -> None:
        super().__init__()
        self._choices, self._title = tuple(choices), title

    def compose(self) -> ComposeResult:
        """An input line, and what matches."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            yield Input(restrict=PLAIN, placeholder="any word of it; enter does it, esc closes")
            yield OptionList()

    def on_mount(self) -> None:
        """Shows all to begin with."""
        self._fill("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrows the list."""
        self._fill(event.value.strip())

    def _fill(self, text: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        group = ""
        for choice in found(self._choices, text):
            if not text and choice.group != group:
                group = choice.group
                options.add_option(Option(Content.styled(group, "bold"), disabled=True))
            gap = " " * max(2, WIDTH - cell_len(choice.name) - cell_len(choice.key))
            options.add_option(Option(Content.assemble(choice.name, gap, (choice.key, "$accent")), id=choice.action))
        options.highlighted = None
        options.action_first()

    def on_input_submitted(self) -> None:
        """Takes what is highlighted."""
        option = self.query_one(OptionList).highlighted_option
        if option is not None:
            self.answer(option.id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes what was clicked."""
        self.answer(event.option.id)

    def action_move(self, step: int) -> None:
        """Moves in the list while the typing goes on."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()
