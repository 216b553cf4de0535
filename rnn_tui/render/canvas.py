"""A drawing surface of character cells: place text, heatmaps and boxes, get Textual strips of exact width.

Promises: every strip is exactly `width` cells wide whatever was drawn, later pieces cover earlier ones, nothing is ever
read as markup, and no control or direction-changing character gets through.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from rnn_tui.render.blended import toward
from rnn_tui.render.compact import CompactStrip, cropped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.strip import Strip

Fragment = tuple[int, int, int, list[Segment]]
"""Column, how many were drawn on its line before it, width, content."""

StyledText = list[tuple[str, Style]]
"""Pieces of text, one after the other on a line, each with its style."""

SQUARE = "┌─┐│└┘"
ASCII = "+-+|++"

CLAUSE = re.compile(r" · |[:;,] ")
"""What divides a text into clauses."""


class Canvas:
    """`width` × `height` cells filled with `style`; coordinates are columns and lines from the upper left, from 0."""

    def __init__(self, width: int, height: int, style: Style | None = None) -> None:
        self.width = width
        self.height = height
        self.style = style or Style()
        self._lines: list[list[Fragment]] = [[] for _ in range(height)]
        self._made: list[Strip] = []
        self._regions: list[tuple[int, int, int, int, object]] = []

    def text(self, x: int, y: int, text: str, style: Style | None = None, target: object = None) -> int:
        """Write `text` on the canvas' background; return the column after it, where more can follow.

        A `target` makes what is visible of the text clickable.
        """
        width, segment = _written(text, self.style, style)
        self._place(x, y, width, [segment])
        if target is not None:
            self.hit(x, y, width, 1, target)
        return x + width

    def rows(self, x: int, y: int, rows: Iterable[list[Segment]]) -> None:
        """Place rows of Segments of one width, such as a heatmap, one under the other; their styles stay as they are."""
        width = None
        for line, segments in enumerate(rows, y):
            width = Segment.get_line_length(segments) if width is None else width
            self._place(x, line, width, segments)

    def fill(self, x: int, y: int, width: int, height: int, style: Style) -> None:
        """Cover a rectangle with `style`'s background."""
        blank = [Segment(" " * max(width, 0), self.style + style)]
        for line in range(y, y + height):
            self._place(x, line, width, blank)

    def tint(self, x: int, y: int, width: int, height: int, style: Style, share: float) -> None:
        """Give the text in a rectangle a colour at `share` (0 to 1) of the way to `style`'s."""
        for line in range(y, y + height):
            drawn = self._strip(self._lines[line]).crop(x, x + width)
            lit = [Segment(text, toward(own or self.style, style, share)) for text, own, _ in drawn]
            self._place(x, line, width, lit)

    def frame(
        self,
        x: int,
        y: int,
        width: int,
        height: int,
        title: str = "",
        style: Style | None = None,
        title_style: Style | None = None,
        box: str = SQUARE,
    ) -> None:
        """Draw a box around width × height cells (at least 2 × 2, edges included), its title in the upper edge."""
        if width < 2 or height < 2:
            return
        left_top, across, right_top, down, left_bottom, right_bottom = box
        self.text(x, y, left_top + across * (width - 2) + right_top, style)
        edge = [Segment(down, self.style + style if style else self.style)]
        for line in range(y + 1, y + height - 1):
            self._place(x, line, 1, edge)
            self._place(x + width - 1, line, 1, edge)
        self.text(x, y + height - 1, left_bottom + across * (width - 2) + right_bottom, style)
        shown = fitting(title, width - 6)
        if shown:
            self.text(x + 2, y, f" {shown} ", title_style or style)

    def hit(self, x: int, y: int, width: int, height: int, target: object) -> None:
        """Make a rectangle clickable: `target_at` answers with `target` there."""
        self._regions.append((x, y, width, height, target))

    def target_at(self, x: int, y: int) -> tuple[object, int, int] | None:
        """The target at a cell and the cell's place within its rectangle; of several the one registered last."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return None
        for left, top, width, height, target in reversed(self._regions):
            if left <= x < left + width and top <= y < top + height:
                return target, x - left, y - top
        return None

    def strips(self, before: Canvas | None = None) -> list[Strip]:
        """One strip a line, each exactly `width` cells. Lines on which the same was drawn as on `before` are its strips: most are."""
        known: list[tuple[list[Fragment], Strip]] = []
        if before is not None and (before.width, before.style) == (self.width, self.style):
            known = list(zip(before._lines, before._made, strict=False))
        blank = CompactStrip([Segment(" " * self.width, self.style)], self.width)
        self._made = [
            known[y][1] if y < len(known) and known[y][0] == line else self._strip(line) if line else blank
            for y, line in enumerate(self._lines)
        ]
        return self._made

    def plain(self) -> str:
        """The text alone, without trailing blanks."""
        return "\n".join(strip.text.rstrip() for strip in self.strips())

    def _place(self, x: int, y: int, width: int, segments: list[Segment]) -> None:
        """Add a piece, cropped to the canvas."""
        if not 0 <= y < self.height or x >= self.width or x + width <= 0 or width <= 0:
            return
        if x < 0 or x + width > self.width:
            start, end = max(-x, 0), min(width, self.width - x)
            segments = cropped(segments, start, end)
            x, width = x + start, end - start
        line = self._lines[y]
        line.append((x, len(line), width, segments))

    def _strip(self, pieces: list[Fragment]) -> Strip:
        result: list[Segment] = []
        end = 0
        for x, _, width, segments in _uncovered(sorted(pieces, key=_order)):
            if x > end:
                result.append(Segment(" " * (x - end), self.style))
            result += segments
            end = x + width
        if end < self.width:
            result.append(Segment(" " * (self.width - end), self.style))
        return CompactStrip(result, self.width)


@lru_cache(maxsize=4096)
def _written(text: str, under: Style, style: Style | None) -> tuple[int, Segment]:
    """A text's width and content, which is the same object for the same text: most of a screen is written again at every step."""
    text = printable(text)
    return cell_len(text), Segment(text, under + style if style else under)


