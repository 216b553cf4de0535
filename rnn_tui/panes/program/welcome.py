"""Before the first line: what is to be seen, and a newcomer's next keys."""

from __future__ import annotations

import textwrap

from rnn_tui.render.canvas import Canvas, StyledText
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import Press

CHOICES = (
    ("`space`", "watch it", "watch", "run"),
    ("`→`", "step it", "step", "step(1)"),
    ("`L`", "lesson, 5 min", "lesson", "lessons"),
    ("`O`", "other data", "other", "open_other"),
)
"""What a newcomer can do first: key, words, the same where there is little room, action. As many as fit."""
STORY = "The error starts at the loss and walks back through time."
MORE = "Step through its lines, forwards and back; ask any number why."
"""Where there is room, what the program is for."""


def draw_welcome(frame: Frame, canvas: Canvas) -> None:
    """Before the first line: what is to be seen, and the next keys; the iteration itself stands as a ghost in strip and flow."""
    look, room = frame.look, canvas.width - 6
    short = room < 56
    headed: StyledText = [*((text, look.bold) for text in _fold(frame.title or frame.name, room)), ("", look.dim)]
    story: StyledText = [(text, look.text) for text in _fold(STORY, room)]
    full: StyledText = [(text, look.text) for part in (STORY, MORE) for text in _fold(part, room)]
    seek = f"Look for: {frame.look_for}" if frame.look_for else "; ".join(frame.said)
    sought: StyledText = [(text, look.text) for text in _fold(seek, room)] if seek and frame.lesson is None else []
    most = canvas.height - 2
    fitting = (told for told in ([*headed, *full], [*headed, *story]) if len(told) + 2 + len(sought) <= most)
    told = next(fitting, story)
    gap = 1 if len(told) + 3 + len(sought) <= most else 0
    y = max(1, (canvas.height - len(told) - len(sought) - 1 - 2 * gap) // 2)
    for text, style in told:
        canvas.text(3, y, text, style)
        y += 1
    y += gap
    x = canvas.text(3, y, "▶ ", look.backward)
    for named, words, few, action in CHOICES:
        keys = frame.named(named)
        said = few if short else words
        if x + len(keys) + 1 + len(said) > canvas.width - 2:
            break
        start, x = x, canvas.text(x, y, keys, look.accent)
        x = canvas.text(x + 1, y, said, look.text)
        canvas.hit(start, y, x - start, 1, Press(action))
        x += 2 if short else 4
    y += 1 + gap
    for text, style in sought[: canvas.height - 1 - y]:
        canvas.text(3, y, text, style)
        y += 1


def _fold(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(10, width)) or [""]
