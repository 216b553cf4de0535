"""The memory of a recording: where its arrays lie, and how much they take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
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
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return -(-self.used // ALIGNMENT) * ALIGNMENT


def allocated(places: Mapping[str, RowPlace], beside: Iterable[tuple[str, ...]] = ()) -> dict[str, Array]:
    """The arrays by name, uninitialised, one after another in one piece of memory; those of a group `beside` each other are columns of one
    array."""
    groups = [*beside, *((name,) for name in places if not any(name in group for group in beside))]
    whole = [_beside([places[name] for name in group]) for group in groups]
    buffer, start = aligned(sum(place.nbytes for place in whole)), 0
    arrays: dict[str, Array] = {}
    for group, place in zip(groups, whole, strict=True):
        array = buffer[start : start + place.used].view(place.dtype).reshape(place.shape)
        start += place.nbytes
        arrays |= (
            columns(array, {n: places[n].shape[-1] for n in group}) if len(group) > 1 else dict.fromkeys(group, array)
        )
    return {name: arrays[name] for name in places}


def columns(whole: Array, widths: Mapping[str, int]) -> dict[str, Array]:
    """The parts of an array's last axis by name."""
    ends = accumulate(widths.values())
    return {name: whole[..., end - width : end] for (name, width), end in zip(widths.items(), ends, strict=True)}


def _beside(places: list[RowPlace]) -> RowPlace:
    """The place of arrays beside each other."""
    if len(places) == 1:
        return places[0]
    return RowPlace((*places[0].shape[:-1], sum(place.shape[-1] for place in places)), places[0].dtype)


def aligned(size: int) -> Array:
    """Uninitialised bytes that start at a boundary of `ALIGNMENT`, so that equal recordings take equal code paths."""
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size]
