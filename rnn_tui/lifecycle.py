"""How the full-screen program starts, is interrupted, and ends: whatever happens, the terminal is usable afterwards.

Textual alone leaves the terminal raw after SIGTERM and SIGHUP, reads a closed terminal for ever, and exits 0 after an
exception. `TerminalApp` is the app to derive from, `run` what runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import select
import signal
import sys
import termios
import threading
import time
import tty
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from rich.style import Style
from rich.text import Text
from textual import constants
from textual.app import App
from textual.binding import Binding
from textual.color import Color
from textual.drivers.linux_driver import (
    KITTY_DISAMBIGUATE_ESCAPE_CODES,
    KITTY_REPORT_ALL_KEYS,
    KITTY_REPORT_ASSOCIATED_TEXT,
    LinuxDriver,
)
from textual.filter import LineFilter, Monochrome

from engine.errors import InputError
from engine.text import clean
from rnn_tui.crash import EXIT_CODE, crashed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from types import FrameType

    from rich.segment import Segment
    from textual.binding import BindingType
    from textual.driver import Driver

# What a full-screen program may have switched on, off again; harmless where it never was on.
RESET = (
    "\x1b\\"  # end a sequence cut off half way
    "\x1b[?2026l"  # no synchronised update left open
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # mouse
    "\x1b[?2004l\x1b[?1004l\x1b[?2048l"  # bracketed paste, focus, resize reports
    "\x1b[<u"  # kitty keyboard, before the alternate screen goes
    "\x1b[?1049l\x1b[?7h\x1b[?25h\x1b[0m"  # main screen, line wrap, cursor, plain text
)
ENDING = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    *(signal.SIGQUIT, signal.SIGABRT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2),
    *(signal.SIGVTALRM, signal.SIGPROF, signal.SIGXCPU),
)
"""The signals that end a program if it does not handle them. For KILL and STOP nothing can be done: `reset` helps."""
PATIENCE = 2.0
"""Seconds from the first signal until the app must be gone."""
KITTY_FLAGS = KITTY_DISAMBIGUATE_ESCAPE_CODES | KITTY_REPORT_ALL_KEYS | KITTY_REPORT_ASSOCIATED_TEXT
STANDS_OUT = 0.2
"""From this difference in brightness to the screen's background on, a background is drawn reversed without colour."""


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


class SignalGuard:
    """Ends the app on a signal of `ENDING` and on a closed terminal: first politely, then by force.

    A thread waits for the signals' numbers on a pipe that the interpreter's own handler writes to, so that it learns
    of them even while the main thread is stuck; it also polls the terminal, which says so when it is closed.
    A signal that was ignored at the start stays ignored (nohup).
    """

    def __init__(self, app: App[Any], descriptor: int = 0) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.caught: int | None = None
        """The signal the app was asked to end by."""
        self.on_screen = False
        self._app = app
        self._descriptor = descriptor
        self._closed_terminal = False
        self._deadline: float | None = None
        self._thread = threading.Thread(target=self._watch, name="signal-guard", daemon=True)

    def __enter__(self) -> SignalGuard:
        self._attributes = _terminal_attributes(self._descriptor)
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        heeded = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
        self._handlers_before = {number: signal.signal(number, self._in_main_thread) for number in heeded}
        with signals_to_this_thread():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.write(self._writer, b"\0")
        self._thread.join()
        os.close(self._writer)
        os.close(self._reader)

    def leave_screen(self) -> None:
        """Write the reset sequences and restore the terminal's modes, without ever waiting for the terminal."""
        if not self.on_screen or not _in_foreground(self._descriptor):
            return
        self.on_screen = False
        with contextlib.suppress(OSError):
            # Opened anew: the flag on the inherited descriptor would hold for the shell as well.
            screen = os.open(os.ttyname(self._descriptor), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            os.write(screen, RESET.encode())
            os.close(screen)
        if self._attributes is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._attributes)

    def _in_main_thread(self, number: int, _frame: FrameType | None) -> None:
        # The thread does the work. But a suspended app, woken only to end, must not draw its screen again first.
        if self._suspended():
            self._die(number)
        if self.caught is None:
            self.caught = number

    def _suspended(self) -> bool:
        return isinstance(self._app, TerminalApp) and self._app.suspended

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        poll.register(self._descriptor, 0)  # only: hung up, error, invalid
        while True:
            patience = None if self._deadline is None else max(0.0, self._deadline - time.monotonic()) * 1000
            events = poll.poll(patience)
            if not events and self._deadline is not None:
                self._die(self.caught or signal.SIGTERM)
            for descriptor, event in events:
                if descriptor == self._reader:
                    if not self._read_signals():
                        return
                else:
                    poll.unregister(descriptor)
                    if event & (select.POLLHUP | select.POLLERR):
                        self._closed_terminal = True
                        self._ask_to_end(signal.SIGHUP)

    def _read_signals(self) -> bool:
        """Act on the signals that arrived; False when there is nothing more to watch."""
        for number in os.read(self._reader, 4096):
            if number == 0:
                return False
            self._wake_main_thread()
            if number not in self._handlers_before or (number == signal.SIGHUP and self._closed_terminal):
                continue  # of no concern, or the same event told twice
            if self._deadline is None:
                self._ask_to_end(number)
            else:
                self._die(number)
        return True

    def _wake_main_thread(self) -> None:
        # Handlers run in the main thread, but the system may hand the signal to any other: nothing then interrupts
        # the event loop's wait, and a continued app would stay blank until the next key.
        if self.loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                self.loop.call_soon_threadsafe(int)

    def _ask_to_end(self, number: int) -> None:
        if self._deadline is not None:
            return
        self._deadline = time.monotonic() + PATIENCE
        if self.caught is None:
            self.caught = number
        if self.loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                self.loop.call_soon_threadsafe(self._app.exit, None, 128 + self.caught)

    def _die(self, number: int) -> None:
        """End the process by the signal's default action, from any thread."""
        if not self._suspended() and not self._closed_terminal:
            self.leave_screen()
        try:
            import ctypes  # because signal.signal works in the main thread only

            ctypes.CDLL(None).signal(number, None)
            os.kill(os.getpid(), number)
            time.sleep(1)
        finally:
            os._exit(128 + number)


