"""The screen of the walk through a program of the user's own that is no network of ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region
from textual.reactive import reactive
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Input, Static

from engine.doctor.walk.stops import WalkStops
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.text import clean
from rnn_tui.bindings import WALK_COMMANDS
from rnn_tui.control.walker import Walker
from rnn_tui.look import Look
from rnn_tui.panes.header import draw_footer
from rnn_tui.panes.walk import (
    draw_walk_header,
    draw_walk_source,
    draw_walk_strip,
    draw_walk_told,
)
from rnn_tui.panes.walk_value import draw_walk_value
from rnn_tui.panes.walk_why import draw_walk_why
from rnn_tui.screens.dialogs import PLAIN, Dialog, HelpScreen, ListScreen, Result
from rnn_tui.screens.layout import SMALLEST
from rnn_tui.screens.ticker import Ticker
from rnn_tui.targets import Press
from rnn_tui.walk_frame import WalkFrame
from rnn_tui.widgets.pane import Columns, Draw, Pane, Rows

WALK_WORDS = """\
value             what the line made, by the names of the program; a vector in rows of 8 numbers
dL/d(value)       what the loss says about a forward value, carried back over this very run
it should be      where a value is wrong: what the corrected program makes there
t, time           how often the line had run before: t is 0 the first time; on the way back that is time 1
error             above the source: how large dL/d is at each line, from left to right

Colours are signed: blue below zero, red above, dark is zero. ✗ is to be corrected, ≠ follows from it, ● is a breakpoint.
enter takes the number under the cursor apart; enter again follows a number of the explanation."""


class WalkStopsScreen(ListScreen):
    """The breakpoints of a walk."""

    TITLE_TEXT = "breakpoints"
    EXAMPLE = "max(abs(dh)) > 5"
    NOTE = """\
