"""The kinds of small screens over a larger one: a question, a list that is narrowed by typing, one that is added to, a text to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.errors import InputError
from engine.text import clean
from rnn_tui.keys.bindings import COMMANDS, with_keys
from rnn_tui.keys.command import Command

Result = TypeVar("Result")

VISIBLE = (
    r"[^\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\uf8ff\ufeff\ufff0-\ufffb"
    r"\U000e0000-\U0010ffff]*"
)
"""What may be typed or pasted: characters that are seen, and nothing that a terminal would obey or that changes how others are read."""


WAITS = 0.5
"""Seconds of recording for which a dialog stays open; what takes longer is done when it is closed."""
BRACKETS = {"(": ")", "[": "]"}


def completed(typed: str, proposals: Sequence[str]) -> str:
    """What is typed with the rest of the first proposal that begins with it, blanks aside; where none does, with the brackets closed that
    are open; "" where there are none."""
    begun = typed.replace(" ", "")
    proposal = next((each for each in proposals if begun and each.replace(" ", "").startswith(begun)), "")
    ends = [at for at, character in enumerate(proposal, 1) if character != " "]
    rest = proposal[ends[len(begun) - 1] :] if proposal else ""
    rest = rest.lstrip() if typed.endswith(" ") else rest
    return typed + rest if rest else _closed(typed)


def _closed(typed: str) -> str:
    """What is typed with the brackets closed that are open behind a word or number; "" where none are."""
    missing = ""
    for character in typed:
        missing = BRACKETS.get(character, "") + (missing[1:] if character == missing[:1] else missing)
    return typed + missing if missing and typed[-1].isalnum() else ""


def taken(take: Callable[[str], Result], typed: str, proposals: Sequence[str]) -> Result:
    """What a line means; where it means nothing, what the proposal means that stands behind it. InputError: why it means nothing."""
    try:
        return take(typed)
    except InputError:
        whole = completed(typed, proposals)
        if not whole:
            raise
        return take(whole)


class _Proposer(Suggester):
    """The rest of a proposal, to stand behind what is typed."""

    def __init__(self, proposals: Sequence[str]) -> None:
        super().__init__(case_sensitive=True)
        self._proposals = proposals

    async def get_suggestion(self, value: str) -> str | None:
        return completed(value, self._proposals) or None


class TypedLine(Input):
    """A line to type into. Of `proposals` the first that begins with what is typed stands faintly behind it, and where nothing is typed
    an `example`, or what may be typed (`hint`); → and tab write a proposal or an example out.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "cursor_right", show=False)]

    def __init__(self, typed: str, example: str = "", proposals: Sequence[str] = (), hint: str = "") -> None:
        suggester = _Proposer(proposals) if proposals else None
        super().__init__(
            typed, hint or f"for example {example}", suggester=suggester, restrict=VISIBLE, select_on_focus=False
        )
        self._example = example

    def action_cursor_right(self, select: bool = False) -> None:
        """Writes out what stands faintly there, or moves on."""
        if self.value or not self._example:
            super().action_cursor_right(select)
        else:
            self.value = self._example
            self.action_end()


