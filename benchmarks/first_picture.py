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
    """The time of each and their ratio; `settled` is when the last of the first frames has been written."""
    settled: list[float] = []

    def rnn_tui() -> float:
        with Terminal(program(), SIZE) as terminal:
            first = terminal.wait_for(*MARKS)
            settled.append(terminal.wait_for_quiet())
        return first

    took = alternate({"rnn-tui": rnn_tui, "empty": lambda: _first(EMPTY, (SHOWN,))}, ROUNDS)
    yield Row("first picture, rnn-tui", "ms", took["rnn-tui"])
    yield Row("first picture, empty app", "ms", took["empty"])
    yield Row("first picture, ratio", "×", ratios(took["rnn-tui"], took["empty"]), 2.2)
    yield Row("first picture, settled", "ms", settled[-ROUNDS:])


def _first(command: Sequence[str], marks: Sequence[str]) -> float:
    with Terminal(command, SIZE) as terminal:
        return terminal.wait_for(*marks)
