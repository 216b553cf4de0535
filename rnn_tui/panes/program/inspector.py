"""The inspector: on the left the arithmetic of the number under the cursor, on the right its array."""

from __future__ import annotations

from rnn_tui.panes.pictured import pictured
from rnn_tui.render.canvas import Canvas, fitting, shortened
from rnn_tui.shown.frame import Frame


def draw_inspector(frame: Frame, width: int, height: int) -> Canvas:
    """On the left the arithmetic of the number; on the right the statistics of its array, and what the colours mean."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    framed = height >= 6
    top, left = (1, 2) if framed else (0, 1)
    if framed:
        canvas.frame(0, 0, width, height, "cell", look.border, look.bold)
    frame = frame if frame.selection.page == "yours" else pictured(frame)
    if frame.inspected is None or frame.cell is None:
        canvas.text(
            left, top, frame.named("`→` steps onto a line: here stands what its numbers are made of."), look.dim
        )
        return canvas
    from rnn_tui.panes.program.cell import STATISTICS, cell_lines, draw_statistics  # the first picture has none

    part = frame.parts[frame.inspected]
    side = STATISTICS if width >= 100 else 0
    room = width - side - 2 * left
    lines = cell_lines(frame, part, part.index(*frame.cell), room, height - 2 * top)
    for y, line in enumerate(lines[: height - 2 * top], top):
        x = left
        for text, style in line:
            cut = fitting if style == look.dim else shortened  # what is said in passing is left out as a whole
            x = canvas.text(x, y, cut(text, room - (x - left)), style)
    if side:
        draw_statistics(frame, canvas, part, width - side, top, height - 2 * top)
    return canvas
