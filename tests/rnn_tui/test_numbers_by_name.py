"""A number by the name on the screen: it is found, shown on its row and cell, and everything means the same row by t."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from engine.debug.places import parse_place
from engine.files.locate import sample_names
from engine.model.blocks import Point
from engine.session import open_session
from rnn_tui import cli
from rnn_tui.control.controller import Controller
from rnn_tui.panes.around.header import draw_header
from rnn_tui.panes.around.strip import BARS, draw_strip
from rnn_tui.panes.program.inspector import draw_inspector
from rnn_tui.panes.why import draw_why
from rnn_tui.render.numbers import number
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import look
from rnn_tui.shown.pointed import cell_of_part


def controller(data: str | None = None, **options: Any) -> Controller:
    return Controller(open_session(data, options), look(), lambda _: None)


def visit(control: Controller, text: str) -> Frame:
    spelling = control.writer.spelling
    control.visit(parse_place(spelling.in_engine_names(text), control.debugger, spelling.layout))
    return control.refresh()


@pytest.mark.parametrize("notation", ["ng", "karpathy", "pytorch", "goodfellow"])
@pytest.mark.parametrize(
    "text", ["da@3[2,4]", "dz@7[9,0]", "a@0[1,1]", "x@4[3,0]", "dWa[2,3]", "dWa@4[2,3]", "logits@10[1,1]", "da_5[2,4]"]
)
def test_a_number_that_is_named_is_under_the_cursor(text: str, notation: str) -> None:
    control = controller(notation=notation)
    spelling = control.writer.spelling
    cell = parse_place(text.replace("_", "@"), control.debugger)
    axes = control.debugger.plan.axes[cell.name or ""]
    index = ",".join(map(str, spelling.layout.index(cell.index, axes)))
    when = "" if cell.t is None else f"_{cell.t}" if "_" in text else f"@{cell.t}"
    frame = visit(control, f"{spelling.name(cell.name or '')}{when}[{index}]")
    shown = cell_of_part(frame)
    assert shown is not None
    assert (shown.name, shown.index) == (cell.name, cell.index)
    assert shown.t in (None, cell.t)
    assert f"{spelling.name(shown.name)}" in draw_inspector(frame, 120, 7).plain()


def test_how_the_loss_has_changed_is_said_of_the_loss_of_the_batch_alone() -> None:
    control = controller()
    visit(control, "loss")
    control.page.iteration(1)
    assert " since iteration 0" in draw_inspector(control.refresh(), 120, 7).plain()
    visit(control, "sample 3")  # its share is not to be compared with the loss of all
    assert "since iteration" not in draw_inspector(control.refresh(), 120, 7).plain()


@pytest.mark.parametrize("notation", ["ng", "karpathy"])
def test_why_names_each_number_so_that_it_can_be_gone_to(notation: str) -> None:
    control = controller(notation=notation)
    visit(control, "da@3[2,4]" if notation == "ng" else "dh@3[4,2]")
    assert control.here.enter()
    text = draw_why(control.refresh(), 120, 30).plain()
    assert ("da@3[2,4]" if notation == "ng" else "dh@3[4,2]") in text
    factors = re.findall(r"= (d\w+@4\[\d,\d\]) (\S+) ×", text)
    assert len(factors) == 8
    for name, value in factors:
        frame = visit(control, name)
        shown = cell_of_part(frame)
        assert shown is not None and shown.t == 4
        assert number(float(frame.view.tape.at(shown.name, 4)[shown.index]), 10, 4, trim=True) == value


@pytest.mark.parametrize("notation", ["ng", "karpathy"])
def test_in_the_flow_the_cursor_is_at_the_unit_and_the_step_of_the_number(notation: str) -> None:
    control = controller(notation=notation)
    named = "da@3[2,4]" if notation == "ng" else "dh@3[4,2]"
    visit(control, named)
    control.turn_to("flow")
    control.refresh()
    there = cell_of_part(control.page.pictured())
    assert there is not None and (there.name, there.t, there.index[1]) == ("da", 3, 4)
    control.page.cursor(1, 1)
    control.turn_to("flow")  # the same key again moves nothing
    control.refresh()
    there = cell_of_part(control.page.pictured())
    assert there is not None and (there.t, there.index[1]) == (4, 5)
    control.turn_to("program")
    there = cell_of_part(control.refresh())
    assert there is not None and (there.t, there.index) == (3, (2, 4)), "the line's cursor stays where it was"


def test_a_flow_that_no_line_writes_is_explained() -> None:
    control = controller()
    assert visit(control, "da_out@3[2,4]").asked is not None


def test_a_number_of_another_sample_than_the_chosen_one() -> None:
    control = controller()
    visit(control, "dz@3")
    control.sample(1)
    shown = cell_of_part(visit(control, "da@3[7,4]"))
    assert shown is not None and shown.index == (7, 4) and control.selection.sample == 7


def test_breakpoint_header_and_strip_mean_the_same_row() -> None:
    control = controller()
    control.debugger.add("da@5")
    assert control.debugger.continue_()
    frame = control.refresh()
    assert control.debugger.view.point == Point(0, "backward", 6, "da", None, control.debugger.view.point.block)
    assert control.debugger.view.row == 5
    assert "da@5" in draw_header(frame, 120, 1).plain()
    strip = draw_strip(frame, 120, 3).plain().splitlines()
    assert strip[2][strip[0].rindex("5") :].lstrip(BARS)[0] == "◀"
    control.stops.toggle_here()
    assert not control.debugger.breakpoints


@pytest.mark.parametrize("name", sample_names())
def test_every_example_opens_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli._refuse_misspelt([name])  # pyright: ignore[reportPrivateUsage]


def test_a_vanishing_gradient_and_one_that_arrives_look_different() -> None:
    def lowest(data: str | None) -> int:
        control = controller(data)
        control.debugger.go(control.debugger.program.phase_range("update").start)
        row = draw_strip(control.refresh(), 120, 3).plain().splitlines()[2]
        return min(BARS.index(character) for character in row[46:] if character in BARS)

    assert lowest(None) >= 5
    assert lowest("vanishing") == 0
