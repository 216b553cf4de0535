"""Textual's driver, made to survive being stopped and continued from outside."""

from __future__ import annotations

import copy
import termios
import tty

from textual import constants
from textual.drivers.linux_driver import (
    KITTY_DISAMBIGUATE_ESCAPE_CODES,
    KITTY_REPORT_ALL_KEYS,
    KITTY_REPORT_ASSOCIATED_TEXT,
    LinuxDriver,
)

from rnn_tui.terminal.signals import signals_to_this_thread

KITTY_FLAGS = KITTY_DISAMBIGUATE_ESCAPE_CODES | KITTY_REPORT_ALL_KEYS | KITTY_REPORT_ASSOCIATED_TEXT


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
