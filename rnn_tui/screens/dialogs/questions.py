"""Small screens over the main one: help, go to, breakpoints, watches, find a quantity."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static
from textual.widgets.option_list import Option

from engine.debug.breakpoints import CHANGES, Breakpoint
from engine.debug.debugger import Debugger
from engine.debug.pace import TakesLongError
from engine.debug.places import Destination, first_where, parse_place, sought
from engine.debug.predicates import FUNCTIONS
from engine.errors import InputError
from engine.language.derive import NEXT, OUT, gradient, whole
from engine.notation import Spelling
from engine.tables.given import FLOW_CUT, MASK
from engine.tables.heads import LOGITS, PROBABILITIES
from engine.text import clean
from rnn_tui.keys.bindings import with_keys
from rnn_tui.panes.shared.words import flow_words
from rnn_tui.screens.dialogs.dialog import WAITS, AskScreen, ChooseScreen, ListScreen, ReadScreen
from rnn_tui.screens.dialogs.of_model import number_of, of_model
from rnn_tui.shown.frame import Frame

CONCEPTS = """\
program counter   (iteration, phase, t, line): the state just after a line ran
locals            "this line": what the line reads and writes, as pictures
call stack        the flow: how da got from the loss to here, and its gain per step
breakpoint        on a line of the listing: `b`, then `c` and `C`

