"""A few numbers by which an array is found among many: the same in both processes."""

from __future__ import annotations

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
