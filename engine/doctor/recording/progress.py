"""How far a run has come, told through memory shared with the process that waits for it.

A few numbers at fixed places: telling costs no system call, survives closed descriptors and deleted folders, and is seen even when the
process can no longer be stopped in its own words.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import Any

LAYOUT = struct.Struct("<dqqqqq")
"""Seconds computed, numbers recorded, processes started, line of the program; whether it is asked to stop, and is over."""
SIZE = 64
_COMPUTED, _NUMBERS, _STARTED, _LINE, _ASKED, _OVER = 0, 8, 16, 24, 32, 40
_REAL, _WHOLE = struct.Struct("<d"), struct.Struct("<q")

_memory: Any = bytearray(SIZE)


def begin(path: str) -> None:
    """Shares the numbers with whoever reads `path`, which must be `SIZE` bytes long."""
    global _memory  # noqa: PLW0603 - one process, one run
    file = os.open(path, os.O_RDWR)
    try:
        _memory = mmap.mmap(file, SIZE)
    finally:
        os.close(file)


def tell(numbers: int | None = None, line: int | None = None, computed: float | None = None) -> None:
    """Tells what has changed: numbers recorded so far, the line of the program, its seconds of computing."""
    if numbers is not None:
        _WHOLE.pack_into(_memory, _NUMBERS, numbers)
    if line is not None:
        _WHOLE.pack_into(_memory, _LINE, line)
    if computed is not None:
        _REAL.pack_into(_memory, _COMPUTED, computed)


def one_more_process() -> int:
    """Counts a process that is about to be started; how many there have been, in this process and in those it started."""
    (count,) = _WHOLE.unpack_from(_memory, _STARTED)
    _WHOLE.pack_into(_memory, _STARTED, count + 1)
    return int(count) + 1


def over() -> None:
    """The program is over, and what it did is being written down: its limit of time no longer counts."""
    _WHOLE.pack_into(_memory, _OVER, 1)


def is_over() -> bool:
    """Whether the program is over."""
    return bool(_WHOLE.unpack_from(_memory, _OVER)[0])


def is_asked_to_stop() -> bool:
    """Whether whoever waits for the process asks it to stop."""
    return bool(_WHOLE.unpack_from(_memory, _ASKED)[0])
