from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rich.segment import Segment
from rich.style import Style

from rnn_tui.render.colorbar import colorbar
from rnn_tui.render.heatmap import heatmap, height
from rnn_tui.render.inks import ColorMode, inks
from rnn_tui.render.numbered import numbered
from rnn_tui.render.palette import (
    BACKWARD,
    BERLIN,
    COUNT,
    ENDED,
    LEVELS,
    MINUS_INF,
    NAN,
    NOT_YET,
    OVER,
    PAD,
    PLUS_INF,
    UNDER,
    VIK,
    Palette,
)
from rnn_tui.render.tiles import MOST, tiles

TRUE, NONE = ColorMode.TRUECOLOR, ColorMode.NONE
CURSOR = "#ffd75f"
all_codes = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, COUNT - 1)
)


def codes(*rows: Sequence[int]) -> np.ndarray:
    return np.array(rows, dtype=np.uint8)


def texts(rows: list[list[Segment]]) -> list[str]:
    return ["".join(segment.text for segment in row) for row in rows]


def cells(row: list[Segment]) -> list[tuple[str, str | None, str | None]]:
    """(character, foreground, background) of every column."""
    result = []
    for text, style, _ in row:
        assert style is not None
        result += [(character, name(style.color), name(style.bgcolor)) for character in text]
    return result


def name(color: object) -> str | None:
    return getattr(color, "name", None)


def fill(code: int) -> str:
    return inks(BERLIN, TRUE).fill[code].name


def test_half_blocks_show_two_values_a_cell() -> None:
    rows = heatmap(codes([0, 31], [62, 31]), BERLIN)
    assert texts(rows) == ["▀▀▀▀"]
    assert cells(rows[0]) == [("▀", "#9eb0ff", "#ffadad")] * 2 + [("▀", "#1c1d20", "#1c1d20")] * 2


def test_equal_neighbours_are_one_segment() -> None:
    rows = heatmap(codes([5, 5, 5, 6], [7, 7, 7, 7]), BERLIN)
    assert [segment.text for segment in rows[0]] == ["▀" * 6, "▀▀"]


def test_runs_end_at_the_end_of_a_row() -> None:
    assert texts(heatmap(codes([5, 5], [5, 5], [5, 5]), BERLIN, cell_height=1)) == ["    "] * 3


def test_styles_are_built_once() -> None:
    first, second = (heatmap(codes([3, 9], [4, 8]), BERLIN) for _ in range(2))
    assert all(one.style is other.style for one, other in zip(first[0], second[0], strict=True))


def test_the_half_below_an_odd_row_is_background() -> None:
    rows = heatmap(codes([0], [1], [2]), BERLIN)
    assert cells(rows[1]) == [("▀", fill(2), "#101114")] * 2


def test_special_values_are_glyphs_and_the_other_half_stays_in_sight() -> None:
    rows = heatmap(codes([NAN, 10, OVER, PLUS_INF, UNDER], [10, MINUS_INF, OVER, NAN, 10]), BERLIN)
    assert texts(rows) == ["!▀∞▀▲▀!▀▼▀"]
    assert cells(rows[0])[0:2] == [("!", "#ffffff", fill(NAN)), ("▀", fill(NAN), fill(10))]


def test_infinities_of_both_signs_differ() -> None:
    assert fill(PLUS_INF) != fill(MINUS_INF)
    rows = heatmap(codes([PLUS_INF, MINUS_INF]), BERLIN, cell_width=4, cell_height=1)
    assert texts(rows) == ["+∞  −∞  "]


def test_what_is_remembered_of_pictures_is_bounded_and_changes_none() -> None:
    whole = np.arange(LEVELS, dtype=np.uint8)
    every_pair = codes(*(row for top in whole for row in (np.full(LEVELS, top), whole)))
    first, again = ([heatmap(every_pair, BERLIN, cell_width=width) for width in (1, 2)] for _ in range(2))
    assert first == again
    assert len({segment for rows in first for row in rows for segment in row}) > MOST >= len(tiles(BERLIN, TRUE))


def test_not_yet_looks_like_nothing_else() -> None:
    both, beside = (heatmap(codes([NOT_YET], [below]), BERLIN)[0] for below in (NOT_YET, 7))
    assert cells(both) == [("┈", "#5c616b", "#101114")] * 2
    assert cells(beside) == [("▄", fill(7), "#101114")] * 2
    assert texts(heatmap(codes([PAD], [PAD]), BERLIN)) == ["  "]


