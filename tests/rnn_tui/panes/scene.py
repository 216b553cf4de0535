"""Frames without an app, and the sizes that the panes have on screens of three sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.explain.line_parts import writer_for
from engine.model.blocks import Point
from engine.session import Session, open_session
from rnn_tui.keys.bindings import COMMANDS, FOOTER_ORDER
from rnn_tui.panes.around.header import draw_footer, draw_header
from rnn_tui.panes.around.strip import draw_strip
from rnn_tui.panes.flow import draw_flow
from rnn_tui.panes.program.inspector import draw_inspector
from rnn_tui.panes.program.line import draw_line
from rnn_tui.panes.program.listing import draw_listing
from rnn_tui.panes.weights import draw_weights
from rnn_tui.render.canvas import Canvas
from rnn_tui.render.inks import ColorMode
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import DARK, LIGHT, look
from rnn_tui.shown.selection import PAGES, Selection

PANES: dict[str, Callable[[Frame, int, int], Canvas]] = {
    "header": draw_header,
    "strip": draw_strip,
    "listing": draw_listing,
    "line": draw_line,
    "flow": draw_flow,
    "weights": draw_weights,
    "inspector": draw_inspector,
    "footer": draw_footer,
}
SIZES: dict[str, dict[str, tuple[int, int]]] = {
    "80x24": {
        "header": (80, 1), "strip": (80, 3), "listing": (43, 16), "line": (37, 10), "flow": (37, 6),
        "weights": (37, 16), "inspector": (80, 3), "footer": (80, 1),
    },
    "120x36": {
        "header": (120, 1), "strip": (120, 4), "listing": (46, 22), "line": (74, 13), "flow": (74, 9),
        "weights": (74, 22), "inspector": (120, 7), "footer": (120, 2),
    },
    "200x50": {
        "header": (200, 2), "strip": (200, 4), "listing": (56, 32), "line": (144, 19), "flow": (144, 13),
        "weights": (144, 32), "inspector": (200, 10), "footer": (200, 2),
    },
}  # fmt: skip
POINTS: dict[str, Point | int] = {
    "start": 0,
    "forward": Point(0, "forward", 4, "z"),
    "loss": Point(0, "loss", None, "loss"),
    "dz": Point(0, "backward", 7, "dz"),
    "dWa": Point(0, "backward", 7, "dWa"),
    "da": Point(0, "backward", 3, "da"),
    "update": Point(1, "update", None, "W", "Wa"),
}


def scene(
    session: Session | None = None,
    at: Point | int = 0,
    mode: ColorMode = ColorMode.TRUECOLOR,
    light: bool = False,
    **choices: Any,
) -> Frame:
    """What the main screen would show at a point of a session (the built-in example)."""
    session = session or open_session(None, {})
    debugger, data = session.debugger, session.data
    debugger.go(at)
    by_action = {command.action: command for command in COMMANDS}
    return Frame(
        view=debugger.view,
        writer=writer_for(debugger.plan, session.options["notation"]),
        selection=Selection(**choices),
        look=look(mode, LIGHT if light else DARK),
        name=data.name,
        description=session.description,
        title=data.title,
        look_for=data.look_for,
        batches=debugger.batches.per_epoch,
        classes=data.classes,
        keys=tuple((by_action[a].footer_keys, by_action[a].footer, a) for a in FOOTER_ORDER if a != "examine"),
        tabs=tuple((by_action[f"page({page!r})"].shown, page) for page in PAGES),
    )
