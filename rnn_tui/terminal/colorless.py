"""A screen without any colour: what stood out by its background is reversed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

if TYPE_CHECKING:
    from rich.segment import Segment

STANDS_OUT = 0.2
"""From this difference in brightness to the screen's background on, a background is drawn reversed without colour."""


class WithoutColor(LineFilter):
    """Removes every colour; a background that stands out from the screen's (a cursor, a selection) is reversed."""

    def __init__(self, background: Color) -> None:
        super().__init__()
        self._background = background
        self._styles: dict[Style, Style] = {}

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with colourless styles."""
        return [
            type(segment)(segment.text, segment.style and self._plain(segment.style), segment.control)
            for segment in segments
        ]

    def _plain(self, style: Style) -> Style:
        if style not in self._styles:
            plain = style.without_color
            if style.meta:  # what a click does; lost with the colour
                plain += Style.from_meta(style.meta)
            if self._stands_out(style):
                plain += Style(reverse=not style.reverse)
            self._styles[style] = plain
        return self._styles[style]

    def _stands_out(self, style: Style) -> bool:
        if style.bgcolor is None or style.bgcolor.is_default:
            return False
        color = Color.from_rich_color(style.bgcolor)
        return abs(color.brightness - self._background.brightness) >= STANDS_OUT


@cache
def without_color(background: str) -> WithoutColor:
    """The filter for a screen of this background; the same object each time, as Textual's caches go by identity."""
    return WithoutColor(Color.parse(background))
