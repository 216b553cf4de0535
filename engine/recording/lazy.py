"""An array whose rows are computed when they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from engine.language.functions import Array


class LazyArray:
    """Stands for an array, (rows, ...); its rows are computed again when they are read.

    Reading one row or a slice of rows computes just these; everything else that an array can do computes all of them.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], read: Callable[[int, int], Array]) -> None:
        self.shape = shape
        self.ndim = len(shape)
        self.dtype = dtype
        self._read = read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        keys = cast(tuple[Any, ...], key if isinstance(key, tuple) else (key,))
        first, rest = (keys[0], keys[1:]) if keys else (None, ())
        if isinstance(first, int):
            row = range(len(self))[first]
            return self._read(row, row + 1)[(0, *rest)]
        if isinstance(first, slice):
            low, high, stride = first.indices(len(self))
            if stride == 1:
                return self._read(low, max(low, high))[(slice(None), *rest)]
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        whole = self._read(0, len(self))
        return whole if dtype is None else whole.astype(dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)