def printable(text: str) -> str:
    """`text` with everything replaced that is not a visible character or a blank (controls, bidi marks, line ends)."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def draw_lines(canvas: Canvas, lines: Sequence[StyledText], corner: tuple[int, int], cut: Style) -> None:
    """Lines of text from a corner on, with as much room at the other sides; `…` at the end where not all of them fit."""
    left, top = corner
    shown = lines[: canvas.height - 2 * top]
    x, end, said = left, canvas.width - left, ""
    for y, line in enumerate(shown, top):
        x = left
        for text, style in line:
            said = shortened(text, end - x)
            x = canvas.text(x, y, said, style)
    if len(shown) < len(lines) and not said.endswith("…"):
        canvas.text(min(x + 1, end - 1), top + len(shown) - 1, "…", cut)


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` cells, ending in … where something was left out; '' if there is no room."""
    text = printable(text)
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 1 else ""


def fitting(text: str, width: int) -> str:
    """As many clauses of `text` as fit into `width` cells, none cut inside brackets; where not even one does, its beginning."""
    text = printable(text)
    if cell_len(text) <= width:
        return text
    ends = [at.start() for at in CLAUSE.finditer(text) if cell_len(text[: at.start()]) <= width]
    whole = [end for end in ends if not _open(text[:end])]
    return text[: whole[-1]] if whole else shortened(text, width)


def _open(text: str) -> bool:
    """Whether a bracket in it is not closed."""
    return any(text.count(left) > text.count(right) for left, right in ("()", "[]", "{}"))


def _order(piece: Fragment) -> tuple[int, int]:
    return piece[:2]


def _uncovered(pieces: list[Fragment]) -> list[Fragment]:
    """Pieces sorted by column without overlaps: of two on one cell the younger stays."""
    if all(left[0] + left[2] <= right[0] for left, right in pairwise(pieces)):
        return pieces
    visible: list[Fragment] = []
    for new in sorted(pieces, key=lambda piece: piece[1]):
        x, end = new[0], new[0] + new[2]
        visible = [part for old in visible for part in _outside(old, x, end)]
        visible.append(new)
    return sorted(visible, key=_order)


def _outside(piece: Fragment, begin: int, end: int) -> list[Fragment]:
    """What of a piece lies outside of the columns begin..end: itself, or none, one or two parts of it."""
    x, number, width, segments = piece
    if x + width <= begin or end <= x:
        return [piece]
    parts: list[Fragment] = []
    if x < begin:
        parts.append((x, number, begin - x, cropped(segments, 0, begin - x)))
    if end < x + width:
        parts.append((end, number, x + width - end, cropped(segments, end - x, width)))
    return parts
