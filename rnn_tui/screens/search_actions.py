"""What the debugger's screen does about breakpoints, watches and the listing's cursor: searches, and lists."""

from __future__ import annotations

from dataclasses import replace

from rnn_tui.control.search import Search
from rnn_tui.keys.bindings import with_keys
from rnn_tui.screens.edit_actions import EditActions

PROGRESS_EVERY = 0.2


class SearchActions(EditActions):
    """The debugger's screen: looks for breakpoints."""

    search: Search | None = None
    """The search for a breakpoint that is under way."""

    def action_continue(self) -> None:
        """To the next breakpoint."""
        self._continue(1)

    def action_reverse_continue(self) -> None:
        """To the breakpoint before."""
        self._continue(-1)

    def _continue(self, direction: int) -> None:
        self.controller.running = False
        if self.search is not None:
            self.search.cancelled = True
            return
        self.search = search = self.controller.search(direction)
        if search is None:
            self.show()
        elif search.quick:
            search.run()
            self._searched()
        else:
            self.run_worker(self._search, thread=True, exclusive=True, group="search")
            self.set_timer(PROGRESS_EVERY, self._progress)

    def _search(self) -> None:
        if self.search is not None:
            self.search.run()
            self.app.call_from_thread(self._searched)

    def _searched(self) -> None:
        search, self.search = self.search, None
        if search is not None:
            self.show(self.controller.stops.arrive(search))

    def _progress(self) -> None:
        """Says where a search is, as long as it takes."""
        if self.search is not None:
            self.frame = replace(
                self.controller.frame,
                busy=with_keys(f"searching iteration {self.search.iteration}, `c` stops", self.commands),
            )
            self.set_timer(PROGRESS_EVERY, self._progress)

    def action_list_up(self) -> None:
        """Listing cursor up."""
        self.show(self.controller.page.list(-1))

    def action_list_down(self) -> None:
        """Listing cursor down."""
        self.show(self.controller.page.list(1))

    def action_toggle_breakpoint(self) -> None:
        """A breakpoint on the listing's line."""
        self.show(self.controller.stops.toggle())

    def action_toggle_breakpoint_here(self) -> None:
        """A breakpoint on the listing's line, at the present time step."""
        self.show(self.controller.stops.toggle_here())

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
