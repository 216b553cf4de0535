"""Makes the pictures in docs/ with the app itself: `make pictures`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"}
os.environ.pop("NO_COLOR", None)

from engine.debug.places import parse_place
from engine.doctor.opening import open_program, open_walk
from engine.session import open_session
from rnn_tui.app import DebuggerApp, ThemedApp, WalkApp
from rnn_tui.render.drawing import svg
from rnn_tui.screens.main import MainScreen

PICTURES = (
    ("backward", "many_to_one", "dz@7", ("cell(3,5)",)),
    ("weights", "many_to_one", "dWa@7", ("page('weights')", "cell(2,3)")),
    ("why", "many_to_one", "dWa@7", ("cell(2,3)", "enter", "cell(1,0)", "cell(0,1)")),
    ("vanishing", "vanishing", "da@13", ("page('flow')",)),
)
SIZE = (120, 36)
FOLDER = Path(__file__).parent


async def picture(name: str, sample: str, place: str, actions: tuple[str, ...]) -> None:
    """Opens a sample, goes to a place, does what keys would do, and saves the screen."""
    session = open_session(sample, {})
    session.debugger.go(parse_place(place, session.debugger).position)
    await draw(name, DebuggerApp(session), actions)


async def draw(name: str, app: ThemedApp, actions: tuple[str, ...]) -> None:
    """Does what keys would do, and saves the screen."""
    async with app.run_test(size=SIZE) as pilot:
        screen = app.screen
        begin = (
            ("log", "log", "log") if isinstance(screen, MainScreen) else ()
        )  # they end where they began, and draw the point
        for action in (*begin, *actions):
            await screen.run_action(action)
        app.clear_notifications()
        await pilot.pause()
        (FOLDER / f"{name}.svg").write_text(svg(screen._compositor.render_strips()))


if __name__ == "__main__":
    for each in PICTURES:
        asyncio.run(picture(*each))
    asyncio.run(draw("walk", WalkApp(open_walk(FOLDER / "no_backward.py")), ("step(-8)", "operand(1)", "cell(0,2)")))
    asyncio.run(draw("yours", DebuggerApp(*open_program(FOLDER / "mine.py")), ("cell(1,2)",)))
