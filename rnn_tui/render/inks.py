"""The colour of each code, for terminals of every colour depth."""

from __future__ import annotations

from enum import Enum
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from rich.color import Color

from .palette import (
    COUNT,
    ENDED,
    LEVELS,
    MINUS_INF,
    NAN,
    NOT_YET,
    OVER,
    PAD,
    PLUS_INF,
    RGB,
    STEPS,
    UNDER,
    ZERO,
    Palette,
    luminance,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ColorMode(Enum):
    """How many colours the terminal has."""

    TRUECOLOR = "truecolor"
    COLORS_256 = "256"
    COLORS_16 = "16"
    NONE = "none"


MODES = {
    "truecolor": ColorMode.TRUECOLOR,
    "256": ColorMode.COLORS_256,
    "16": ColorMode.COLORS_16,
    "none": ColorMode.NONE,
}


BLACK: RGB = (0, 0, 0)
WHITE: RGB = (255, 255, 255)
# Saturated as no level of any palette is: (rgb, its number among 16 colours).
_ALARMS: dict[int, tuple[RGB, int]] = {
    NAN: ((0xC8, 0x00, 0xC0), 5),
    PLUS_INF: ((0xE5, 0x1C, 0x1C), 9),
    MINUS_INF: ((0x2D, 0x3C, 0xF0), 12),
}
_BRIGHT_OF_16 = frozenset({3, 6, 7, 10, 11, 13, 14, 15})


class Inks:
    """The colours of one palette in one mode: `fill[code]` for a cell, `ink[code]` for a glyph on it."""

    def __init__(self, palette: Palette, mode: ColorMode) -> None:
        few = mode is ColorMode.COLORS_16
        self.mode = mode
        self.background = _ansi(15 if palette.light else 0) if few else self.color(palette.background)
        self.dim = _ansi(8) if few else self.color(palette.dim)
        self.text = _ansi(0 if palette.light else 7) if few else self.color(palette.text)
        # Among 16 colours yellow is taken by the ramp.
        self.cursor = _ansi(0 if palette.light else 15) if few else self.color(palette.cursor)
        self.on_cursor = _ansi(15 if palette.light else 0) if few else self.color(BLACK)
        pairs = [self._few(palette, code) if few else self._many(palette, code) for code in range(COUNT)]
        self.fill: list[Color] = [fill for fill, _ in pairs]
        self.ink: list[Color] = [ink for _, ink in pairs]

    def color(self, value: RGB) -> Color:
        """The terminal's colour for an RGB value (not for 16 colours: those are chosen by hand)."""
        if self.mode is ColorMode.COLORS_256:
            return _ansi(nearest_256(value))
        return Color.from_rgb(*value)

    def _many(self, palette: Palette, code: int) -> tuple[Color, Color]:
        if code in (NOT_YET, PAD):
            return self.background, self.dim
        if code == ENDED:
            return self.color(palette.padding), self.dim
        fill = _ALARMS[code][0] if code in _ALARMS else palette.table[_level(code)]
        # Half of the contrast range of WCAG lies at a luminance of 0.18; alarms are white on colour in any case.
        dark = code not in _ALARMS and luminance(fill) > 0.18
        ink = self.color(BLACK if dark else WHITE)
        if self.mode is ColorMode.COLORS_256 and code not in _ALARMS:
            return _ansi(_rung(palette.ramp_256, palette.one_sided, _level(code))), ink
        return self.color(fill), ink

    def _few(self, palette: Palette, code: int) -> tuple[Color, Color]:
        if code in (NOT_YET, PAD):
            return self.background, self.dim
        if code == ENDED:  # the one grey that no ramp has
            return (_ansi(7), _ansi(8)) if palette.light else (_ansi(8), _ansi(0))
        # The weakest level is as dark as zero: the darkest of 16 colours is too bright for what is next to nothing.
        level = ZERO if abs(code - ZERO) == 1 else _level(code)
        fill = _ALARMS[code][1] if code in _ALARMS else _rung(palette.ramp_16, palette.one_sided, level)
        return _ansi(fill), _ansi(0 if fill in _BRIGHT_OF_16 else 15)


@lru_cache(maxsize=64)
def inks(palette: Palette, mode: ColorMode) -> Inks:
    """The colours of `palette` in `mode`, built once."""
    return Inks(palette, mode)


def size_of(level: int, sizes: int) -> int:
    """The level's magnitude in `sizes` equal classes 1..sizes with its sign; 0 only for zero."""
    steps = level - ZERO
    if steps == 0:
        return 0
    size = 1 + (abs(steps) - 1) * sizes // STEPS
    return size if steps > 0 else -size


@cache
def nearest_256(value: RGB) -> int:
    """The number (16..255) of the nearest colour of xterm's 6×6×6 cube and grey ramp."""
    # Rough weights for the eye's sensitivity.
    distances = ((_XTERM - np.array(value)) ** 2) @ np.array([2, 4, 3])
    return 16 + int(np.argmin(distances))


def _xterm() -> NDArray[np.int64]:
    """(240, 3): colours 16..255."""
    steps = np.array([0, 95, 135, 175, 215, 255])
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    grey = np.repeat(8 + 10 * np.arange(24)[:, None], 3, axis=1)
    return np.concatenate([cube, grey])


_XTERM = _xterm()


@cache
def _ansi(number: int) -> Color:
    return Color.from_ansi(number)


def _level(code: int) -> int:
    """Clipped cells have the colour of the end they were clipped at."""
    return {OVER: LEVELS - 1, UNDER: 0}.get(code, code)


def _rung(ramp: tuple[int, ...], one_sided: bool, level: int) -> int:
    if one_sided:
        return ramp[max(size_of(level, len(ramp) - 1), 0)]
    half = len(ramp) // 2
    return ramp[half + size_of(level, half)]
