"""A line of numbers as a drawing: a curve of braille dots, or one row of bars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BRAILLE = 0x2800
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each dot of a braille character, four rows of two (Unicode, chapter 21.1)."""
_BARS = " ▁▂▃▄▅▆▇█"


def curve(values: NDArray[np.floating], width: int, height: int, ends: tuple[float, float] | None = None) -> list[str]:
    """`height` lines of `width` characters: the values from left to right, the largest at the top, the smallest at the bottom.

    `ends` are the values at bottom and top instead, so that different curves can be compared. Neighbouring dots are joined by
    vertical strokes. What is not finite leaves a gap.
    """
    dots = np.zeros((4 * height, 2 * width), bool)
    heights = _levels(_stretched(np.asarray(values, float), 2 * width), 4 * height - 1, ends)
    before = -1
    for x, level in enumerate(heights.tolist()):
        if level >= 0:
            low, high = (level, level) if before < 0 else (min(before, level), max(before, level))
            dots[low : high + 1, x] = True
        before = level
    dots = dots[::-1].reshape(height, 4, width, 2)
    codes = np.einsum("hiwj,ij->hw", dots, _DOTS)
    return ["".join(chr(BRAILLE + code) if code else " " for code in line) for line in codes.tolist()]


def bars(values: NDArray[np.floating], low: float, high: float) -> str:
    """One character a value: an eighth of a line for `low` and below, a full one for `high`; a blank for what is not finite."""
    numbers = np.asarray(values, float)
    share = np.clip((numbers - low) / (high - low or 1.0), 0, 1)
    return "".join(_BARS[1 + round(s * 7)] if np.isfinite(s) else " " for s in share.tolist())


def _stretched(values: NDArray[np.floating], count: int) -> NDArray[np.floating]:
    """The values at `count` places from the first to the last one."""
    at = np.linspace(0, len(values) - 1, count)
    return np.interp(at, np.arange(len(values)), values)


def _levels(values: NDArray[np.floating], top: int, ends: tuple[float, float] | None) -> NDArray[np.int64]:
    """Whole numbers 0..top, −1 for what is not finite."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(len(values), -1)
    low, high = ends or (values[finite].min(), values[finite].max())
    middle = np.full(len(values), 0.5)
    share = np.clip((values - low) / (high - low), 0, 1) if high > low else middle
    return np.where(finite, np.rint(np.where(finite, share, 0) * top), -1).astype(np.int64)
