"""Small screens over the main one: help, go to, find a quantity."""

from __future__ import annotations

from itertools import accumulate
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.debug.breakpoints import CHANGES, Breakpoint
from engine.debug.debugger import Debugger
from engine.debug.places import Destination, first_where, parse_place
from engine.debug.predicates import FUNCTIONS
from engine.errors import InputError
from engine.language.derive import CUT, FULL, NEXT, OUT, gradient, whole
from engine.notation import Spelling
from engine.tables.given import FLOW_CUT, MASK
from engine.tables.heads import LOGITS, PROBABILITIES
from rnn_tui.bindings import COMMANDS, Command

CONCEPTS = """\
program counter   (iteration, phase, t, line): the state just after a line ran
locals            "this line": what the line reads and writes, as pictures
call stack        the flow: how da got from the loss to here, and its gain per step
breakpoint        on a line of the listing: b, then c and C

Colours are signed: blue below zero, red above, dark is zero; one scale for all time steps.
┈ is not computed yet, ! is NaN, ▲ ▼ is beyond the scale.
Click a time step, a line, its gutter, a cell, or a key below."""

BREAKPOINT_HELP = f"""\
dz  dz@7  @7             on a line, at one time step, on a time step
dz if norm(dz) < 1e-3    with a condition; if any(isnan(z)): at any line
dz sample 3   dz hit 5   for one sample, the fifth time only
dz log t, norm(dz)       prints and goes on
watch Wa[2,3] sign       one number: {", ".join(CHANGES)}
enter adds · ↑ ↓ and delete (or a click) remove · esc closes"""

WATCH_HELP = f"""\
q is the row computed last, q@k row k, q[:] all rows, q[0,5] a cell; t, iteration, phase, line
{", ".join(FUNCTIONS)}
enter watches · delete (or a click) stops watching · esc closes"""

Result = TypeVar("Result")

TWO_COLUMNS = 154
"""The width of a screen from which on the help has two columns."""
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

    def say_wrong(self, text: str) -> None:
        """Says in the note why what was typed cannot be; it can be corrected."""
        note = self.query_one(".note", Static)
        note.update(Content(text))
        note.add_class("wrong")

    def action_close(self) -> None:
        """Closes without one."""
        self.answer()


class HelpScreen(Dialog[None]):
    """All keys, by what they are for."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "close", "Close")]

    def __init__(self, commands: tuple[Command, ...] = COMMANDS, concepts: str = CONCEPTS) -> None:
        super().__init__()
        self._commands, self._concepts = commands, concepts

    def compose(self) -> ComposeResult:
        """One block a group."""
        blocks = [self._block(group) for group in dict.fromkeys(command.group for command in self._commands)]
        blocks.append(Content.assemble(("Words and colours\n", "bold"), self._concepts))
        heights = list(accumulate(block.plain.count("\n") + 1 for block in blocks))
        columns = 2 if self.app.size.width >= TWO_COLUMNS else 1
        half = next(i for i, height in enumerate(heights, 1) if height * columns >= heights[-1])
        with VerticalScroll(classes="dialog wide" if columns == 2 else "dialog") as box:
            box.border_title = "rnn-tui: keys"
            box.border_subtitle = "esc closes, ↑ ↓ scroll"
            with Horizontal(classes="columns"):
                yield Static(Content("\n").join(blocks[:half]))
                if columns == 2:
                    yield Static(Content("\n").join(blocks[half:]))

    def _block(self, group: str) -> Content:
        lines = [
            f"{command.footer_keys or command.shown:<9} {command.line or command.help}"
            for command in self._commands
            if command.group == group and not command.back
        ]
        return Content.assemble((f"{group}\n", "bold"), "\n".join(lines), "\n")

    def on_mount(self) -> None:
        """Lets the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


def place_in(text: str, debugger: Debugger, spelling: Spelling) -> Destination:
    """The place that was typed in the names and the layout on the screen, or where a condition holds next. Raises InputError."""
    meant = spelling.in_engine_names(text)
    return first_where(meant, debugger) if set(text) & set("<>(|") else parse_place(meant, debugger, spelling.layout)


