"""A series cut into samples: windows of rows that follow each other in time, each with the target some rows after its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files.arrays import MEMORY_LIMIT
from engine.files.raw import size

Array = NDArray[Any]

WINDOW = 10


@dataclass(frozen=True)
class Series:
    """Sample n is the `window` rows from row n·stride on (counted from 0); its target is `ahead` rows after the last of them, or,
    with a target a step (`every`), `ahead` rows after each."""

    window: int
    ahead: int
    stride: int
    samples: int
    every: bool

    def cut(self, values: Array, targets: Array) -> tuple[Array, Array]:
        """X (N, window, D) and y (N, …) or (N, window, …) of values (S, D) and targets (S, …)."""
        starts = np.arange(self.samples) * self.stride
        steps = starts[:, None] + np.arange(self.window)
        return values[steps], targets[steps + self.ahead if self.every else starts + self.window - 1 + self.ahead]

    @property
    def said(self) -> str:
        """How the rows were cut, in words."""
        ahead = {0: "at its last row", 1: "one row later"}.get(self.ahead, f"{self.ahead} rows later")
        ahead = (
            {0: "at each row", 1: "one row after each"}.get(self.ahead, f"{self.ahead} rows after each")
            if self.every
            else ahead
        )
        return f"{self.samples} samples of {self.window} rows, with the target {ahead} (--window, --ahead)"


def series_of(file: str, rows: int, values: int, *, window: int | None, ahead: int, every: bool, apart: bool) -> Series:
    """How `rows` rows of `values` values are cut; windows that lie `apart` do not overlap. InputError where not even one fits."""
    steps = WINDOW if window is None else window
    if rows < steps + ahead:
        raise InputError(
            f"{file}: its {rows} rows are too few for a window of {steps} rows and a target {ahead} rows later; "
            "choose a smaller --window or --ahead"
        )
    stride = steps if apart else 1
    samples = (rows - steps - ahead) // stride + 1
    needed = samples * steps * (values + 1) * 8
    if needed > MEMORY_LIMIT:
        raise InputError(
            f"{file}: {samples:,} windows of {steps} rows would need {size(needed)} of memory, more than the limit of "
            f"{size(MEMORY_LIMIT)}; choose a smaller --window or take fewer rows"
        )
    return Series(steps, ahead, stride, samples, every)
