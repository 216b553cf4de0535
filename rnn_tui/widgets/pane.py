"""A pane: a pure drawing function with a size, on the fast path of Textual's line API.

`render_lines` is overridden, so that a heatmap's rows reach the compositor as they are: the default copies each row into a new strip and
sends it through the line filters, which costs three times as much. Hence no border, padding or opacity on a pane: drawings make their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

from textual import events
from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from rnn_tui.render.blended import dimmed
from rnn_tui.render.canvas import Canvas

Draw: TypeAlias = Callable[[Any, int, int], Canvas]
"""Draws what a screen shows, its frame, in so many columns and lines."""


ALWAYS = ("header", "zoom", "why", "lesson", "footer")
"""Panes that are never dimmed."""


@lru_cache(maxsize=64)
def _blank(width: int) -> Strip:
    return Strip.blank(width)


def changed_end(old: Strip, new: Strip) -> int:
    """The column after the last in which two rows differ; 0 where they are alike. Textual sends a pane's row from its beginning on."""
    if old is new or old == new:
        return 0
    if old.cell_length != new.cell_length:
        return new.cell_length
    same = 0
    for one, other in zip(reversed(list(old)), reversed(list(new)), strict=False):
        if one != other:
            break
        same += one.cell_length
    return new.cell_length - same


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

    frame: reactive[Any] = reactive(None, layout=False, repaint=False)
    """What to show: the screen's frame."""

    class Clicked(Message):
        """A clickable place was clicked; `x`, `y` count from its upper left corner."""

        def __init__(self, target: object, x: int, y: int) -> None:
            super().__init__()
            self.target = target
            self.x = x
            self.y = y

    class Wheeled(Message):
        """The mouse wheel was turned over a pane: 1 down, −1 up."""

        def __init__(self, pane: str, step: int) -> None:
            super().__init__()
            self.pane = pane
            self.step = step

    def __init__(self, draw: Draw, *, id: str) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._canvas: Canvas | None = None
        self._before: Canvas | None = None
        """The drawing before this one."""
        self._strips: list[Strip] = []

    def watch_frame(self) -> None:
        """Draws anew, and sends what differs: a step changes a tenth of the screen."""
        before = self._strips
        self._before, self._canvas = self._canvas or self._before, None
        if self.canvas() is None or len(before) != len(self._strips):
            self.refresh()
            return
        changed = [
            Region(0, y, end, 1)
            for y, (old, new) in enumerate(zip(before, self._strips, strict=True))
            if (end := changed_end(old, new))
        ]
        if changed:
            self.refresh(*changed)

    def canvas(self) -> Canvas | None:
        """The drawing for the present frame and size, made once; None where it is not shown: below a dialog its place stays."""
        if self.frame is None or not self.size or not self.display:
            return None
        if self._canvas is None or (self._canvas.width, self._canvas.height) != self.size:
            shown = self.frame.lesson.show if self.frame.lesson is not None else ()
            self._canvas = self._draw(self._outlined(shown), self.size.width, self.size.height)
            self._strips = self._canvas.strips(self._before)
            self._before = None
            if shown and self.id not in (*shown, *ALWAYS):
                self._strips = dimmed(self._strips, self.frame.look.canvas)
        return self._canvas

    def _outlined(self, shown: tuple[str, ...]) -> Any:
        """The frame; what a lesson talks about is framed in the colour of the present point."""
        if self.id not in shown:
            return self.frame
        look = self.frame.look
        return replace(self.frame, look=replace(look, border=look.accent))

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

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Passes the wheel on."""
        event.stop()
        self.post_message(self.Wheeled(self.id or "", 1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Passes the wheel on."""
        event.stop()
        self.post_message(self.Wheeled(self.id or "", -1))

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width
