"""Waiting for a run: its output kept to a size, its limits, and a line that says how far it is."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import TextIO

from engine.doctor.recording.progress import LAYOUT
from engine.doctor.run import processes
from engine.doctor.run.limits import Limits
from engine.text import clean

KEPT = 16 << 10
"""Bytes of the beginning, and of the end, of what a program prints."""
LOOK, SHOW = 0.5, 0.1
"""Seconds between two looks at what the processes use, and between two lines of progress."""
WRITING = 60.0
"""Seconds of computing for writing down what was recorded, once the program is over."""
MOST = 400
"""Processes of one run."""
ROOM = 256 << 20
"""Bytes that are left free on the disk."""
_IDLE = 0.01
"""The share of its time below which a program is waiting and not computing."""


class Output:
    """What a program prints: the beginning and the end of it."""

    def __init__(self) -> None:
        self._head, self._tail, self._count = b"", b"", 0

    def add(self, part: bytes) -> None:
        """Takes more of it."""
        self._count += len(part)
        room = KEPT - len(self._head)
        self._head += part[:room]
        self._tail = (self._tail + part[room:])[-KEPT:]

    @property
    def cut(self) -> bool:
        """Whether some of it was not kept."""
        return self._count > len(self._head) + len(self._tail)

    def text(self) -> str:
        """What was kept, with nothing in it that a terminal would act upon."""
        middle = b"\n[...]\n" if self.cut else b""
        lines = (self._head + middle + self._tail).decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
        return "\n".join(clean(line, 2000) for line in lines)


class RunWatch:
    """Waits for one run."""

    def __init__(self, limits: Limits, progress: Path, name: str, stream: TextIO | None) -> None:
        self.limits = limits
        self.output = Output()
        self.progress = progress
        self.name = clean(name, 40)
        self.stream = stream if stream is not None and stream.isatty() else None
        self._waited = self._computed = 0.0
        self._looked = self._shown = self._began = time.monotonic()
        self._is_open = True
        self.asked = ""
        """Why it was asked to stop in its own words: a kind of ending, nothing when it was not."""
        self._asked_at = 0.0
        self._line_is_there = False

    def until_its_end(self, process: subprocess.Popen[bytes]) -> str:
        """Waits until the process has ended, or is to be ended: then why (a kind of ending), else nothing."""
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        while process.poll() is None:
            self._read(process, 0.05)
            now = time.monotonic()
            if self.stream is not None and now - self._shown >= SHOW and now - self._began > 4 * SHOW:
                self._show(now)
            if self.asked and now - self._asked_at > self.limits.grace:
                return self.asked
            if now - self._looked >= LOOK and (why := self._too_much(process.pid, now)):
                return why
            if self.asked and not self._asked_at:
                self._ask(process, now)
        return ""

    def _ask(self, process: subprocess.Popen[bytes], now: float) -> None:
        """Asks the program to stop in its own words: where it waits, or where its first thread waits for another that computes."""
        if self.asked == "waiting":
            with contextlib.suppress(OSError), self.progress.open("r+b") as file:
                file.seek(LAYOUT.size - 16)
                file.write(struct.pack("<q", 1))
        process.send_signal(signal.SIGPROF)
        self._asked_at = now

    def close(self, process: subprocess.Popen[bytes]) -> None:
        """Reads what is left of the output, and takes the line of progress away."""
        assert process.stdout is not None
        for _ in range(64):
            if not self._is_open or not self._read(process, 0.0):
                break
        process.stdout.close()
        if self._line_is_there and self.stream is not None:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def _read(self, process: subprocess.Popen[bytes], wait: float) -> bool:
        """Takes what has been printed; whether there was anything."""
        assert process.stdout is not None
        if not self._is_open:  # the program closed it
            time.sleep(wait)
            return False
        ready, _, _ = select.select([process.stdout], [], [], wait)
        if not ready:
            return False
        part = os.read(process.stdout.fileno(), 1 << 16)
        self._is_open = bool(part)
        self.output.add(part)
        return bool(part)

    def told(self) -> tuple[float, int, int, bool]:
        """Seconds computed, numbers recorded, the line, and whether it is over, as the program's process tells them."""
        try:
            computed, numbers, _, line, _, over = LAYOUT.unpack_from(self.progress.read_bytes())
        except (OSError, struct.error):
            return 0.0, 0, 0, False
        return float(computed), int(numbers), int(line), bool(over)

    def _too_much(self, session: int, now: float) -> str:
        """Which limit is exceeded; nothing when none is."""
        passed, self._looked = now - self._looked, now
        told, _, _, over = self.told()
        used = processes.use(session)
        computed = used.all if used is not None else told
        self._waited = self._waited + passed if computed - self._computed < _IDLE * passed else 0.0
        self._computed = computed
        with contextlib.suppress(OSError):  # whatever the program has made of it
            if shutil.disk_usage(self.progress.parent).free < ROOM:
                return "disk"
        if self._waited > self.limits.waiting and not over:
            self.asked = "waiting"
        seconds = self.limits.seconds + (WRITING if over else 0.0)
        if told > seconds + self.limits.grace:
            return "time"
        if used is None:
            return ""
        if used.count > MOST:
            return "processes"
        if used.memory > 1.25 * self.limits.memory:
            return "memory"
        if used.first > seconds + self.limits.grace:  # and it does not know
            self.asked = "time"
        return "time" if used.all > 4 * seconds + 4 * self.limits.grace else ""

    def _show(self, now: float) -> None:
        assert self.stream is not None
        self._shown = now
        computed, numbers, line, over = self.told()
        words = [f"{self.name} runs: {max(computed, self._computed):.0f} s of computing"]
        words += [f"{numbers:,} numbers recorded"] if numbers else []
        words += ["its record is written"] if over else [f"line {line}"] if line else []
        text = ", ".join(words) + " (Ctrl+C ends it)"
        width = shutil.get_terminal_size((80, 24)).columns
        self.stream.write(f"\r{text[: max(width - 1, 1)]}\x1b[K")
        self.stream.flush()
        self._line_is_there = True
