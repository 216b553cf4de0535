"""The debugger's screen: it owns the debugger; keys and clicks become calls on it, and the panes get the frame that results."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import Static

from engine.anatomy import writer_for
from engine.derive import gradient
from engine.errors import InputError
from engine.notation import NOTATIONS
from engine.program import Line
from engine.session import Session
from engine.whatif import Branch
from engine.why import Cell, equation_text, put_in, why, zero_reason
from rnn_tui.bindings import COMMANDS, EDITED, FOOTER_ORDER
from rnn_tui.frame import PAGES, Asked, Frame, Page, cell_of_part
from rnn_tui.look import Look
from rnn_tui.panes.findings import draw_findings
from rnn_tui.panes.flow import draw_flow
from rnn_tui.panes.header import draw_footer, draw_header
from rnn_tui.panes.inspector import draw_inspector
from rnn_tui.panes.ledger import weight_cell
from rnn_tui.panes.line import draw_line
from rnn_tui.panes.listing import draw_listing
from rnn_tui.panes.notes import draw_notes
from rnn_tui.panes.strip import draw_strip
from rnn_tui.panes.training import draw_training
from rnn_tui.panes.weights import draw_weights
from rnn_tui.panes.why import TERMS, draw_why, numbered
from rnn_tui.render.pooling import block_range
from rnn_tui.screens.dialogs import BreakpointsScreen, FindScreen, GotoScreen, HelpScreen, WatchScreen
from rnn_tui.screens.what_if import WhatIf
from rnn_tui.targets import Press, ToCell, ToCrumb, ToFinding, ToIteration, ToLine, ToOperand, ToPosition, ToWeight
from rnn_tui.widgets.pane import Columns, Pane, Rows

if TYPE_CHECKING:
    from engine.findings import Finding

SPEEDS = (1, 2, 4, 8, 16, 32, 60)
SMALLEST = (60, 18)


TRAIN_FOR = 0.04
"""Seconds of training between two pictures of it."""
TRAIN_AT_MOST = 1000


LOG_LINES = 200
LOGGED_OVER = 1_000_000
"""Points that a move passes at most for logpoints to be looked up."""


@dataclass
class _Search:
    """A search for a breakpoint that is under way: where it is, and whether it shall end."""

    iteration: int = 0
    cancelled: bool = False


class _EnoughError(Exception):
    """Ends training for this moment."""


class MainScreen(WhatIf):
    """Everything on one screen; see `rnn_tui.bindings` for what can be done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(command.keys, command.action, command.help, show=False)
        for command in COMMANDS
        if command.action != "command_palette"
    ]

    def __init__(self, session: Session, look: Look) -> None:
        super().__init__(session)
        self._look = look
        self._trained = 0
        self._searching: _Search | None = None
        self._logged: list[str] = []
        self._log_from = 0
        self._speed = 3
        self._blank: dict[int, Strip] = {}
        self._findings: dict[int, tuple[Finding, ...]] = {}

    def compose(self) -> ComposeResult:
        """Panes, bound to the frame."""

        def pane(draw: Callable[..., object], name: str) -> Pane:
            return Pane(draw, id=name).data_bind(frame=MainScreen.frame)  # pyright: ignore[reportArgumentType]

        yield pane(draw_header, "header")
        yield pane(draw_strip, "strip")
        with Columns(id="body"):
            with Rows(id="left"):
                yield pane(draw_listing, "listing")
                yield pane(draw_notes, "notes")
            with Rows(id="right"):
                yield pane(draw_line, "line")
                yield pane(draw_flow, "flow")
                yield pane(draw_weights, "weights")
                yield pane(draw_training, "training")
                yield pane(draw_findings, "findings")
                yield pane(draw_why, "why")
        yield pane(draw_inspector, "inspector")
        yield pane(draw_footer, "footer")
        yield Static(
            Content(f"rnn-tui needs {SMALLEST[0]}×{SMALLEST[1]} characters\nmake the window larger, or press q"),
            id="small",
        )

    def render_lines(self, crop: Region) -> list[Strip]:
        """The background where no pane is (none, but for a window that is too small), made once a width."""
        if crop.width not in self._blank:
            self._blank[crop.width] = Strip.blank(crop.width, self._look.canvas)
        return [self._blank[crop.width]] * crop.height

    def on_mount(self) -> None:
        """Goes to the iteration asked for and draws the first frame."""
        if self.session.options["iteration"]:
            self.debugger.go(self.session.options["iteration"] * self.debugger.program.length)
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Shares the space out anew."""
        width, height = event.size
        self.set_class(width < SMALLEST[0] or height < SMALLEST[1], "-small")
        sizes = {
            "header": 1 if height < 38 else 2,
            "strip": 3 if height < 30 else 4,
            "inspector": 3 if height < 30 else 7 if height < 45 else 10,
            "footer": 1,
        }
        for name, lines in sizes.items():
            self.query_one(f"#{name}").styles.height = lines
        self.query_one("#left").styles.width = 34 if width < 76 else 43 if width < 100 else 46 if width < 160 else 56
        self._arrange()

    def _arrange(self) -> None:
        page, height = self._selection.page, self.size.height
        asked = bool(self._selection.asked)
        self.query_one("#why").display = asked
        self.query_one("#line").display = page == "program" and not asked
        self.query_one("#flow").display = not asked and (page == "flow" or (page == "program" and height >= 24))
        self.query_one("#weights").display = page == "weights" and not asked
        self.query_one("#training").display = page == "training" and not asked
        self.query_one("#findings").display = page == "findings" and not asked
        notes = self.query_one("#notes")
        count = len(self.debugger.watches) + len(self._logged)
        notes.display = count > 0
        notes.styles.height = 2 + min(count, max(1, height // 8))
        self.query_one("#line").styles.height = "3fr" if height >= 30 else "1fr"
        flow = self.query_one("#flow")
        flow.styles.height = "1fr" if page == "flow" else "2fr" if height >= 30 else 6

    def _show(self) -> None:
        data, debugger = self.session.data, self.debugger
        self.frame = Frame(
            view=debugger.view,
            writer=self._writer,
            selection=self._selection,
            look=self._look,
            name=data.name,
            description=self.session.description,
            title=data.title,
            look_for=data.look_for,
            batches=debugger.batches.per_epoch,
            classes=data.classes,
            asked=self._explained(),
            notes=(
                *((each.source, debugger.watched(each)) for each in debugger.watches),
                *(("", text) for text in self._logged),
            ),
            history=dict(debugger.history) if self._selection.page == "training" else {},
            findings=self._found_wrong(),
            keys=self._keys(),
            original=debugger.original_view if isinstance(debugger, Branch) else None,
            edits=debugger.edits if isinstance(debugger, Branch) else (),
        )

    def _keys(self) -> tuple[tuple[str, str, str], ...]:
        by_action = {command.action: command for command in COMMANDS}
        labels: list[tuple[str, str, str]] = []
        for action in (*EDITED, *FOOTER_ORDER):
            command = by_action[action]
            if not self._works(action):
                continue
            label, keys = command.footer, command.footer_keys
            if action == "enter" and self._selection.page in ("training", "findings") and not self._selection.asked:
                label, keys = "go there", command.shown
            if action == "run" and self._timer is not None:
                label = f"pause (+ − {SPEEDS[self._speed]}/s)"
            if action == "train" and self._training is not None:
                label = "pause training"
            labels.append((keys, label, action))
        return tuple(labels)

    def _works(self, action: str) -> bool:
        if action == "continue":
            return bool(self.debugger.breakpoints)
        if action == "enter":
            return self._selection.page in ("training", "findings", "weights") or (
                self._selection.page == "program" and self.debugger.position > 0
            )
        if action == "train":
            return self._selection.page == "training"
        if action == "cell(0,-1)" and self._selection.page in ("training", "findings"):
            return True
        if action in ("cell(0,-1)", "operand(1)") and self._selection.page == "weights":
            return True
        if action in ("cell(0,-1)", "operand(1)"):
            return self.debugger.position > 0 and self._selection.page == "program"
        if action in ("undo_edit", "beside"):
            return isinstance(self.debugger, Branch)
        if action == "sample(1)":
            return len(self.session.data.X) > 1
        return True

    # Moves

    def _moved(self, moved: bool, *, keep_operand: bool = False) -> None:
        if not keep_operand:
            self._selection = replace(self._selection, operand=None)
        self._selection = replace(self._selection, line=None, asked=(), follow=0)
        self._log()
        self._arrange()
        self._show()
        if not moved:
            self.app.bell()

    def _log(self) -> None:
        """What logpoints say on the way here, when it was a way forward."""
        position = self.debugger.position
        said = self.debugger.logged(self._log_from, position) if position - self._log_from <= LOGGED_OVER else []
        self._logged = [*self._logged, *said][-LOG_LINES:]
        self._log_from = position

    def _line_key(self) -> tuple[int, int] | None:
        line = self.debugger.program.line_at(self.debugger.position)
        return (line.block, line.index) if line else None

    def action_step(self, lines: int) -> None:
        """One line on or back."""
        self._moved(self.debugger.step(lines))

    def action_next(self) -> None:
        """One time step on."""
        before = self._line_key()
        moved = self.debugger.next()
        self._moved(moved, keep_operand=before == self._line_key())

    def action_previous(self) -> None:
        """One time step back."""
        before = self._line_key()
        moved = self.debugger.previous()
        self._moved(moved, keep_operand=before == self._line_key())

    def action_finish(self) -> None:
        """To the end of the phase."""
        self._moved(self.debugger.finish())

    def action_start_of_phase(self) -> None:
        """To the start of the phase."""
        self._moved(self.debugger.start_of_phase())

    def action_continue(self) -> None:
        """To the next breakpoint."""
        self._continue(1)

    def action_reverse_continue(self) -> None:
        """To the breakpoint before."""
        self._continue(-1)

    def _continue(self, direction: int) -> None:
        self._stop_running()
        if self._searching:
            self._searching.cancelled = True
            return
        if not any(not stop.log for stop in self.debugger.breakpoints):
            self._say("No breakpoint is set: choose a line with ↑ ↓ and press b, or d for conditions.")
            return
        if all(stop.fixed for stop in self.debugger.breakpoints if not stop.log):
            self._found(self.debugger.search(direction), direction)
            return
        self._searching = search = _Search()
        self.run_worker(partial(self._search, direction, search), thread=True, exclusive=True, group="search")
        self.set_timer(0.2, self._progress)

    def _search(self, direction: int, search: _Search) -> None:
        """In a thread of its own: conditions may have to be looked up through many iterations."""

        def tick(iteration: int) -> None:
            search.iteration = iteration
            if search.cancelled:
                raise _EnoughError

        found: int | None = None
        wrong = ""
        try:
            found = self.debugger.search(direction, tick)
        except _EnoughError:
            pass
        except InputError as error:
            wrong = str(error)
        self.app.call_from_thread(self._searched, found, direction, wrong)

    def _searched(self, found: int | None, direction: int, wrong: str) -> None:
        search, self._searching = self._searching, None
        if wrong:
            self._say(wrong)
        elif search is not None and search.cancelled and found is None:
            self._say(f"The search was stopped at iteration {search.iteration}.")
        else:
            self._found(found, direction)
            return
        self._show()

    def _found(self, position: int | None, direction: int) -> None:
        if position is None:
            self._say(f"No breakpoint {'after' if direction > 0 else 'before'} this point.")
        self._moved(position is not None and self.debugger.go(position))

    def _progress(self) -> None:
        """Says where a search is, as long as it takes."""
        if self._searching is not None and self.frame is not None:
            busy = f"searching iteration {self._searching.iteration}, c stops"
            self.frame = replace(self.frame, busy=busy)
            self.set_timer(0.2, self._progress)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a search is under way, only what ends it works."""
        return not self._searching or action in ("continue", "reverse_continue", "help", "quit", "command_palette")

    def action_run(self) -> None:
        """Starts running, or pauses."""
        if self._timer is None:
            self._timer = self.set_interval(1 / SPEEDS[self._speed], self._tick)
        else:
            self._stop_running()
        self._show()

    def action_faster(self) -> None:
        """The next higher speed."""
        self._set_speed(self._speed + 1)

    def action_slower(self) -> None:
        """The next lower speed."""
        self._set_speed(self._speed - 1)

    def _set_speed(self, speed: int) -> None:
        self._speed = max(0, min(speed, len(SPEEDS) - 1))
        if self._timer is not None:
            self._timer.stop()
            self._timer = self.set_interval(1 / SPEEDS[self._speed], self._tick)
        self._show()

    def _tick(self) -> None:
        # A slow terminal: what is not written yet would only make "pause" come late.
        writer = getattr(getattr(self.app, "_driver", None), "_writer_thread", None)
        if writer is not None and not writer._queue.empty():
            return
        self.debugger.step(1)
        if self._stops_here():
            self._stop_running()
        self._moved(True)

    def _stops_here(self) -> bool:
        position, length = self.debugger.position, self.debugger.program.length
        return position > 0 and (position - 1) % length in self.debugger.stops_in((position - 1) // length)

    # Breakpoints and the listing

    def _all_lines(self) -> list[Line]:
        return list(self.debugger.program.lines)

    def _listed(self) -> int:
        key = self._selection.line or self._line_key()
        lines = self._all_lines()
        return next((i for i, line in enumerate(lines) if (line.block, line.index) == key), -1)

    def action_list_up(self) -> None:
        """Listing cursor up."""
        self._list(max(0, self._listed() - 1))

    def action_list_down(self) -> None:
        """Listing cursor down."""
        self._list(min(len(self._all_lines()) - 1, self._listed() + 1))

    def _list(self, number: int) -> None:
        line = self._all_lines()[number]
        self._choose(line=(line.block, line.index))

    def action_toggle_breakpoint(self) -> None:
        """A breakpoint on the listing's line."""
        number = self._listed()
        if number < 0:
            self._say("Choose a line with ↑ ↓ first, then press b.")
            return
        self._toggle(self._all_lines()[number])

    def action_toggle_breakpoint_here(self) -> None:
        """A breakpoint on the listing's line, at the present time step."""
        number, t = self._listed(), self.debugger.view.point.t
        line = self._all_lines()[number] if number >= 0 else None
        if line is None or t is None or not self.debugger.program.runs_at(line, t):
            self._say("This line does not run at this time step; b sets a breakpoint on it for all.")
            return
        self._toggle(line, t)

    def _toggle(self, line: Line, t: int | None = None) -> None:
        self.debugger.toggle(line, t)
        self._show()

    # What is looked at

    def action_cell(self, rows: int, columns: int) -> None:
        """Moves the cell cursor inside its picture."""
        frame = self.frame
        if self._selection.asked:
            self._choose_operand(rows, columns)
            return
        if frame is not None and self._selection.page == "training":
            self._move_moment(frame, rows, columns)
            return
        if frame is not None and self._selection.page == "findings":
            self._choose(finding=max(0, min(frame.finding + rows + columns, len(frame.findings or ()) - 1)))
            return
        if frame is not None and self._selection.page == "weights":
            row, column = weight_cell(frame).place
            self._choose(row=max(0, row + rows), column=max(0, column + columns), parameter=weight_cell(frame).name)
            return
        if frame is None or frame.cell is None or frame.inspected is None:
            return
        values = frame.parts[frame.inspected].values
        assert values is not None
        row = max(0, min(frame.cell[0] + rows, values.shape[0] - 1))
        column = max(0, min(frame.cell[1] + columns, values.shape[1] - 1))
        self._choose(row=row, column=column)

    def action_operand(self, step: int) -> None:
        """The cell cursor into the next picture of this line."""
        if self.frame is not None and self._selection.page == "weights":
            names = self.debugger.program.parameters
            at = names.index(weight_cell(self.frame).name)
            self._choose(parameter=names[(at + step) % len(names)])
            return
        if self.frame is None or self.frame.inspected is None:
            return
        pictures = [i for i, part in enumerate(self.frame.parts) if part.values is not None]
        at = pictures.index(self.frame.inspected)
        self._choose(operand=pictures[(at + step) % len(pictures)])

    def action_sample(self, step: int) -> None:
        """Another sample, or the whole batch."""
        if self.frame is None:
            return
        count = self.frame.samples
        now = -1 if self.frame.sample is None else self.frame.sample
        chosen = (now + 1 + step) % (count + 1) - 1
        self._choose(sample=None if chosen < 0 else chosen)

    def action_log(self) -> None:
        """Logarithmic colours for all, linear ones for all, or as each quantity needs."""
        self._choose(log={None: True, True: False, False: None}[self._selection.log])
        self._say(
            {None: "Colours: as each quantity needs", True: "Colours: logarithmic", False: "Colours: linear"}[
                self._selection.log
            ]
        )

    def action_notation(self, name: str = "") -> None:
        """A notation (the next one) for listing and pictures; the point and the numbers stay."""
        names = list(NOTATIONS)
        self._notation = name if name in NOTATIONS else names[(names.index(self._notation) + 1) % len(names)]
        self._writer = writer_for(self.debugger.plan, self._notation)
        self._findings = {}
        self._choose(operand=None)
        self._say(f"Notation: {self._notation}, {NOTATIONS[self._notation].source}")

    def action_page(self, page: Page) -> None:
        """Another view."""
        if page in PAGES:
            self._selection = replace(self._selection, page=page, asked=(), follow=0)
            self._arrange()
            self._show()

    def action_reach(self) -> None:
        """The flow view with which loss reaches which step, or with the flow again."""
        self._selection = replace(self._selection, reach=not self._selection.reach or self._selection.page != "flow")
        self.action_page("flow")

    # Training

    def _move_moment(self, frame: Frame, rows: int, columns: int) -> None:
        """Moves the cursor of the training view, by one time step or one iteration."""
        iteration, t = frame.moment
        last = max(self.debugger.history, default=0)
        steps = self.debugger.program.steps
        self._choose(moment=(max(0, min(iteration + columns, last)), max(1, min(t + rows, steps))))

    def action_train(self) -> None:
        """Trains on, iteration after iteration, in the training view; pauses when it does so already."""
        if self._training is not None:
            self._stop_training()
            self._show()
            return
        self._stop_running()
        self.action_page("training")
        self._trained = 1 + max(self.debugger.history, default=-1)
        self._training = self.set_interval(1 / 20, self._train_on)
        self._train_on()

    def _train_on(self) -> None:
        """As many iterations as fit into a moment; at least one."""
        until = time.monotonic() + TRAIN_FOR

        def report(iteration: int, _: object) -> None:
            if time.monotonic() > until:
                raise _EnoughError

        with contextlib.suppress(_EnoughError):
            self.debugger.start(self._trained + TRAIN_AT_MOST, report)
        self._trained = max(self.debugger.history, default=-1) + 1
        self._selection = replace(
            self._selection, moment=(self._trained - 1, self.frame.moment[1] if self.frame else 1)
        )
        self._show()

    def _go_to_moment(self, frame: Frame) -> None:
        """To the iteration and time step under the cursor of the training view: where its error arrives."""
        self._stop_training()
        iteration, t = frame.moment
        program = self.debugger.program
        written = program.written(gradient(program.output), t)
        self._selection = replace(self._selection, page="program", moment=None)
        self._arrange()
        self._moved(self.debugger.go(1 + iteration * program.length + written))
        self._say("4 leads back to the training view")

    # Findings

    def _forget(self) -> None:
        self._findings = {}

    def _found_wrong(self) -> tuple[Finding, ...] | None:
        """What is wrong with this iteration: looked for when it is asked for, and otherwise where that takes no time."""
        if self.debugger.position == 0 and self._selection.page != "findings":
            return None  # nothing is computed yet
        from engine.findings import findings, quick  # not before the first picture

        iteration = self.debugger.view.point.iteration
        busy = self._timer is not None or self._training is not None or not quick(self.debugger.plan)
        if iteration not in self._findings and (self._selection.page == "findings" or not busy):
            self._findings = {
                **self._findings,
                iteration: tuple(findings(self.debugger, iteration, self._writer.spelling.name)),
            }
        return self._findings.get(iteration)

    def _go_to_finding(self, number: int) -> None:
        """To the point where a finding can be seen, the cursor at its cell."""
        found = self.frame.findings if self.frame else None
        if not found:
            return
        index = found[number].index or (0, 0)
        self._selection = replace(
            self._selection, page="program", finding=number, row=index[0] if index[1:] else 0, column=index[-1]
        )
        self._moved(self.debugger.go(found[number].position) or True)
        self._say("5 leads back to the findings")

    # Why

    def _explained(self) -> Asked | None:
        """The explanation that is open."""
        path = self._selection.asked
        if not path:
            return None
        found = why(self.debugger, path[-1])
        equation = equation_text(self.debugger, path[-1], found, self._notation)
        edited = put_in(self.debugger, path[-1])
        reason = edited or zero_reason(self.debugger, path[-1], found)
        return Asked(path, found, equation, reason, self._selection.follow, edited=edited is not None)

    def _ask(self, *path: Cell) -> None:
        """Opens the explanation of the last cell of a path; closes it when there is none."""
        self._stop_running()
        self._selection = replace(self._selection, asked=path, follow=0)
        self._arrange()
        self._show()

    def _followed(self) -> list[list[tuple[int, Cell]]]:
        """The numbers that can be followed in the open explanation, term by term."""
        asked = self.frame.asked if self.frame else None
        return list(numbered(asked.found.largest(TERMS)[0])) if asked is not None else []

    def _choose_operand(self, rows: int, columns: int) -> None:
        """The next number of the explanation, or the first of the next term."""
        terms = [term for term in self._followed() if term]
        if not terms:
            return
        count = sum(map(len, terms))
        at = next((i for i, term in enumerate(terms) if self._selection.follow in dict(term)), 0)
        term = terms[max(0, min(at + rows, len(terms) - 1))]
        self._choose(follow=term[0][0] if rows else max(0, min(self._selection.follow + columns, count - 1)))

    def action_enter(self) -> None:
        """Why: of the cell under the cursor, then of the number chosen in the explanation. In the training view: goes there."""
        frame, path = self.frame, self._selection.asked
        if frame is None:
            return
        if path:
            self._follow(self._selection.follow)
        elif self._selection.page == "training":
            self._go_to_moment(frame)
        elif self._selection.page == "findings":
            self._go_to_finding(frame.finding)
        elif self._selection.page == "weights":
            cell = weight_cell(frame)
            down_to = frame.view.summed_to(gradient(cell.name)) or 1
            iteration = frame.view.point.iteration
            self._ask(Cell(gradient(cell.name), iteration, None, cell.cell, down_to=down_to))
        elif frame.inspected is not None and frame.cell is not None and self._selection.page == "program":
            cell = cell_of_part(frame)
            if cell is None:
                self._say("This is computed within the line: ask one of its other numbers.")
            else:
                self._ask(cell)

    def _follow(self, number: int) -> None:
        known = {place: cell for term in self._followed() for place, cell in term}
        if number in known:
            self._ask(*self._selection.asked, known[number])
        else:
            self.app.bell()

    def action_back(self) -> None:
        """Back to the question before; from the first one to the panes."""
        if self._selection.asked:
            self._ask(*self._selection.asked[:-1])

    def action_close_why(self) -> None:
        """Closes the explanation."""
        if self._selection.asked:
            self._ask()

    # Dialogs

    def action_breakpoints(self) -> None:
        """Lists, adds and removes breakpoints."""
        self._stop_running()
        self.app.push_screen(BreakpointsScreen(self.debugger), lambda _: self._show())

    def action_watch(self) -> None:
        """Lists, adds and removes watched expressions."""
        self._stop_running()

        def done(_: None) -> None:
            self._arrange()
            self._show()

        self.app.push_screen(WatchScreen(self.debugger), done)

    def action_goto(self) -> None:
        """Asks where to go."""
        self._stop_running()

        def done(position: int | None) -> None:
            if position is not None:
                self._moved(self.debugger.go(position))

        self.app.push_screen(GotoScreen(self.debugger, self._writer.spelling), done)

    def action_find(self) -> None:
        """Asks which quantity the flow shall show."""
        self._stop_running()

        def done(name: str | None) -> None:
            if name is not None:
                self._choose(quantity=name or None)

        self.app.push_screen(FindScreen(self.debugger, self._writer.spelling), done)

    def action_help(self) -> None:
        """The help screen."""
        self._stop_running()
        self._show()
        self.app.push_screen(HelpScreen())

    def action_quit(self) -> None:
        """Ends the program."""
        self.app.exit()

    # The mouse

    async def on_pane_clicked(self, message: Pane.Clicked) -> None:
        """A click does what the key would."""
        match message.target:
            case ToPosition(position=position):
                self._moved(self.debugger.go(position))
            case ToLine(block=block, index=index, gutter=True):
                self._toggle(self.debugger.program.blocks[block].lines[index])
            case ToLine(block=block, index=index):
                self._choose(line=(block, index))
            case ToIteration() as target:
                row = min(message.y * target.rows // target.lines, target.rows - 1)
                column = min(message.x // target.pitch, target.columns - 1)
                moment = (
                    block_range(column, target.iterations, target.columns).start,
                    1 + block_range(row, self.debugger.program.steps, target.rows).start,
                )
                again = moment == self._selection.moment
                self._choose(moment=moment)
                if again:
                    self.action_enter()
            case ToOperand(number=number):
                self._follow(number)
            case ToCrumb(depth=depth):
                self._ask(*self._selection.asked[:depth])
            case ToFinding(number=number):
                self._go_to_finding(number)
            case ToCell() | ToWeight() as target:
                self._pick(target, message.x, message.y)
            case Press(action=action):
                await self.run_action(action)
            case _:
                pass

    def _pick(self, target: ToCell | ToWeight, x: int, y: int) -> None:
        row = min(int((y + 0.25) / target.lines_per_row), target.shown[0] - 1)
        column = min(x // target.cell_width, target.shown[1] - 1)
        row = row * target.shape[0] // target.shown[0]
        column = column * target.shape[1] // target.shown[1]
        if isinstance(target, ToWeight):
            self._choose(parameter=target.parameter, row=row, column=column)
        else:
            self._choose(operand=target.part, row=row, column=column)
