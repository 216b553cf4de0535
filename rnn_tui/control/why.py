"""The explanation of a number, and the path from one number to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.explain.address import CellAddress
from engine.explain.ledger import Ledger, gradients, ledger
from engine.explain.why import equation_text, put_in, why, zero_reason
from rnn_tui.control.desk import Desk
from rnn_tui.control.pages import Heights, Page
from rnn_tui.control.stops import Stops
from rnn_tui.panes.why import TERMS, name_of, numbered
from rnn_tui.render.numbers import matrix_text
from rnn_tui.shown.exhibit import Asked
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToCrumb, ToOperand


class WhyPage(Page):
    """An explanation, shown over the page that it was opened from while `Selection.asked` is a path to a cell."""

    def __init__(self, desk: Desk, stops: Stops, page: Callable[[], Page]) -> None:
        super().__init__(desk, stops)
        self._page = page
        """The page below: the chosen one."""

    @property
    def _path(self) -> tuple[CellAddress, ...]:
        return self.desk.selection.asked

    def back(self) -> None:
        """Back to the question before; from the first one to the page."""
        if self._path:
            self.desk.ask(*self._path[:-1])

    def close(self) -> None:
        """Back to the page; from a picture that is near to all of its line."""
        if self._path:
            self.desk.ask()
        else:
            self.desk.choose(zoom=0)

    @property
    def below(self) -> str:
        """The pane below the body, as on the page below; the cell's own arithmetic makes room, for it would be a second "why"."""
        below = self._page().below
        return "" if below == "inspector" else below

    @property
    def halved(self) -> bool:
        return self._page().halved

    def panes(self, height: int) -> Heights:
        return {**self._page().side(), "why": "1fr"}

    def fill(self, frame: Frame) -> Frame:
        debugger, cell = self.desk.debugger, self._path[-1]
        explanation = why(debugger, cell)
        equation = equation_text(self.desk.writer, cell, explanation)
        edited = put_in(debugger, cell)
        reason = edited or zero_reason(debugger, cell, explanation)
        asked = Asked(self._path, explanation, equation, reason, self.desk.selection.follow, edited=edited is not None)
        return replace(frame, asked=replace(asked, ledger=self._ledger(cell)))

    def _ledger(self, cell: CellAddress) -> Ledger | None:
        """What each step and each sample adds to a gradient, as far as it is summed."""
        tape = self.desk.debugger.tape(cell.iteration)
        whole = cell.t is None and not cell.one_step and cell.sample is None
        if not whole or cell.name not in gradients(tape):
            return None
        found = ledger(tape, cell.name, cell.index, cell.reached)
        return found if len(found.steps) > 1 else None

    def followed(self) -> list[list[tuple[int, CellAddress]]]:
        """The numbers that can be followed in what is shown, term by term."""
        asked = self.desk.frame.asked
        return list(numbered(asked.explanation.largest(TERMS)[0])) if asked is not None else []

    def cursor(self, rows: int, columns: int) -> None:
        """To the next number of the explanation, or the first of the next term."""
        terms = [term for term in self.followed() if term]
        if not terms:
            return
        count, follow = sum(map(len, terms)), self.desk.selection.follow
        at = next((i for i, term in enumerate(terms) if follow in dict(term)), 0)
        term = terms[max(0, min(at + rows, len(terms) - 1))]
        self.desk.choose(follow=term[0][0] if rows else max(0, min(follow + columns, count - 1)))

    def copied(self) -> tuple[str, str] | None:
        asked = self.desk.frame.asked
        return None if asked is None else (name_of(self.desk.frame, asked.path[-1]), repr(asked.explanation.value))

    def copied_all(self) -> tuple[str, str] | None:
        """The values of all terms, a line each."""
        asked = self.desk.frame.asked
        terms = None if asked is None else asked.explanation.values
        return None if terms is None else (f"{len(terms)} terms", matrix_text(terms[:, None], "\t"))

    def tab(self, step: int) -> None:
        """On the page below."""
        self._page().tab(step)

    def enter(self) -> bool:
        return self.follow(self.desk.selection.follow)

    def follow(self, number: int) -> bool:
        """Explains one of the explanation's numbers; False when there is no such number."""
        known = {place: cell for term in self.followed() for place, cell in term}
        if number in known:
            self.desk.ask(*self._path, known[number])
        return number in known

    def click(self, target: object, x: int, y: int) -> bool:
        match target:
            case ToOperand(number=number):
                return self.follow(number)
            case ToCrumb(depth=depth):
                self.desk.ask(*self._path[:depth])
            case _:
                pass
        return True
