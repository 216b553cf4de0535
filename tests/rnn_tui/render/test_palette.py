import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_tui.render.inks import ColorMode, inks, nearest_256, size_of
from rnn_tui.render.palette import (
    BACKWARD,
    BACKWARD_LIGHT,
    BERLIN,
    COUNT,
    FORWARD,
    FORWARD_LIGHT,
    LEVELS,
    MINUS_INF,
    NAN,
    NOT_YET,
    OVER,
    PLUS_INF,
    UNDER,
    UNSIGNED,
    UNSIGNED_LIGHT,
    VIK,
    ZERO,
    Palette,
    luminance,
    one_sided_codes,
    palettes,
    rgb,
    scale_of,
    signed_codes,
)
from rnn_tui.themes import contrast

ALL = (BERLIN, VIK, FORWARD, BACKWARD, FORWARD_LIGHT, BACKWARD_LIGHT, UNSIGNED, UNSIGNED_LIGHT)
inf, nan = float("inf"), float("nan")
anything = st.floats(allow_nan=True, allow_infinity=True)
scales = st.floats(1e-300, 1e300)


def test_signed_codes_of_known_values() -> None:
    values = np.array(
        [[-1.0, -0.5, -1e-300, 0.0, -0.0, 5e-324, 0.5, 1.0], [2.0, -2.0, inf, -inf, nan, 0.03, 0.04, -0.04]]
    )
    expected = [[0, 15, 30, 31, 31, 32, 47, 62], [OVER, UNDER, PLUS_INF, MINUS_INF, NAN, 32, 33, 29]]
    codes = signed_codes(values, 1.0)
    assert codes.dtype == np.uint8
    assert codes.tolist() == expected


def test_logarithmic_codes_spread_small_values() -> None:
    values = [1.0, 1e-3, 1e-6, 1e-9, 0.0, -1e-9, -1e-3, -1.0]
    assert signed_codes(values, 1.0, log=True).tolist() == [62, 47, 32, 32, 31, 30, 15, 0]


def test_the_scale_itself_is_not_over() -> None:
    assert signed_codes([3.0, 3.0 * (1 + 1e-12), 3.0001], 3.0).tolist() == [62, 62, OVER]


def test_one_sided_codes() -> None:
    values = [0.0, 1e-9, 0.5, 1.0, 1.5, -0.1, nan, inf]
    assert one_sided_codes(values, 1.0).tolist() == [31, 32, 47, 62, OVER, UNDER, NAN, PLUS_INF]


