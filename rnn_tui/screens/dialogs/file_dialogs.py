"""What is asked about files: where to save, what to open; and the model as a program, to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from engine.files.locate import resolve, seen
from engine.files.project import samples
from rnn_tui.kept.saving import KINDS, where_to
from rnn_tui.render.canvas import fitting
from rnn_tui.screens.dialogs.dialog import AskScreen, ChooseScreen, ReadScreen, TypedLine

TITLE = 46
"""Columns for an example's title: its line is not to be folded."""


class SaveScreen(AskScreen[Path]):
    """Asks for a file's name, whose ending says what is saved; `name` is there to begin with."""

    def __init__(self, name: str = "", kinds: Mapping[str, str] = KINDS) -> None:
        told = "\n".join(f"name{ending:<6} {meaning}" for ending, meaning in kinds.items())
        take = partial(where_to, kinds=kinds)
        super().__init__("save", "name.svg", f"{told}\nenter saves, esc closes", take, name)

    def on_mount(self) -> None:
        """Marks the name that is there: another that is typed takes its place."""
        self.query_one(TypedLine).select_all()


class ProgramScreen(ReadScreen[str]):
    """The model as a NumPy program, to be read. Answers with what else is wanted of it: to "save" it, or another "notation"."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("P", "close", "Close"),
        Binding("x", "want('save')", "Save"),
        Binding("N", "want('notation')", "Notation"),
    ]

    def __init__(self, text: str, notation: str) -> None:
        super().__init__(
            f"this model as a NumPy program · {notation}",
            text,
            wide=True,
            more="; x saves it, N writes it in another notation",
        )

    def action_want(self, what: str) -> None:
        """Closes with a wish."""
        self.answer(what)


def _examples(text: str) -> Iterator[Option]:
    for sample in samples():
        if sample.name.startswith(text):
            yield Option(Content(f"{sample.name:<15} {fitting(sample.title, TITLE)}"), id=sample.name)


def _file_or_example(typed: str, example: Option | None) -> str:
    name = typed if example is None or seen(Path(typed).is_file) else example.id or typed
    resolve(name)
    return name


class OpenScreen(ChooseScreen[str]):
    """Asks for data, an example or a program of the user's own."""

    nothing = "no example begins with {}: enter opens the file"

    def __init__(self) -> None:
        hint = "a file (CSV, NPZ, text, TOML; .py: your own), or an example below"
        super().__init__("open", hint, _examples, _file_or_example, "enter opens, esc closes")
