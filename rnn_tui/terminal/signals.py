"""What ends the full-screen program from outside: signals and a closed terminal, after which the terminal is usable all the same.

Textual alone leaves the terminal raw after SIGTERM and SIGHUP, and reads a closed terminal for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import termios
import threading
import time
from typing import TYPE_CHECKING, Any

from textual.app import App

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

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
        return getattr(self._app, "suspended", False)

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
