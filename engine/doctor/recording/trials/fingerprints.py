# pyright: basic, reportArgumentType=false
"""A few numbers by which an array is found among many: the same in both processes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np

_WEIGHTS: dict[int, Any] = {}


def weights(size: int) -> Any:
    """Fixed weights, so that an array's order counts."""
    made = _WEIGHTS.get(size)
    if made is None:
        if len(_WEIGHTS) > 64:
            _WEIGHTS.clear()
        made = _WEIGHTS[size] = np.sin(1.0 + 1.3 * np.arange(size))
    return made


def fingerprint(values: Any) -> tuple[float, float, float] | None:
    """(norm, sum of sizes relative to the norm, weighted sum relative to the norm); None for zeros and what is not finite."""
    flat = values.reshape(-1)
    norm = float(np.sqrt(np.dot(flat, flat)))
    if not 0.0 < norm < np.inf:
        return None
    return norm, float(np.abs(flat).sum()) / norm, float(np.dot(weights(flat.size), flat)) / norm


class RightTable:
    """The right arrays, by size."""

    def __init__(self, rows: Any, factors: Sequence[float], allowed: float) -> None:
        self.allowed = allowed
        self.factors = factors
        self.sizes: dict[int, Any] = {}
        """By size the norms, in order, and the rows."""
        order = np.lexsort((rows[:, 1], rows[:, 0])) if len(rows) else np.zeros(0, int)
        rows = rows[order]
        for size in np.unique(rows[:, 0]):
            those = rows[rows[:, 0] == size][:, 1:]
            self.sizes[int(size)] = those[:, 0].tolist(), those

    @np.errstate(all="ignore")
    def has(self, value: Any) -> bool | None:
        """True, False, or None where nothing can be said: zeros."""
        flat = value.reshape(-1)
        norm = float(np.sqrt(np.dot(flat, flat)))
        if not 0.0 < norm < np.inf:
            return None if np.isfinite(flat).all() else False
        known = self.sizes.get(value.size)
        if known is None:
            return False
        norms, rows = known
        keys: list[Any] = []
        limit = self.allowed
        for factor in self.factors:
            wanted = norm / abs(factor)
            low, high = bisect_left(norms, wanted * (1 - limit)), bisect_left(norms, wanted * (1 + limit))
            if low < high:
                keys = keys or _keys(value)
                if any(self._agrees(row, key, factor) for key in keys for row in rows[low:high]):
                    return True
        return False

    def _agrees(self, row: Any, key: Any, factor: float) -> bool:
        spread, order = key
        limit = self.allowed * spread
        return bool(abs(row[1] - spread) <= limit and abs(row[2] * np.sign(factor) - order) <= limit)


def _keys(value: Any) -> list[Any]:
    """What tells an array from others of its norm, and its transposed one."""
    made: list[Any] = [fingerprint(value)]
    if value.ndim == 2 and min(value.shape) > 1:
        made.append(fingerprint(np.ascontiguousarray(value.T)))
    return [key[1:] for key in made if key is not None]
