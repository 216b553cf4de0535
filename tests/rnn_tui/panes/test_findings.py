"""The list of findings as text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.debug.places import parse_place
from engine.explain.findings import Finding, findings
from engine.session import open_session
from rnn_tui.panes.around.header import draw_header
from rnn_tui.panes.findings import draw_findings
from rnn_tui.render.inks import ColorMode
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import Press, ToFinding
from tests.rnn_tui.panes.scene import scene


def frame(name: str, iteration: int = 0, **choices: Any) -> Frame:
    session = open_session(name, {})
    debugger = session.debugger
    shown = scene(session, iteration * debugger.program.length + 1, **choices)
    return replace(shown, findings=tuple(findings(debugger, iteration)))


def test_each_is_a_kind_a_place_and_a_sentence() -> None:
    text = draw_findings(frame("dying_relu"), 74, 23).plain()
    assert "what is wrong · iteration 0: 1 serious, 1 to know" in text
    assert "▌! dead units" in text and "▶ t = 1  a" in text
    assert "6 of 8 units of a are off (z ≤ 0)" in text
    assert " · vanishing" in text


@pytest.mark.parametrize("mode", list(ColorMode))
@pytest.mark.parametrize("size", [(37, 16), (74, 23), (144, 33), (10, 3)])
def test_it_fits_everywhere(size: tuple[int, int], mode: ColorMode) -> None:
    shown = frame("exploding", mode=mode)
    lines = draw_findings(shown, *size).plain().split("\n")
    assert len(lines) == size[1] and max(map(len, lines)) <= size[0]


def test_the_chosen_one_is_in_sight() -> None:
    many = tuple(Finding("dead units", f"number {i} " + "of many " * 12, "note", 1, "a") for i in range(9))
    for chosen in range(9):
        shown = replace(frame("dying_relu", finding=chosen), findings=many)
        text = draw_findings(shown, 37, 16).plain()
        assert f"number {chosen} " in text
    assert "more above" in text


def test_nothing_is_said_too() -> None:
    text = draw_findings(frame("many_to_one"), 74, 23).plain()
    assert "iteration 0: nothing" in text
    assert "all numbers are finite" in text


def test_every_line_of_one_leads_to_it() -> None:
    canvas = draw_findings(frame("exploding"), 74, 23)
    assert canvas.target_at(5, 1) == (ToFinding(0), 4, 0)
    assert canvas.target_at(60, 2) == (ToFinding(0), 59, 1)
    assert canvas.target_at(5, 4) == (ToFinding(1), 4, 0)


def test_the_header_counts_what_is_serious_and_leads_there() -> None:
    canvas = draw_header(frame("exploding"), 120, 1)
    at = canvas.plain().index("! 2")
    assert canvas.target_at(at, 0) == (Press("page('findings')"), 0, 0)
    assert "! " not in draw_header(frame("temporal_order"), 120, 1).plain()


def test_in_a_narrow_header_the_point_covers_no_name() -> None:
    serious = replace(frame("vanishing"), selection=replace(frame("vanishing").selection, page="flow"))
    debugger = open_session("vanishing", {}).debugger
    debugger.go(parse_place("da@13", debugger).position)
    text = draw_header(replace(serious, view=debugger.view), 60, 1).plain()
    assert "t = 14  da@13" in text and "! 1" in text
    assert text.split("! 1")[0].strip() in ("", "rnn-tui", "vanishing"), text


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120, 200])
def test_the_header_leaves_out_words_and_cuts_none(width: int) -> None:
    debugger = open_session("vanishing", {"batch-size": 3, "clip-norm": 0.1}).debugger
    debugger.go(parse_place("update", debugger).position)
    debugger.iteration(1)
    shown = replace(frame("vanishing"), findings=(), batches=debugger.batches.per_epoch)
    text = draw_header(replace(shown, view=debugger.view), width, 1).plain()
    assert "↻ update" in text and text.rstrip().endswith("L 0.64")
    assert text.split("batch")[0].split()[0] in ("rnn-tui", "vanishing", "vanishi…", "it.", "iteration"), text