class GotoScreen(Dialog[Destination]):
    """Asks for a place."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def __init__(self, debugger: Debugger, spelling: Spelling) -> None:
        super().__init__()
        self._debugger = debugger
        self._spelling = spelling

    def compose(self) -> ComposeResult:
        """One line to type into."""
        with Vertical(classes="dialog") as box:
            box.border_title = "go to"
            yield Input(restrict=PLAIN, placeholder="7 · backward 7 · dz@7 · da@3[2,4] · loss · max|da| < 0.1")
            yield Static(
                Content(
                    "a time step, a phase, a row q@t, a number q@t[i,j], an iteration, or a condition: to where it holds next\n"
                    "enter goes, esc closes"
                ),
                classes="note",
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Goes to the point that was typed, or says why that is not possible."""
        try:
            place = place_in(event.value, self._debugger, self._spelling)
        except InputError as error:
            self.say_wrong(str(error))
            return
        self.answer(place)


class ListScreen(Dialog[None]):
    """A list of texts: what is typed is added, what is clicked or deleted is taken away."""

    TITLE_TEXT: ClassVar[str] = ""
    EXAMPLE: ClassVar[str] = ""
    NOTE: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("delete,ctrl+d", "remove", show=False, priority=True),
    ]

    def texts(self) -> list[str]:
        """What is listed."""
        raise NotImplementedError

    def take(self, text: str) -> None:
        """Adds what was typed; InputError when it means nothing."""
        raise NotImplementedError

    def drop(self, number: int) -> None:
        """Removes the entry with this number."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """An input line, a hint of what can be typed, and the list."""
        with Vertical(classes="dialog") as box:
            box.border_title = self.TITLE_TEXT
            yield Input(restrict=PLAIN, placeholder=self.EXAMPLE)
            yield Static(Content(self.NOTE), classes="note")
            yield OptionList()

    def on_mount(self) -> None:
        """Shows what there is."""
        self._fill()

    def _fill(self) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(Content(text), id=str(number)) for number, text in enumerate(self.texts()))
        options.highlighted = 0 if options.option_count else None

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Adds it, or says what is wrong; closes when nothing is typed."""
        if not event.value.strip():
            self.answer()
            return
        note = self.query_one(".note", Static)
        try:
            self.take(event.value.strip())
        except InputError as error:
            self.say_wrong(str(error))
            return
        note.update(Content(self.NOTE))
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

    def action_move(self, step: int) -> None:
        """Moves in the list while the typing goes on."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def _remove(self, number: int) -> None:
        if number < len(self.texts()):
            self.drop(number)
            self._fill()


class DebuggerListScreen(ListScreen):
    """A list of what a debugger has."""

    def __init__(self, debugger: Debugger) -> None:
        super().__init__()
        self._debugger = debugger


class BreakpointsScreen(DebuggerListScreen):
    """The breakpoints of every kind."""

    TITLE_TEXT = "breakpoints"
    EXAMPLE = "dz if norm(dz) < 1e-3"
    NOTE = BREAKPOINT_HELP

    def _stops(self) -> list[Breakpoint]:
        return sorted(self._debugger.breakpoints, key=lambda stop: stop.text(self._debugger.program))

    def texts(self) -> list[str]:
        program = self._debugger.program
        several = {name for name in program.quantities if len(list(program.writers(name))) > 1}
        lines = [(stop.text(program), stop.line(program)) for stop in self._stops()]
        return [
            f"{text}   ({'in the loop' if program.runs_at(line, 1) else 'read-out'})"
            if line and line.name in several
            else text
            for text, line in lines
        ]

    def take(self, text: str) -> None:
        self._debugger.add(text)

    def drop(self, number: int) -> None:
        self._debugger.remove(self._stops()[number])


class LogScreen(Dialog[None]):
    """What logpoints have printed, the latest last."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,D,enter", "close", "Close")]

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__()
        self._lines = lines or ("Nothing has been printed: d, then for example dz log t, norm(dz), and c.",)

    def compose(self) -> ComposeResult:
        """The lines, to be scrolled."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "log"
            box.border_subtitle = "esc closes, ↑ ↓ scroll"
            yield Static(Content("\n".join(self._lines)))

    def on_mount(self) -> None:
        """Begins at the latest."""
        box = self.query_one(VerticalScroll)
        box.focus()
        box.scroll_end(animate=False)


class WatchScreen(DebuggerListScreen):
    """The watched expressions with their values."""

    TITLE_TEXT = "watch"
    EXAMPLE = "norm(da) / norm(da@(t+1))"
    NOTE = WATCH_HELP

    def texts(self) -> list[str]:
        return [f"{watched.source} = {self._debugger.watched(watched)}" for watched in self._debugger.watches]

    def take(self, text: str) -> None:
        self._debugger.watch(text)
        self.answer()

    def drop(self, number: int) -> None:
        watches = self._debugger.watches
        self._debugger.watches = (*watches[:number], *watches[number + 1 :])


MEANINGS = {
    "x": "input",
    "y": "target",
    MASK: "1 where a sample has not ended",
    FLOW_CUT: "1 where truncation cuts the flow",
    LOGITS: "read-out",
    PROBABILITIES: "what the read-out predicts",
}
FLOWS = {
    OUT: "through this step's own lines",
    NEXT: "through the next step",
    FULL: "all of what flows back",
    CUT: "the part that truncation cuts off",
}


class FindScreen(Dialog[str | Destination]):
    """Asks for a quantity in time; gives its name, "" for the one that follows the phase; for a row or a number, its place."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, debugger: Debugger, spelling: Spelling) -> None:
        super().__init__()
        self._debugger = debugger
        self._spelling = spelling
        self._entries = [("", "the state going forward, its gradient going back")]
        flows = [gradient(state) + suffix for state in debugger.network.table.states for suffix in (OUT, NEXT)]
        in_time = [name for name, quantity in debugger.program.quantities.items() if quantity.rows]
        for name in dict.fromkeys((*in_time, *flows)):
            self._entries.append((name, f"{self._meaning(debugger, name)}, {self._shape(debugger, name)} at each t"))

    _place: Destination | None = None
    """The place of the row or the number that is typed."""

    def _meaning(self, debugger: Debugger, name: str) -> str:
        base = whole(name)
        if base != name and base in debugger.program.quantities:
            return f"dL/d{self._spelling.name(base.removeprefix('d'))} {FLOWS[name.removeprefix(base)]}"
        known = {**MEANINGS, **debugger.network.meanings}
        return known.get(name) or f"dL/d{self._spelling.name(name.removeprefix('d'))}"

    @staticmethod
    def _shape(debugger: Debugger, name: str) -> str:
        quantities = debugger.program.quantities
        axes = quantities[name if name in quantities else whole(name)].axes
        return "×".join(str(debugger.plan.sizes[axis]) for axis in axes)

    def compose(self) -> ComposeResult:
        """An input line, and the names that match."""
        with Vertical(classes="dialog") as box:
            box.border_title = "show the flow of"
            yield Input(restrict=PLAIN, placeholder="name of a quantity, or a number: da@3[2,4]")
            yield OptionList()

    def _number(self, text: str) -> Option:
        """What Enter does with the name of a row or a number."""
        try:
            self._place = place_in(text, self._debugger, self._spelling)
        except InputError as error:
            return Option(Content(str(error)), disabled=True)
        point = self._debugger.program.point(self._place.position)
        when = "" if point.t is None else f", t = {point.t}"
        return Option(Content(f"{text}   go there: {point.phase}{when}"))

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
            self._take(options.get_option_at_index(options.highlighted))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes what was clicked."""
        self._take(event.option)

    def _take(self, option: Option) -> None:
        if not option.disabled:
            self.answer(self._place if self._place is not None else option.id or "")

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
        self._place = None
        if set(text) & set("@["):
            options.add_option(self._number(text))
            options.highlighted = 0
            return
        entries = [(self._spelling.name(name) if name else "", name, meaning) for name, meaning in self._entries]
        for shown, name, meaning in sorted(entries, key=lambda entry: not entry[0].startswith(text)):
            if text in shown or not text:
                options.add_option(Option(Content(f"{shown or '·':<8} {meaning}"), id=name or None))
        options.highlighted = 0 if options.option_count else None