Colours are signed: blue below zero, red above, dark is zero; one scale for all time steps.
┈ is not computed yet, ! is NaN, ▲ ▼ is beyond the scale.
Click a time step, a line, its gutter, a cell, or a key below."""

GOTO_HELP = """\
7   backward 7   loss   iteration 3   a time step, phase, iteration
dz@7   da@3[2,4]   dWa[2,3]   p[5]    a row of a quantity, its number
sample 5                              one sample, not the batch
norm(da)<0.1   ||da||<0.1             where that holds next;
max|dz|<1e-3   any(isnan(z))          also abs, mean, min, sum, …
enter goes, → completes, esc closes"""

BREAKPOINT_HELP = f"""\
dz  dz@7  @7             on a line, at one time step, on a time step
dz if norm(dz) < 1e-3    a condition; if any(isnan(z)): at any line
dz sample 3   dz hit 5   for one sample, the fifth time only
dz log t, norm(dz)       prints and goes on
watch Wa[2,3] sign       one number: {", ".join(CHANGES)}
enter adds, → completes, nothing and enter closes · delete or click removes one"""

OF_SHOWN = "sample {} is shown, and conditions are for it; `[` `]` others, or all"
"""What is said of conditions while one sample is looked at."""

WATCH_HELP = f"""\
q is the row computed last, q@k row k, q[:] all rows, q[0,5] a cell; t, iteration, phase, line
{", ".join(FUNCTIONS)}
enter watches, → completes, nothing and enter closes · delete (or click) removes one"""

TWO_COLUMNS, ONE_WIDE, TWO_WIDE = 110, 76, 156
"""The width of a screen from which on the help has two columns; how wide it is with one, and with two."""


class HelpScreen(ReadScreen[None]):
    """All keys, by what they are for, and words that need explaining."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "close", "Close", id="help")]

    def __init__(self, concepts: str = CONCEPTS) -> None:
        super().__init__("rnn-tui: keys", "")
        self._concepts = concepts

    def compose(self) -> ComposeResult:
        """One block a group; in two columns where each is wide enough to be read."""
        columns = 2 if self.app.size.width >= TWO_COLUMNS else 1
        wide = min(TWO_WIDE if columns == 2 else ONE_WIDE, self.app.size.width * 95 // 100)
        room = max(20, (wide - 8 - 2 * columns) // columns)
        groups = dict.fromkeys(command.group for command in self.commands)
        blocks = [self._block(group, self._lines(group), room) for group in groups]
        blocks.append(self._block("Words and colours", self._concepts.split("\n"), room))
        heights = list(accumulate(block.plain.count("\n") + 1 for block in blocks))
        half = next(i for i, height in enumerate(heights, 1) if height * columns >= heights[-1])
        with VerticalScroll(classes="dialog wide" if columns == 2 else "dialog") as box:
            box.border_title = self._title
            box.border_subtitle = "esc closes, ↑ ↓ scroll"
            with Horizontal(classes="columns"):
                yield Static(Content("\n").join(blocks[:half]))
                if columns == 2:
                    yield Static(Content("\n").join(blocks[half:]))

    def _lines(self, group: str) -> list[str]:
        return [
            f"{command.footer_keys or command.shown:<9} {command.line or command.help}"
            for command in self.commands
            if command.group == group and not command.back
        ]

    def _block(self, heading: str, lines: list[str], room: int) -> Content:
        """Lines under a heading; what is too long goes on below where it begins behind its key or word."""
        wrapped: list[str] = []
        for line in (with_keys(line, self.commands) for line in lines):
            begins = re.match(r"\S.*?(?:  +)(?=\S)|\S{9} ", line)
            wrapped += textwrap.wrap(line, room, subsequent_indent=" " * (begins.end() if begins else 0)) or [""]
        return Content.assemble((f"{heading}\n", "bold"), "\n".join(wrapped), "\n")


def place_in(text: str, debugger: Debugger, spelling: Spelling, sample: int | None = None) -> Destination:
    """The place that was typed in the names and the layout on the screen, or where a condition holds next, of the sample that is looked
    at. Raises InputError."""
    if _is_condition(text):
        return first_where(spelling.in_engine_names(text), debugger, spelling.name, sample)
    return _named_place(text, debugger, spelling)


def _named_place(text: str, debugger: Debugger, spelling: Spelling) -> Destination:
    return parse_place(spelling.in_engine_names(text), debugger, spelling.layout, spelling.name)


def _is_condition(text: str) -> bool:
    return bool(set(text) & set("<>(|")) or "==" in text


def sizes_of(debugger: Debugger, spelling: Spelling) -> list[str]:
    """What people ask of the size of a quantity in time, as it is typed; of the gradient that the present line writes, or of the gradient
    of what it writes, first, then of the other gradients: they are what vanishes."""
    program, line = debugger.program, debugger.program.line_at(debugger.position)
    in_time = [name for name, quantity in program.quantities.items() if quantity.rows]
    gradients = [name for name in in_time if name.startswith(gradient(""))]
    here = [name for name in (line.name, gradient(line.name)) if name in gradients] if line is not None else []
    names = [spelling.name(name) for name in dict.fromkeys((*here, *gradients, *in_time))]
    return [form.format(name) for form in ("max|{}|", "norm({})", "||{}||") for name in names]


def small_sizes(debugger: Debugger, spelling: Spelling) -> list[str]:
    """Conditions that such a size is small, with the bounds of the examples: a thousandth for one number, a tenth for a norm."""
    sizes = sizes_of(debugger, spelling)
    return [f"{size} < {0.001 if size.startswith('max') else 0.1}" for size in sizes]


class GotoScreen(AskScreen[str | Destination]):
    """Asks for a place; what takes long to look for is given back as it was typed."""

    def __init__(self, debugger: Debugger, spelling: Spelling, sample: int | None) -> None:
        proposals = small_sizes(debugger, spelling)

        def take(text: str) -> str | Destination:
            try:
                with debugger.pace.within(WAITS):
                    return place_in(text, debugger, spelling, sample)
            except TakesLongError:
                return text

        def means(text: str) -> str:
            return _going(text, debugger, spelling, sample)

        example, note = number_of(debugger, spelling), of_model(GOTO_HELP, debugger, spelling)
        super().__init__("go to", example, note, take, proposals=proposals, means=means)


def _going(text: str, debugger: Debugger, spelling: Spelling, looked_at: int | None) -> str:
    """Where Enter goes with what is typed; "" where it is no place yet. A condition is only read: to look for it may take long."""
    try:
        if _is_condition(text):
            stop = sought(spelling.in_engine_names(text), debugger, spelling.name, looked_at)
            whose = "" if stop.sample is None else f" for sample {stop.sample}"
            return f"enter goes to where {clean(text, 60)} holds next{whose}"
        place = _named_place(text, debugger, spelling)
    except InputError:
        return ""
    point, line = debugger.program.point(place.position), debugger.program.line_at(place.position)
    sample = ""
    if place.sample is not None:
        sample = f", sample {debugger.batches.indices(point.iteration)[place.sample]}"
    when = "" if point.t is None else f", t = {point.t}"
    row = f"@{place.t}" if line is not None and place.t is not None and line.name == place.name else ""
    name = "" if line is None else f", the line of {spelling.name(line.name)}{row}"
    return f"enter goes to iteration {point.iteration}, {point.phase}{when}{name}{sample}"


class BreakpointsScreen(ListScreen):
    """The breakpoints of every kind."""

    def __init__(self, debugger: Debugger, spelling: Spelling, sample: int | None) -> None:
        self._debugger, self._spelling, self._sample = debugger, spelling, sample
        note = BREAKPOINT_HELP if sample is None else f"{BREAKPOINT_HELP}\n{OF_SHOWN.format(sample)}"
        example, note = (of_model(said, debugger, spelling) for said in ("dz if norm(dz) < 1e-3", note))
        proposals = small_sizes(debugger, spelling)
        super().__init__("breakpoints", example, note, self._listed, self._add, self._delete, proposals)

    def _stops(self) -> list[Breakpoint]:
        return sorted(self._debugger.breakpoints, key=lambda stop: stop.text(self._debugger.program))

    def _listed(self) -> list[str]:
        program = self._debugger.program
        several = {name for name in program.quantities if len(list(program.writers(name))) > 1}
        lines = [(self._spelling.in_its_names(stop.text(program)), stop.line(program)) for stop in self._stops()]
        return [
            f"{text}   ({'in the loop' if program.runs_at(line, 1) else 'read-out'})"
            if line and line.name in several
            else text
            for text, line in lines
        ]

    def _add(self, text: str) -> None:
        self._debugger.add(self._spelling.in_engine_names(text), self._spelling.name, self._sample)

    def _delete(self, number: int) -> None:
        self._debugger.remove(self._stops()[number])


class LogScreen(ReadScreen[None]):
    """What logpoints have printed, the latest last."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("D", "close", "Close", id="logged")]

    def __init__(self, lines: tuple[str, ...]) -> None:
        lines = lines or ("Nothing has been printed: `d`, then for example dz log t, norm(dz), and `c`.",)
        super().__init__("log", "\n".join(lines))

    def on_mount(self) -> None:
        """Begins at the latest."""
        self.query_one(VerticalScroll).scroll_end(animate=False)


class WatchScreen(ListScreen):
    """The watched expressions with their values."""

    def __init__(self, debugger: Debugger, spelling: Spelling, watched: Callable[[], list[tuple[str, str]]]) -> None:
        self._debugger, self._spelling, self._watched = debugger, spelling, watched
        proposals = sizes_of(debugger, spelling)
        example = of_model("norm(da) / norm(da@(t+1))", debugger, spelling)
        super().__init__("watch", example, WATCH_HELP, self._listed, self._add, self._delete, proposals)

    def _listed(self) -> list[str]:
        return [f"{name} = {value}" for name, value in self._watched()]

    def _add(self, text: str) -> None:
        self._debugger.watch(self._spelling.in_engine_names(text), self._spelling.name)
        self.answer()

    def _delete(self, number: int) -> None:
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


class FindScreen(ChooseScreen[str | Destination]):
    """Asks for a quantity in time; gives its name, "" for the one that follows the phase; for a row or a number, its place."""

    nothing = "no quantity in time is called {}; `g` goes to any place"

    def __init__(self, debugger: Debugger, frame: Frame) -> None:
        hint = f"name of a quantity, or a number: {number_of(debugger, frame.writer.spelling)}"
        super().__init__("show the flow of", hint, self._fitting, self._chosen)
        self._debugger = debugger
        self._spelling = frame.writer.spelling
        self._names = [("", "the state going forward, its gradient going back")]
        flows = [gradient(state) + suffix for state in debugger.network.table.states for suffix in (OUT, NEXT)]
        in_time = [name for name, quantity in debugger.program.quantities.items() if quantity.rows]
        for name in dict.fromkeys((*in_time, *flows)):
            self._names.append(
                (name, f"{self._meaning(debugger, frame, name)}, {self._shape(debugger, name)} at each t")
            )

    _place: Destination | None = None
    """The place of the row or the number that is typed."""

    def _meaning(self, debugger: Debugger, frame: Frame, name: str) -> str:
        known = {**MEANINGS, **debugger.network.meanings}
        slope = f"dL/d{self._spelling.name(whole(name).removeprefix('d'))}"
        return known.get(name) or f"{slope} {flow_words(frame, name)}".rstrip()

    @staticmethod
    def _shape(debugger: Debugger, name: str) -> str:
        quantities = debugger.program.quantities
        axes = quantities[name if name in quantities else whole(name)].axes
        return "×".join(str(debugger.plan.sizes[axis]) for axis in axes)

    def _number(self, text: str) -> Option:
        """What Enter does with the name of a row or a number."""
        try:
            self._place = _named_place(text, self._debugger, self._spelling)
        except InputError as error:
            return Option(Content(str(error)), disabled=True)
        point = self._debugger.program.point(self._place.position)
        when = "" if point.t is None else f", t = {point.t}"
        return Option(Content(f"{text}   go there: {point.phase}{when}"))

    def _chosen(self, _: str, option: Option | None) -> str | Destination | None:
        if option is None or option.disabled:
            return None
        return self._place if self._place is not None else option.id or ""

    def _fitting(self, text: str) -> Iterator[Option]:
        self._place = None
        if set(text) & set("@[") and not _is_condition(text):
            yield self._number(text)
            return
        entries = [(self._spelling.name(name) if name else "", name, meaning) for name, meaning in self._names]
        for shown, name, meaning in sorted(entries, key=lambda entry: not entry[0].startswith(text)):
            if text in shown or not text:
                yield Option(Content(f"{shown or '·':<8} {meaning}"), id=name or None)
