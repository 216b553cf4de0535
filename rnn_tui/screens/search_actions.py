"""What the debugger's screen does about breakpoints, watches and the listing's cursor: searches, and lists."""

from __future__ import annotations

from functools import partial

from rnn_tui.control.search import Search
from rnn_tui.screens.at_work import AtWork
from rnn_tui.screens.edit_actions import EditActions


class SearchActions(EditActions, AtWork):
    """The debugger's screen: looks for breakpoints."""

    def action_continue(self) -> None:
        """To the next breakpoint."""
        self._continue(1)

    def action_reverse_continue(self) -> None:
        """To the breakpoint before."""
        self._continue(-1)

    def _continue(self, direction: int) -> None:
        self.controller.running = False
        if self.work is not None:
            self._end_work()
        elif (search := self.controller.search(direction)) is None:
            self.show()
        elif search.quick:
            search.run()
            self._searched(search)
        else:
            self._begin(search, partial(self._searched, search))

    def _searched(self, search: Search) -> None:
        self.act(lambda: self.controller.stops.arrive(search))

    def action_list_up(self) -> None:
        """Listing cursor up."""
        self.act(lambda: self.controller.page.list(-1))

    def action_list_down(self) -> None:
        """Listing cursor down."""
        self.act(lambda: self.controller.page.list(1))

    def action_toggle_breakpoint(self) -> None:
        """A breakpoint on the listing's line."""
        self.act(self.controller.stops.toggle)

    def action_toggle_breakpoint_here(self) -> None:
        """A breakpoint on the listing's line, at the present time step."""
        self.act(self.controller.stops.toggle_here)

    def action_breakpoints(self) -> None:
        """Lists, adds and removes breakpoints."""
        from rnn_tui.screens.dialogs.questions import BreakpointsScreen

        control = self.controller
        self._open(BreakpointsScreen(control.debugger, control.writer.spelling, control.looked_at))

    def action_logged(self) -> None:
        """What logpoints have printed."""
        from rnn_tui.screens.dialogs.questions import LogScreen

        self._open(LogScreen(self.controller.logged))

    def action_watch(self) -> None:
        """Lists, adds and removes watched expressions."""
        from rnn_tui.screens.dialogs.questions import WatchScreen

        control = self.controller
        self._open(WatchScreen(control.debugger, control.writer.spelling, control.watched))
