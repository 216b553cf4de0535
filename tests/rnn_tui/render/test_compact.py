"""Compact rows look as Textual's own do, and what is not sent again is what is there."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from rnn_tui.render.compact import CompactStrip
from rnn_tui.widgets.pane import changed_end
from tests.examples import examples

STYLES = st.builds(
    Style,
    color=st.sampled_from([None, "#101114", "#d6d9df", "bright_red", "color(174)"]),
    bgcolor=st.sampled_from([None, "#101114", "#4ea8ff", "black"]),
    bold=st.sampled_from([None, True]),
    reverse=st.sampled_from([None, True]),
    dim=st.sampled_from([None, True]),
)
SEGMENTS = st.lists(
    st.tuples(st.sampled_from(["a", "▀▀", "· ·"]), STYLES).map(lambda pair: Segment(*pair)), min_size=1, max_size=6
)


def cells(text: str) -> list[tuple[str, frozenset[str], str, str]]:
    """Each character with its attributes, foreground and background, as a terminal would have them."""
    result: list[tuple[str, frozenset[str], str, str]] = []
    state: tuple[frozenset[str], str, str] = (frozenset(), "", "")
    for sequence, character in re.findall(r"\x1b\[([\d;]*)m|(.)", text):
        if character:
            result.append((character, state[0], state[1], state[2]))
            continue
        numbers = sequence.split(";")
        while numbers:
            attributes, front, back = state
            first = numbers.pop(0)
            if first in ("", "0"):
                state = frozenset(), "", ""
            elif first in ("38", "48"):
                rest = [numbers.pop(0) for _ in range(4 if numbers[0] == "2" else 2)]
                color = ";".join(rest)
                state = (attributes, color, back) if first == "38" else (attributes, front, color)
            elif int(first) < 10:
                state = attributes | {first}, front, back
            elif int(first) in (*range(30, 38), *range(90, 98)):
                state = attributes, first, back
            else:
                state = attributes, front, first
    assert state == (frozenset(), "", "")
    return result


@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
@examples(60)
@given(segments=SEGMENTS)
def test_a_compact_row_looks_the_same(system: str, segments: list[Segment]) -> None:
    console = Console(color_system=system, force_terminal=True)  # pyright: ignore[reportArgumentType]
    compact, plain = CompactStrip(segments).render(console), Strip(segments).render(console)
    assert cells(compact) == cells(plain)
    assert len(compact) <= len(plain)


@examples(100)
@example([Segment("a", Style())], [Segment("▀▀", Style())])
@given(SEGMENTS, SEGMENTS)
def test_what_is_not_sent_again_is_there_already(old: list[Segment], new: list[Segment]) -> None:
    before, after = Strip(old), Strip(new)
    end = changed_end(before, after)
    width = after.cell_length
    if before.cell_length == width:
        assert list(before.crop(end, width)) == list(after.crop(end, width)) or end == width
    assert end or list(before) == list(after)
    cropped = CompactStrip(new).crop(1, width - 1)
    assert isinstance(cropped, CompactStrip)
    assert list(cropped) == [segment for segment in after.crop(1, width - 1) if segment.text]
