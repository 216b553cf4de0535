"""The explanation of a number: the way from question to question."""

from __future__ import annotations

from dataclasses import replace

from engine.explain.why import Cell, equation_text, put_in, why, zero_reason
from rnn_tui.control.pages import Heights, Page
from rnn_tui.frame import Asked, Frame
from rnn_tui.panes.why import TERMS, numbered
from rnn_tui.targets import ToCrumb, ToOperand


class Why(Page):
    """An explanation, open over the page that it was asked from as long as `Selection.asked` is a way to a cell."""

    @property
    def _path(self) -> tuple[Cell, ...]:
        return self.controller.selection.asked

    def ask(self, *path: Cell) -> None:
        """Opens the explanation of the last cell of a path; closes it when there is none."""
        self.controller.running = False
        self.controller.choose(asked=path, follow=0)

    def back(self) -> None:
        """Back to the question before; from the first one to the page."""
        if self._path:
            self.ask(*self._path[:-1])

    def close(self) -> None:
        """Back to the page."""
        if self._path:
            self.ask()

    @property
    def below(self) -> str:
        """The page's: what was asked about stays in sight."""
        return self.controller.page.below

    @property
    def halved(self) -> bool:
        return self.controller.page.halved

    def panes(self, height: int) -> Heights:
        return {**self.controller.page.side(), "why": "1fr"}

    def fill(self, frame: Frame) -> Frame:
        debugger, cell = self.controller.debugger, self._path[-1]
        found = why(debugger, cell)
        equation = equation_text(debugger, cell, found, self.controller.notation)
        edited = put_in(debugger, cell)
        reason = edited or zero_reason(debugger, cell, found)
        follow = self.controller.selection.follow
        return replace(frame, asked=Asked(self._path, found, equation, reason, follow, edited=edited is not None))

    def followed(self) -> list[list[tuple[int, Cell]]]:
        """The numbers that can be followed in what is shown, term by term."""
        asked = self.controller.frame.asked
        return list(numbered(asked.found.largest(TERMS)[0])) if asked is not None else []

    def cursor(self, rows: int, columns: int) -> None:
        """To the next number of the explanation, or the first of the next term."""
        terms = [term for term in self.followed() if term]
        if not terms:
            return
        count, follow = sum(map(len, terms)), self.controller.selection.follow
        at = next((i for i, term in enumerate(terms) if follow in dict(term)), 0)
        term = terms[max(0, min(at + rows, len(terms) - 1))]
        self.controller.choose(follow=term[0][0] if rows else max(0, min(follow + columns, count - 1)))

    def tab(self, step: int) -> None:
        """On the page below."""
        self.controller.page.tab(step)

    def enter(self) -> bool:
        return self.follow(self.controller.selection.follow)

    def follow(self, number: int) -> bool:
        """Asks why of one of the explanation's numbers; False when there is no such number."""
        known = {place: cell for term in self.followed() for place, cell in term}
        if number in known:
            self.ask(*self._path, known[number])
        return number in known

    def click(self, target: object, x: int, y: int) -> bool:
        match target:
            case ToOperand(number=number):
                return self.follow(number)
            case ToCrumb(depth=depth):
                self.ask(*self._path[:depth])
            case _:
                pass
        return True
