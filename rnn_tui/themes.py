"""Themes: ours, and the colours that our drawings take from any of Textual's."""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

from engine.errors import InputError
from engine.text import clean
from rnn_tui.render.palette import RGB, code_of, luminance, mixed, rgb
from rnn_tui.shown.look import CONTRAST, DARK, LIGHT, Colors

TEXT, READ, SEEN = 7.0, 4.5, 1.6
"""Contrasts to the background: of text, of what else is read, and of lines and bands that are seen (WCAG 2.2, 1.4.3 and 1.4.6)."""


def _theme(name: str, colors: Colors) -> Theme:
    return Theme(
        name=name,
        primary=colors.forward,
        accent=colors.accent,
        warning=colors.accent,
        error=colors.error,
        success=colors.forward,
        foreground=colors.text,
        background=colors.background,
        surface=colors.background,
        panel=colors.chosen,
        dark=not colors.light,
    )


OWN = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST}
THEMES: dict[str, Theme] = {
    **{name: _theme(name, colors) for name, colors in OWN.items()},
    **{name: theme for name, theme in BUILTIN_THEMES.items() if not theme.ansi},
}


def theme_named(name: str) -> Theme:
    """A theme by its name; InputError when there is none."""
    if name not in THEMES:
        raise InputError(
            f"there is no theme {clean(name, 40)} (--theme, or theme in the settings file that rnn-tui config names); there are "
            f"{', '.join(THEMES)}"
        )
    return THEMES[name]


def colors_of(theme: Theme) -> Colors:
    """The colours of a theme, each made to stand out from its background as much as it must. Those of the two passes stay."""
    if theme.name in OWN:
        return OWN[theme.name]
    plain = DARK if theme.dark else LIGHT
    ground = rgb(theme.background or ("#121212" if theme.dark else "#e0e0e0"))
    text = readable(rgb(theme.foreground or plain.text), ground, TEXT)
    accent = readable(rgb(theme.accent or theme.primary), ground, READ)
    bands = (mixed(ground, accent, share / 50) for share in range(10, 51))
    band = next(one for one in bands if contrast(one, ground) >= SEEN)
    text = readable(text, band, 1.3 * READ)

    def read(color: RGB) -> str:
        return code_of(readable(readable(color, ground, READ), band, READ))

    return Colors(
        background=code_of(ground),
        text=code_of(text),
        dim=read(mixed(text, ground, 0.4)),
        border=code_of(readable(mixed(text, ground, 0.7), ground, SEEN)),
        forward=read(rgb(plain.forward)),
        backward=read(rgb(plain.backward)),
        accent=read(accent),
        error=read(rgb(theme.error or plain.error)),
        band=code_of(band),
        chosen=code_of(mixed(ground, text, 0.14)),
    )


def contrast(one: RGB, other: RGB) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def readable(color: RGB, ground: RGB, least: float) -> RGB:
    """The colour, moved towards white or black until its contrast to the ground is enough."""
    end = (255, 255, 255) if luminance(ground) < 0.18 else (0, 0, 0)
    shares = (share / 20 for share in range(21))
    return next((c for share in shares if contrast(c := mixed(color, end, share), ground) >= least), end)
