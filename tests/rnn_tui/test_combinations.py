"""The screen on models of every kind: every line of an iteration on every page, and back again to the same characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.blocks import Loop
from rnn_tui.app import DebuggerApp
from rnn_tui.screens.main import MainScreen
from tests.rnn_tui.combinations import Model, models
from tests.rnn_tui.panes.scene import PANES, scene
from tests.rnn_tui.panes.test_properties import assert_sound

pytestmark = pytest.mark.usefixtures("plain_environment")
SIZES = ((60, 18), (80, 24), (120, 36), (200, 50))
PAGES = ("program", "flow", "weights")
"""Those without a memory; the training view keeps what was run."""
MODELS = models()
VISITED = 10
"""Points that are visited on the way there, and again on the way back."""


def rows(app: DebuggerApp) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


@pytest.mark.parametrize("model", [MODELS[4], MODELS[7], MODELS[10], MODELS[12]], ids=str)
async def test_every_line_forwards_and_back(tmp_path: Path, model: Model) -> None:
    session = model.open(tmp_path)
    debugger = session.debugger
    stride = -(-debugger.program.length // VISITED)
    app = DebuggerApp(session)
    async with app.run_test(size=SIZES[0]) as pilot:
        screen = app.screen
        assert isinstance(screen, MainScreen)

        async def look(position: int) -> list[str]:
            assert debugger.position == position
            size = SIZES[position * len(SIZES) // (debugger.program.length + 4 * stride)]
            if app.size != size:
                await pilot.resize_terminal(*size)
            await screen.run_action(f"page('{PAGES[position % len(PAGES)]}')")
            await pilot.pause()
            shown = rows(app)
            assert len(shown) == size[1]
            return shown

        seen: dict[int, list[str]] = {}
        for position in range(0, debugger.program.length + 3 * stride, stride):
            seen[position] = await look(position)
            await screen.run_action(f"step({stride})")
        for position in reversed(seen):
            await screen.run_action(f"step({-stride})")
            assert await look(position) == seen[position]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_every_line_in_every_pane(tmp_path: Path, model: Model) -> None:
    """Lines at a step in the middle, for all samples or for one that may be short: every second line, with several layers or directions,
    which have the same lines by other names, every fifth. Which of them is begun with differs from model to model."""
    session = model.open(tmp_path)
    program = session.debugger.program
    sizes = {"listing": (43, 16), "line": (37, 8), "flow": (74, 13), "weights": (37, 16), "inspector": (80, 3)}
    stride = 5 if "bidirectional" in model.options else 2
    for number, line in enumerate([*program.lines][MODELS.index(model) % stride :: stride]):
        loop = program.blocks[line.block].loop
        position = 1 + program.offset(line, 2 if loop in (Loop.UP, Loop.DOWN) else None)
        frame = scene(session, position, sample=(None, 1)[number % 2], page=PAGES[number % len(PAGES)])
        for name, draw in PANES.items():
            width, height = sizes.get(name, (120, 4))
            assert assert_sound(draw(frame, width, height), width, height).strip()