@pytest.mark.parametrize("palette", [BERLIN, VIK, BACKWARD], ids=lambda palette: palette.name)
@pytest.mark.parametrize("mode", list(ColorMode))
def test_padding_looks_like_nothing_else(palette: Palette, mode: ColorMode) -> None:
    for lines in ("half", 1):

        def look(code: int, lines: Any = lines) -> list[tuple[str, str | None, str | None]]:
            return cells(heatmap(codes([code, code], [code, code]), palette, mode, 3, lines)[0])

        padding = look(ENDED)
        assert {character for character, _, _ in padding} == {"╱"}
        assert all(look(code) != padding for code in range(COUNT) if code != ENDED)
        if mode is not NONE:
            grounds = {cell[2] for code in (*range(LEVELS), NOT_YET) for cell in look(code)}
            assert not {ground for _, _, ground in padding} & grounds


def test_padding_beside_a_value_keeps_its_own_colour() -> None:
    assert cells(heatmap(codes([ENDED], [7]), BERLIN)[0]) == [("▀", fill(ENDED), fill(7))] * 2
    assert texts(heatmap(codes([ENDED, 5]), BERLIN, cell_width=2, cell_height=2)) == ["╱╱  ", "╱╱  "]


def test_whole_lines() -> None:
    rows = heatmap(codes([NAN, 3, NOT_YET, OVER], [UNDER, PAD, PLUS_INF, 9]), BERLIN, cell_width=3, cell_height=1)
    assert texts(rows) == [" !    ┈┈┈ ▲ ", " ▼    +∞    "]
    assert cells(rows[0])[3:6] == [(" ", inks(BERLIN, TRUE).ink[3].name, fill(3))] * 3


def test_cells_of_several_lines_have_their_glyph_in_the_middle() -> None:
    rows = heatmap(codes([NAN, NOT_YET]), BERLIN, cell_width=3, cell_height=3, gap=1)
    assert texts(rows) == ["       ", " !  ┈┈┈", "       "]
    assert cells(rows[0])[0][2] == fill(NAN)


def test_the_cursor_in_half_blocks_leaves_its_colour_in_sight() -> None:
    picture = codes([1, 2], [3, 4])
    upper, lower = (heatmap(picture, BERLIN, cursor=(row, 1))[0] for row in (0, 1))
    assert cells(upper)[2:] == [("▀", CURSOR, fill(4)), ("▀", fill(2), fill(4))]
    assert cells(lower)[2:] == [("▄", CURSOR, fill(2)), ("▀", fill(2), fill(4))]
    wide = cells(heatmap(picture, BERLIN, cell_width=3, cursor=(0, 0))[0])
    assert [color for _, color, _ in wide[:3]] == [CURSOR, fill(1), CURSOR]


@pytest.mark.parametrize(("width", "expected"), [(1, "!"), (2, "▀!"), (3, "▀!▀")])
def test_the_cursor_does_not_hide_a_glyph_in_half_blocks(width: int, expected: str) -> None:
    row = heatmap(codes([NAN], [5]), BERLIN, cell_width=width, cursor=(0, 0))[0]
    assert texts([row]) == [expected]
    assert CURSOR in {color for cell in cells(row) for color in cell[1:]}


@pytest.mark.parametrize(
    ("code", "width", "expected"),
    [(9, 2, "▌▐"), (9, 4, "▌  ▐"), (NAN, 2, "▌!"), (NAN, 3, "▌!▐"), (PLUS_INF, 3, "▌∞▐"), (MINUS_INF, 5, "▌−∞ ▐"),
     (PLUS_INF, 4, "▌+∞▐"), (PLUS_INF, 6, "▌+∞  ▐"), (OVER, 5, "▌ ▲ ▐"), (MINUS_INF, 9, "▌  −∞   ▐"), (NAN, 1, "!")],
)  # fmt: skip
def test_the_cursor_on_whole_lines(code: int, width: int, expected: str) -> None:
    row = heatmap(codes([code]), BERLIN, cell_width=width, cell_height=1, cursor=(0, 0))[0]
    assert texts([row]) == [expected]
    assert CURSOR in {color for cell in cells(row) for color in cell[1:]}


def test_a_cursor_outside_is_no_cursor() -> None:
    picture = codes([1, 2])
    assert (
        heatmap(picture, BERLIN, cursor=(1, 0)) == heatmap(picture, BERLIN, cursor=(0, -1)) == heatmap(picture, BERLIN)
    )


def test_the_light_cursor_is_another_one() -> None:
    row = heatmap(codes([31]), VIK, cell_height=1, cursor=(0, 0))[0]
    assert cells(row)[0] == ("▌", "#9000f0", "#ece5e0")


