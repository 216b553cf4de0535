"""The screen of the walk through a program of the user's own that is no network of ours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.text import clean
from rnn_tui.control.walker import Walker
from rnn_tui.keys.walk_bindings import WALK_COMMANDS
from rnn_tui.lessons.examiner import Examiner
from rnn_tui.panes.around.header import draw_footer
from rnn_tui.panes.around.lesson import draw_lesson, lesson_lines
from rnn_tui.panes.walk.run import (
    draw_walk_header,
    draw_walk_source,
    draw_walk_strip,
    draw_walk_told,
)
from rnn_tui.panes.walk.value import draw_walk_value
from rnn_tui.panes.walk.why import draw_walk_why
from rnn_tui.panes.walk.zoom import draw_walk_zoom
from rnn_tui.screens.dialogs.questions import HelpScreen
from rnn_tui.screens.dialogs.walk_dialogs import WALK_WORDS, GotoLineScreen, WalkStopsScreen
from rnn_tui.screens.layout import SMALLEST, footer_lines
from rnn_tui.screens.lessons.keys import LessonKeys
from rnn_tui.screens.paned import keys_of
from rnn_tui.shown.look import Look
from rnn_tui.widgets.pane import Pane

if TYPE_CHECKING:
    from engine.doctor.derive.beside import LinesBelow
    from rnn_tui.kept.saving import ShownWalk


class WalkScreen(LessonKeys):
    """Source and values of the user's own run; see `rnn_tui.keys.bindings.WALK_COMMANDS` for what can be done."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys_of(WALK_COMMANDS)]

    def __init__(
        self,
        walk: ProgramWalk,
        look: Look,
        examiner: Examiner | None = None,
        keys: Mapping[str, str] | None = None,
        *,
        derives: bool = False,
    ) -> None:
        """With an `examiner` it is an exercise: which line is wrong is not told. One that `derives` shows the missing backward pass, and is
        left by the key that hides it."""
        super().__init__(look, WALK_COMMANDS, keys)
        self._derives = derives
        self.guide = self.examiner = examiner
        self.walker = self._walker(walk)

    def _walker(self, walk: ProgramWalk) -> Walker:
        walker = Walker(walk, self._look, self._say, self.commands)
        if self.examiner is not None:
            self.examiner.take(walker)
        return walker

    @property
    def steering(self) -> Walker:
        """The walker."""
        return self.walker

    def compose(self) -> ComposeResult:
        """Source and values."""
        yield from self.composed(
            {"header": draw_walk_header, "strip": draw_walk_strip},
            {"source": draw_walk_source},
            {"beside": draw_walk_value, "zoom": draw_walk_zoom, "why": draw_walk_why},
            {"told": draw_walk_told, "lesson": draw_lesson, "footer": draw_footer},
        )

    def on_mount(self) -> None:
        """Draws the first frame; begins to derive, where that is what it is opened for."""
        self.app.clear_notifications()
        self.show()
        if self._derives:
            self.action_derived()

    def _arrange(self) -> None:
        width, height = self.app.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(small, "-small")
        asked = bool(self.walker.choice.asked)
        left = self.query_one("#left")
        left.styles.width = min(80, width * 3 // 8 if asked else width // 2)
        left.display = width >= 100 or not asked
        lines = {"header": 1, "strip": 2 if height < 30 else 3, "footer": footer_lines(height)}
        lines["told"] = 3 if height < 30 else 7 if height < 45 else 10
        card = self.walker.frame.lesson
        lines["lesson"] = 2 + len(lesson_lines(card, self._look, width - 4)) if card else 0
        lines["told"] = min(3, lines["told"]) if card else lines["told"]
        self._say_above(lines["told"] + lines["lesson"] + lines["footer"])
        body = "why" if asked else "zoom" if self.walker.choice.zoom else "beside"
        hidden = {"why", "zoom", "beside"} - {body} | (set() if card else {"lesson"})
        for pane in self.query(Pane):
            name = pane.id or ""
            pane.display = not small and name not in hidden
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

    def action_zoom(self) -> None:
        """The picture at the cursor nearer, or beside the others."""
        self.show(self.walker.zoom())

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

    def action_derived(self) -> None:
        """The backward pass that belongs to the forward lines, shown below them, or hidden."""
        walker = self.walker
        if self._derives and walker.choice.derived:
            self.app.pop_screen()
            return
        self.show(walker.show_derived(shown=not walker.choice.derived))
        if walker.derived is not None:
            return
        if walker.choice.derived:
            self._say_doing("deriving the backward pass …")
        else:
            self._say("The backward pass will not be shown.")
        if not any(worker.group == "derive" for worker in self.workers if not worker.is_finished):
            self.run_worker(partial(self._derive, walker), thread=True, group="derive")

    def _derive(self, walker: Walker) -> None:
        from engine.doctor.derive.beside import below_lines, completed, derived_of, moved_lines
        from engine.doctor.opening import walk_of

        walk = walker.walk
        try:
            derived = derived_of(walk)
            below, whole = below_lines(derived), completed(derived, walk.source)
            again = None
            if whole is not None:
                again = walk_of(whole, walk.wishes, mend=False), moved_lines(derived)
        except InputError as error:
            self.app.call_from_thread(self._derived, walker, None, None, str(error))
        else:
            self.app.call_from_thread(self._derived, walker, below, again)

    def _derived(
        self,
        walker: Walker,
        lines: LinesBelow | None,
        again: tuple[ProgramWalk, Mapping[int, int]] | None,
        said: str = "",
    ) -> None:
        self.app.clear_notifications()
        if walker is self.walker:
            walker.derived, walker.completed = lines, again
            self.show(walker.show_derived(shown=walker.choice.derived and (lines is not None or self._derives)))
            if again is not None and walker.choice.derived:
                said = "The backward pass stands in its place, too: step on into it, `enter` explains its numbers. `m` leaves it."
            if said:
                self._say(said)

    # The program, dialogs, the end

    @property
    def shown(self) -> ShownWalk:
        """What is on this screen, whatever stands over it."""
        from rnn_tui.kept.saving import ShownWalk

        return ShownWalk(self._compositor.render_strips(), self.walker.refresh())

    def action_examine(self) -> None:
        """Runs the program again."""
        path = self.walker.walk.source.path
        self.walker.running = False
        self._say_doing(f"running {clean(path.name)} …")
        self.run_worker(partial(self._examined, self.walker.walk), thread=True, exclusive=True, group="examine")

    def _examined(self, walk: ProgramWalk) -> None:
        from engine.doctor.opening import open_walk

        try:
            again = (
                open_walk(walk.source.path, walk.wishes, walk.function)
                if self.examiner is None
                else self.examiner.exercise.examined()
            )
        except InputError as error:
            self.app.call_from_thread(self._say, str(error))
        else:
            self.app.call_from_thread(self._take, again)

    def _take(self, walk: ProgramWalk) -> None:
        self.app.clear_notifications()
        self.walker = self._walker(walk)
        self.show()

    def action_lessons(self) -> None:
        """From an exercise back to the debugger, which asks for another lesson."""
        below = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else None
        if isinstance(below, LessonKeys):
            self.app.pop_screen()
            below.call_later(below.run_action, "lessons")  # this screen is closing, and would not hear the answer
        else:
            self._say("Lessons are in the debugger: rnn-tui learn")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A lesson's keys work in a lesson."""
        works = self.lesson_works(action)
        return True if works is None else works

    def action_help(self) -> None:
        """The help screen."""
        self._open(HelpScreen(WALK_WORDS))
