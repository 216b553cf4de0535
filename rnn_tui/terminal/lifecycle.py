"""How the full-screen program starts and ends: whatever happens, the terminal is usable afterwards.

Textual alone exits 0 after an exception. `TerminalApp` is the app to derive from, `run` what runs it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import constants
from textual.app import App
from textual.binding import Binding
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter, Monochrome

from engine.errors import InputError
from engine.text import clean
from rnn_tui.terminal.crash import EXIT_CODE, crashed
from rnn_tui.terminal.driver import TerminalDriver
from rnn_tui.terminal.signals import SignalGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.binding import BindingType
    from textual.driver import Driver


def run(app: App[Any], *, mouse: bool = True) -> int:
    """Run `app` in the terminal on descriptor 0 and return the exit code; see `rnn_tui.terminal.run`."""
    with SignalGuard(app) as guard:
        try:
            asyncio.run(_run(app, guard, mouse))
        except Exception as error:  # not in the app, which handles it, but while Textual starts or ends
            guard.leave_screen()
            sys.stderr.write(crashed(error) + "\n")
            return EXIT_CODE
        except BaseException:
            guard.leave_screen()
            raise
    if guard.caught is not None:
        return 128 + guard.caught
    return app.return_code or 0


async def _run(app: App[Any], guard: SignalGuard, mouse: bool) -> None:
    guard.loop = asyncio.get_running_loop()
    guard.loop.set_default_executor(LeftAlone())
    if guard.caught is not None:
        return
    if isinstance(app, TerminalApp):
        app.guard = guard
    guard.on_screen = True
    await app.run_async(mouse=mouse)
    guard.on_screen = False


class LeftAlone(ThreadPoolExecutor):
    """Runs each job in a thread that nobody waits for when the program ends: what hangs ends with it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Starts it at once."""
        future: Future[Any] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:
                    future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future


class TerminalApp(App[None]):
    """An app that can be suspended and continued, has no colour when none is wanted, and crashes in few words."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+z", "suspend_process", "Suspend", show=False)]

    guard: SignalGuard | None = None
    """Set by `run`."""
    framed: Callable[[], None] | None = None
    """What is to be done once the first frame is there."""

    @property
    def suspended(self) -> bool:
        """Whether Ctrl+Z has handed the terminal back to the shell."""
        return getattr(self._driver, "suspended", False)

    def get_driver_class(self) -> type[Driver]:
        """Our own driver in place of Textual's for a terminal; any other (a browser's, a test's) stays."""
        try:
            driver_class = super().get_driver_class()
        except (ImportError, AttributeError, RuntimeError, ValueError) as error:
            raise InputError(
                f"TEXTUAL_DRIVER={clean(constants.DRIVER or '', 60)} is no driver that can be loaded; unset it"
            ) from error
        return TerminalDriver if driver_class is LinuxDriver else driver_class

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, but no colour at all in place of grey."""
        filters = list(super().get_line_filters())
        if any(isinstance(one, Monochrome) for one in filters):
            from rnn_tui.terminal.colorless import without_color  # loaded where it is needed

            plain = without_color(self.theme_variables["background"])
            filters = [plain if isinstance(one, Monochrome) else one for one in filters]
        return filters

    def _on_mount(self, event: Any) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        if self.framed is not None:
            self.call_after_refresh(self.framed)

    def _fatal_error(self) -> None:
        # Textual's own traceback fills screens and shows every local variable.
        self._return_code = EXIT_CODE
        error = sys.exception() or self._exception
        if error is not None and not self._exit_renderables:
            self._exit_renderables.append(Text(crashed(error), no_wrap=True, overflow="ignore"))
        self._close_messages_no_wait()
