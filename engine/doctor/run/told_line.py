"""A line on a terminal that says what is going on, and after some seconds for how long."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

EVERY = 1.0
"""Seconds after which the line is written anew."""


@contextmanager
def told(stream: TextIO | None, sentence: str) -> Generator[None]:
    """Says what is going on as long as it does, where the stream is a terminal."""
    line = ToldLine()
    shown = stream if stream is not None and stream.isatty() else None
    if shown is not None:
        line.say(shown, sentence)
    try:
        yield
    finally:
        if shown is not None:
            line.say(shown, "")


class ToldLine:
    """The line. While it says something a thread counts the seconds."""

    def __init__(self) -> None:
        self._sentence, self._ends, self._since = "", "", 0.0
        self._lock = threading.Lock()
        self._counts = False

    def say(self, stream: TextIO, sentence: str, ends: str = "it") -> None:
        """Says what is going on from now on, and what Ctrl+C ends; "" takes the line away."""
        with self._lock:
            self._sentence, self._ends, self._since = sentence, ends, time.monotonic()
            self._write(stream)
            if sentence and not self._counts:
                self._counts = True
                threading.Thread(target=self._count, args=(stream,), daemon=True).start()

    def _count(self, stream: TextIO) -> None:
        # An interrupt is the main thread's, which holds it back while a program is started.
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            time.sleep(EVERY)
            with self._lock:
                if not self._sentence:
                    self._counts = False
                    return
                self._write(stream)

    def _write(self, stream: TextIO) -> None:
        passed = time.monotonic() - self._since
        seconds = f", {passed:.0f} s" if passed >= EVERY else ""
        text = f"{self._sentence}{seconds} (Ctrl+C ends {self._ends})" if self._sentence else ""
        width = shutil.get_terminal_size((80, 24)).columns
        stream.write(f"\r{text[: max(width - 1, 1)]}\x1b[K")
        stream.flush()
