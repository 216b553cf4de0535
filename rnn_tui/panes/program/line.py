"""This line: its parts side by side; before the first line a welcome."""

from __future__ import annotations

from engine.explain.line_parts import line_text
from rnn_tui.panes.program.welcome import draw_welcome
from rnn_tui.render.canvas import Canvas, fitting
from rnn_tui.shown.frame import Frame


def draw_line(frame: Frame, width: int, height: int) -> Canvas:
    """The line that ran last at its time step."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    start = frame.view.line is None
    title = (
        "the reference" if frame.selection.page == "yours" else "backpropagation through time" if start else "this line"
    )
    if not start:
        title += f" · {line_text(frame.view, frame.writer)}"
    canvas.frame(0, 0, width, height, title, look.border, look.bold)
    if frame.parts:
        from rnn_tui.panes.program.equation import draw_parts  # the first picture has none

        draw_parts(frame, canvas)
    elif frame.selection.page == "yours":
        canvas.text(2, 1, fitting("Nothing is computed here yet.", width - 4), look.dim)
    else:
        draw_welcome(frame, canvas)
    return canvas