@pytest.mark.parametrize("scale", [0.0, -1.0, inf, nan])
def test_a_scale_is_positive_and_finite(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        signed_codes([1.0], scale)


@given(st.lists(st.floats(-1.0, 1.0), min_size=2), scales, st.booleans())
def test_codes_are_monotone(values: list[float], scale: float, log: bool) -> None:
    codes = signed_codes(np.sort(values) * scale, scale, log).astype(int)
    assert codes.max() < LEVELS
    assert (np.diff(codes) >= 0).all()


@given(st.lists(anything, min_size=1), scales, st.booleans())
def test_only_zero_has_the_zero_code_and_signs_are_kept(values: list[float], scale: float, log: bool) -> None:
    for value, code in zip(values, signed_codes(values, scale, log).tolist(), strict=True):
        assert (code == ZERO) == (value == 0)
        assert (code in (*range(ZERO), MINUS_INF, UNDER)) == (value < 0)
        assert (code == NAN) == np.isnan(value)


@given(st.floats(-1e300, 1e300), scales, st.booleans())
def test_signs_are_mirrored(value: float, scale: float, log: bool) -> None:
    code, mirrored = (int(c) for c in signed_codes([value, -value], scale, log))
    assert mirrored == ({OVER: UNDER, UNDER: OVER}[code] if code >= LEVELS else 2 * ZERO - code)


def test_scale_of_is_shared_and_ignores_what_is_not_finite() -> None:
    assert scale_of([1.0, nan, -3.0], [[inf, 2.0]]) == 3.0
    assert scale_of() == scale_of([0.0, nan]) == scale_of([]) == 1.0


@pytest.mark.parametrize("palette", ALL, ids=lambda palette: palette.name)
def test_palettes_are_complete(palette: Palette) -> None:
    assert len(palette.table) == LEVELS
    for mode in (ColorMode.TRUECOLOR, ColorMode.COLORS_256, ColorMode.COLORS_16):
        assert len(inks(palette, mode).fill) == len(inks(palette, mode).ink) == COUNT


def test_the_anchors_are_in_the_tables() -> None:
    assert (BERLIN.table[0], BERLIN.table[ZERO], BERLIN.table[-1]) == (rgb("9eb0ff"), rgb("1c1d20"), rgb("ffadad"))
    assert (VIK.table[0], VIK.table[ZERO], VIK.table[-1]) == (rgb("001261"), rgb("ece5e0"), rgb("590008"))


@pytest.mark.parametrize(
    "palette", [FORWARD, BACKWARD, FORWARD_LIGHT, BACKWARD_LIGHT, UNSIGNED, UNSIGNED_LIGHT], ids=lambda p: p.name
)
def test_one_sided_palettes_leave_the_background_steadily(palette: Palette) -> None:
    steps = np.diff([luminance(color) for color in palette.table[ZERO:]])
    assert (steps < 0).all() if palette.light else (steps > 0).all()


@pytest.mark.parametrize("palette", [BERLIN, VIK], ids=lambda palette: palette.name)
@pytest.mark.parametrize("mode", [ColorMode.TRUECOLOR, ColorMode.COLORS_256, ColorMode.COLORS_16])
def test_no_colour_stands_for_both_signs(palette: Palette, mode: ColorMode) -> None:
    fill = inks(palette, mode).fill
    weakest = fill[ZERO - 1 : ZERO + 2]
    assert len(set(weakest)) == (1 if mode is ColorMode.COLORS_16 else 3)  # none of 16 colours is dark enough for it
    apart = int(mode is ColorMode.COLORS_16)
    negative, zero, positive = set(fill[: ZERO - apart]), {fill[ZERO]}, set(fill[ZERO + 1 + apart : LEVELS])
    for one, other in itertools.combinations((negative, zero, positive), 2):
        assert not one & other


@pytest.mark.parametrize("palette", ALL, ids=lambda palette: palette.name)
@pytest.mark.parametrize("mode", [ColorMode.COLORS_256, ColorMode.COLORS_16])
def test_few_colours_stay_few_colours(palette: Palette, mode: ColorMode) -> None:
    colors = inks(palette, mode)
    low, high = (16, 255) if mode is ColorMode.COLORS_256 else (0, 15)
    numbers = [color.number for color in (*colors.fill, *colors.ink, colors.cursor, colors.dim, colors.background)]
    assert all(number is not None and low <= number <= high for number in numbers)


def test_palettes_for_a_background() -> None:
    assert palettes().signed is BERLIN
    assert palettes(light=True).forward is FORWARD_LIGHT
    other = palettes(background=(30, 30, 46))
    assert other is palettes(background=(30, 30, 46))
    assert (other.backward.background, other.backward.table) == ((30, 30, 46), BACKWARD.table)
    assert inks(other.signed, ColorMode.TRUECOLOR).fill[NOT_YET].triplet == (30, 30, 46)


def test_size_of_has_equal_classes() -> None:
    levels = (0, 9, 10, 19, 20, 30, 31, 32, 42, 43, 52, 53, 62)
    assert [size_of(level, 3) for level in levels] == [-3, -3, -2, -2, -1, -1, 0, 1, 1, 2, 2, 3, 3]


def test_nearest_256() -> None:
    # Exact colours of the cube and of the grey ramp, then one between 175 (cube) and 168/178 (greys).
    assert [nearest_256(color) for color in ((0, 0, 0), (255, 95, 0), (8, 8, 8), (177, 178, 179))] == [
        16,
        202,
        232,
        249,
    ]


def test_the_weakest_level_stands_out_from_zero_and_from_the_screen() -> None:
    for level in (ZERO - 1, ZERO + 1):
        assert contrast(BERLIN.table[level], BERLIN.background) > 1.35
        assert contrast(BERLIN.table[level], BERLIN.table[ZERO]) > 1.2
    assert contrast(BERLIN.table[ZERO], BERLIN.background) > 1.1
