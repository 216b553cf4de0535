"""Character cells of heatmaps, numbered, so that whole pictures are composed as integer arrays.

A tile is one terminal column: a character and a style. Composing a picture is NumPy work on tile numbers; only runs of
equal tiles become Segments, and those come from a table that is filled on demand and kept (building a rich Style costs
more than everything else here).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.segment import Segment
from rich.style import Style

from .inks import ColorMode, Inks, inks
from .palette import COUNT, ENDED, MINUS_INF, NAN, NOT_YET, OVER, PAD, PLUS_INF, UNDER, Palette

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIRS: Final = COUNT * COUNT
# Kinds of tiles; a tile's number is its kind plus what it shows: top * COUNT + bottom in the first five, a code after.
"""Two values, one above the other."""
HALF_MARK: Final = PAIRS
"""The glyph of the worse of two special values."""
HALF_CURSOR_TOP: Final = 2 * PAIRS
HALF_CURSOR_BOTTOM: Final = 3 * PAIRS
HALF_CURSOR_MARK: Final = 4 * PAIRS
WHOLE: Final = 5 * PAIRS
"""One value on the whole line."""
WHOLE_MARK: Final = WHOLE + COUNT
WHOLE_SIGN: Final = WHOLE + 2 * COUNT
"""The sign before the ∞ of the next column."""
EDGE_LEFT: Final = WHOLE + 3 * COUNT
EDGE_RIGHT: Final = WHOLE + 4 * COUNT
WHOLE_CURSOR_MARK: Final = WHOLE + 5 * COUNT
"""The glyph where the cursor has no column of its own."""

MARKS: dict[int, str] = {NAN: "!", PLUS_INF: "∞", MINUS_INF: "∞", OVER: "▲", UNDER: "▼", NOT_YET: "┈", ENDED: "╱"}
SIGNS: dict[int, str] = {PLUS_INF: "+", MINUS_INF: "−"}
_RUN = 1 << 14
_KEPT = 32
"""Longer runs are rare and not worth a place in the table."""
MOST: Final = 4096
"""Segments in a table before it is begun anew: of pairs of values and lengths there are over a hundred thousand, a screen has hundreds."""


class Tiles(dict[int, Segment]):
    """Segments of one palette in one colour mode, by tile * 2**14 + run length."""

    def __init__(self, palette: Palette, mode: ColorMode) -> None:
        super().__init__()
        self._inks = inks(palette, mode)
        self._known: dict[int, tuple[str, Style]] = {}

    def __missing__(self, key: int) -> Segment:
        number, length = divmod(key, _RUN)
        if len(self) >= MOST:
            self.clear()
            self._known.clear()
        if number not in self._known:
            self._known[number] = _half(self._inks, number) if number < WHOLE else _whole(self._inks, number)
        character, style = self._known[number]
        segment = Segment(character * length, style)
        if length <= _KEPT:
            self[key] = segment
        return segment

    def rows(self, numbers: NDArray[np.int64]) -> list[list[Segment]]:
        """The rows of a (lines, columns) array of tile numbers, equal neighbours merged."""
        lines, columns = numbers.shape
        if not numbers.size:
            return [[] for _ in range(lines)]
        changed = np.empty(numbers.shape, dtype=bool)
        changed[:, 0] = True
        np.not_equal(numbers[:, 1:], numbers[:, :-1], out=changed[:, 1:])
        starts = np.flatnonzero(changed)
        lengths = np.append(starts[1:], lines * columns) - starts
        keys = (numbers.ravel()[starts] * _RUN + lengths).tolist()
        runs = list(map(self.__getitem__, keys))
        ends = changed.sum(axis=1).cumsum().tolist()
        return [runs[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


@lru_cache(maxsize=16)
def tiles(palette: Palette, mode: ColorMode) -> Tiles:
    """The one table for `palette` in `mode`."""
    return Tiles(palette, mode)


def _half(colors: Inks, number: int) -> tuple[str, Style]:
    kind, pair = divmod(number, PAIRS)
    top, bottom = divmod(pair, COUNT)
    fill = colors.fill
    if kind == HALF_CURSOR_TOP // PAIRS:
        return "▀", Style.from_color(colors.cursor, fill[bottom])
    if kind == HALF_CURSOR_BOTTOM // PAIRS:
        return "▄", Style.from_color(colors.cursor, fill[top])
    if kind:
        # The codes are ordered from the worst special value on.
        worst = min(code for code in (top, bottom) if NAN <= code <= UNDER)
        on_cursor = kind == HALF_CURSOR_MARK // PAIRS
        ink, ground = (colors.on_cursor, colors.cursor) if on_cursor else (colors.ink[worst], fill[worst])
        return MARKS[worst], Style.from_color(ink, ground) + Style(bold=True)
    empty = (NOT_YET, PAD)
    if top == bottom == ENDED:
        return MARKS[ENDED], Style.from_color(colors.ink[ENDED], fill[ENDED])
    if top in empty and bottom in empty:
        dashes = NOT_YET in (top, bottom)
        return MARKS[NOT_YET] if dashes else " ", Style.from_color(colors.dim, colors.background)
    if top in empty:
        return "▄", Style.from_color(fill[bottom], colors.background)
    return "▀", Style.from_color(fill[top], fill[bottom])


def _whole(colors: Inks, number: int) -> tuple[str, Style]:
    kind, code = divmod(number - WHOLE, COUNT)
    ground = colors.fill[code]
    if number >= WHOLE_CURSOR_MARK:
        return MARKS[code], Style.from_color(colors.on_cursor, colors.cursor) + Style(bold=True)
    if number >= EDGE_LEFT:
        return "▌" if number < EDGE_RIGHT else "▐", Style.from_color(colors.cursor, ground)
    if kind == 0 or code not in MARKS:
        return " ", Style.from_color(colors.ink[code], ground)
    character = MARKS[code] if number < WHOLE_SIGN else SIGNS[code]
    return character, Style.from_color(colors.ink[code], ground) + Style(bold=code not in (NOT_YET, ENDED))
