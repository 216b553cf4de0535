"""The list of lessons to choose from."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.lessons.lesson import in_language, lesson_names, read_lesson
from rnn_tui.lessons.language import WORDS
from rnn_tui.screens.dialogs.dialog import Dialog


class LessonsScreen(Dialog[str]):
    """The lessons that come along, with an entry to leave the one that is open; gives the name, "" for leaving."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close"),
        Binding("L", "close", "Close", id="lessons"),
    ]

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
        lessons = {name: read_lesson(path) for name, path in lesson_names().items()}
        titles = [in_language(lesson.title, self._language) for lesson in lessons.values()]
        widest = max(map(cell_len, titles))
        for number, (title, (name, lesson)) in enumerate(zip(titles, lessons.items(), strict=True), 1):
            gap = " " * (widest - cell_len(title) + 3)
            text = f"{number} {title}{gap}{lesson.minutes:>2} {self._words['minutes']}"
            options.add_option(Option(Content(text), id=name))
        if self._now:
            options.add_option(Option(Content(self._words["leave"]), id=""))
        names = list(lesson_names())
        options.highlighted = names.index(self._now) + 1 if self._now in names[:-1] else 0
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes the lesson."""
        self.answer(event.option.id or "")
