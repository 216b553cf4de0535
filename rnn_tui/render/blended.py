"""Colours on their way to others: what is not talked about, faint, and what a sweep has just passed."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color, ColorType
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from rnn_tui.render.compact import CompactStrip
from rnn_tui.render.palette import RGB, mixed

KEPT = 0.45
"""The share of a colour that stays of what is faint; the rest is the background's."""


def dimmed(strips: list[Strip], background: Style) -> list[Strip]:
    """Strips with their colours drawn towards the background's; where that is no colour in 24 bits, with the terminal's own dim."""
    return [
        CompactStrip([Segment(text, _dim(style or Style(), background)) for text, style, _ in strip], strip.cell_length)
        for strip in strips
    ]


@lru_cache(maxsize=1024)
def toward(style: Style, other: Style, share: float) -> Style:
    """A style whose text has the colour at `share` (0 to 1) of the way to the other's; without a colour on one side, as it is."""
    return style + Style(color=_between(style.color, other.color, share))


@lru_cache(maxsize=4096)
def _dim(style: Style, background: Style) -> Style:
    ground = background.bgcolor
    if _rgb(ground) is None:
        return style + Style(dim=True)
    faint = [_between(color, ground, 1 - KEPT) for color in (style.color, style.bgcolor)]
    return style + Style(color=faint[0], bgcolor=faint[1])


def _between(color: Color | None, other: Color | None, share: float) -> Color | None:
    one, another = _rgb(color), _rgb(other)
    return color if one is None or another is None else Color.from_rgb(*mixed(one, another, share))


def _rgb(color: Color | None) -> RGB | None:
    """The colour as numbers; of the 16, which each terminal has its own of, none."""
    if color is None or color.type not in (ColorType.TRUECOLOR, ColorType.EIGHT_BIT):
        return None
    red, green, blue = color.get_truecolor()
    return red, green, blue
