"""Heatmaps: a matrix of codes in, rows of rich Segments out.

Every row has the same width, cols * (cell_width + gap) − gap. Special codes are drawn by glyph as well as by colour in
every mode, and the cursor leaves a part of its cell's colour in sight as soon as a cell is two columns wide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from .glyphs import glyph_rows
from .inks import ColorMode
from .palette import COUNT, ENDED, MINUS_INF, NAN, NOT_YET, PAD, PLUS_INF, UNDER, Palette
from .tiles import (
    EDGE_LEFT,
    EDGE_RIGHT,
    HALF_CURSOR_BOTTOM,
    HALF_CURSOR_MARK,
    HALF_CURSOR_TOP,
    HALF_MARK,
    WHOLE,
    WHOLE_CURSOR_MARK,
    WHOLE_MARK,
    WHOLE_SIGN,
    tiles,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.segment import Segment

SegmentRows = list[list["Segment"]]
Cursor = tuple[int, int]


def heatmap(
    codes: NDArray[np.uint8],
    palette: Palette,
    mode: ColorMode = ColorMode.TRUECOLOR,
    cell_width: int = 2,
    cell_height: Literal["half"] | int = "half",
    cursor: Cursor | None = None,
    gap: int = 0,
    ascii_only: bool = False,
) -> SegmentRows:
    """The picture of codes (rows, cols).

    `cell_height` "half" packs two value rows into a terminal line ('▀'), a number n gives each n lines. `gap` is the
    number of background columns between cells, `cursor` a (row, col). Without colour a value row has a line at least,
    and glyphs (see glyphs.py), in ASCII on request.
    """
    if cursor is not None and not (0 <= cursor[0] < codes.shape[0] and 0 <= cursor[1] < codes.shape[1]):
        cursor = None
    if mode is ColorMode.NONE:
        return glyph_rows(codes, cell_width, 1 if cell_height == "half" else cell_height, cursor, gap, ascii_only)
    if cell_height == "half":
        numbers = _half_tiles(codes, cell_width, cursor, gap)
    else:
        numbers = _whole_tiles(codes, cell_width, cell_height, cursor, gap)
    return tiles(palette, mode).rows(numbers)


def height(rows: int, mode: ColorMode, cell_height: Literal["half"] | int = "half") -> int:
    """How many terminal lines `heatmap` needs for `rows` value rows."""
    if cell_height == "half":
        return rows if mode is ColorMode.NONE else (rows + 1) // 2
    return rows * cell_height


def _half_tiles(codes: NDArray[np.uint8], width: int, cursor: Cursor | None, gap: int) -> NDArray[np.int64]:
    """(⌈rows/2⌉, columns) tile numbers."""
    if codes.shape[0] % 2:
        codes = np.concatenate([codes, np.full((1, codes.shape[1]), PAD, dtype=np.uint8)])
    pairs = codes[0::2].astype(np.int64) * COUNT + codes[1::2]
    special = (codes >= NAN) & (codes <= UNDER)
    marked = special[0::2] | special[1::2]
    grid = _grid(pairs, width, gap, PAD * COUNT + PAD)
    middle = (width - 1) // 2
    if marked.any():
        grid[:, :, middle] += HALF_MARK * marked
    if cursor is not None:
        line, column = cursor[0] // 2, cursor[1]
        pair, mark = pairs[line, column], marked[line, column]
        edge = pair + (HALF_CURSOR_BOTTOM if cursor[0] % 2 else HALF_CURSOR_TOP)
        cell = grid[line, column]
        cell[0] = pair + HALF_CURSOR_MARK if mark and width == 1 else edge
        if width > 2:
            cell[width - 1] = edge
        elif width == 2 and mark:
            cell[1] = pair + HALF_MARK
    return _columns(grid, gap)


def _whole_tiles(
    codes: NDArray[np.uint8], width: int, lines: int, cursor: Cursor | None, gap: int
) -> NDArray[np.int64]:
    """(rows * lines, columns) tile numbers."""
    plain = _grid(codes.astype(np.int64) + WHOLE, width, gap, WHOLE + PAD)
    marked = plain
    if (codes >= NAN).any():
        plain[:, :, :width][codes == ENDED] += WHOLE_MARK - WHOLE
        marked = _with_marks(plain, codes, width)
    stack = np.stack([marked if part == (lines - 1) // 2 else plain for part in range(lines)], axis=1)
    if cursor is not None:
        _frame_cell(stack[cursor[0], :, cursor[1], :width], int(codes[cursor]))
    rows_of_lines = stack.reshape(-1, *stack.shape[2:])
    return _columns(rows_of_lines, gap)


def _with_marks(plain: NDArray[np.int64], codes: NDArray[np.uint8], width: int) -> NDArray[np.int64]:
    """The line in the middle of each cell, with the glyphs of what is no level."""
    marked = plain.copy()
    signed = ((codes == PLUS_INF) | (codes == MINUS_INF)) & (width > 1)
    middle = (width - 1) // 2
    at = np.where(signed, max(middle, 1), middle)
    rows, columns = np.nonzero((codes >= NAN) & (codes <= UNDER))
    marked[rows, columns, at[rows, columns]] += WHOLE_MARK - WHOLE
    rows, columns = np.nonzero(signed)
    marked[rows, columns, at[rows, columns] - 1] += WHOLE_SIGN - WHOLE
    marked[:, :, :width][codes == NOT_YET] += WHOLE_MARK - WHOLE
    return marked


def _frame_cell(cell: NDArray[np.int64], code: int) -> None:
    """Draw the cursor's edges into the (lines, width) tiles of one cell; a glyph keeps a place beside them."""
    lines, width = cell.shape
    middle = cell[(lines - 1) // 2]
    cell[:, 0] = EDGE_LEFT + code
    if width > 1:
        cell[:, -1] = EDGE_RIGHT + code
    if not NAN <= code <= UNDER:
        return
    if width == 1:
        middle[0] = WHOLE_CURSOR_MARK + code
    elif width == 2 or (width < 5 and code in (PLUS_INF, MINUS_INF)):
        # '+∞' of less than five columns lies under the left edge: it moves, or loses its sign to the background.
        middle[1:3] = WHOLE_MARK + code if width < 4 else (WHOLE_SIGN + code, WHOLE_MARK + code)
        if width == 3:
            middle[2] = EDGE_RIGHT + code


def _grid(numbers: NDArray[np.int64], width: int, gap: int, empty: int) -> NDArray[np.int64]:
    """(rows, cols, width + gap): each number repeated over its cell, `empty` in the gap."""
    grid = np.empty((*numbers.shape, width + gap), dtype=np.int64)
    grid[:, :, :width] = numbers[:, :, None]
    grid[:, :, width:] = empty
    return grid


def _columns(grid: NDArray[np.int64], gap: int) -> NDArray[np.int64]:
    """(rows, columns) without the gap behind the last cell."""
    flat = grid.reshape(grid.shape[0], -1)
    return np.ascontiguousarray(flat[:, : flat.shape[1] - gap]) if gap else flat