def test_glyphs_without_colour() -> None:
    picture = codes([0, 15, 28, 31, 34, 47, 62], [NAN, PLUS_INF, MINUS_INF, OVER, UNDER, NOT_YET, PAD])
    assert texts(heatmap(picture, BERLIN, NONE, 1)) == ["━−˗ ˖+✚", "!⇑⇓▲▼░ "]
    assert texts(heatmap(picture, BERLIN, NONE, 2)) == ["━ − ˗   ˖ + ✚ ", "! +∞−∞▲ ▼ ░░  "]
    assert texts(heatmap(picture, BERLIN, NONE, 1, ascii_only=True)) == ["=-. '+#", "!Ii^v: "]
    assert texts(heatmap(picture[:, :2], BERLIN, NONE, 3, gap=1)) == [" ━   − ", " !  +∞ "]
    assert {segment.style for row in heatmap(picture, BERLIN, NONE) for segment in row} == {Style()}


def test_the_cursor_without_colour_is_reversed_and_bracketed() -> None:
    narrow, wide = (heatmap(codes([0, 62, 0]), BERLIN, NONE, width, cursor=(0, 1))[0] for width in (1, 3))
    assert narrow == [Segment("━", Style()), Segment("✚", Style(reverse=True)), Segment("━", Style())]
    assert texts([wide]) == [" ━ [✚] ━ "]
    assert texts(heatmap(codes([MINUS_INF, 5]), BERLIN, NONE, 3, cursor=(0, 0))) == ["−∞  ━ "]


@given(
    all_codes,
    st.sampled_from(ColorMode),
    st.integers(1, 5),
    st.sampled_from(["half", 1, 2, 3]),
    st.integers(0, 2),
    st.none() | st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
def test_every_row_has_the_width_of_its_cells(picture, mode, cell_width, cell_height, gap, cursor) -> None:
    rows = heatmap(picture, BERLIN, mode, cell_width, cell_height, cursor, gap)
    assert len(rows) == height(len(picture), mode, cell_height)
    width = picture.shape[1] * (cell_width + gap) - gap
    assert {Segment.get_line_length(row) for row in rows} == {width}


@given(all_codes, st.sampled_from(["half", 1]), st.integers(1, 9))
def test_no_special_value_is_hidden_by_the_cursor(picture, cell_height, cell_width) -> None:
    for mode in ColorMode:
        plain = texts(heatmap(picture, BERLIN, mode, cell_width, cell_height))
        marked = texts(heatmap(picture, BERLIN, mode, cell_width, cell_height, (0, 0)))
        for glyph in "!∞▲▼":
            assert "".join(plain).count(glyph) == "".join(marked).count(glyph)


def test_numbers_on_colours() -> None:
    values = np.array([[0.5, -0.25, 0.0], [np.nan, 7.0, 1.0]])
    rows = numbered(values, codes([62, 10, 31], [NAN, OVER, NOT_YET]), BERLIN, cell_width=9, cursor=(0, 1))
    assert texts(rows) == ["   0.5000  −0.2500        0", "      NaN▲       7┈┈┈┈┈┈┈┈┈"]
    assert cells(rows[0])[0][1:] == ("#000000", "#ffadad")
    assert cells(rows[0])[9][2] == CURSOR


def test_colorbar() -> None:
    rows = colorbar(BERLIN, TRUE, 25, 0.06)
    assert texts(rows) == ["−                       +", "−0.06       0       +0.06"]
    strip = cells(rows[0])[2:-2]
    assert (strip[0][2], strip[10][2], strip[-1][2]) == ("#9eb0ff", "#1c1d20", "#ffadad")


def test_colorbar_variants() -> None:
    assert texts(colorbar(BACKWARD, TRUE, 20, 0.21, one_sided=True))[1] == "0              +0.21"
    assert texts(colorbar(BACKWARD, TRUE, 20, 0.21, one_sided=True, log=True))[1] == "0       log    +0.21"
    assert texts(colorbar(BERLIN, TRUE, 25, 3e-7, log=True))[1] == "−3e−7       0 log   +3e−7"
    assert texts(colorbar(BERLIN, NONE, 15, 1.0)) == ["− ━━−−˗ ˖++✚✚ +", "−1     0     +1"]
    assert texts(colorbar(BERLIN, NONE, 15, 1.0, ascii_only=True)) == ["- ==--. '++## +", "-1     0     +1"]
    assert texts(colorbar(BERLIN, TRUE, 11, 0.0123))[1] == "−0.0123 +0."


@given(st.integers(7, 60), st.floats(1e-9, 1e9), st.booleans(), st.booleans(), st.sampled_from(ColorMode))
def test_colorbars_are_as_wide_as_asked_for(width, scale, one_sided, log, mode) -> None:
    rows = colorbar(BERLIN, mode, width, scale, one_sided, log)
    assert [Segment.get_line_length(row) for row in rows] == [width, width]
