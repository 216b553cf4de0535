"""The colour bar of a heatmap: a strip of its colours and the values at its ends."""

from __future__ import annotations

import numpy as np
from rich.segment import Segment
from rich.style import Style

from .heatmap import heatmap
from .inks import ColorMode, inks
from .numbers import MINUS, number
from .palette import LEVELS, ZERO, Palette


def colorbar(
    palette: Palette,
    mode: ColorMode,
    width: int,
    scale: float,
    one_sided: bool = False,
    log: bool = False,
    ascii_only: bool = False,
) -> list[list[Segment]]:
    """Two rows of `width` (>= 7) columns: the strip from − to + (0 to + if one-sided), and its values beneath."""
    inner = max(width - 4, 1)
    if not one_sided and inner % 2 == 0:
        # An odd strip has its zero in the middle of a column.
        inner -= 1
    codes = np.rint(np.linspace(ZERO if one_sided else 0, LEVELS - 1, inner)).astype(np.uint8)
    strip = heatmap(codes[None, :], palette, mode, cell_width=1, cell_height=1, ascii_only=ascii_only)[0]
    colors = None if mode is ColorMode.NONE else inks(palette, mode)
    dim = Style() if colors is None else Style.from_color(colors.dim, colors.background)
    minus = "-" if ascii_only else MINUS
    left, right = "0 " if one_sided else f"{minus} ", " +"
    labels = _labels(inner + 4, scale, one_sided, log).ljust(width)[:width]
    top = [Segment(left, dim), *strip, Segment(right.ljust(width - inner - len(left)), dim)]
    return [top, [Segment(labels.replace(MINUS, minus), dim)]]


def _labels(width: int, scale: float, one_sided: bool, log: bool) -> str:
    """The ends' values under the ends; what lies between them is left out when it does not fit."""
    largest = number(scale, 7, 3, trim=True)
    left, right = "0" if one_sided else MINUS + largest, "+" + largest
    line = left + right.rjust(max(width - len(left), len(right) + 1))
    middle = "log" if one_sided else "0 log" if log else "0"
    if one_sided and not log:
        return line
    # The zero itself stands under the zero of the strip, whatever follows it.
    start = (width - len(middle if one_sided else "0")) // 2
    if len(left) < start and start + len(middle) < width - len(right):
        line = line[:start] + middle + line[start + len(middle) :]
    return line
