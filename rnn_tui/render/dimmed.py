"""What is not talked about: the same drawing, faint."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from rnn_tui.render.compact import CompactStrip

KEPT = 0.45
"""The share of a colour that stays; the rest is the background's."""


def dimmed(strips: list[Strip], background: Style) -> list[Strip]:
    """Strips with their colours drawn towards the background's; where that is no colour in 24 bits, with the terminal's own dim."""
    return [
        CompactStrip([Segment(text, _dim(style or Style(), background)) for text, style, _ in strip], strip.cell_length)
        for strip in strips
    ]


@lru_cache(maxsize=4096)
def _dim(style: Style, background: Style) -> Style:
    ground = background.bgcolor
    if ground is None or ground.triplet is None:
        return style + Style(dim=True)
    faint = [_towards(color, ground) for color in (style.color, style.bgcolor)]
    return style + Style(color=faint[0], bgcolor=faint[1])


def _towards(color: Color | None, ground: Color) -> Color | None:
    if color is None or color.triplet is None or ground.triplet is None:
        return color
    mixed = (KEPT * one + (1 - KEPT) * other for one, other in zip(color.triplet, ground.triplet, strict=True))
    return Color.from_rgb(*mixed)
