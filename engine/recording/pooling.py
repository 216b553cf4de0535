"""Pools many time steps into few columns: for each unit the value of largest magnitude among the steps and samples of a column."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.language.functions import Array


class Pooled:
    """Takes rows (steps, B, units) block by block; `values` are (columns, units).

    Column c holds the rows from c·rows/columns on. NaN wins over everything, and of two that differ in sign only, the positive one.
    """

    def __init__(self, rows: int, columns: int, units: int, dtype: np.dtype[Any]) -> None:
        self._starts = np.arange(columns) * rows // columns
        kind = dtype if dtype.kind == "f" else np.dtype(np.float64)  # class indices have no infinity to begin with
        self._high = np.full((columns, units), -np.inf, kind)
        self._low = np.full((columns, units), np.inf, kind)

    def add(self, block: Array, first: int) -> None:
        """Adds the rows from number `first` on."""
        columns = slice(
            int(np.searchsorted(self._starts, first, "right")) - 1,
            int(np.searchsorted(self._starts, first + len(block) - 1, "right")),
        )
        edges = np.maximum(self._starts[columns] - first, 0)
        for extreme, extremes in ((np.maximum, self._high), (np.minimum, self._low)):
            of_samples = block[:, 0] if block.shape[1] == 1 else extreme.reduce(block, axis=1)
            extreme(extremes[columns], extreme.reduceat(of_samples, edges, axis=0), out=extremes[columns])

    @property
    def values(self) -> Array:
        """(columns, units); a column without rows holds an infinity."""
        # A comparison with NaN is false, and then `low` is NaN too.
        return np.where(self._high >= -self._low, self._high, self._low)
