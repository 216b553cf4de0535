"""Makes the invented data of sample_data/ again, the same to the byte: `make samples`.

Every table uses `random.Random(seed).random()` alone, the one sequence that Python promises never to change.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

Pick = TypeVar("Pick")

SYMBOLS_OF_ORDER = "EBabcdXY"
SYMBOLS_OF_REBER = "BTSXPVE"
# Where each symbol leads, as in Cleeremans, Servan-Schreiber and McClelland 1989, figure 3.
REBER: Mapping[int, tuple[tuple[str, int], ...]] = MappingProxyType(
    {
        0: (("B", 1),),
        1: (("T", 2), ("P", 3)),
        2: (("S", 2), ("X", 4)),
        3: (("T", 3), ("V", 5)),
        4: (("X", 3), ("S", 6)),
        5: (("P", 4), ("V", 6)),
        6: (("E", 7),),
    }
)


class Draw:
    """What is drawn from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def value(self) -> float:
        """A number from 0 to 1 with two digits."""
        return round(self._random(), 2)

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def one_of(self, choices: Sequence[Pick]) -> Pick:
        """One of the choices."""
        return choices[self.whole(0, len(choices) - 1)]


def adding() -> str:
    """Twelve samples of 30 steps (value, mark); the marks stand at one of the steps 2..7 and one of 16..28."""
    T, draw = 30, Draw(1)
    rows: list[list[object]] = [[*(f"t{t}_{name}" for t in range(1, T + 1) for name in ("value", "mark")), "target"]]
    for _ in range(12):
        values = [draw.value() for _ in range(T)]
        marked = (draw.whole(2, 7), draw.whole(16, 28))
        cells = [cell for t, value in enumerate(values, start=1) for cell in (value, int(t in marked))]
        rows.append([*cells, f"{sum(values[t - 1] for t in marked):.2f}"])
    return _csv(rows)


def delayed_recall() -> str:
    """Ten samples of 16 bits; the target of a step is the bit four steps before, 0 in the first four."""
    T, delay, draw = 16, 4, Draw(2)
    rows: list[list[object]] = [[f"{name}{t}" for name in "ty" for t in range(1, T + 1)]]
    for _ in range(10):
        bits = [draw.whole(0, 1) for _ in range(T)]
        rows.append([*bits, *[0] * delay, *bits[:-delay]])
    return _csv(rows)


def temporal_order() -> str:
    """Three times the same 24 symbols with XX, XY, YX and YY at two of the steps: only these and their order matter."""
    T, draw = 24, Draw(3)
    rows: list[list[object]] = [[*_columns(SYMBOLS_OF_ORDER, T), "label"]]
    for _ in range(3):
        symbols = ["E", *(draw.one_of("abcd") for _ in range(T - 2)), "B"]
        first, second = draw.whole(3, 6), draw.whole(10, 13)
        for label in ("XX", "XY", "YX", "YY"):
            symbols[first - 1], symbols[second - 1] = label
            rows.append([*_one_hot(symbols, SYMBOLS_OF_ORDER), label])
    return _csv(rows)


def reber() -> str:
    """Ten strings of the embedded Reber grammar, at most 20 symbols; the target of a step is the symbol that follows."""
    draw = Draw(4)
    strings: list[str] = []
    while len(strings) < 10:
        outer = "TP"[len(strings) % 2]
        string = f"B{outer}{_reber_string(draw)}{outer}E"
        if len(string) <= 20 and string not in strings:
            strings.append(string)
    T = max(map(len, strings)) - 1
    rows: list[list[object]] = [[*_columns(SYMBOLS_OF_REBER, T), *(f"y{t}" for t in range(1, T + 1))]]
    for string in strings:
        missing = T + 1 - len(string)
        inputs = [*_one_hot(string[:-1], SYMBOLS_OF_REBER), *[""] * (missing * len(SYMBOLS_OF_REBER))]
        rows.append([*inputs, *string[1:], *[""] * missing])
    return _csv(rows)


def _reber_string(draw: Draw) -> str:
    node, symbols = 0, ""
    while node in REBER:
        symbol, node = draw.one_of(REBER[node])
        symbols += symbol
    return symbols


def _columns(symbols: str, steps: int) -> Iterable[str]:
    return (f"t{t}_{symbol}" for t in range(1, steps + 1) for symbol in symbols)


def _one_hot(text: Iterable[str], symbols: str) -> list[object]:
    return [int(symbol == each) for each in text for symbol in symbols]


def _csv(rows: Iterable[Iterable[object]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


TABLES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {table.__name__: table for table in (adding, delayed_recall, temporal_order, reber)}
)

if __name__ == "__main__":
    for name, table in TABLES.items():
        (Path(__file__).parents[1] / "sample_data" / f"{name}.csv").write_text(table(), newline="\n")
