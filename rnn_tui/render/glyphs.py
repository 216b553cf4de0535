"""Heatmaps without colour: the glyph carries sign and size.

Three sizes a sign, zero is blank: ˗ − ━ and ˖ + ✚. In ASCII the small ones are a dot below and a tick above,
`. - =` and `' + #`. The special codes have glyphs that no number has.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

from .inks import size_of
from .palette import COUNT, ENDED, LEVELS, MINUS_INF, NAN, NOT_YET, OVER, PAD, PLUS_INF, UNDER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZES = ("━", "−", "˗", " ", "˖", "+", "✚")
ASCII_SIZES = ("=", "-", ".", " ", "'", "+", "#")
_SPECIAL = {NAN: "!", PLUS_INF: "⇑", MINUS_INF: "⇓", OVER: "▲", UNDER: "▼", NOT_YET: "░", PAD: " ", ENDED: "╱"}
_ASCII_SPECIAL = {NAN: "!", PLUS_INF: "I", MINUS_INF: "i", OVER: "^", UNDER: "v", NOT_YET: ":", PAD: " ", ENDED: "/"}
# With room for a sign an infinity can be written as such.
_WIDE = {PLUS_INF: "+∞", MINUS_INF: "−∞"}
_ASCII_WIDE = {PLUS_INF: "+I", MINUS_INF: "-I"}

_PLAIN = Style()
# An attribute, not a colour; where a bracket fits it says the same in a copy of the screen's text.
_CURSOR = Style(reverse=True)


@cache
def cells(width: int, ascii_only: bool = False) -> tuple[str, ...]:
    """The text of each code in a cell of `width` columns."""
    sizes, special = (ASCII_SIZES, _ASCII_SPECIAL) if ascii_only else (SIZES, _SPECIAL)
    if width > 1:
        special = special | (_ASCII_WIDE if ascii_only else _WIDE)
    texts = [sizes[3 + size_of(level, 3)] for level in range(LEVELS)] + [special[code] for code in range(LEVELS, COUNT)]
    left = (width - 1) // 2
    result = [text.rjust(left + 1).ljust(width) for text in texts]
    for code in (NOT_YET, ENDED):
        result[code] = special[code] * width
    return tuple(result)


def glyph_rows(
    codes: NDArray[np.uint8],
    cell_width: int,
    cell_height: int,
    cursor: tuple[int, int] | None = None,
    gap: int = 0,
    ascii_only: bool = False,
) -> list[list[Segment]]:
    """Rows of one unstyled Segment each; the cursor's cell is reversed, in brackets where it has the room."""
    texts = cells(cell_width, ascii_only)
    between = " " * gap
    columns = codes.shape[1]
    blank = [Segment(" " * max(columns * (cell_width + gap) - gap, 0), _PLAIN)]
    result: list[list[Segment]] = []
    for row, line in enumerate(codes.tolist()):
        parts = [texts[code] for code in line]
        whole = [Segment(between.join(parts), _PLAIN)]
        if cursor is not None and cursor[0] == row:
            whole = _with_cursor(parts, cursor[1], between)
        middle = (cell_height - 1) // 2
        result += [whole if part == middle else blank for part in range(cell_height)]
    return result


def _with_cursor(parts: list[str], column: int, between: str) -> list[Segment]:
    cell = parts[column]
    if len(cell) > 2 and cell[0] == cell[-1] == " ":
        cell = f"[{cell[1:-1]}]"
    before = "".join(part + between for part in parts[:column])
    after = "".join(between + part for part in parts[column + 1 :])
    return [Segment(text, style) for text, style in ((before, _PLAIN), (cell, _CURSOR), (after, _PLAIN)) if text]
