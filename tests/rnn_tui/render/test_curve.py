"""Curves of braille dots and rows of bars, as text."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_tui.render.curve import bars, curve


def test_a_line_from_the_lower_left_to_the_upper_right() -> None:
    assert curve(np.arange(8.0), 4, 2) == ["  ⣠⠞", "⣠⠞⠁ "]


def test_a_level_line_stands_in_the_middle_and_a_gap_is_blank() -> None:
    level = curve(np.ones(4), 2, 1)
    assert level == ["⠒⠒"] or level == ["⠤⠤"]
    gap = curve(np.array([np.nan, np.nan, np.nan, 1.0]), 4, 1)[0]
    assert gap[0] == " "
    assert gap.strip()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 3), (40, 5)])
def test_every_line_has_the_width(width: int, height: int) -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=100), np.array([3.0]), np.full(3, np.inf)):
        lines = curve(values, width, height)
        assert [len(line) for line in lines] == [width] * height


def test_bars_go_from_an_eighth_to_a_full_block() -> None:
    assert bars(np.array([0, 0.5, 1, np.nan, 2, -1]), 0, 1) == "▁▅█ █▁"
    assert bars(np.array([1.0, 1.0]), 1, 1) == "▁▁"
