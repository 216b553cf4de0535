"""The page of findings, and when they are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnn_tui.control.desk import Desk
from rnn_tui.control.pages import Heights, Page
from rnn_tui.control.stops import Stops
from rnn_tui.shown.targets import ToFinding

if TYPE_CHECKING:
    from engine.explain.findings import Finding


class FindingsPage(Page):
    """The findings about this iteration."""

    enters = "go there"

    def __init__(self, desk: Desk, stops: Stops) -> None:
        super().__init__(desk, stops)
        self._known: dict[int, tuple[Finding, ...]] = {}
        self._known_of = desk.debugger, desk.notation

    @property
    def below(self) -> str:
        return ""

    def panes(self, height: int) -> Heights:
        return {"findings": "1fr"}

    def works(self, action: str) -> bool:
        return action in ("enter", "cell(0,-1)") and bool(self.known())

    def known(self) -> tuple[Finding, ...] | None:
        """The findings of the present iteration, computed when they are asked for, or when that takes no time; None
        when they are not computed."""
        desk = self.desk
        debugger, asked = desk.debugger, desk.selection.page == "findings"
        if self._known_of != (debugger, desk.notation):
            self._known, self._known_of = {}, (debugger, desk.notation)
        if debugger.position == 0 and not asked:
            return None  # nothing is computed yet
        from engine.explain.findings import findings, quick  # not before the first frame is drawn

        iteration = debugger.view.point.iteration
        busy = desk.running or desk.training or not quick(debugger.plan)
        if iteration not in self._known and (asked or not busy):
            findings_here = tuple(findings(debugger, iteration, desk.writer.spelling.name))
            self._known = {**self._known, iteration: findings_here}
        return self._known.get(iteration)

    def cursor(self, rows: int, columns: int) -> None:
        """To the next finding, or the one before."""
        frame = self.desk.frame
        last = len(frame.findings or ()) - 1
        self.desk.choose(finding=max(0, min(frame.finding + rows + columns, last)))

    def enter(self) -> bool:
        return self._go_to(self.desk.frame.finding)

    def click(self, target: object, x: int, y: int) -> bool:
        return self._go_to(target.number) if isinstance(target, ToFinding) else True

    def _go_to(self, number: int) -> bool:
        """To the point where a finding can be seen, the cursor at its cell."""
        from engine.debug.places import Destination

        listed = self.desk.frame.findings
        if listed:
            found = listed[number]
            self.desk.choose(page="program", finding=number)
            self.desk.visit(Destination(found.position, found.quantity, found.t, found.index or ()))
            self.desk.say("`5` leads back to the findings")
        return True
