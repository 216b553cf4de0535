"""A few numbers by which an array is found among many: the same in both processes."""

import numpy as np

_WEIGHTS = {}


def weights(size):
    """Fixed weights, so that an array's order counts."""
    made = _WEIGHTS.get(size)
    if made is None:
        if len(_WEIGHTS) > 64:
            _WEIGHTS.clear()
        made = _WEIGHTS[size] = np.sin(1.0 + 1.3 * np.arange(size))
    return made


def fingerprint(values):
    """(norm, sum of sizes relative to the norm, weighted sum relative to the norm); None for zeros and what is not finite."""
    flat = values.reshape(-1)
    norm = float(np.sqrt(np.dot(flat, flat)))
    if not 0.0 < norm < np.inf:
        return None
    return norm, float(np.abs(flat).sum()) / norm, float(np.dot(weights(flat.size), flat)) / norm
