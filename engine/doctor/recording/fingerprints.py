# pyright: basic, reportArgumentType=false
"""A few numbers by which an array is found among many: the same in both processes."""

from __future__ import annotations

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
        order = np.lexsort((rows[:, 1], rows[:, 0])) if len(rows) else np.zeros(0, int)
        rows = rows[order]
        for size in np.unique(rows[:, 0]):
            self.sizes[int(size)] = rows[rows[:, 0] == size][:, 1:]

    def has(self, value: Any) -> bool | None:
        """True, False, or None where nothing can be said: zeros."""
        rows: Any = self.sizes.get(value.size)
        made = fingerprint(value)
        if made is None:
            return None if np.isfinite(value).all() else False
        if rows is None:
            return False
        norms: Any = rows[:, 0]
        keys: list[Any] = [made]
        if value.ndim == 2 and min(value.shape) > 1:
            keys.append(fingerprint(np.ascontiguousarray(value.T)))
        limit = self.allowed
        for norm, spread, order in keys:
            for factor in self.factors:
                wanted = norm / abs(factor)
                low = int(norms.searchsorted(wanted * (1 - limit)))
                high = int(norms.searchsorted(wanted * (1 + limit)))
                for row in rows[low:high]:
                    if (
                        abs(row[1] - spread) <= limit * spread
                        and abs(row[2] * np.sign(factor) - order) <= limit * spread
                    ):
                        return True
        return False