class Dialog(ModalScreen[Result]):
    """A screen that closes once: a second Enter or click that comes before it is gone finds nothing to close."""

    CSS_PATH = Path(__file__).with_name("dialog.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]
    _answered = False
    commands: tuple[Command, ...] = COMMANDS
    """What can be done on the screen below, with the user's keys."""

    def answer(self, result: Result | None = None) -> None:
        """Closes with a result, the first time."""
        if not self._answered:
            self._answered = True
            self.dismiss(result)

    def typed_early(self, letter: str) -> None:
        """Types what came before the line had the focus, if the dialog has a line; also where that is not drawn yet."""
        if not self.is_mounted:
            self.call_later(self.typed_early, letter)
        for line in self.query(TypedLine):
            line.insert_text_at_cursor(letter)

    def say_wrong(self, text: str) -> None:
        """Says in the note why what was typed cannot be; it can be corrected."""
        note = self.query(".note").last(Static)
        note.update(Content(text))
        note.add_class("wrong")

    def action_close(self) -> None:
        """Closes without one."""
        self.answer()


class AskScreen(Dialog[Result]):
    """Asks for one line. `take` makes of it what is answered, or raises InputError, which is shown; `typed` is there to begin with.
    `means` says while it is typed what Enter will do, "" of what is not finished; in its place stands the last line of the `note`."""

    def __init__(
        self,
        title: str,
        example: str,
        note: str,
        take: Callable[[str], Result],
        typed: str = "",
        proposals: Sequence[str] = (),
        means: Callable[[str], str] | None = None,
    ) -> None:
        super().__init__()
        self._texts, self._take, self._typed, self._proposals = (title, example, note), take, typed, proposals
        self._means = means

    def compose(self) -> ComposeResult:
        """One line to type into, and what it may be."""
        title, example, note = self._texts
        forms, _, keys = with_keys(note, self.commands).rpartition("\n")
        with Vertical(classes="dialog") as box:
            box.border_title = title
            yield TypedLine(self._typed, example, self._proposals)
            if forms:
                yield Static(Content(forms), classes="note")
            yield Static(Content(keys), classes="note")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Says what Enter does with what is typed by now; what was said of another text is gone."""
        typed, note, means = event.value.strip(), self.query(".note").last(Static), self._means
        told = "" if means is None else means(typed) or means(completed(typed, self._proposals))
        note.update(Content(told or with_keys(self._texts[2], self.commands).rpartition("\n")[2]))
        note.remove_class("wrong")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes the line, or says why not."""
        if self._answered:
            return
        try:
            result = taken(self._take, event.value.strip(), self._proposals)
        except InputError as error:
            self.say_wrong(str(error))
        else:
            self.answer(result)


class OverListScreen(Dialog[Result]):
    """A line to type into over a list, through which the arrow keys move meanwhile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def show_options(self, entries: Iterable[Option]) -> None:
        """Lists these, the first one that can be chosen highlighted."""
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(entries)
        options.highlighted = None
        options.action_first()

    def action_move(self, step: int) -> None:
        """Moves in the list while the typing goes on."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()


class ChooseScreen(OverListScreen[Result]):
    """A list that is narrowed by what is typed. `entries` are those that fit a text; `take` makes of the text and the entry that is
    highlighted or clicked (then the text is "") what is answered, None: nothing yet, or raises InputError, which is shown."""

    nothing: ClassVar[str] = "nothing here is called {}"
    """What is said of a text that no entry fits."""

    def __init__(
        self,
        title: str,
        hint: str,
        entries: Callable[[str], Iterable[Option]],
        take: Callable[[str, Option | None], Result | None],
        note: str = "",
    ) -> None:
        super().__init__()
        self._texts, self._entries, self._take = (title, hint, note), entries, take

    def compose(self) -> ComposeResult:
        """An input line, and what matches."""
        title, hint, note = self._texts
        with Vertical(classes="dialog") as box:
            box.border_title = title
            yield TypedLine("", hint=hint)
            yield OptionList()
            if note:
                yield Static(Content(note), classes="note")

    def on_mount(self) -> None:
        """Shows all to begin with."""
        self._narrow("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrows the list."""
        self._narrow(event.value.strip())

    def _narrow(self, text: str) -> None:
        """Lists what fits a text, or says that nothing does."""
        fitting = list(self._entries(text))
        self.show_options(
            fitting or [Option(Content(with_keys(self.nothing, self.commands).format(clean(text, 30))), disabled=True)]
        )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes what is typed, or highlighted."""
        self._answer(event.value.strip(), self.query_one(OptionList).highlighted_option)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes what was clicked."""
        self._answer("", event.option)

    def _answer(self, text: str, option: Option | None) -> None:
        try:
            result = self._take(text, option)
        except InputError as error:
            self.say_wrong(str(error))
        else:
            if result is not None:
                self.answer(result)


class ListScreen(OverListScreen[None]):
    """A list of texts: what is typed is added (`take`; InputError when it means nothing), what is clicked or deleted is taken away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("delete,ctrl+d", "remove", show=False, priority=True)]

    def __init__(
        self,
        title: str,
        example: str,
        note: str,
        texts: Callable[[], list[str]],
        take: Callable[[str], None],
        drop: Callable[[int], None],
        proposals: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._title, self._example, self._note = title, example, note
        self._texts, self._take, self._drop, self._proposals = texts, take, drop, proposals

    def compose(self) -> ComposeResult:
        """An input line, a hint of what can be typed, and the list."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            yield TypedLine("", self._example, self._proposals)
            yield Static(Content(with_keys(self._note, self.commands)), classes="note")
            yield OptionList()

    def on_mount(self) -> None:
        """Shows what there is."""
        self._fill()

    def _fill(self) -> None:
        self.show_options(Option(Content(text), id=str(number)) for number, text in enumerate(self._texts()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Adds it, or says what is wrong; closes when nothing is typed."""
        if not event.value.strip():
            self.answer()
            return
        note = self.query_one(".note", Static)
        try:
            taken(self._take, event.value.strip(), self._proposals)
        except InputError as error:
            self.say_wrong(str(error))
            return
        note.update(Content(with_keys(self._note, self.commands)))
        note.remove_class("wrong")
        self.query_one(Input).value = ""
        self._fill()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click removes."""
        self._remove(int(event.option.id or 0))

    def action_remove(self) -> None:
        """Removes the highlighted one."""
        highlighted = self.query_one(OptionList).highlighted
        if highlighted is not None:
            self._remove(highlighted)

    def _remove(self, number: int) -> None:
        if number < len(self._texts()):
            self._drop(number)
            self._fill()


class ReadScreen(Dialog[Result]):
    """A text to be read, which the arrow keys scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter", "close", "Close")]

    def __init__(self, title: str, text: str, *, wide: bool = False, more: str = "") -> None:
        super().__init__()
        self._title, self._text, self._wide, self._more = title, text, wide, more

    def compose(self) -> ComposeResult:
        """Its lines."""
        with VerticalScroll(classes="dialog wide" if self._wide else "dialog") as box:
            box.border_title = self._title
            box.border_subtitle = f"esc closes, ↑ ↓ scroll{self._more}"
            yield Static(Content(with_keys(self._text, self.commands)))

    def on_mount(self) -> None:
        """Lets the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()
