# pyright: basic
"""Other first weights where a changed text asks for them: new arrays, of which nothing is recorded but that they come from outside."""

import numpy as np

SHIFTED = "__rt_shifted__"
"""What such a text calls `shifted`."""
_ARRAY, _RANDOM = np.array, np.random.RandomState  # before anything is patched, and apart from the program's own


def shifted(value, seed, by):
    """A new array of the same kind, each entry `by` times a drawn number beside what it is; anything else is returned as it is."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    plain = _ARRAY(value.view(np.ndarray))
    return plain + (by * _RANDOM(seed).standard_normal(plain.shape)).astype(plain.dtype)
