"""From the start of the process to the first whole frame on the built-in example, against an empty Textual app."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from benchmarks.empty_app import SHOWN
from benchmarks.measure import Row, alternate, ratios
from benchmarks.process import ROOT, Terminal, program

SIZE = (120, 36)
ROUNDS = 9
EMPTY = [sys.executable, str(ROOT / "benchmarks" / "empty_app.py")]
MARKS = ("program · forward", "quit")
"""The listing's title, and the end of the footer, which is the frame's last line."""


def measure() -> Iterator[Row]:
    """The time of each and their ratio, elapsed and of the processor; `settled` is when the last of the first frames has been written."""
    settled = [_settled() for _ in range(3)]
    shown = alternate(
        {"rnn-tui": lambda: _first(program("--fresh"), MARKS), "empty": lambda: _first(EMPTY, (SHOWN,))}, ROUNDS
    )
    used = alternate(
        {"rnn-tui": lambda: _used(program("--fresh"), MARKS), "empty": lambda: _used(EMPTY, (SHOWN,))}, ROUNDS
    )
    yield Row("first picture, rnn-tui", "ms", shown["rnn-tui"])
    yield Row("first picture, empty app", "ms", shown["empty"])
    yield Row("first picture, ratio", "×", ratios(shown["rnn-tui"], shown["empty"]), 2.0)
    yield Row("  of processor time", "×", ratios(used["rnn-tui"], used["empty"]), 2.0)
    yield Row("first picture, settled", "ms", settled)


def _first(command: Sequence[str], marks: Sequence[str]) -> float:
    with Terminal(command, SIZE) as terminal:
        return terminal.wait_for(*marks)


def _used(command: Sequence[str], marks: Sequence[str]) -> float:
    with Terminal(command, SIZE) as terminal:
        terminal.wait_for(*marks)
    return terminal.processor


def _settled() -> float:
    with Terminal(program("--fresh"), SIZE) as terminal:
        terminal.wait_for(*MARKS)
        return terminal.wait_for_quiet()
