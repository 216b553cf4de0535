"""Which panes there are, and how the space is shared out among them."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from rnn_tui.control.pages import Heights, Page
from rnn_tui.panes.around.header import draw_footer, draw_header
from rnn_tui.panes.around.strip import draw_strip
from rnn_tui.panes.flow import draw_flow
from rnn_tui.panes.program.inspector import draw_inspector
from rnn_tui.panes.program.line import draw_line
from rnn_tui.panes.program.listing import draw_listing
from rnn_tui.panes.shared.time_axis import listing_width
from rnn_tui.render.canvas import Canvas
from rnn_tui.terminal import SMALLEST
from rnn_tui.widgets.pane import Draw


def _later(module: str, name: str) -> Draw:
    """What draws a pane that the first picture has not: loaded when it is drawn."""

    def draw(frame: Any, width: int, height: int) -> Canvas:
        return getattr(import_module(f"rnn_tui.panes.{module}"), name)(frame, width, height)

    return draw


ABOVE: dict[str, Draw] = {"header": draw_header, "strip": draw_strip}
LEFT: dict[str, Draw] = {
    "listing": draw_listing,
    "source": _later("yours", "draw_source"),
    "notes": _later("around.notes", "draw_notes"),
}
RIGHT: dict[str, Draw] = {
    "beside": _later("yours", "draw_beside"),
    "line": draw_line,
    "flow": draw_flow,
    "weights": _later("weights", "draw_weights"),
    "training": _later("training", "draw_training"),
    "findings": _later("findings", "draw_findings"),
    "why": _later("why", "draw_why"),
    "zoom": _later("zoom", "draw_zoom"),
}
BELOW: dict[str, Draw] = {
    "inspector": draw_inspector,
    "told": _later("yours", "draw_told"),
    "lesson": _later("around.lesson", "draw_lesson"),
    "footer": draw_footer,
}


class ScreenLayout(NamedTuple):
    """Whether the window is too small, the width of the left column (0: a page takes all), and the heights of the panes that are shown."""

    small: bool
    left: int
    around: Heights
    body: Heights


def footer_lines(height: int) -> int:
    """How many lines of a screen of a height the footer takes."""
    return 1 if height < 36 else 2


def layout(page: Page, notes: int, width: int, height: int, lesson: int = 0) -> ScreenLayout:
    """The layout of a screen of width × height with so many lines of notes, and of a lesson, which takes the place of what is below."""
    below: Heights = {page.below: 3 if height < 30 else 7 if height < 45 else 10} if page.below else {}
    if lesson:
        kept = {"told": 3} if page.below == "told" and height >= 30 else {}
        below = {**kept, "lesson": min(2 + lesson, height * 2 // 5)}
    around: Heights = {
        "header": 1 if height < 36 else 2,
        "strip": 3 if height < 36 else 4,
        **below,
        "footer": footer_lines(height),
    }
    panes = page.body(height)
    if not LEFT.keys() & panes.keys():
        return ScreenLayout(width < SMALLEST[0] or height < SMALLEST[1], 0, around, panes)
    noted: Heights = {"notes": 2 + min(notes, max(1, height // 8))} if notes else {}
    left = width // 2 if page.halved else listing_width(width)
    return ScreenLayout(width < SMALLEST[0] or height < SMALLEST[1], left, around, {**panes, **noted})
