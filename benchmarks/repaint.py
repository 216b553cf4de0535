"""One step, from the key to the painted frame: the work alone, and in a pseudo-terminal with everything around it."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.empty_app import SHOWN
from benchmarks.measure import Row, alternate
from benchmarks.models import MIDDLE, write
from benchmarks.process import ROOT, Terminal, program
from rnn_tui.terminal import prepare_environment

SIZES = ((120, 36), (200, 50))
BOUND = 20.0
ROUNDS = 3
STARTS, STEPS = 12, 5
"""From so many points of the iteration so many steps."""
RIGHT, PRESSES, KEYS = "\x1b[C", 10, 72
EMPTY = [sys.executable, str(ROOT / "benchmarks" / "empty_app.py")]


def measure() -> Iterator[Row]:
    """Rows for both sizes, and what Textual itself needs from a key to one changed line of text."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(MIDDLE, Path(folder))
        inside: dict[tuple[int, int], list[tuple[float, float]]] = {size: [] for size in SIZES}
        outside: dict[tuple[int, int], list[float]] = {size: [] for size in SIZES}
        floor: list[float] = []
        for _ in range(ROUNDS):
            for size in SIZES:
                outside[size] += _keys(path, size)
                inside[size] += asyncio.run(_steps(path, size))
            floor += _floor()
    for size in SIZES:
        shown = f"{size[0]}×{size[1]}"
        yield Row(f"step, drawn and encoded, {shown}", "ms", [wall for wall, _ in inside[size]], BOUND)
        yield Row(f"  of this processor time, {shown}", "ms", [processor for _, processor in inside[size]])
        yield Row(f"step, key to last byte, {shown}", "ms", outside[size], BOUND)
    yield Row("empty app, key to last byte", "ms", floor)
    used = alternate(
        {"rnn-tui": lambda: _processor(program(), "quit"), "empty": lambda: _processor(EMPTY, SHOWN)}, ROUNDS
    )
    yield Row("step, whole process, processor time, 200×50", "ms", used["rnn-tui"], 12.0)
    yield Row("empty app, the same", "ms", used["empty"])


def _keys(path: Path, size: tuple[int, int]) -> list[float]:
    """Steps in the forward pass, then in the backward pass."""
    with Terminal(program(str(path), "--hidden", str(MIDDLE.H)), size) as terminal:
        terminal.wait_for("quit")
        terminal.wait_for_quiet()
        values: list[float] = []
        for way in ("n" * 3, "ff" + "n" * 3):
            for key in way:
                terminal.press(key)
            terminal.press(RIGHT)
            values += [terminal.press(RIGHT) for _ in range(PRESSES)]
    return values


def _floor() -> list[float]:
    with Terminal(EMPTY, SIZES[0]) as terminal:
        terminal.wait_for(SHOWN)
        terminal.wait_for_quiet()
        return alternate({"key": lambda: terminal.press(RIGHT)}, PRESSES)["key"]


def _processor(command: list[str], shown: str) -> float:
    """Processor time of one key on the built-in example: what many keys add to a process that is started and ended."""
    used: list[float] = []
    for presses in (KEYS // 6, KEYS):
        with Terminal(command, SIZES[1]) as terminal:
            terminal.wait_for(shown)
            terminal.wait_for_quiet()
            for _ in range(presses):
                terminal.press(RIGHT)
        used.append(terminal.processor)
    return (used[1] - used[0]) / (KEYS - KEYS // 6)


async def _steps(path: Path, size: tuple[int, int]) -> list[tuple[float, float]]:
    """The action and the compositor's update as terminal sequences, without the message loop between them.

    Each as elapsed and as processor time, which tells a busy machine from a slow program.
    """
    prepare_environment("truecolor", os.environ)
    from engine.session import open_session
    from rnn_tui.app import DebuggerApp
    from rnn_tui.screens.main import MainScreen

    app = DebuggerApp(open_session(path, {"hidden": MIDDLE.H}))
    draw = random.Random(0)
    values: list[tuple[float, float]] = []
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, MainScreen)
        starts = [draw.randrange(screen.debugger.program.length - STEPS) for _ in range(STARTS)]
        for start in starts:
            screen.debugger.go(start)
            screen.action_step(1)
            _paint(screen)
            for _ in range(STEPS):
                await asyncio.sleep(0.02)  # lets the app paint by itself; what it has painted is clean again
                begin, begin_processor = time.perf_counter(), time.thread_time()
                screen.action_step(1)
                written = _paint(screen)
                processor = time.thread_time() - begin_processor
                values.append(((time.perf_counter() - begin) * 1000, processor * 1000))
                assert written
    return values


def _paint(screen: object) -> int:
    """Has the compositor paint what has changed; the number of characters that would go to the terminal."""
    from textual._compositor import CompositorUpdate

    from rnn_tui.screens.main import MainScreen
    from rnn_tui.widgets.pane import Pane

    assert isinstance(screen, MainScreen)
    compositor = screen._compositor
    compositor.update_widgets({pane for pane in screen.query(Pane) if pane.display})
    update = compositor.render_update()
    assert isinstance(update, CompositorUpdate)
    return len(update.render_segments(screen.app.console))
