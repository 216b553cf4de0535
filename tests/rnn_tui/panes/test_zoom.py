"""The picture at the cursor alone: what is seen, its numbers, the map, and what a click in either means."""

from __future__ import annotations

import numpy as np
import pytest

from engine.debug.places import parse_place
from engine.session import open_session
from rnn_tui.control.controller import Controller
from rnn_tui.panes.program.inspector import draw_inspector
from rnn_tui.panes.zoom import draw_zoom
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbers import number
from rnn_tui.shown.look import look
from rnn_tui.shown.targets import ToCell, cell_at


def zoomed(times: int, page: str = "weights", cell: tuple[int, int] = (60, 85)) -> tuple[Controller, list[str]]:
    said: list[str] = []
    control = Controller(open_session(None, {"hidden": (128,)}), look(ColorMode.NONE), said.append)
    control.visit(parse_place("dWa@7", control.debugger))
    control.choose(page=page, row=cell[0], column=cell[1], parameter="Wa")
    for _ in range(times):
        control.refresh()
        control.zoom()
    return control, said


@pytest.mark.parametrize("page", ["weights", "program"])
@pytest.mark.parametrize("size", [(33, 12), (72, 22), (140, 36)])
def test_numbers_around_the_cursor_are_those_of_the_array(page: str, size: tuple[int, int]) -> None:
    control, _ = zoomed(2, page)
    assert control.page.body(36) == {"listing": "1fr", "zoom": "1fr"}
    frame = control.refresh()
    values = frame.view.gradient("dWa")
    assert values is not None
    text = draw_zoom(frame, *size).plain()
    assert " 60 " in text and " 85" in text and "━" in text and "┃" in text
    (line,) = (line for line in text.splitlines() if line[1:].lstrip().startswith("60 "))
    assert number(float(values[60, 85]), 8) in line and number(float(values[60, 86]), 8) in line


def test_a_click_in_the_map_moves_there_and_one_in_the_cells_takes_that_cell() -> None:
    control, _ = zoomed(1)
    before = draw_zoom(control.refresh(), 72, 22)
    hits = {(x, y): hit for x in range(72) for y in range(22) if (hit := before.target_at(x, y)) is not None}
    x, y = max(at for at, hit in hits.items() if hit[0].origin == (0, 0))  # the lower right corner of the map
    target, right, down = hits[x, y]
    assert isinstance(target, ToCell)
    control.click(target, right, down)
    frame = control.refresh()
    assert min(frame.selection.row, frame.selection.column) > 110
    after = draw_zoom(frame, 72, 22)
    found = after.target_at(6, 2)
    assert found is not None
    control.click(*found)
    assert (control.selection.row, control.selection.column) == cell_at(*found) > (100, 100)


def test_a_picture_that_fits_has_large_cells_and_no_map() -> None:
    control = Controller(open_session(None, {}), look(ColorMode.NONE), lambda _: None)
    control.visit(parse_place("dz@7", control.debugger))
    control.refresh()
    control.zoom()
    text = draw_zoom(control.refresh(), 72, 26).plain()
    assert "10 rows, 8 columns" in text and "┃" not in text
    control.why.close()
    assert control.selection.zoom == 0


def test_where_there_is_no_cell_cursor_that_is_said() -> None:
    control, said = zoomed(1, "training")
    assert control.selection.zoom == 0 and "views 1, 2, 3 and 6" in said[0]
    control, _ = zoomed(3)
    assert control.selection.zoom == 0 and "weights" in control.page.body(36)


def test_colours_do_not_depend_on_what_is_seen() -> None:
    control, _ = zoomed(1, cell=(0, 0))
    near = draw_zoom(control.refresh(), 72, 22).plain().splitlines()
    control.choose(row=15)
    moved = draw_zoom(control.refresh(), 72, 22).plain().splitlines()
    assert "6 " in moved[2][:6] and near[14][:48] == moved[8][:48]  # row 12


def in_the_flow(place: str) -> Controller:
    control = Controller(open_session("vanishing", {}), look(ColorMode.NONE), lambda _: None)
    control.visit(parse_place(place, control.debugger))
    control.turn_to("flow")
    control.refresh()
    return control


def test_the_flow_has_a_cell_cursor_whose_number_is_the_largest_of_the_samples() -> None:
    control = in_the_flow("dz@30")
    control.page.cursor(2, 4)
    frame = control.refresh()
    at_34 = frame.view.tape["da"][34]
    sample = int(np.abs(at_34[:, 2]).argmax())
    assert f"da@34[{sample},2] = " in draw_inspector(frame, 120, 7).plain()
    assert control.page.copied() == (f"da@34[{sample},2]", repr(float(at_34[sample, 2])))
    control.choose(sample=5)
    control.refresh()
    control.page.enter()
    assert control.refresh().asked is not None
    assert control.selection.asked[-1].text == "da@34[5,2]"


def test_the_cursor_of_the_flow_stays_in_what_is_computed_and_follows_the_program() -> None:
    control = in_the_flow("dz@30")
    control.page.cursor(0, -9)
    assert "da@30[" in draw_inspector(control.refresh(), 120, 7).plain()
    control.page.cursor(0, 99)
    assert "da@40[" in draw_inspector(control.refresh(), 120, 7).plain()
    control.page.time_step(1)
    assert "da@29[" in draw_inspector(control.refresh(), 120, 7).plain()


def test_the_flow_near_has_its_numbers_by_unit_and_time_step() -> None:
    control = in_the_flow("dz@30")
    control.page.cursor(2, 4)
    control.refresh()
    control.zoom()
    control.refresh()
    control.zoom()
    frame = control.refresh()
    assert control.page.body(36) == {"listing": "1fr", "zoom": "1fr"}
    canvas = draw_zoom(frame, 72, 22)
    lines = canvas.plain().splitlines()
    da = frame.view.tape["da"]
    largest = da[34, np.abs(da[34, :, 2]).argmax(), 2]
    (line,) = (line for line in lines if line[1:].lstrip().startswith("2 "))
    assert " 34 " in lines[1] and number(float(largest), 8) in line
    place = lines[1].index(" 35") + 2, lines.index(line)
    found = canvas.target_at(*place)
    assert found is not None
    control.click(*found)
    assert (control.selection.unit, control.selection.step) == (2, 35)


def test_a_flow_of_which_nothing_is_computed_is_not_zoomed() -> None:
    control = in_the_flow("z@3")
    control.choose(quantity="da")
    control.refresh()
    control.zoom()
    assert control.selection.zoom == 0
