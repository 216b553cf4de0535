"""What needs neither NumPy nor Textual, as whole processes, against the start of the interpreter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.measure import Row, alternate, ratios
from benchmarks.process import program, run

ROUNDS = 15
BOUND, RATIO = 100.0, 3.0
CASES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "--help": (("--help",), 0, "usage: rnn-tui"),
    "missing file": (("no-such-file.csv",), 2, "no-such-file.csv"),
    "wrong option": (("--hiden", "8"), 2, "--hidden"),
    "no terminal": ((), 2, "terminal"),
}


def measure() -> Iterator[Row]:
    """The time of each, and how many times the interpreter's own start that is."""

    actions: dict[str, Callable[[], float]] = {
        name: partial(run, program(*arguments), code, said) for name, (arguments, code, said) in CASES.items()
    }
    actions["python"] = partial(run, [sys.executable, "-I", "-c", "pass"], 0, "")
    took = alternate(actions, ROUNDS)
    for name in CASES:
        yield Row(f"rnn-tui, {name}", "ms", took[name], BOUND)
        yield Row(f"rnn-tui, {name}, ratio", "×", ratios(took[name], took["python"]), RATIO)
    yield Row("python -I -c pass", "ms", took["python"])
