"""The processes of a run, as the system sees them: what they compute and hold, and their end.

The program is the first of a session of its own, and every process carries a mark in its environment: so what it has started is known,
wherever it went.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 200
"""How often marked processes are looked for until none is left: a process may be starting another one meanwhile."""


@dataclass(frozen=True)
class Use:
    """What the processes of a session use: how many they are, seconds computed by the first and by all, bytes of memory."""

    count: int
    first: float
    all: float
    memory: int


def use(session: int) -> Use | None:
    """What a session uses; None where the system does not show it."""
    if not Path("/proc/self/stat").exists():
        return None
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    count, first, computed, memory = 0, 0.0, 0.0, 0
    for process in _all():
        with contextlib.suppress(OSError, ValueError, IndexError):
            if os.getsid(process) != session:
                continue
            fields = _read(process, "stat").rpartition(b")")[2].split()
            own = (int(fields[11]) + int(fields[12])) / ticks
            count += 1
            computed += own + (int(fields[13]) + int(fields[14])) / ticks
            memory += int(fields[21]) * page
            if process == session:
                first = own
    return Use(count, first, computed, memory)


def end(session: int, mark: tuple[str, str]) -> None:
    """Ends all processes of a session, and those with the mark, wherever they are."""
    with contextlib.suppress(OSError):
        os.killpg(session, signal.SIGKILL)
    wanted = f"{mark[0]}={mark[1]}".encode()
    for _ in range(ROUNDS):
        left = [process for process in _all() if _is_marked(process, wanted)]
        for process in left:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        if not left:
            return
        time.sleep(0.005)


def _all() -> list[int]:
    try:
        with os.scandir("/proc") as entries:
            return [int(entry.name) for entry in entries if entry.name.isdecimal()]
    except OSError:  # a system that shows none
        return []


def _read(process: int, name: str) -> bytes:
    file = os.open(
        f"/proc/{process}/{name}", os.O_RDONLY
    )  # every run reads those of all processes: a `Path` takes twice as long
    try:
        return b"".join(iter(lambda: os.read(file, 1 << 16), b""))
    finally:
        os.close(file)


def _is_marked(process: int, wanted: bytes) -> bool:
    try:
        return wanted in _read(process, "environ").split(b"\0")
    except OSError:  # gone, or another user's
        return False
