"""The length of an array, all its entries taken as one vector."""

from __future__ import annotations

import numpy as np

from engine.language.functions import Array


def length(array: Array) -> float:
    """The Frobenius norm of an array of any shape, 0 of an empty one; squares do not overflow, inf and NaN stay what they are."""
    largest = float(np.abs(array).max(initial=0.0))
    if not 0 < largest < np.inf:
        return largest
    return largest * float(np.linalg.norm(array.astype(np.float64) / largest))
