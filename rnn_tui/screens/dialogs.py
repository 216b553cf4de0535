"""Small screens over the main one: help, go to, find a quantity."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.debugger import Debugger
from engine.derive import CUT, FULL, NEXT, OUT, gradient, whole
from engine.errors import InputError
from engine.notation import Spelling
from engine.places import parse_place
from rnn_tui.bindings import COMMANDS

CONCEPTS = """\
program counter   (iteration, phase, t, line): the state just after a line ran
locals            "this line": what the line reads and writes, as pictures
call stack        the flow: how da got from the loss to here, and its gain per step
breakpoint        on a line of the listing: b, then c and C

Colours are signed: blue below zero, red above, dark is zero; one scale for all time steps.
┈ is not computed yet, ! is NaN, ▲ ▼ is beyond the scale.
Click a time step, a line, its gutter, a cell, or a key below."""

Result = TypeVar("Result")

PLAIN = r"[ -~]*"
"""What may be typed or pasted: printable ASCII, and nothing that a terminal would obey."""


class Dialog(ModalScreen[Result]):
    """A screen that closes once: a second Enter or click that comes before it is gone finds nothing to close."""

    _answered = False

    def answer(self, result: Result | None = None) -> None:
        """Closes with a result, the first time."""
        if not self._answered:
            self._answered = True
            self.dismiss(result)

    def action_close(self) -> None:
        """Closes without one."""
        self.answer()


class HelpScreen(Dialog[None]):
    """All keys, by what they are for."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "close", "Close")]

    def compose(self) -> ComposeResult:
        """One block a group."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "rnn-tui: keys"
            box.border_subtitle = "esc closes, ↑ ↓ scroll"
            for group in dict.fromkeys(command.group for command in COMMANDS):
                lines = [
                    f"{c.footer_keys or c.shown:<9} {c.line or c.help}"
                    for c in COMMANDS
                    if c.group == group and not c.back
                ]
                yield Static(Content.assemble((f"{group}\n", "bold"), "\n".join(lines), "\n"))
            yield Static(Content.assemble(("Words and colours\n", "bold"), CONCEPTS))

    def on_mount(self) -> None:
        """Lets the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


class GotoScreen(Dialog[int | None]):
    """Asks for a point; gives its position."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def __init__(self, debugger: Debugger, spelling: Spelling) -> None:
        super().__init__()
        self._debugger = debugger
        self._spelling = spelling

    def compose(self) -> ComposeResult:
        """One line to type into."""
        with Vertical(classes="dialog") as box:
            box.border_title = "go to"
            yield Input(
                restrict=PLAIN, placeholder="7   ·   backward 7   ·   dz@7   ·   loss   ·   iteration 3   ·   start"
            )
            yield Static(
                Content("a time step, a phase, a line, an iteration, in any order; enter goes, esc closes"),
                classes="note",
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Goes there, or says why not."""
        try:
            position = parse_place(self._spelling.own(event.value), self._debugger)
        except InputError as error:
            note = self.query_one(".note", Static)
            note.update(Content(str(error)))
            note.add_class("wrong")
            return
        self.answer(position)


MEANINGS = {
    "x": "input",
    "y": "target",
    "mask": "1 where a sample has not ended",
    "cut": "1 where truncation cuts the flow",
    "logits": "read-out",
    "p": "what the read-out predicts",
}
FLOWS = {
    OUT: "through this step's own lines",
    NEXT: "through the next step",
    FULL: "all of what flows back",
    CUT: "the part that truncation cuts off",
}


class FindScreen(Dialog[str | None]):
    """Asks for a quantity in time; gives its name, "" for the one that follows the phase."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, debugger: Debugger, spelling: Spelling) -> None:
        super().__init__()
        self._spelling = spelling
        self._entries = [("", "the state going forward, its gradient going back")]
        own = [gradient(state) + suffix for state in debugger.network.table.states for suffix in (OUT, NEXT)]
        in_time = [name for name, quantity in debugger.program.quantities.items() if quantity.rows]
        for name in dict.fromkeys((*in_time, *own)):
            self._entries.append((name, f"{self._meaning(debugger, name)}, {self._shape(debugger, name)} at each t"))

    def _meaning(self, debugger: Debugger, name: str) -> str:
        base = whole(name)
        if base != name and base in debugger.program.quantities:
            return f"dL/d{self._spelling.name(base.removeprefix('d'))} {FLOWS[name.removeprefix(base)]}"
        known = {**MEANINGS, **debugger.network.table.meanings}
        return known.get(name) or f"dL/d{self._spelling.name(name.removeprefix('d'))}"

    @staticmethod
    def _shape(debugger: Debugger, name: str) -> str:
        quantities = debugger.program.quantities
        axes = quantities[name if name in quantities else whole(name)].axes
        return "×".join(str(debugger.plan.sizes[axis]) for axis in axes)

    def compose(self) -> ComposeResult:
        """A line to type into, and what matches."""
        with Vertical(classes="dialog") as box:
            box.border_title = "show the flow of"
            yield Input(restrict=PLAIN, placeholder="name of a quantity")
            yield OptionList()

    def on_mount(self) -> None:
        """Shows all to begin with."""
        self._fill("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrows the list."""
        self._fill(event.value.strip())

    def on_input_submitted(self) -> None:
        """Takes what is highlighted."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self.answer(options.get_option_at_index(options.highlighted).id or "")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes what was clicked."""
        self.answer(event.option.id or "")

    def action_move(self, step: int) -> None:
        """Moves in the list while the typing goes on."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def _fill(self, text: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        entries = [(self._spelling.name(name) if name else "", name, meaning) for name, meaning in self._entries]
        for shown, name, meaning in sorted(entries, key=lambda entry: not entry[0].startswith(text)):
            if text in shown or not text:
                options.add_option(Option(Content(f"{shown or '·':<8} {meaning}"), id=name or None))
        options.highlighted = 0 if options.option_count else None
