"""A pane: a pure drawing function with a size, on the fast path of Textual's line API.

`render_lines` is overridden, so that a heatmap's rows reach the compositor as they are: the default copies each row into a new strip and
sends it through the line filters, which costs three times as much. Hence no border, padding or opacity on a pane: drawings make their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from textual import events
from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from rnn_tui.render.canvas import Canvas

Draw: TypeAlias = Callable[[Any, int, int], Canvas]
"""Draws what a screen shows, its frame, in so many columns and lines."""


@lru_cache(maxsize=64)
def _blank(width: int) -> Strip:
    return Strip.blank(width)


class Rows(Vertical):
    """Panes one under the other. They cover it wholly, so its own background is never drawn: that alone would cost a third of a step."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Nothing."""
        return [_blank(crop.width)] * crop.height


class Columns(Horizontal):
    """Panes side by side; see `Rows`."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Nothing."""
        return [_blank(crop.width)] * crop.height


class Pane(Widget):
    """Shows `draw(frame, width, height)` and reports clicks on what the drawing has made clickable."""

    frame: reactive[Any] = reactive(None, layout=False)
    """What to show; bound to the screen's frame."""

    class Clicked(Message):
        """A clickable place was clicked; `x`, `y` count from its upper left corner."""

        def __init__(self, target: object, x: int, y: int) -> None:
            super().__init__()
            self.target = target
            self.x = x
            self.y = y

    def __init__(self, draw: Draw, *, id: str) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._canvas: Canvas | None = None
        self._strips: list[Strip] = []

    def watch_frame(self) -> None:
        """Forgets the old drawing."""
        self._canvas = None
        self.refresh()

    def canvas(self) -> Canvas | None:
        """The drawing for the present frame and size; made once."""
        if self.frame is None or not self.size:
            return None
        if self._canvas is None or (self._canvas.width, self._canvas.height) != self.size:
            self._canvas = self._draw(self.frame, self.size.width, self.size.height)
            self._strips = self._canvas.strips()
        return self._canvas

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows within `crop`."""
        if self.canvas() is None:
            return [Strip.blank(crop.width) for _ in range(crop.height)]
        rows = self._strips[crop.y : crop.bottom]
        if crop.x == 0 and crop.width == self.size.width:
            return rows
        return [row.crop(crop.x, crop.right) for row in rows]

    def on_click(self, event: events.Click) -> None:
        """Reports what was hit."""
        canvas = self.canvas()
        hit = canvas.target_at(event.x, event.y) if canvas else None
        if hit is not None:
            event.stop()
            self.post_message(self.Clicked(*hit))

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width
