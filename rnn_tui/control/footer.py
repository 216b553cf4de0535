"""Which keys work now, and what they are called: the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.debug.whatif import Branch
from rnn_tui.bindings import COMMANDS, EDITED, FOOTER_ORDER

if TYPE_CHECKING:
    from rnn_tui.control.controller import Controller


def footer(controller: Controller) -> tuple[tuple[str, str, str], ...]:
    """(keys, label, action), only of what works."""
    by_action = {command.action: command for command in COMMANDS}
    names = {
        "enter": controller.here.enters,
        "run": f"pause (+ − {controller.rate}/s)" if controller.running else "",
        "train": "pause training" if controller.training.on else "",
    }
    working = [by_action[action] for action in (*EDITED, *FOOTER_ORDER) if _works(controller, action)]
    return tuple((each.footer_keys, names.get(each.action) or each.footer, each.action) for each in working)


def _works(controller: Controller, action: str) -> bool:
    match action:
        case "continue":
            return bool(controller.debugger.breakpoints) or controller.page.works(action)
        case "enter" | "train" | "cell(0,-1)" | "operand(1)" | "examine":
            return controller.page.works(action)
        case "undo_edit" | "beside":
            return isinstance(controller.debugger, Branch)
        case "sample(1)":
            return len(controller.session.data.X) > 1
        case _:
            return True
