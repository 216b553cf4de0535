"""Which keys work now, and what they are called: the footer; the keys of the views: the tabs."""

from __future__ import annotations

from engine.debug.whatif import Branch
from rnn_tui.control.desk import Desk
from rnn_tui.control.pages import Page
from rnn_tui.keys.bindings import EDITED, FOOTER_ORDER
from rnn_tui.shown.selection import PAGES, PageName


def footer(desk: Desk, page: Page, here: Page, rate: int) -> tuple[tuple[str, str, str], ...]:
    """(keys, label, action), only of what works: `page` is the chosen one, `here` the page that is open over it, `rate`
    in lines a second."""
    by_action = {command.action: command for command in desk.commands}
    names = {
        "enter": here.enters,
        "finish": page.finishes,
        "run": f"pause ({by_action['faster'].footer_keys} {rate}/s)" if desk.running else "",
        "train": "pause training" if desk.training else "",
    }
    working = [by_action[action] for action in (*EDITED, *FOOTER_ORDER) if _works(desk, page, action)]
    return tuple((entry.footer_keys, names.get(entry.action) or entry.footer, entry.action) for entry in working)


def tabs(desk: Desk) -> tuple[tuple[str, PageName], ...]:
    """(key, view) of every view."""
    by_action = {command.action: command for command in desk.commands}
    return tuple((by_action[f"page({page!r})"].shown, page) for page in PAGES)


def _works(desk: Desk, page: Page, action: str) -> bool:
    match action:
        case "continue":
            return bool(desk.debugger.breakpoints) or page.works(action)
        case "enter" | "train" | "cell(0,-1)" | "operand(1)" | "examine" | "file":
            return page.works(action)
        case "set_cell" | "zoom":
            return page.can_zoom()
        case "undo_edit" | "beside":
            return isinstance(desk.debugger, Branch)
        case "sample(1)":
            return len(desk.session.data.X) > 1
        case _:
            return True
