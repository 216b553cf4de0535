"""What the first picture does not show is not loaded for it."""

from __future__ import annotations

import subprocess
import sys

LATER = (
    "control.weights control.training control.yours control.why panes.weights panes.ledger panes.why panes.zoom panes.yours "
    "panes.training panes.findings panes.program.cell panes.program.equation panes.around.lesson panes.walk.run screens.dialogs.dialog"
)

SCRIPT = """
import asyncio, sys
from engine.session import open_session
from rnn_tui.app import DebuggerApp

async def shown():
    async with DebuggerApp(open_session(None, {})).run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        print(*(name for name in sys.modules if name.startswith(("rnn_tui.", "engine."))))
        await pilot.press("right")
        await pilot.pause()
        print(*(name for name in sys.modules if name.startswith(("rnn_tui.", "engine."))))

asyncio.run(shown())
"""


def test_pages_and_panes_of_later_pictures_are_loaded_later() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    first, second = (set(line.split()) for line in done.stdout.splitlines())
    later = {f"rnn_tui.{name}" for name in LATER.split()} | {"engine.doctor", "engine.notation.frameworks"}
    assert "rnn_tui.panes.program.line" in first and not later & first
    assert "rnn_tui.panes.program.equation" in second, "what is named here is there once it is drawn"
