"""Whether a thread waits: told by the system, and not by how much was computed."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from engine.doctor.recording.turns import slept

MOST = 500


def looks(work: threading.Thread, most: int) -> list[list[int] | None]:
    """What is told of a thread at some looks, until two say the same."""
    work.start()
    told: list[list[int] | None] = [None]
    while len(told) < most and (told[-1] is None or told[-1] != told[-2]):
        time.sleep(0.02)
        told.append(slept(work.native_id))
    return told


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not tell")
def test_only_a_thread_that_nothing_wakes_is_asleep_at_two_looks() -> None:
    ready, ended = os.pipe()
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(100))

    waits, computes = threading.Thread(target=os.read, args=(ready, 1)), threading.Thread(target=compute)
    told = looks(computes, 8)
    over.set()
    computes.join()
    assert told[-1] is None or told[-1] != told[-2]
    told = looks(waits, MOST)
    os.write(ended, b"x")
    waits.join()
    os.close(ready)
    os.close(ended)
    assert len(told) < MOST