55                     on line 55
55 if t == 3           there, the fourth time it runs
max(abs(dh)) > 5       where dh is made; any name of your program
enter adds · ↑ ↓ and delete (or a click) remove · esc closes"""

    def __init__(self, stops: WalkStops) -> None:
        super().__init__()
        self._stops = stops

    def texts(self) -> list[str]:
        return [stop.text for stop in self._stops.stops]

    def take(self, text: str) -> None:
        self._stops.add(text)

    def drop(self, number: int) -> None:
        self._stops.remove(number)


class GotoLineScreen(Dialog[int]):
    """Asks for a line of the source."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def __init__(self, last: int) -> None:
        super().__init__()
        self._last = last

    def compose(self) -> ComposeResult:
        """One line to type into."""
        with Vertical(classes="dialog") as box:
            box.border_title = "go to line"
            yield Input(restrict=PLAIN, placeholder="55")
            yield Static(Content("to where that line runs next; enter goes, esc closes"), classes="note")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Goes there, or says why not."""
        text = event.value.strip()
        if text.isdigit() and 1 <= int(text) <= self._last:
            self.answer(int(text))
            return
        note = self.query_one(".note", Static)
        note.update(Content(f"a line is a number from 1 to {self._last}"))
        note.add_class("wrong")


class WalkScreen(Screen[None]):
    """Source and values of the user's own run; see `rnn_tui.bindings.WALK_COMMANDS` for what can be done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(command.keys, command.action, command.help, show=False)
        for command in WALK_COMMANDS
        if command.action != "command_palette"
    ]

    frame: reactive[WalkFrame | None] = reactive(None, init=False)
    """The frame that is shown; every pane is bound to it."""

    def __init__(self, walk: ProgramWalk, look: Look) -> None:
        super().__init__()
        self._look = look
        self.walker = self._walker(walk)
        self._run = Ticker(self, self._run_on)
        self._blank: dict[int, Strip] = {}

    def _walker(self, walk: ProgramWalk) -> Walker:
        return Walker(walk, self._look, self._say)

    def _say(self, text: str) -> None:
        self.notify(text, markup=False, timeout=4)

    def compose(self) -> ComposeResult:
        """Panes, bound to the frame."""

        def bound(name: str, draw: Draw) -> Pane:
            return Pane(draw, id=name).data_bind(frame=WalkScreen.frame)  # pyright: ignore[reportArgumentType]

        yield bound("header", draw_walk_header)
        yield bound("strip", draw_walk_strip)
        with Columns(id="body"):
            with Rows(id="left"):
                yield bound("source", draw_walk_source)
            with Rows(id="right"):
                yield bound("beside", draw_walk_value)
                yield bound("why", draw_walk_why)
        yield bound("told", draw_walk_told)
        yield bound("footer", draw_footer)
        needs = f"rnn-tui needs {SMALLEST[0]}×{SMALLEST[1]} characters\nmake the window larger, or press q"
        yield Static(Content(needs), id="small")

    def render_lines(self, crop: Region) -> list[Strip]:
        """The background where no pane is, made once a width."""
        if crop.width not in self._blank:
            self._blank[crop.width] = Strip.blank(crop.width, self._look.canvas)
        return [self._blank[crop.width]] * crop.height

    def on_mount(self) -> None:
        """Draws the first frame."""
        self.show()

    def on_resize(self) -> None:
        """Shares the space out anew."""
        self._arrange()

    def show(self, moved: bool | None = None) -> None:
        """Takes the new frame after a call; rings the bell when the call changed nothing."""
        self.frame = self.walker.refresh()
        self._arrange()
        self._run.keep(1 / self.walker.rate if self.walker.running else None)
        if moved is False:
            self.app.bell()

    def _arrange(self) -> None:
        width, height = self.app.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(small, "-small")
        asked = bool(self.walker.choice.asked)
        left = self.query_one("#left")
        left.styles.width = min(80, width * 3 // 8 if asked else width // 2)
        left.display = width >= 100 or not asked
        lines = {"header": 1, "strip": 2 if height < 30 else 3, "footer": 1}
        lines["told"] = 3 if height < 30 else 7 if height < 45 else 10
        for pane in self.query(Pane):
            name = pane.id or ""
            pane.display = not small and name != ("beside" if asked else "why")
            pane.styles.height = lines.get(name, "1fr")

    # Moves

    def action_step(self, lines: int) -> None:
        """One line on or back."""
        self.show(self.walker.step(lines))

    def action_next(self) -> None:
        """The same line, the next time it runs."""
        self.show(self.walker.same_line(1))

    def action_previous(self) -> None:
        """The same line, the time before."""
        self.show(self.walker.same_line(-1))

    def action_finish(self) -> None:
        """To the end of the phase."""
        self.show(self.walker.phase(1))

    def action_start_of_phase(self) -> None:
        """To the start of the phase."""
        self.show(self.walker.phase(-1))

    def action_run(self) -> None:
        """Starts running, or pauses."""
        self.walker.running = not self.walker.running
        self.show()

    def action_faster(self) -> None:
        """The next higher speed."""
        self.show(self.walker.run_faster(1))

    def action_slower(self) -> None:
        """The next lower speed."""
        self.show(self.walker.run_faster(-1))

    def _run_on(self) -> None:
        self.walker.tick()
        self.show()

    def action_goto(self) -> None:
        """Asks for a line."""
        self._open(GotoLineScreen(len(self.walker.frame.source.lines)), self.walker.to_line)

    # Breakpoints

    def action_continue(self) -> None:
        """To the next breakpoint, or value that should be another."""
        self.show(self.walker.seek(1))

    def action_reverse_continue(self) -> None:
        """The same backwards."""
        self.show(self.walker.seek(-1))

    def action_toggle_breakpoint(self) -> None:
        """A breakpoint on the line, or none."""
        self.show(self.walker.toggle())

    def action_breakpoints(self) -> None:
        """Lists, adds and removes breakpoints."""
        self._open(WalkStopsScreen(self.walker.stops))

    def action_list_up(self) -> None:
        """The cursor in the source up."""
        self.show(self.walker.list(-1))

    def action_list_down(self) -> None:
        """The cursor in the source down."""
        self.show(self.walker.list(1))

    # What is looked at

    def action_cell(self, rows: int, columns: int) -> None:
        """Moves the cell cursor."""
        self.show(self.walker.cursor(rows, columns))

    def action_operand(self, step: int) -> None:
        """The cursor into the next picture."""
        self.show(self.walker.operand(step))

    def action_log(self) -> None:
        """Logarithmic colours, or linear ones."""
        self.show(self.walker.choose(log=not self.walker.choice.log))

    def action_enter(self) -> None:
        """Why, or to the chosen line."""
        self.show(self.walker.enter())

    def action_back(self) -> None:
        """Back to the question before."""
        self.show(self.walker.back())

    def action_close_why(self) -> None:
        """Closes the explanation."""
        self.show(self.walker.close())

    # The program, dialogs, the end

    def action_examine(self) -> None:
        """Runs the program again."""
        path = self.walker.walk.source.path
        self.walker.running = False
        self._say(f"running {clean(path.name)} …")
        self.run_worker(partial(self._examined, self.walker.walk), thread=True, exclusive=True, group="examine")

    def _examined(self, walk: ProgramWalk) -> None:
        from engine.doctor.walk.opening import open_walk

        try:
            again = open_walk(walk.source.path, walk.wishes)
        except InputError as error:
            self.app.call_from_thread(self._say, str(error))
        else:
            self.app.call_from_thread(self._take, again)

    def _take(self, walk: ProgramWalk) -> None:
        self.walker = self._walker(walk)
        self.show()

    def action_help(self) -> None:
        """The help screen."""
        self._open(HelpScreen(WALK_COMMANDS, WALK_WORDS))

    def _open(self, dialog: Dialog[Result], answered: Callable[[Result], bool | None] | None = None) -> None:
        """Opens a dialog; its answer, if it has one, goes into a call."""

        def closed(answer: Result | None) -> None:
            self.show(None if answered is None or answer is None else answered(answer))

        self.walker.running = False
        self.show()
        self.app.push_screen(dialog, closed)

    async def on_pane_clicked(self, message: Pane.Clicked) -> None:
        """A click does what the key would."""
        if isinstance(message.target, Press):
            await self.run_action(message.target.action)
        else:
            self.show(self.walker.click(message.target, message.x, message.y))

    def action_quit(self) -> None:
        """Ends the program."""
        self.app.exit()
