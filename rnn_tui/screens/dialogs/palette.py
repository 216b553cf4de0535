"""The command palette: everything that can be done, found by any of its words.

Our own, for Textual's has neither groups nor keys at the right, finds "Breakpoints" for "save", and ends the app when it is closed while it
still gathers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from rnn_tui.keys.bindings import OTHER
from rnn_tui.keys.command import Command
from rnn_tui.screens.dialogs.dialog import ChooseScreen

WIDTH = 66


@dataclass(frozen=True)
class PaletteEntry:
    """What can be chosen: a sentence, the group it stands in, its key, the action that does it, and further words that find it."""

    name: str
    group: str
    key: str
    action: str
    words: str = ""


THEME_CHOICE = PaletteEntry("Choose a theme", OTHER, "", "app.themes", "colours dark light contrast")


def choice_of(command: Command) -> PaletteEntry:
    """A command in the palette."""
    return PaletteEntry(command.help, command.group, command.shown, command.action, command.line)


def found(choices: Iterable[PaletteEntry], text: str) -> list[PaletteEntry]:
    """Those that have every word of the text; those that begin so come first, then those of which words do, the ones that say little
    else before the others."""
    wanted = text.lower().split()

    def rank(choice: PaletteEntry) -> tuple[int, int]:
        name = choice.name.lower()
        words = name.split()
        if name.startswith(text.lower()):
            return 0, 0
        starts = all(any(word.startswith(part) for word in words) for part in wanted)
        return (1, len(words)) if starts else (2, 0)

    fitting = [choice for choice in choices if all(word in f"{choice.name} {choice.words}".lower() for word in wanted)]
    return sorted(fitting, key=rank) if wanted else fitting


class PaletteScreen(ChooseScreen[str]):
    """Gives the action that was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+p", "close", "Close", priority=True)]

    def __init__(self, choices: Iterable[PaletteEntry], title: str = "what shall be done?") -> None:
        self._choices = tuple(choices)
        hint = "any word of it; enter does it, esc closes"
        super().__init__(title, hint, self._fitting, lambda _, option: option.id if option else None)

    def _fitting(self, text: str) -> Iterator[Option]:
        group = ""
        for choice in found(self._choices, text):
            if not text and choice.group != group:
                group = choice.group
                yield Option(Content.styled(group, "bold"), disabled=True)
            gap = " " * max(2, WIDTH - cell_len(choice.name) - cell_len(choice.key))
            yield Option(Content.assemble(choice.name, gap, (choice.key, "$accent")), id=choice.action)
