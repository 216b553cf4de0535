"""The views by their keys: a line of the header, or, where that has only one, a corner of the strip."""

from __future__ import annotations

from rich.style import Style

from rnn_tui.render.canvas import Canvas
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import Press


def draw_tabs(frame: Frame, canvas: Canvas, y: int, *, named: bool = True) -> int:
    """The views in line y, the present one marked, the others by their keys alone unless `named`; the column after them."""
    look, x = frame.look, 1
    serious = sum(finding.serious for finding in frame.findings or ())
    for key, page in frame.tabs:
        here = frame.selection.page == page
        words = [key, page if named or here else "", f"!{serious}" if page == "findings" and serious else ""]
        text = f" {' '.join(word for word in words if word)} "
        style = look.accent + Style(reverse=True) if here else look.error if "!" in text else look.dim
        x = canvas.text(x, y, text, style, Press(f"page({page!r})"))
    return x
