"""Colours of everything that is not a heatmap, for every depth of colour, on dark and on light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style

from rnn_tui.render.inks import ColorMode
from rnn_tui.render.palette import Palettes, palettes, rgb

BACKGROUND = {False: "#101114", True: "#fbfaf8"}

_DARK = {
    "text": "#d6d9df",
    "dim": "#8b919c",
    "border": "#454a54",
    "forward": "#4ea8ff",
    "backward": "#ff8c5a",
    "accent": "#ffd75f",
    "error": "#ff5f5f",
    "band": "#33301c",
    "chosen": "#24272e",
}
_LIGHT = {
    "text": "#24262b",
    "dim": "#666b75",
    "border": "#b9bcc4",
    "forward": "#0b62b5",
    "backward": "#b5400f",
    "accent": "#7a5200",
    "error": "#c01818",
    "band": "#fbeebf",
    "chosen": "#e9e9ec",
}
_DARK_16 = {
    "text": "white",
    "dim": "white",
    "border": "bright_black",
    "forward": "bright_blue",
    "backward": "bright_red",
    "accent": "bright_yellow",
    "error": "bright_red",
    "band": "black",
    "chosen": "black",
}
_LIGHT_16 = {
    **_DARK_16,
    "text": "black",
    "dim": "black",
    "forward": "blue",
    "backward": "red",
    "accent": "black",
    "error": "red",
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

    def phase(self, phase: str) -> Style:
        """The colour of a phase: one for forward and the loss, one for backward, one for the update."""
        return {"backward": self.backward, "update": self.accent}.get(phase, self.forward)


@lru_cache(maxsize=8)
def look(mode: ColorMode = ColorMode.TRUECOLOR, light: bool = False) -> Look:
    """The look for a depth of colour on a dark or light background."""
    ink = palettes(light, rgb(BACKGROUND[light]))
    if mode is ColorMode.NONE:
        plain, bold = Style(), Style(bold=True)
        return Look(
            mode, ink, plain, plain, bold, Style(dim=True), Style(dim=True), bold, bold, bold, bold, Style(bold=True),
            Style(underline=True),
        )  # fmt: skip
    few = mode is ColorMode.COLORS_16
    colors = (_LIGHT_16 if light else _DARK_16) if few else (_LIGHT if light else _DARK)
    background = ("bright_white" if light else "black") if few else BACKGROUND[light]
    style = {name: Style(color=color) for name, color in colors.items()}
    return Look(
        mode,
        ink,
        Style(color=colors["text"], bgcolor=background),
        style["text"],
        Style(color=colors["text"], bold=True),
        style["dim"],
        style["border"],
        style["forward"],
        style["backward"],
        style["accent"] + Style(bold=True),
        style["error"] + Style(bold=True),
        Style(bgcolor=colors["band"], bold=few),
        Style(bgcolor=colors["chosen"], underline=few),
    )
