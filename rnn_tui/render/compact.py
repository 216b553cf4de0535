"""Rows that say a colour only where it changes: Textual's own say every segment's colours and take them back, twice the bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rich.color import Color, ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.cache import FIFOCache
from textual.strip import Strip

SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT}


class _Nothing(FIFOCache[Any, Any]):
    """A cache that keeps nothing."""

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


_NOTHING = _Nothing(1)


class CompactStrip(Strip):
    """A strip that is written with as few control sequences as its colours need. It is cropped, if at all, once, and has none of the
    seven caches that Textual makes for each of its own."""

    def __init__(self, segments: list[Segment], cell_length: int | None = None) -> None:
        self._segments, self._cell_length, self._render_cache = segments, cell_length, None
        self._divide_cache = self._crop_cache = self._style_cache = self._filter_cache = _NOTHING
        self._line_length_cache = self._crop_extend_cache = self._offsets_cache = _NOTHING
        self._link_ids = self._cell_count = None

    def crop(self, start: int, end: int | None = None) -> Strip:
        """The cells from start to end."""
        start, end = max(0, start), self.cell_length if end is None else min(self.cell_length, end)
        if (start, end) == (0, self.cell_length):
            return self
        return CompactStrip(cropped(self._segments, start, end), max(0, end - start))

    def render(self, console: Console) -> str:
        """The row as text with control sequences; ends with all of them taken back."""
        if self._render_cache is None:
            system = SYSTEMS.get(console.color_system or "", ColorSystem.TRUECOLOR)
            pieces, before = list[str](), _PLAIN
            for text, style, control in self:
                if not control:
                    after = codes(style or _NO_STYLE, system)
                    pieces += [_change(before, after), text]
                    before = after
            self._render_cache = "".join(pieces) + _change(before, _PLAIN)
        return self._render_cache


def cropped(segments: list[Segment], start: int, end: int) -> list[Segment]:
    """Cells start..end of Segments; half a wide character becomes a blank."""
    result: list[Segment] = []
    at = 0
    for segment in segments:
        if at >= end:
            break
        after = at + segment.cell_length
        if after > start:
            part = segment
            if at < start:
                _, part = part.split_cells(start - at)
            if after > end:
                part, _ = part.split_cells(end - max(at, start))
            if part.text:
                result.append(part)
        at = after
    return result


Codes = tuple[str, str, str]
"""Attributes, foreground and background of a style, each as the numbers of a control sequence; empty for the terminal's own."""

_NO_STYLE, _PLAIN = Style(), ("", "", "")
_ATTRIBUTES = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "reverse": "7"}


@lru_cache(maxsize=4096)
def codes(style: Style, system: ColorSystem) -> Codes:
    """What a style is in control sequences."""
    attributes = ";".join(number for name, number in _ATTRIBUTES.items() if getattr(style, name))
    return attributes, _color(style.color, system, foreground=True), _color(style.bgcolor, system, foreground=False)


def _color(color: Color | None, system: ColorSystem, *, foreground: bool) -> str:
    if color is None or color.is_default:
        return ""
    return ";".join(color.downgrade(system).get_ansi_codes(foreground=foreground))


@lru_cache(maxsize=16384)
def _change(before: Codes, after: Codes) -> str:
    """The control sequence from one style to the next; "" where they are alike."""
    if before == after:
        return ""
    gone = set(before[0].split(";")) - set(after[0].split(";"))
    if gone - {""} or any(old and not new for old, new in zip(before, after, strict=True)):
        numbers = ["0", *after]  # only "all off" takes something back
    else:
        numbers = [new for old, new in zip(before, after, strict=True) if new != old]
    return f"\x1b[{';'.join(number for number in numbers if number)}m"
