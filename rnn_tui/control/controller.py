"""The object that owns the debugger: keys and clicks are calls on it, and it hands out the frame that results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.debug.moves import time_step
from engine.debug.pace import TakesLongError
from engine.debug.whatif import Branch
from engine.notation import NOTATIONS
from engine.session import Session
from rnn_tui.control.desk import Desk
from rnn_tui.control.edits import Edits
from rnn_tui.control.findings import FindingsPage
from rnn_tui.control.footer import footer, tabs
from rnn_tui.control.pages import Page
from rnn_tui.control.search import Search
from rnn_tui.control.stops import Stops
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import Look
from rnn_tui.shown.selection import NUMBERS, PageName
from rnn_tui.shown.targets import ToLine, ToPosition

if TYPE_CHECKING:
    from engine.doctor.walk.lockstep import Lockstep
    from rnn_tui.control.training import TrainingPage
    from rnn_tui.control.why import WhyPage
    from rnn_tui.shown.card import LessonCard

PAGES: dict[PageName, str] = {
    "program": "pages.ProgramPage",
    "flow": "pages.FlowPage",
    "weights": "weights.WeightsPage",
    "training": "training.TrainingPage",
    "findings": "findings.FindingsPage",
    "yours": "yours.YoursPage",
}
"""Each page's class, loaded when the page is turned to."""

SPEEDS = (1, 2, 4, 8, 16, 32, 60)
"""Time steps (or lines) a second."""
SWEPT = 18
SWEEP_WAITS = 0.1
"""Seconds that may be spent on recording what is only seen in passing."""


class ControllerState(NamedTuple):
    """What was chosen and where the debugger was: the values of what holds them, none of which is ever changed in itself."""

    position: int
    parts: tuple[tuple[object, dict[str, Any]], ...]


