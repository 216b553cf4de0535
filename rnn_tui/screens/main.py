"""The debugger's screen: panes bound to the frame; keys and clicks become calls on the controller, which owns the debugger.

A dialog is loaded when it is asked for: the first picture waits for what it shows, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.debug.debugger import Debugger
from engine.session import Session
from rnn_tui.control.controller import Controller
from rnn_tui.control.memory import recall
from rnn_tui.keys.bindings import ANSWERS, COMMANDS
from rnn_tui.screens.layout import ABOVE, BELOW, LEFT, RIGHT, ScreenLayout, layout
from rnn_tui.screens.paned import keys_of
from rnn_tui.screens.search_actions import SearchActions
from rnn_tui.screens.ticker import Ticker
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import Look
from rnn_tui.shown.selection import PAGES, PageName
from rnn_tui.widgets.pane import Pane

if TYPE_CHECKING:
    from engine.debug.places import Destination
    from engine.doctor.walk.lockstep import Lockstep
    from engine.lessons.lesson import Lesson

PICTURES_OF_TRAINING = 20
"""A second."""
SWEEP = 0.8
"""Seconds that a sweep over the time steps takes; in the last quarter what it leaves behind it fades."""


class MainScreen(SearchActions):
    """Everything on one screen; see `rnn_tui.keys.bindings` for what can be done."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys_of((*ANSWERS, *COMMANDS))]

    def __init__(
        self,
        session: Session,
        look: Look,
        lockstep: Lockstep | None = None,
        *,
        lang: str = "en",
        learn: Lesson | bool = False,
        keys: Mapping[str, str] | None = None,
        remembered: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(look, COMMANDS, keys)
        self._remembered = remembered
        self.language, self._learn = lang, learn
        self.controller = self._controller(session, lockstep)
        self._train = Ticker(self, self._train_on)
        self._layout: ScreenLayout | None = None
        self._swept: list[Frame] = []
        self._sweep = Ticker(self, self._sweep_on)

    @property
    def steering(self) -> Controller:
        """The controller."""
        return self.controller

    @property
    def debugger(self) -> Debugger:
        """The controller's."""
        return self.controller.debugger

    def compose(self) -> ComposeResult:
        """The panes of every page."""
        yield from self.composed(ABOVE, LEFT, RIGHT, BELOW)

    def on_mount(self) -> None:
        """Draws the first frame: of the iteration asked for, of how it was left, or of a lesson."""
        if not isinstance(self._learn, bool):
            self.begin_lesson(self._learn, self.controller.session)
        if self._remembered or self.controller.session.options["iteration"]:
            self.act(self._begin_there)
        else:
            self.show()
        if self._learn is True:
            self.action_lessons()

    def _begin_there(self) -> None:
        self.debugger.go(self.controller.session.options["iteration"] * self.debugger.program.length)
        if self._remembered:
            recall(self.controller, self._remembered)

    def _present(self, frame: object, moved: bool | None) -> None:
        self._swept = []
        super()._present(frame, moved)
        self._train.keep(1 / PICTURES_OF_TRAINING if self.controller.training else None)

    def _arrange(self) -> None:
        width, height = self.app.size
        frame = self.controller.frame
        lesson = 0
        if frame.lesson:
            from rnn_tui.panes.around.lesson import lesson_lines  # most sessions have none

            lesson = len(lesson_lines(frame.lesson, self._look, width - 4))
        wanted = layout(self.controller.here, len(frame.notes), width, height, lesson)
        if wanted == self._layout:
            return
        self._layout = wanted
        self._say_above(sum(int(lines) for name, lines in wanted.around.items() if name in BELOW))
        self.set_class(wanted.small, "-small")
        left = self.query_one("#left")
        left.display, left.styles.width = wanted.left > 0, wanted.left
        for pane in self.query(Pane):
            name = pane.id or ""
            pane.display = not wanted.small and (name in wanted.around or name in wanted.body)
            pane.styles.height = wanted.around.get(name) or wanted.body.get(name)

    # Moves

    def action_step(self, lines: int) -> None:
        """One line on or back."""
        self.act(lambda: self.controller.page.step(lines))

    def action_next(self) -> None:
        """One time step on."""
        self.act(lambda: self.controller.page.time_step(1))

    def action_previous(self) -> None:
        """One time step back."""
        self.act(lambda: self.controller.page.time_step(-1))

    def action_finish(self) -> None:
        """To the end of the phase; the time steps on the way pass by, where animations are wanted."""
        before = self.debugger.position
        self.act(lambda: self.controller.page.phase(1))
        if self.app.animation_level != "none" and self.work is None:
            self._swept = self.controller.on_the_way(before)
            self._sweep.keep(SWEEP / (1 + len(self._swept)))
            self._sweep_on()

    def _sweep_on(self) -> None:
        """The next picture of a sweep; the last one is the frame itself. What is pressed ends it: nothing but pictures moves.
        On a slow terminal some are left out.
        """
        if self._swept:
            picture = self._swept.pop(0)
            if not self._behind():
                self.frame = picture
        else:
            self._sweep.keep(None)
            self.frame = self.controller.frame

    def action_run_lines(self) -> None:
        """Starts running line by line, or pauses."""
        self.controller.by_line = True
        super().action_run()

    def action_run(self) -> None:
        """Starts running time step by time step, or pauses."""
        self.controller.by_line = False
        super().action_run()

    def action_start_of_phase(self) -> None:
        """To the start of the phase."""
        self.act(lambda: self.controller.page.phase(-1))

    def action_iteration(self, direction: int) -> None:
        """The same place one iteration on or back."""
        self.act(lambda: self.controller.page.iteration(direction))

    def action_goto(self) -> None:
        """Asks where to go."""
        from rnn_tui.screens.dialogs.questions import GotoScreen

        control = self.controller
        self._open(GotoScreen(self.debugger, control.writer.spelling, control.looked_at), self._go_to)

    def _go_to(self, wanted: str | Destination) -> bool:
        """To a place; a text is one that takes long to look for."""
        from rnn_tui.screens.dialogs.questions import place_in

        control = self.controller
        if isinstance(wanted, str):
            wanted = place_in(wanted, self.debugger, control.writer.spelling, control.looked_at)
        return control.visit(wanted)

    # Training

    def action_train(self) -> None:
        """Trains on, iteration after iteration, on the page of training; pauses when it does so already."""
        self.act(self.controller.trainer.toggle)

    def _train_on(self) -> None:
        """Trains for another moment, unless a dialog stands over the screen, which may ask the debugger."""
        if self.work is None and self.app.screen is self:
            self._begin(self.controller.trainer.slice(), self._trained)

    def _trained(self) -> None:
        self.controller.trainer.take()
        self.show()

    def _run_on(self) -> None:
        if self.work is None:
            super()._run_on()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While something is being done, only what ends it works; training ends for a moment. A lesson's keys work in a lesson."""
        if self.work is not None and self.work.goes_on:
            self._end_work()
        if (works := self.lesson_works(action)) is not None:
            return works and self.work is None
        ends = ("continue", "reverse_continue", "close_why", "help", "quit")
        return self.work is None or action in ends

    def action_quit(self) -> None:
        """Ends the program, whatever is being done."""
        if self.work is not None:
            self.work.ended = True
        super().action_quit()

    # What is looked at

    def action_page(self, page: PageName) -> None:
        """Another page."""
        if page in PAGES:
            self.controller.turn_to(page)
            self.show()

    def action_reach(self) -> None:
        """The flow with which loss reaches which step, or with the flow again."""
        self.act(self.controller.reach)

    def action_cell(self, rows: int, columns: int) -> None:
        """Moves the cursor."""
        self.act(lambda: self.controller.here.cursor(rows, columns))

    def action_operand(self, step: int) -> None:
        """The cursor into the next picture."""
        self.act(lambda: self.controller.here.tab(step))

    def action_enter(self) -> None:
        """Why: of the cell under the cursor, then of the number chosen in the explanation. Elsewhere: goes there, or opens a file."""
        if self.controller.here.needs_file:
            self.action_examine()
            return
        self.act(self.controller.here.enter)

    def action_back(self) -> None:
        """Back to the question before; from the first one to the panes."""
        self.act(self.controller.why.back)

    def action_close_why(self) -> None:
        """Ends what is being done; else closes the explanation, or pauses the training."""
        if self.work is not None:
            self._end_work()
        elif self.controller.training and not self.controller.selection.asked:
            self.act(self.controller.trainer.toggle)
        else:
            self.act(self.controller.why.close)

    def action_sample(self, step: int) -> None:
        """Another sample, or the whole batch."""
        self.act(lambda: self.controller.sample(step))

    def action_find(self) -> None:
        """Asks which quantity the flow shall show."""
        from rnn_tui.screens.dialogs.questions import FindScreen

        self._open(FindScreen(self.debugger, self.controller.frame), self._found)

    def _found(self, wanted: str | Destination) -> bool | None:
        if isinstance(wanted, str):
            return self.controller.choose(quantity=wanted or None)
        return self.controller.visit(wanted)

    def action_zoom(self) -> None:
        """The picture at the cursor nearer, or as it was."""
        self.act(self.controller.zoom)

    def action_log(self) -> None:
        """Logarithmic colours for all, linear ones for all, or as each quantity needs."""
        self.act(self.controller.log)

    def action_notation(self, name: str = "") -> None:
        """A notation, or the next one."""
        self.act(lambda: self.controller.write_in(name))

    def action_help(self) -> None:
        """The help screen."""
        from rnn_tui.screens.dialogs.questions import HelpScreen

        self._open(HelpScreen())
