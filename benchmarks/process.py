"""The program as a whole process: with pipes, or in a pseudo-terminal whose output is timed."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30.0
SLOWLY = 2000
"""Bytes that a slow line takes at a time."""
QUIET = 0.15
"""Seconds without output after which a frame is taken for finished."""


def program(*arguments: str) -> list[str]:
    """The command that runs rnn-tui with this interpreter."""
    script = Path(sys.executable).parent / "rnn-tui"
    start = [str(script)] if script.exists() else ["-m", "rnn_tui"]
    return [sys.executable, *start, *arguments]


def environment() -> dict[str, str]:
    """A plain 24-bit terminal, bytecode written as usual, and this tree's packages, whatever the caller has set.

    The script may belong to another checkout, where rnn-tui is installed from: its start is measured, with the packages from here.
    """
    dropped = ("NO_COLOR", "PYTHON", "TEXTUAL", "COLUMNS", "LINES", "STY", "TMUX", "LC_", "LANG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}


def run(command: Sequence[str], code: int, said: str) -> float:
    """Milliseconds that a command without a terminal takes; it must exit with `code` and have said `said`."""
    start = time.perf_counter()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, env=environment(), cwd=ROOT, check=False
    )
    took = (time.perf_counter() - start) * 1000
    text = (done.stdout + done.stderr).decode()
    if done.returncode != code or said not in text:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}, not {code}, and said: {text[:400]}")
    return took


class Terminal:
    """A process in a pseudo-terminal, at the end of a line of so many bytes a second. As a context manager it ends the process."""

    def __init__(self, command: Sequence[str], size: tuple[int, int], rate: float = math.inf) -> None:
        width, height = size
        self._rate = rate
        self.received = 0
        """Bytes that it has written."""
        environ = environment()
        self.processor = 0.0
        """Milliseconds of processor time, once it has ended."""
        self.started = time.perf_counter()
        self._pid, self._descriptor = pty.fork()
        if self._pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
                os.chdir(ROOT)
                os.execve(command[0], list(command), environ)
            finally:
                os._exit(127)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        used = os.wait4(self._pid, 0)[2]
        self.processor = (used.ru_utime + used.ru_stime) * 1000
        os.close(self._descriptor)

    def wait_for(self, *texts: str) -> float:
        """Milliseconds since the start until all texts have been written one after the other, from top to bottom.

        Frames are written in one go, so the last text of a frame stands for the whole of it.
        """
        wanted = [text.encode() for text in texts]
        seen = b""
        while wanted:
            seen += self._read(PATIENCE)
            while wanted and (at := seen.find(wanted[0])) >= 0:
                seen = seen[at + len(wanted.pop(0)) :]
        return (time.perf_counter() - self.started) * 1000

    def wait_for_quiet(self) -> float:
        """Milliseconds since the start until the last output before a silence."""
        last = time.perf_counter()
        with contextlib.suppress(TimeoutError):
            while True:
                self._read(QUIET)
                last = time.perf_counter()
        return (last - self.started) * 1000

    def press(self, keys: str) -> float:
        """Milliseconds from sending keys to the end of the output they cause."""
        sent = (time.perf_counter() - self.started) * 1000
        os.write(self._descriptor, keys.encode())
        self._read(PATIENCE)
        return self.wait_for_quiet() - sent

    def type(self, keys: str) -> None:
        """Sends keys, and waits for nothing."""
        os.write(self._descriptor, keys.encode())

    def read_for(self, seconds: float) -> None:
        """Takes what it writes for so long."""
        until = time.perf_counter() + seconds
        with contextlib.suppress(TimeoutError):
            while (left := until - time.perf_counter()) > 0:
                self._read(left)

    def used(self) -> float:
        """Seconds of processor time until now (Linux)."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def _read(self, patience: float) -> bytes:
        if not select.select([self._descriptor], [], [], patience)[0]:
            raise TimeoutError(f"no output within {patience} s")
        text = os.read(self._descriptor, 1 << 16 if self._rate == math.inf else SLOWLY)
        self.received += len(text)
        time.sleep(len(text) / self._rate)
        return text