class TerminalDriver(LinuxDriver):
    """Textual's driver, for which a SIGCONT that follows no SIGTSTP (`timeout`, kill -STOP) does no harm.

    Textual would enter application mode a second time: two threads reading keys, and raw modes taken for the
    original ones. It also does its work inside the signal handlers, that is between any two instructions of the
    main thread, which may just be holding the lock of the queue they write to; here the event loop does it.
    """

    suspended = False
    """Whether the terminal is the shell's at the moment."""

    def start_application_mode(self) -> None:
        """Take the terminal, and start the threads that read and write it."""
        with signals_to_this_thread():
            super().start_application_mode()

    def suspend_application_mode(self) -> None:
        """Hand the terminal back."""
        super().suspend_application_mode()
        self.suspended = True

    def resume_application_mode(self) -> None:
        """Take the terminal again; in the background this stops the process once more."""
        super().resume_application_mode()
        # Asked, not assumed: nothing was started if the process was continued in the background.
        self.suspended = self._key_thread is None or not self._key_thread.is_alive()

    def _sigtstp_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(super()._sigtstp_application)

    def _sigcont_application(self, *_: object) -> None:
        if not self._auto_restart:
            return
        if self.suspended:  # the loop is where it stopped itself
            self.resume_application_mode()
        else:
            self._loop.call_soon_threadsafe(self._reclaim_terminal)

    def _reclaim_terminal(self) -> None:
        """Switch everything on again after a stop from outside, in which the shell has had the terminal.

        Stopping and starting will not do: the thread that reads keys may wait for one that the shell got, and
        stopping waits for the thread.
        """
        if self._app._exit or self.suspended or self.attrs_before is None:
            return
        attributes = copy.deepcopy(self.attrs_before)
        attributes[tty.LFLAG] = self._patch_lflag(attributes[tty.LFLAG])
        attributes[tty.IFLAG] = self._patch_iflag(attributes[tty.IFLAG])
        attributes[tty.CC][termios.VMIN] = 1
        try:
            termios.tcsetattr(self.fileno, termios.TCSANOW, attributes)
        except termios.error:  # in the background: stopped again, and continued, which calls this once more
            return
        self.write("\x1b[?1049h\x1b[?25l\x1b[?1004h")  # alternate screen, no cursor, focus reports
        if not constants.DISABLE_KITTY_KEY:
            self.write(f"\x1b[={KITTY_FLAGS}u")  # set, where the start pushed
        self._enable_mouse_support()
        self._enable_bracketed_paste()
        self._disable_line_wrap()
        self.send_message(self.SignalResume())


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
        plain = without_color(self.theme_variables["background"])
        return [
            plain if isinstance(line_filter, Monochrome) else line_filter for line_filter in super().get_line_filters()
        ]

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


class WithoutColor(LineFilter):
    """Removes every colour; a background that stands out from the screen's (a cursor, a selection) is reversed."""

    def __init__(self, background: Color) -> None:
        super().__init__()
        self._background = background
        self._styles: dict[Style, Style] = {}

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with colourless styles."""
        return [
            type(segment)(segment.text, segment.style and self._plain(segment.style), segment.control)
            for segment in segments
        ]

    def _plain(self, style: Style) -> Style:
        if style not in self._styles:
            plain = style.without_color
            if style.meta:  # what a click does; lost with the colour
                plain += Style.from_meta(style.meta)
            if self._stands_out(style):
                plain += Style(reverse=not style.reverse)
            self._styles[style] = plain
        return self._styles[style]

    def _stands_out(self, style: Style) -> bool:
        if style.bgcolor is None or style.bgcolor.is_default:
            return False
        color = Color.from_rich_color(style.bgcolor)
        return abs(color.brightness - self._background.brightness) >= STANDS_OUT


@cache
def without_color(background: str) -> WithoutColor:
    """The filter for a screen of this background; the same object each time, as Textual's caches go by identity."""
    return WithoutColor(Color.parse(background))


@contextlib.contextmanager
def signals_to_this_thread() -> Generator[None]:
    """Threads started inside take none of the signals we act on, as they inherit the mask.

    A process that is continued hands out what came while it was stopped to whichever thread is there first. Python's handlers
    run in the main thread alone, in the order in which they are noticed: a SIGTERM taken by another thread then comes
    after the SIGCONT, which draws the screen again or stops the process once more.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*ENDING, signal.SIGCONT, signal.SIGTSTP, signal.SIGWINCH})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _terminal_attributes(descriptor: int) -> list[Any] | None:
    try:
        return termios.tcgetattr(descriptor)
    except termios.error:
        return None


def _in_foreground(descriptor: int) -> bool:
    """Whether the terminal is ours to change; if not, it is the shell's by now."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False
