"""What pages, stops, edits and explanations share: the session, the user's choices of what to look at, and moves through the program."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.debug.debugger import Debugger
from engine.explain.address import CellAddress
from engine.explain.line_parts import writer_for
from engine.language.derive import gradient
from engine.model.blocks import Point
from engine.notation import Writer
from engine.session import Session
from rnn_tui.keys.bindings import COMMANDS
from rnn_tui.keys.command import Command
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.selection import Selection

if TYPE_CHECKING:
    from engine.debug.places import Destination
    from engine.doctor.walk.lockstep import Lockstep

LOG_LINES = 200
LOGGED_OVER = 1_000_000
"""Points that a move passes at most for logpoints to be looked up."""


class Desk(ABC):
    """One debugger and the user's choices; `say` shows a message to the user."""

    commands: tuple[Command, ...] = COMMANDS
    """What can be done, with the user's keys."""

    def __init__(self, session: Session, say: Callable[[str], None], lockstep: Lockstep | None = None) -> None:
        self.session = session
        self.lockstep = lockstep
        """The user's program, in step with the debugger's."""
        self.say = say
        self.selection = Selection()
        self.notation: str = session.options["notation"]
        self.writer = self.written_in(self.notation)
        self.running = False
        """Whether the program is run, `rate` time steps (or lines) a second."""
        self.by_line = False
        """Whether it is run line by line."""
        self.training = False
        """Whether the network is trained on, iteration after iteration."""
        self.stopped: tuple[int, str] = (0, "")
        """The position at which a breakpoint has stopped the program, or a condition holds that was looked for, and what does there."""
        self.logged: tuple[str, ...] = ()
        """The messages of logpoints, the latest last."""
        self._log_from = 0
        self._frame: Frame | None = None

    @property
    def frame(self) -> Frame:
        """The frame that was made last."""
        return self._frame or self.refresh()

    @abstractmethod
    def refresh(self) -> Frame:
        """Makes the frame of the present state; the controller, which has the pages, does it."""

    @property
    def looked_at(self) -> int | None:
        """The number in the data of the sample that is chosen; None where all of a batch are looked at, or it is the only one."""
        tape, row = self.debugger.view.tape, self.selection.sample
        if row is None or tape.plan.batch == 1:
            return None
        row = min(row, tape.plan.batch - 1)
        return row if tape.samples is None else int(tape.samples[row])

    def watched(self) -> list[tuple[str, str]]:
        """What the watched expressions are called in the names on the screen, and their values; of the sample that is looked at."""
        debugger, spelling, sample = self.debugger, self.writer.spelling, self.looked_at
        return [
            (spelling.in_its_names(debugger.watch_name(each, sample)), debugger.watched(each, sample))
            for each in debugger.watches
        ]

    @property
    def debugger(self) -> Debugger:
        """The one debugger; `take` puts another in its place."""
        return self.session.debugger

    def written_in(self, notation: str) -> Writer:
        """The writer of the program's lines in a notation; beside the user's program no name stands for something else than there."""
        plan = self.debugger.plan
        return (
            writer_for(plan, notation) if self.lockstep is None else writer_for(plan, notation, self.lockstep.meanings)
        )

    def choose(self, **changes: object) -> None:
        """Other choices of what to look at, by the names of `Selection`."""
        self.selection = replace(self.selection, **changes)  # pyright: ignore[reportArgumentType]

    def ask(self, *path: CellAddress) -> None:
        """Opens the explanation of the last cell of a path; closes it when there is none."""
        self.running = False
        self.choose(asked=path, follow=0)

    def take(self, debugger: Debugger) -> None:
        """Goes on with another debugger at the same point."""
        self.session = replace(self.session, debugger=debugger)
        self.writer = self.written_in(self.notation)
        self.choose(asked=(), follow=0, operand=None)

    # Moves

    def moved(self, moved: bool, *, keep_operand: bool = False) -> bool:
        """Adapts the choices to a move of the debugger; returns `moved`."""
        operand = self.selection.operand if keep_operand else None
        self.choose(operand=operand, line=None, step=None, asked=(), follow=0)
        self._log()
        return moved

    def go(self, to: Point | int) -> bool:
        """To a point or a position."""
        return self.moved(self.debugger.go(to))

    def stop_at(self, position: int, why: Callable[[], list[str]]) -> bool:
        """To where something stops the program; what does, with the values that it compares, is said there."""
        moved = self.go(position)
        self.stopped = (position, self.writer.spelling.in_its_names(", ".join(why())))
        return moved

    def visit(self, place: Destination) -> bool:
        """To a place and, where a quantity was named, with the cursor on its cell; a number that this line does not show is explained."""
        if (condition := place.holds) is not None:
            from engine.debug.reasons import reason  # with the first condition

            one = self.looked_at is not None
            self.choose(sample=self.selection.sample if place.sample is None else place.sample)
            return self.stop_at(place.position, lambda: [reason(self.debugger, condition, one=one)])
        before = self.selection
        moved = self.go(place.position)
        if place.sample is not None:
            self.choose(sample=place.sample)
        if place.name is None:
            return moved or self.selection != before
        axes = self.debugger.plan.axes.get(place.name, ())
        page = "flow" if before.page == "flow" and not place.index else "program"
        weights = self.debugger.program.parameters if place.index else ()
        parameter = next((one for one in weights if place.name in (one, gradient(one))), None)
        self.choose(page=page, operand=None, moment=None, parameter=parameter, addend=None)
        if place.index and self.selection.sample is not None and axes[:1] == ("B",):
            self.choose(sample=place.index[0])
        parts = self.refresh().parts
        shown = [i for i, p in enumerate(parts) if p.name == place.name and (place.t is None or p.t in (None, place.t))]
        if not shown:
            if place.index:
                self.ask(CellAddress(place.name, self.debugger.view.point.iteration, place.t, place.index))
            return moved or bool(place.index)
        part = min(shown, key=lambda i: (parts[i].role == "operand", parts[i].t != place.t))
        self.choose(operand=part)
        if place.index:
            row, column = parts[part].place(place.index)
            self.choose(row=row, column=column)
        return moved or self.selection != before

    def _log(self) -> None:
        """Adds the messages of the logpoints that a move forward has passed."""
        position = self.debugger.position
        said = self.debugger.logged(self._log_from, position) if position - self._log_from <= LOGGED_OVER else []
        self.logged = (*self.logged, *map(self.writer.spelling.in_its_names, said))[-LOG_LINES:]
        self._log_from = position
