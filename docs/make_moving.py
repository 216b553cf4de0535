"""Makes docs/moving.svg with the app itself: the error walks back through time, in a picture that moves without a script.

Every row of the screen is drawn once for each of its looks, and is visible while the screen has it: SVG's own discrete animation.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from xml.sax.saxutils import escape

os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"}
os.environ.pop("NO_COLOR", None)

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from engine.debug.places import parse_place
from engine.session import open_session
from rnn_tui.app import DebuggerApp
from rnn_tui.screens.main import MainScreen

SIZE = (100, 30)
WIDE, HIGH, BASE = 8.4, 17, 13
BACKGROUND, TEXT = "#101114", "#d6d9df"
SCENE: tuple[tuple[str, float], ...] = (
    ("", 1.2),
    *(("next", 0.2),) * 10,
    ("goto:loss", 0.8),
    ("goto:dz@10", 0.7),
    *(("next", 0.45),) * 9,
    ("goto:dWa[2,3]", 0.9),
    ("enter", 2.4),
)
"""What is done, and how many seconds the screen then stays: about twelve."""


async def filmed() -> list[tuple[list[Strip], float]]:
    """The screens of the scene, and how long each stays."""
    app = DebuggerApp(open_session(None, {}))
    pictures: list[tuple[list[Strip], float]] = []
    async with app.run_test(size=SIZE) as pilot:
        screen = app.screen
        assert isinstance(screen, MainScreen)
        for deed, seconds in SCENE:
            if deed.startswith("goto:"):
                screen.show(screen.controller.visit(parse_place(deed.removeprefix("goto:"), screen.debugger)))
            elif deed:
                await screen.run_action(deed)
            await pilot.pause()
            pictures.append((list(screen._compositor.render_strips()), seconds))
    return pictures


class Colors:
    """Colours as short classes."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def of(self, color: str) -> str:
        return self.names.setdefault(color, f"c{len(self.names)}")

    def css(self) -> str:
        return "".join(f".{name}{{fill:{color}}}" for color, name in self.names.items())


def row(strip: Strip, y: int, colors: Colors) -> str:
    """One row of a screen: backgrounds and half blocks as rectangles, the rest as text."""
    parts: list[str] = []
    x = 0
    for text, style, _ in strip:
        width = cell_len(text)
        style = style or Style()
        ink, ground = _hex(style, front=True), _hex(style, front=False)
        if ground != BACKGROUND:
            parts.append(_box(x, y, width, 0, HIGH, colors.of(ground)))
        if text.strip("▀") == "":
            parts.append(_box(x, y, width, 0, HIGH / 2, colors.of(ink)))
        elif text.strip():
            lead = len(text) - len(text.lstrip())
            shown = text.strip()
            bold = ' font-weight="bold"' if style.bold else ""
            length = f' textLength="{cell_len(shown) * WIDE:.4g}"' if len(shown) > 1 else ""
            at = f'x="{(x + lead) * WIDE:.5g}" y="{y * HIGH + BASE}"'
            parts.append(f'<text class="{colors.of(ink)}" {at}{length}{bold}>{escape(shown)}</text>')
        x += width
    return "".join(parts)


def _box(x: int, y: int, width: int, top: float, height: float, name: str) -> str:
    place = f'x="{x * WIDE:.5g}" y="{y * HIGH + top:g}" width="{width * WIDE + 0.3:.5g}" height="{height:g}"'
    return f'<rect class="{name}" {place}/>'


def _hex(style: Style, *, front: bool) -> str:
    color = style.color if front != bool(style.reverse) else style.bgcolor
    if color is None or color.is_default:
        return TEXT if front else BACKGROUND
    return color.get_truecolor().hex


def drawn(pictures: list[tuple[list[Strip], float]]) -> str:
    """All screens as one picture."""
    whole = sum(seconds for _, seconds in pictures)
    starts = [sum(seconds for _, seconds in pictures[:n]) / whole for n in range(len(pictures) + 1)]
    colors, groups = Colors(), list[str]()
    for y in range(SIZE[1]):
        looks: dict[str, list[int]] = {}
        for n, (strips, _) in enumerate(pictures):
            looks.setdefault(row(strips[y], y, colors), []).append(n)
        for look, shown in looks.items():
            if look:
                groups.append(f"<g>{look}{_visible(shown, starts, whole) if len(looks) > 1 else ''}</g>")
    width, height = SIZE[0] * WIDE, SIZE[1] * HIGH
    size = f'viewBox="0 0 {width:g} {height}" width="{width:g}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" {size}>'
        "<title>The error walks back through time</title>"
        f"<style>text{{font:14px Menlo,Consolas,DejaVu Sans Mono,monospace;white-space:pre}}{colors.css()}</style>"
        f'<rect width="100%" height="100%" fill="{BACKGROUND}"/>{"".join(groups)}</svg>\n'
    )


def _visible(shown: list[int], starts: list[float], whole: float) -> str:
    """When a look of a row is to be seen."""
    changes = [(0.0, 0 in shown)]
    for n in range(1, len(starts) - 1):
        if (n in shown) != changes[-1][1]:
            changes.append((starts[n], n in shown))
    values = ";".join("visible" if seen else "hidden" for _, seen in changes)
    times = ";".join(f"{at:.4g}" for at, _ in changes)
    return (
        f'<animate attributeName="visibility" calcMode="discrete" dur="{whole:.4g}s" repeatCount="indefinite" '
        f'values="{values}" keyTimes="{times}"/>'
    )


if __name__ == "__main__":
    Path(__file__).with_name("moving.svg").write_text(drawn(asyncio.run(filmed())), encoding="utf-8")
