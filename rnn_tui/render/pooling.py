"""Pools arrays that are larger than their place on the screen: blocks that keep the value of largest magnitude, and
which cell is in which block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pool(values: ArrayLike, rows: int, cols: int) -> NDArray[np.floating[Any]]:
    """(R, C) reduced to at most (rows, cols): each block's value of largest magnitude with its sign.

    NaN wins over everything and infinity over every number; of two that differ in sign only the positive one is
    taken. An array that is small enough comes back unchanged.
    """
    array = np.asarray(values)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    high = low = array
    if array.shape[0] > rows:
        high, low = _of_rows(array, rows)
    if array.shape[1] > cols:
        starts = np.arange(cols) * array.shape[1] // cols
        high, low = np.maximum.reduceat(high, starts, axis=1), np.minimum.reduceat(low, starts, axis=1)
    # A comparison with NaN is false, and then `low` is NaN too.
    return np.where(high >= -low, high, low)


def _of_rows(array: NDArray[np.floating[Any]], blocks: int) -> tuple[NDArray[np.floating[Any]], ...]:
    """Maximum and minimum over blocks of rows, each (blocks, columns)."""
    # A loop over blocks, not reduceat: along the first axis that is several times slower.
    high = np.empty((blocks, array.shape[1]), dtype=array.dtype)
    low = np.empty_like(high)
    for block in range(blocks):
        rows = block_range(block, array.shape[0], blocks)
        part = array[rows.start : rows.stop]
        np.maximum.reduce(part, axis=0, out=high[block])
        np.minimum.reduce(part, axis=0, out=low[block])
    return high, low


def block_of(index: int, size: int, blocks: int) -> int:
    """The block that `pool` puts row or column `index` of `size` into."""
    return index if size <= blocks else ((index + 1) * blocks - 1) // size


def block_range(block: int, size: int, blocks: int) -> range:
    """The rows or columns of `size` that are in `block`."""
    if size <= blocks:
        return range(block, block + 1)
    return range(block * size // blocks, (block + 1) * size // blocks)
