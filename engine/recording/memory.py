"""The memory of a recording: where its arrays lie, and how much they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine.language.functions import Array

ALIGNMENT = 64
"""Bytes: a line of the cache."""


@dataclass(frozen=True)
class RowPlace:
    """The place of a recorded array in the one piece of memory that all of them share (so that the system uses large pages)."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @cached_property
    def used(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return -(-self.used // ALIGNMENT) * ALIGNMENT


def allocated(places: Mapping[str, RowPlace]) -> dict[str, Array]:
    """The arrays by name, uninitialised, one after another in one piece of memory."""
    buffer, start = aligned(sum(place.nbytes for place in places.values())), 0
    arrays: dict[str, Array] = {}
    for name, place in places.items():
        arrays[name] = buffer[start : start + place.used].view(place.dtype).reshape(place.shape)
        start += place.nbytes
    return arrays


def aligned(size: int) -> Array:
    """Uninitialised bytes that start at a boundary of `ALIGNMENT`, so that equal recordings take equal code paths."""
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size]
