"""The watches with their values, and the messages of logpoints."""

from __future__ import annotations

from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.shown.frame import Frame


def draw_notes(frame: Frame, width: int, height: int) -> Canvas:
    """Watched expressions with their values first, then the last lines of the log."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    watched = [note for note in frame.notes if note[0]]
    logged = [note for note in frame.notes if not note[0]]
    canvas.frame(
        0, 0, width, height, "watch" if not logged else "watch · log" if watched else "log", look.border, look.bold
    )
    room, lines = width - 4, height - 2
    watched = watched[:lines]
    kept = logged[len(logged) - max(0, lines - len(watched)) :] if lines > len(watched) else []
    y = 1
    for source, value in watched:
        x = canvas.text(2, y, shortened(source, max(4, room - len(value) - 3)), look.text)
        x = canvas.text(x, y, " = ", look.dim)
        canvas.text(x, y, shortened(value, room + 2 - x), look.bold)
        y += 1
    for _, text in kept:
        canvas.text(2, y, shortened(text, room), look.dim)
        y += 1
    return canvas
