"""How a session was left, as plain values, and the way back there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from engine.errors import InputError
from engine.model.blocks import Point
from engine.notation import NOTATIONS
from rnn_tui.control.controller import Controller
from rnn_tui.shown.selection import PAGES

FARTHEST = 100
"""The last iteration that is gone back to: all before it are trained again."""
KEPT = ("page", "sample", "row", "column", "quantity", "parameter", "log", "reach")
"""The choices that are kept, by the names of `Selection`."""
_KINDS = {
    "page": str,
    "sample": int,
    "row": int,
    "column": int,
    "unit": int,
    "quantity": str,
    "parameter": str,
    "log": bool,
    "reach": bool,
}


def memory(controller: Controller) -> dict[str, Any]:
    """The point, breakpoints, watches and choices."""
    debugger, selection = controller.debugger, controller.selection
    point = debugger.program.point(debugger.position)
    return {
        "point": [point.iteration, point.phase, point.t, point.line, point.parameter, point.block],
        "breakpoints": sorted(stop.text(debugger.program) for stop in debugger.breakpoints),
        "watches": [watched.source for watched in debugger.watches],
        "notation": controller.notation,
        "choices": {name: getattr(selection, name) for name in KEPT},
    }


def recall(controller: Controller, kept: Mapping[str, Any]) -> None:
    """Goes back to how it was left, as far as that still means something: the program may be another version."""
    debugger, program = controller.debugger, controller.debugger.program
    for text in _texts(kept.get("breakpoints")):
        with contextlib.suppress(InputError):
            debugger.add(text)
    for text in _texts(kept.get("watches")):
        with contextlib.suppress(InputError):
            debugger.watch(text)
    if (notation := str(kept.get("notation"))) in NOTATIONS:
        controller.take_notation(notation)
    with contextlib.suppress(InputError, TypeError, ValueError, KeyError, StopIteration, IndexError):
        point = Point(*kept["point"])
        if 0 <= point.iteration <= FARTHEST:
            controller.go(point)
    chosen = kept.get("choices")
    chosen = (
        {k: v for k, v in chosen.items() if k in KEPT and isinstance(v, _KINDS[k])} if isinstance(chosen, dict) else {}
    )
    known = {"page": PAGES, "quantity": tuple(program.quantities), "parameter": program.parameters}
    chosen = {k: v for k, v in chosen.items() if k not in known or v in known[k]}
    if chosen.get("page") == "yours" or chosen.get("sample", 0) >= len(controller.session.data.X):
        chosen = {}
    controller.choose(**chosen)
    if controller.debugger.position:
        controller.say("As you left it. `F` and `←` lead back to the start, --fresh begins anew.")


def _texts(kept: object) -> list[str]:
    return [text for text in kept if isinstance(text, str)] if isinstance(kept, list) else []
