"""Heatmaps with the numbers written into their cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from rich.segment import Segment
from rich.style import Style

from .heatmap import heatmap
from .inks import ColorMode, Inks, inks
from .numbers import divided, number
from .palette import NOT_YET, OVER, PAD, UNDER, Palette
from .tiles import MARKS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


NUMBERED = 8
"""Columns that a number takes at least."""
NARROWEST = 5
"""Columns that a number takes at least where all of a picture are divided by one power of ten: three digits, a sign, and one left free."""


def numbered(
    values: ArrayLike,
    codes: NDArray[np.uint8],
    palette: Palette,
    mode: ColorMode = ColorMode.TRUECOLOR,
    cell_width: int = 10,
    cursor: tuple[int, int] | None = None,
    tens: int | None = None,
) -> list[list[Segment]]:
    """Values (rows, cols) as numbers on the colours of their codes: one line a row, cells of `cell_width` >= 8, or, where they are
    divided by 10**`tens`, >= 5."""
    colors = None if mode is ColorMode.NONE else inks(palette, mode)
    result: list[list[Segment]] = []
    for row, (line, line_codes) in enumerate(zip(np.asarray(values).tolist(), codes.tolist(), strict=True)):
        cells = [(_text(value, code, cell_width, tens), code) for value, code in zip(line, line_codes, strict=True)]
        at = cursor[1] if cursor is not None and cursor[0] == row else -1
        result.append([Segment(text, _style(colors, code, column == at)) for column, (text, code) in enumerate(cells)])
    return result


def with_numbers(
    values: ArrayLike,
    codes: NDArray[np.uint8],
    palette: Palette,
    mode: ColorMode,
    cell_width: int,
    cell_height: Literal["half"] | int,
    cursor: tuple[int, int] | None = None,
    tens: int | None = None,
) -> list[list[Segment]]:
    """A heatmap whose cells have their numbers in the middle where they are `NUMBERED` columns wide, or narrower ones divided by
    10**`tens`."""
    rows = heatmap(codes, palette, mode, cell_width, cell_height, cursor)
    if (cell_width >= NUMBERED or tens is not None) and cell_height != "half":
        written = numbered(values, codes, palette, mode, cell_width, cursor, tens)
        rows[(cell_height - 1) // 2 :: cell_height] = written
    return rows


def _text(value: float, code: int, width: int, tens: int | None) -> str:
    if code == PAD:
        return " " * width
    if code == NOT_YET:
        return MARKS[NOT_YET] * width
    # A column is left free between two numbers; a clipped one has its mark there.
    mark = MARKS[code] if code in (OVER, UNDER) else " "
    text = number(value, width - 1) if tens is None else divided(value, tens)
    return mark + text.rjust(width - 1)


def _style(colors: Inks | None, code: int, cursor: bool) -> Style:
    if colors is None:
        return Style(reverse=True, bold=True) if cursor else Style()
    if cursor:
        return Style.from_color(colors.on_cursor, colors.cursor) + Style(bold=True)
    return Style.from_color(colors.ink[code], colors.fill[code])
