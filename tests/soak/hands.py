"""Does actions in an app that runs without a terminal, each to its end: what is drawn after it depends on nothing but the actions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

from textual import events
from textual.app import App
from textual.geometry import Size
from textual.keys import _character_to_key
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widgets import Input

from rnn_tui.screens.main import MainScreen
from rnn_tui.screens.paned import PanedScreen
from rnn_tui.screens.ticker import Ticker
from rnn_tui.screens.walk import WalkScreen

THERE = {"step": ("right", "left"), "next": ("n", "p")}
WITH_A_MEMORY = ("training",)
"""Views that keep what was run: going back does not undo it."""


class DifferentError(AssertionError):
    """The screen is another one after going on and back."""


class Hands:
    """Acts on one app; `tickers` are the timers that run and train, which tick only when they are told to."""

    def __init__(self, app: App[None], tickers: Collection[Ticker]) -> None:
        self.app, self._tickers = app, tickers
        self.frames: list[tuple[float, str]] = []
        """How much processor time each thing took that was done, until it was drawn."""
        assert app._driver is not None
        app._driver.send_message = app.post_message  # at once: no other thread reads keys here
        self._deeds: dict[str, Callable[..., Awaitable[None]]] = {
            "key": self.press, "click": self.click, "wheel": self.wheel, "size": self.resize, "type": self.type, "choose": self.choose,
            "there": self.there_and_back, "tick": self.tick,
        }  # fmt: skip

    async def do(self, action: str) -> None:
        """Does one action and waits for all that comes of it."""
        kind, _, rest = action.partition(" ")
        await self._deeds[kind](*([rest] if kind == "type" else rest.split()))

    async def settle(self, what: str) -> None:
        """Waits until nothing is left to be done and all is drawn. Raises what the app would end with."""
        app, start, quiet = self.app, time.thread_time(), 0
        while quiet < 3:
            await asyncio.sleep(0)
            if app._exception is not None:
                raise app._exception
            if any(not worker.is_finished for worker in app.workers):
                await asyncio.sleep(0.002)
                quiet = 0
            elif any(map(_busy, [app, *app.screen_stack, *app.screen.walk_children()])):
                quiet = 0
            elif app._resize_timer is not None:  # Textual waits for further sizes
                app._check_resize()
                quiet = 0
            elif quiet == 2 and _undrawn(app.screen):
                app.screen._on_timer_update()
                quiet = 0
            else:
                quiet += 1
        self.frames.append((time.thread_time() - start, what))

    def _send(self, event: events.Event) -> None:
        driver = self.app._driver
        assert driver is not None
        event.set_sender(self.app)
        driver.process_message(event)

    async def press(self, key: str) -> None:
        """A key."""
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        self._send(events.Key(name, key if len(key) == 1 else None))
        await self.settle(f"key {key}")

    def _at(self, x: str, y: str) -> tuple[int, int]:
        width, height = self.app.size
        return int(float(x) * width), int(float(y) * height)

    def _mouse(self, kind: type[events.MouseEvent], x: int, y: int, button: int = 1) -> None:
        self._send(kind(None, x, y, 0, 0, button, False, False, False, x, y))

    async def click(self, x: str, y: str) -> None:
        """A click at a share of the width and of the height."""
        self._mouse(events.MouseDown, *self._at(x, y))
        self._mouse(events.MouseUp, *self._at(x, y))
        await self.settle("click")

    async def wheel(self, x: str, y: str, step: str) -> None:
        """The wheel, down or up."""
        self._mouse(events.MouseScrollDown if int(step) > 0 else events.MouseScrollUp, *self._at(x, y), button=0)
        await self.settle("wheel")

    async def resize(self, width: str, height: str) -> None:
        """Another size of the window."""
        size = Size(int(width), int(height))
        self.app._driver._size = size  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        self._send(events.Resize(size, size))
        await self.settle(f"size {width} {height}")

    async def type(self, text: str) -> None:
        """A text and Enter, where a dialog asks for one."""
        if isinstance(self.app.focused, Input):
            self._send(events.Paste(text))
            await self.press("enter")

    async def choose(self, action: str) -> None:
        """What the palette would do."""
        screen = self.app.screen
        if isinstance(screen, MainScreen) and screen.check_action(action, ()):
            await screen.run_action(action)
            await self.settle(action)

    async def tick(self, times: str) -> None:
        """What runs or trains goes on so many times."""
        for _ in range(int(times)):
            for ticker in list(self._tickers):
                if ticker._seconds is not None and ticker._screen.is_running:  # a closed screen's timers stop
                    ticker._tick()
            await self.settle("tick")

    # Going on and back

    def rows(self) -> list[str]:
        """The characters on the screen."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    def _place(self) -> tuple[object, ...] | None:
        """Where it is; None where going back need not show the same: a dialog, a view with a memory, logpoints that print."""
        match self.app.screen:
            case MainScreen(controller=controller) if controller.selection.page not in WITH_A_MEMORY:
                chosen = controller.selection
                return controller.debugger.position, chosen.execution, controller.logged
            case WalkScreen(walker=walker):
                return (walker.choice.at,)
            case _:
                return None

    async def there_and_back(self, move: str, times: str) -> None:
        """Moves on and back; raises DifferentError where the same place shows other characters."""
        there, back = THERE[move]
        seen: dict[tuple[object, ...], list[str]] = {}
        for key in ("right", "left", *[there] * int(times), *[back] * int(times)):
            if not isinstance(self.app.screen, PanedScreen):
                return
            await self.press(key)
            self.app.clear_notifications()
            await self.settle("clear")
            place, rows = self._place(), self.rows()
            if place is None:
                return
            before = seen.setdefault(place, rows) if key != "right" else rows
            if before != rows:
                changed = next((a, b) for a, b in zip(before, rows, strict=True) if a != b)
                raise DifferentError(
                    f"{key} led back to other characters: {changed[0].strip()!r} became {changed[1].strip()!r}"
                )


def _busy(pump: MessagePump) -> bool:
    return pump._running and not pump._closing and (not pump._message_queue.empty() or bool(pump._next_callbacks))


def _undrawn(screen: Screen[object]) -> bool:
    return bool(screen._layout_required or screen._repaint_required or screen._dirty_widgets or screen._callbacks)
