"""The app in motion at the end of a slow line: what a frame takes on it, how late a pause is answered; and what an idle app costs."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.measure import Row
from benchmarks.process import Terminal, program

SIZES = ((120, 36), (200, 50))
RATE = 1_000_000
"""Bytes a second."""
SAMPLES = ("many_to_one", "vanishing")
ROUNDS, STEPS = 5, 8
RUN_FOR, IDLE = 0.5, 10.0
FASTEST = "+" * 6


def measure() -> Iterator[Row]:
    """Rows for each sample and size, and the processor time of an app that nobody touches."""
    for width, height in SIZES:
        late: list[float] = []
        for sample in SAMPLES:
            frames: list[float] = []
            for _ in range(ROUNDS):
                with Terminal(program("--fresh", sample), (width, height), RATE) as terminal:
                    terminal.wait_for("quit")
                    terminal.wait_for_quiet()
                    terminal.press("ff")
                    terminal.press("n")
                    frames += [_kilobytes(terminal, "n") for _ in range(STEPS)]
                    terminal.press("p" * STEPS)
                    terminal.type(f"{FASTEST} ")
                    terminal.read_for(RUN_FOR)
                    late.append(terminal.press(" "))
            bound = 12.0 if width == 120 else None
            yield Row(f"a time step's frame, {sample}, {width}×{height}", "kB", frames, bound)
        yield Row(f"pause on a line of 1 MB/s, {width}×{height}", "ms", late, 100.0)
    yield Row("idle, share of a processor", "%", [_idle() for _ in range(3)], 1.0)


def _kilobytes(terminal: Terminal, key: str) -> float:
    before = terminal.received
    terminal.press(key)
    return (terminal.received - before) / 1000


def _idle() -> float:
    with Terminal(program("--fresh"), SIZES[0]) as terminal:
        terminal.wait_for("quit")
        terminal.wait_for_quiet()
        before = terminal.used()
        time.sleep(IDLE)
        return 100 * (terminal.used() - before) / IDLE
