"""Themes: what must be read can be read, in ours and in every one of Textual's."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from engine.errors import InputError
from engine.language.functions import Array
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.palette import RGB, palettes, rgb
from rnn_tui.shown.look import look
from rnn_tui.themes import OWN, READ, SEEN, TEXT, THEMES, colors_of, contrast, theme_named


@pytest.mark.parametrize("name", THEMES)
def test_what_is_read_stands_out(name: str) -> None:
    colors = colors_of(THEMES[name])
    ground = rgb(colors.background)
    assert colors.light != THEMES[name].dark
    assert contrast(rgb(colors.text), ground) >= TEXT
    for one in (colors.dim, colors.forward, colors.backward, colors.accent, colors.error):
        assert contrast(rgb(one), ground) >= READ, one
    assert contrast(rgb(colors.border), ground) >= SEEN
    for behind in (colors.band, colors.chosen):
        assert contrast(rgb(colors.text), rgb(behind)) >= READ
        assert contrast(rgb(colors.dim), rgb(behind)) >= READ
    for one in (colors.accent, colors.error):
        assert contrast(rgb(one), rgb(colors.band)) >= READ
    assert contrast(rgb(colors.band), ground) >= (1.5 if name == "light" else SEEN)
    assert contrast(rgb(colors.text), rgb(colors.dim)) >= 1.2
    assert look(ColorMode.TRUECOLOR, colors).canvas.bgcolor.name == colors.background


SEVERE = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""What is left of linear red, green and blue where one kind of cone is missing (Machado, Oliveira and Fernandes 2009, severity 1)."""
TO_XYZ = np.array(((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)))
WHITE = np.array((0.95047, 1, 1.08883))


def apart(one: RGB, other: RGB, kind: str) -> float:
    """The distance of two colours in CIELAB (ΔE 1976) as somebody without one kind of cone sees them."""

    def lab(color: RGB) -> Array:
        parts = np.array(color) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        seen = TO_XYZ @ np.clip(np.array(SEVERE[kind]) @ linear, 0, 1) / WHITE
        x, y, z = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
        return np.array((116 * y - 16, 500 * (x - y), 200 * (y - z)))

    return float(np.linalg.norm(lab(one) - lab(other)))


@pytest.mark.parametrize("kind", SEVERE)
@pytest.mark.parametrize("name", OWN)
def test_colours_that_mean_something_stay_apart_for_the_colour_blind(name: str, kind: str) -> None:
    colors = OWN[name]
    meaning = [rgb(one) for one in (colors.forward, colors.backward, colors.accent, colors.error)]
    assert min(apart(one, other, kind) for one, other in combinations(meaning, 2)) > 11
    signed = palettes(colors.light).signed
    assert min(apart(signed.cursor, level, kind) for level in signed.table) > 15


def test_a_theme_that_there_is_not() -> None:
    with pytest.raises(
        InputError,
        match=r"there is no theme midnight \(--theme, or theme in the settings .*\); there are dark, light, contrast, ",
    ):
        theme_named("midnight")
