"""Colours of everything that is not a heatmap, for every depth of colour, on dark and on light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style

from rnn_tui.render.inks import ColorMode
from rnn_tui.render.palette import Palettes, luminance, palettes, rgb


@dataclass(frozen=True)
class Colors:
    """The colours of everything on the screen but heatmaps, as #rrggbb."""

    background: str
    text: str
    dim: str
    border: str
    forward: str
    backward: str
    accent: str
    error: str
    band: str
    """Behind the current line."""
    chosen: str
    """Behind the line of the listing's cursor."""

    @property
    def light(self) -> bool:
        """Whether the background is light."""
        return luminance(rgb(self.background)) > 0.18


DARK = Colors(
    background="#101114",
    text="#d6d9df",
    dim="#a3a9b4",
    border="#454a54",
    forward="#4ea8ff",
    backward="#ff8c5a",
    accent="#ffd75f",
    error="#ff6ad5",
    band="#3e391e",
    chosen="#2b2f37",
)
LIGHT = Colors(
    background="#fbfaf8",
    text="#24262b",
    dim="#4f535b",
    border="#b9bcc4",
    forward="#0b62b5",
    backward="#b5400f",
    accent="#552200",
    error="#9e0087",
    band="#edc74e",
    chosen="#dedfe4",
)
CONTRAST = Colors(
    background="#000000",
    text="#ffffff",
    dim="#e0e0e0",
    border="#a0a0a0",
    forward="#7cc4ff",
    backward="#ffab80",
    accent="#ffff00",
    error="#ffbbdd",
    band="#5a5000",
    chosen="#3a3a3a",
)
_DARK_16 = {
    "background": "black",
    "text": "white",
    "dim": "white",
    "border": "bright_black",
    "forward": "bright_blue",
    "backward": "bright_red",
    "accent": "bright_yellow",
    "error": "bright_magenta",
    "band": "black",
    "chosen": "black",
}
_LIGHT_16 = {
    **_DARK_16,
    "background": "bright_white",
    "text": "black",
    "dim": "black",
    "forward": "blue",
    "backward": "red",
    "accent": "black",
    "error": "magenta",
    "band": "bright_white",
    "chosen": "bright_white",
}


@dataclass(frozen=True, eq=False)
class Look:
    """Styles by purpose; `canvas` is the background every pane starts from."""

    mode: ColorMode
    palettes: Palettes
    canvas: Style
    text: Style
    bold: Style
    dim: Style
    border: Style
    forward: Style
    backward: Style
    accent: Style
    error: Style
    band: Style
    chosen: Style

    @property
    def shaded(self) -> bool:
        """Whether there are shades between two colours."""
        return self.mode in (ColorMode.TRUECOLOR, ColorMode.COLORS_256)

    def phase(self, phase: str) -> Style:
        """The colour of a phase: one for forward and the loss, one for backward, one for the update."""
        return {"backward": self.backward, "update": self.accent}.get(phase, self.forward)


@lru_cache(maxsize=64)
def look(mode: ColorMode = ColorMode.TRUECOLOR, colors: Colors = DARK) -> Look:
    """The look for a depth of colour."""
    light = colors.light
    ink = palettes(light, rgb(colors.background), rgb(colors.dim))
    if mode is ColorMode.NONE:
        plain, bold = Style(), Style(bold=True)
        return Look(
            mode, ink, plain, plain, bold, Style(dim=True), Style(dim=True), bold, bold, bold, bold, Style(bold=True),
            Style(underline=True),
        )  # fmt: skip
    few = mode is ColorMode.COLORS_16
    named = (_LIGHT_16 if light else _DARK_16) if few else vars(colors)
    style = {name: Style(color=color) for name, color in named.items()}
    return Look(
        mode,
        ink,
        Style(color=named["text"], bgcolor=named["background"]),
        style["text"],
        Style(color=named["text"], bold=True),
        style["dim"],
        style["border"],
        style["forward"],
        style["backward"],
        style["accent"] + Style(bold=True),
        style["error"] + Style(bold=True),
        Style(bgcolor=named["band"], bold=few),
        Style(bgcolor=named["chosen"], underline=few),
    )
