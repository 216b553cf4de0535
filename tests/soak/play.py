"""Plays a list of actions on a ground, and shrinks one that fails to the few actions that it takes."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock
from weakref import WeakSet

from textual import constants

from rnn_tui.control import training
from rnn_tui.screens import main as main_screen
from rnn_tui.screens import paned
from rnn_tui.screens.ticker import Ticker
from tests.soak.grounds import GROUNDS
from tests.soak.hands import Hands

PROJECT = Path(__file__).parents[2]
ITERATIONS = 7
"""Training iterations a tick; by the clock it would be another number each time."""


@dataclass
class Played:
    """How many actions were done, what the next one failed with, and how much processor time each frame took."""

    done: int = 0
    error: str = ""
    trace: str = ""
    frames: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])


async def played(ground: str, actions: Sequence[str], *, size: tuple[int, int] = (80, 24)) -> Played:
    """Does the actions one after the other, until one fails."""
    result = Played()
    with warnings.catch_warnings(), _quiet_place() as folder, _told_tickers() as tickers:
        warnings.simplefilter("error")
        app = GROUNDS[ground](folder)
        app.exit = lambda *_, **__: None  # q and ctrl+c are tried in a terminal
        app._print_error_renderables = lambda: None
        try:
            async with app.run_test(size=size) as pilot:
                await pilot.pause()
                hands = Hands(app, tickers)
                result.frames = hands.frames
                for action in actions:
                    await hands.do(action)
                    result.done += 1
        except Exception as error:
            result.error, result.trace = _said(error), "".join(traceback.format_exception(error))
    return result


def _said(error: BaseException) -> str:
    """The error with the last place of our own in it."""
    # Without the message: it may name the folder, which is another one each time.
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/rnn_tui/" in frame.filename or "/engine/" in frame.filename
    ]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return type(error).__name__ + place


@contextlib.contextmanager
def _quiet_place() -> Iterator[Path]:
    """A folder of its own, in which what is saved goes."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


@contextlib.contextmanager
def _told_tickers() -> Iterator[WeakSet[Ticker]]:
    """Timers of the app tick when they are told to, training counts its iterations, not the time, and nothing is animated."""
    made = WeakSet[Ticker]()

    class Told(Ticker):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # pyright: ignore[reportArgumentType]
            made.add(self)

        def keep(self, seconds: float | None) -> None:
            self._seconds = seconds

    with (
        mock.patch.object(constants, "TEXTUAL_ANIMATIONS", "none"),
        mock.patch.object(paned, "Ticker", Told),
        mock.patch.object(main_screen, "Ticker", Told),
        mock.patch.multiple(training, TRAIN_FOR=math.inf, TRAIN_AT_MOST=ITERATIONS),
    ):
        yield made


def shrunk(actions: Sequence[str], fails: Callable[[Sequence[str]], bool]) -> list[str]:
    """The fewest actions found that still fail: the shortest tail, then without whatever part is not needed."""
    lengths = (1, 4, 16, 64, 256, 1024)
    kept = next((list(actions[-n:]) for n in lengths if n < len(actions) and fails(actions[-n:])), list(actions))
    part = len(kept) // 2
    while part:
        for end in range(len(kept), 0, -part):
            without = kept[: max(0, end - part)] + kept[end:]
            if fails(without):
                kept = without
        part //= 2
    return kept
