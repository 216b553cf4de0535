"""Themes: what must be read can be read, in ours and in every one of Textual's."""

from __future__ import annotations

import pytest

from engine.errors import InputError
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.palette import rgb
from rnn_tui.shown.look import look
from rnn_tui.themes import READ, SEEN, TEXT, THEMES, colors_of, contrast, theme_named


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


def test_a_theme_that_there_is_not() -> None:
    with pytest.raises(
        InputError,
        match=r"there is no theme midnight \(--theme, or theme in the settings .*\); there are dark, light, contrast, ",
    ):
        theme_named("midnight")
