"""A screen as a picture in a file."""

from __future__ import annotations

import re

import pytest
from rich.segment import Segment
from textual.strip import Strip

from rnn_tui.render.drawing import svg


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ab", [("ab", 0, 2)]),
        ("a梯度b", [("a", 0, 1), ("梯度", 1, 4), ("b", 5, 1)]),
        ("a & 度", [("a & ", 0, 4), ("度", 4, 2)]),
    ],
)
def test_a_character_is_as_wide_as_its_cells(text: str, wanted: list[tuple[str, int, int]]) -> None:
    drawing = svg([Strip([Segment(text)])])
    found = re.findall(r'<text class="[^"]*-r\d+" x="([\d.]+)" y="[^"]*" textLength="([\d.]+)"[^>]*>([^<\n]+)', drawing)
    cell = 12.2
    assert [
        (said.replace("&#160;", " ").replace("&amp;", "&"), round(float(x) / cell), round(float(long) / cell))
        for x, long, said in found
    ] == wanted