class Controller(Desk):
    """A desk with its pages: after any call, `refresh` makes the immutable `Frame` to be drawn. It knows no screen.
    Calls that return a boolean say whether anything changed.
    """

    def __init__(
        self, session: Session, look: Look, say: Callable[[str], None], lockstep: Lockstep | None = None
    ) -> None:
        super().__init__(session, say, lockstep)
        self.look = look
        self._speed = 3
        self.lesson: Callable[[], LessonCard | None] = lambda: None
        """Makes the card of the lesson that goes on."""
        self.stops, self.edits = Stops(self), Edits(self)
        self.findings = FindingsPage(self, self.stops)
        self._pages: dict[PageName, Any] = {"findings": self.findings}
        if lockstep is not None:
            self.choose(page="yours")
            self.page.step(lockstep.first)

    @property
    def page(self) -> Page:
        """The chosen page."""
        return self._page(self.selection.page)

    def _page(self, name: PageName) -> Any:
        if name not in self._pages:
            module, kind = PAGES[name].split(".")
            self._pages[name] = getattr(import_module(f"rnn_tui.control.{module}"), kind)(self, self.stops)
        return self._pages[name]

    @property
    def trainer(self) -> TrainingPage:
        """The page of training, which goes on behind other pages."""
        return self._page("training")

    @cached_property
    def why(self) -> WhyPage:
        """The page that lies over the chosen one while an explanation is open."""
        from rnn_tui.control.why import WhyPage  # with the first question

        return WhyPage(self, self.stops, lambda: self.page)

    @property
    def here(self) -> Page:
        """What the body of the screen shows: the explanation while one is open, else the chosen page."""
        return self.why if self.selection.asked else self.page

    # What is seen

    def refresh(self) -> Frame:
        """What there is to see now."""
        data, debugger = self.session.data, self.debugger
        frame = Frame(
            view=debugger.view,
            writer=self.writer,
            selection=self.selection,
            look=self.look,
            name=data.name,
            description=self.session.description,
            title=data.title,
            look_for=data.look_for,
            said=data.said,
            loss_before=self._loss_before(),
            batches=debugger.batches.per_epoch,
            classes=data.classes,
            notes=(*self.watched(), *(("", text) for text in self.logged)),
            stopped=self.stopped[1] if self.stopped[0] == debugger.position else "",
            findings=self.findings.known(),
            tabs=tabs(self),
            original=debugger.original_view if isinstance(debugger, Branch) else None,
            edits=debugger.edits if isinstance(debugger, Branch) else (),
            lockstep=self.lockstep,
            lesson=self.lesson(),
            commands=self.commands,
        )
        self._frame = frame  # what works is told by this frame, not by the one before
        self._frame = self.here.fill(replace(frame, keys=footer(self, self.page, self.here, self.rate)))
        return self._frame

    def _loss_before(self) -> float | None:
        """The loss of the iteration before, where it is of the same samples and nothing is set."""
        debugger = self.debugger
        before = debugger.history.get(debugger.view.point.iteration - 1)
        same = debugger.batches.per_epoch == 1 and not isinstance(debugger, Branch)
        return before.loss if before is not None and same else None

    def turn_to(self, page: PageName) -> None:
        """Another page."""
        self.choose(page=page, asked=(), follow=0)
        self.page.opened()

    def file(self) -> bool:
        """The next file of the user's program, in its view."""
        if self.selection.page != "yours":
            self.turn_to("yours")
        return self._page("yours").file()

    def click(self, target: object, x: int, y: int) -> bool:
        """What a click on a target, at this place inside it, asks for."""
        match target:
            case ToPosition(position=position):
                return self.go(position)
            case ToLine(block=block, at=index, gutter=True):
                self.debugger.toggle(self.debugger.program.blocks[block].lines[index])
            case ToLine(block=block, at=index):
                self.choose(line=(block, index))
            case _:
                return self.here.click(target, x, y)
        return True

    def copied(self) -> tuple[str, str] | None:
        """What is copied of the place at the cursor, as `Page.copied`."""
        return self.here.copied()

    def copied_all(self) -> tuple[str, str] | None:
        """The same of the whole picture."""
        return self.here.copied_all()

    def search(self, direction: int) -> Search | None:
        """A search for the next breakpoint (1) or the one before (−1), to be run; None when the page has what is to be looked for."""
        return self.stops.search(direction) if self.page.seek(direction) is None else None

    # What a call that is not done to its end has changed

    def kept(self) -> ControllerState:
        """All that calls change, as it is now: to be put back."""
        parts = (self, *self._pages.values())
        return ControllerState(self.debugger.position, tuple((part, dict(vars(part))) for part in parts))

    def put_back(self, state: ControllerState) -> None:
        """Everything as it was."""
        for part, values in state.parts:
            vars(part).update(values)
        self.debugger.go(state.position)

    # Running

    @property
    def rate(self) -> int:
        """How many time steps (or lines) a second are run while it is running."""
        return SPEEDS[self._speed]

    def run_faster(self, by: int) -> None:
        """Raises the speed by some steps, or lowers it when negative."""
        self._speed = max(0, min(self._speed + by, len(SPEEDS) - 1))

    def tick(self) -> None:
        """On while it is running; no further where it shall stop."""
        self.running = self.page.tick()

    def on_the_way(self, before: int) -> list[Frame]:
        """The pictures of a sweep from a position to the present one: of at most `SWEPT` time steps; none where something is edited."""
        program, position = self.debugger.program, self.debugger.position
        passed, at = list[int](), before
        while not isinstance(self.debugger, Branch) and (at := time_step(program, at, 1)) < position:
            passed.append(at)
        count = min(len(passed), SWEPT)
        try:
            with self.debugger.pace.within(SWEEP_WAITS):
                views = [self.debugger.view_at(passed[i * len(passed) // count]) for i in range(count)]
        except TakesLongError:
            return []
        if not views:
            return []
        from rnn_tui.control.sweep import sweep  # with the first one

        return sweep(self.frame, [*views, self.debugger.view])

    # What is looked at

    def sample(self, step: int) -> None:
        """Another sample, or the whole batch."""
        frame = self.frame
        now = -1 if frame.sample is None else frame.sample
        chosen = (now + 1 + step) % (frame.samples + 1) - 1
        self.choose(sample=None if chosen < 0 else chosen)

    def zoom(self) -> None:
        """The picture at the cursor nearer: alone, then with its numbers, then in its line again."""
        self.choose(zoom=(self.selection.zoom + 1) % (NUMBERS + 1))
        if not self.page.can_zoom():
            self.choose(zoom=0)
            self.say("Zoom is for the picture that the cell cursor is in: views 1, 2, 3 and 6, from the first line on.")

    def log(self) -> None:
        """Logarithmic colours for all, linear ones for all, or as each quantity needs."""
        self.choose(log={None: True, True: False, False: None}[self.selection.log])
        scale = {None: "as each quantity needs", True: "logarithmic", False: "linear"}[self.selection.log]
        self.say(f"Colours: {scale}")

    def write_in(self, name: str = "") -> None:
        """A notation (the next one) for listing and pictures; the point and the numbers stay."""
        self.take_notation(name if name in NOTATIONS else self.next_notation)
        self.say(f"Notation: {self.notation}, {NOTATIONS[self.notation].source}")

    @property
    def next_notation(self) -> str:
        """The notation after the present one."""
        names = list(NOTATIONS)
        return names[(names.index(self.notation) + 1) % len(names)]

    def take_notation(self, name: str) -> None:
        """A notation by its name."""
        self.notation, self.writer = name, self.written_in(name)
        self.choose(operand=None)

    def reach(self) -> None:
        """Switches the flow page between the flow and which loss reaches which step."""
        self.choose(reach=not self.selection.reach or self.selection.page != "flow")
        self.turn_to("flow")
