"""What keys do, without a screen; and how the space of one is shared out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.debug.places import first_where, parse_place
from engine.model.blocks import Point
from engine.session import open_session
from rnn_tui.control.controller import Controller
from rnn_tui.panes.around.strip import draw_strip
from rnn_tui.panes.program.inspector import draw_inspector
from rnn_tui.panes.program.listing import draw_listing, mark_of
from rnn_tui.panes.weights import draw_weights
from rnn_tui.render.inks import ColorMode
from rnn_tui.screens.dialogs.dialog import completed
from rnn_tui.screens.dialogs.questions import small_sizes
from rnn_tui.screens.layout import LEFT, RIGHT, layout
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import look
from rnn_tui.shown.selection import PAGES, PageName
from rnn_tui.shown.targets import ToCell, cell_at


def controller() -> tuple[Controller, list[str]]:
    said: list[str] = []
    return Controller(open_session(None, {}), look(), said.append), said


def test_a_call_changes_the_next_frame_and_no_frame_that_was_handed_out() -> None:
    control, _ = controller()
    assert control.go(Point(0, "backward", 7, "dz"))
    before = control.refresh()
    assert control.page.step(1)
    control.here.cursor(2, 3)
    after = control.refresh()
    assert before.view.point.line == "dz" and before.cell == (0, 0)
    assert after.view.point.line == "dx" and after.selection.row == 2
    assert not control.go(control.debugger.position)


@pytest.mark.parametrize("page", PAGES)
def test_the_keys_offered_are_those_that_work_in_this_very_frame(page: PageName) -> None:
    control, _ = controller()
    control.turn_to(page)
    length = control.debugger.program.length
    for position in (1, length, 0, 30, 31, length, 0):
        control.go(position)
        assert control.refresh().keys == control.refresh().keys, position


def test_what_cannot_be_is_said() -> None:
    control, said = controller()
    control.stops.toggle()
    assert control.stops.search(1) is None
    control.edits.undo()
    assert ["Choose a line" in said[0], "No breakpoint" in said[1], "Nothing is set" in said[2]] == [True] * 3


def test_an_explanation_is_open_over_the_page_it_was_asked_from() -> None:
    control, _ = controller()
    control.go(Point(0, "backward", 7, "dz"))
    assert control.here.enter()
    assert control.here is control.why and control.refresh().asked is not None
    assert control.here.enter()
    assert [cell.name for cell in control.selection.asked] == ["dz", "da"]
    assert not control.why.follow(99)
    control.why.back()
    control.why.back()
    assert control.here is control.page and control.refresh().asked is None


def test_a_sweep_passes_every_step_once_and_its_trail_fades_in_the_strip() -> None:
    control = Controller(open_session("vanishing", {}), look(), print)
    control.go(Point(0, "loss", None, "loss"))
    before = control.debugger.position
    control.page.phase(1)
    last = control.refresh()
    pictures = control.on_the_way(before)
    assert sorted(step for picture in pictures for step in picture.trail[0]) == list(range(41))
    assert len(pictures) < 41 and pictures[-1].view.position == last.view.position and any(pictures[-1].trail)
    accent = last.look.accent.color

    def lit(frame: Frame) -> int:
        return sum(
            len(text) for text, style, _ in draw_strip(frame, 120, 5).strips()[3] if style and style.color == accent
        )

    assert [lit(frame) for frame in (pictures[5], last)] == [len(pictures[5].trail[0]), 0]
    control.look = look(ColorMode.COLORS_16)
    control.refresh()
    assert not any(picture.trail for picture in control.on_the_way(before))


@pytest.mark.parametrize("height", [18, 24, 36, 50])
def test_every_page_shares_out_the_body_among_panes_that_there_are(height: int) -> None:
    control, _ = controller()
    pages = [control.page]
    for name in PAGES:
        control.turn_to(name)
        pages.append(control.page)
    assert len({type(page) for page in pages}) == len(PAGES)
    for page in (*pages, control.why):
        for notes in (0, 1, 40):
            shown = layout(page, notes, 120, height)
            assert set(shown.body) <= {*LEFT, *RIGHT}
            assert set(shown.body) & set(RIGHT)
            assert set(shown.body) & set(LEFT) or shown.left == 0, "a page may take the whole body"
            assert ("notes" in shown.body) == (notes > 0 and bool(set(shown.body) & set(LEFT)))
    assert not layout(control.page, 0, 120, height).small and layout(control.page, 0, 59, height).small


def test_a_click_finds_the_cell_of_the_whole_array() -> None:
    pooled = ToCell(0, shape=(100, 40), shown=(10, 20), cell_width=2, lines_per_row=0.5)
    assert cell_at(pooled, 0, 0) == (0, 0)
    assert cell_at(pooled, 5, 2) == (40, 4)
    assert cell_at(pooled, 99, 99) == (90, 38)


def test_a_stop_says_what_fired_and_with_which_value() -> None:
    control, _ = controller()
    control.debugger.add("dz if norm(dz) < 0.11")
    search = control.stops.search(1)
    assert search is not None
    search.run()
    assert control.stops.arrive(search)
    said = control.refresh().stopped
    norm = float(np.linalg.norm(control.debugger.view.tape.at("dz", control.debugger.view.point.t)))
    assert said == f"norm(dz) = {norm:.6g} · dz if norm(dz) < 0.11"
    assert "■ norm(dz) = " in draw_listing(control.refresh(), 56, 33).plain()
    control.page.step(1)
    assert not control.refresh().stopped
    control.page.step(-1)
    assert control.refresh().stopped == said


def test_a_condition_that_was_gone_to_says_the_value_too() -> None:
    control, _ = controller()
    control.visit(first_where("max|dz| < 0.02", control.debugger))
    view = control.refresh().view
    largest = float(np.abs(view.tape.at("dz", view.point.t)).max())
    assert control.frame.stopped == f"max|dz| = {largest:.6g} · if max|dz| < 0.02"
    control.write_in("karpathy")
    control.visit(first_where("max|da| < 0.01", control.debugger))
    assert control.refresh().stopped.startswith("max|dh| = ")


def test_a_condition_is_for_the_sample_that_is_looked_at() -> None:
    control, _ = controller()
    control.choose(sample=5)
    debugger, number = control.debugger, control.looked_at
    debugger.watch("norm(da)")
    control.visit(first_where("||da|| < 1e-3", debugger, sample=number))
    frame = control.refresh()
    norms = frame.view.tape.norms("da", 5)
    t = max(t for t in range(11) if norms[t] < 1e-3)
    assert frame.view.row == t and norms[t] != pytest.approx(frame.view.tape.norms("da")[t])
    assert frame.stopped == f"norm(da) of sample 5 = {norms[t]:.6g} · sample 5 if norm(da) < 1e-3"
    assert frame.notes == (("norm(da) of sample 5", f"{norms[t]:.6g}"),)
    debugger.go(0)
    debugger.add("da if norm(da) < 0.01")  # set while all were looked at
    search = control.stops.search(1)
    assert search is not None
    search.run()
    control.stops.arrive(search)
    assert control.refresh().stopped.startswith("norm(da) of all samples = ")


def test_of_sizes_the_gradients_are_proposed_first() -> None:
    control, _ = controller()
    for line in ("z", "dz"):
        control.debugger.go(parse_place(line, control.debugger).position)
        assert small_sizes(control.debugger, control.writer.spelling)[0] == "max|dz| < 0.001"
        assert completed("m", small_sizes(control.debugger, control.writer.spelling)) == "max|dz| < 0.001"


@pytest.mark.parametrize(
    ("typed", "whole"),
    [("dWa[1,3", "dWa[1,3]"), ("p[5", "p[5]"), ("da@3[", ""), ("any(isnan(z", "any(isnan(z))"), ("7", "")],
)
def test_open_brackets_are_closed(typed: str, whole: str) -> None:
    assert completed(typed, ["max|dz| < 0.001"]) == whole


def test_the_weights_say_which_keys_lead_to_their_gradients() -> None:
    control, _ = controller()
    control.turn_to("weights")

    def title() -> str:
        return draw_weights(control.refresh(), 60, 20).plain().splitlines()[0]

    for keys in ("f f f", "f f", "f"):
        assert f"· {keys} for the gradients" in title()
        control.page.phase(1)
    assert "gradient so far" in title()


def test_a_sample_that_was_named_is_the_chosen_one() -> None:
    control, _ = controller()
    control.visit(parse_place("p sample 5", control.debugger))
    assert control.selection.sample == 5 and control.debugger.view.point.line == "p"
    control.visit(parse_place("p[3]", control.debugger))
    frame = control.refresh()
    assert control.selection.sample == 3 and "sample 3: predicted" in draw_inspector(frame, 120, 7).plain()


def test_an_addend_is_gone_to_by_the_name_that_it_has_on_the_screen() -> None:
    control, _ = controller()
    control.visit(parse_place("dWa@4,2[1,3]", control.debugger))
    assert draw_inspector(control.refresh(), 120, 7).plain().splitlines()[1].startswith("│ dWa@4,2[1,3] = ")


def test_logpoints_alone_run_to_the_end_of_the_iteration() -> None:
    control, said = controller()
    control.debugger.add("dz log norm(dz)")
    assert control.search(1) is None
    assert control.debugger.position == control.debugger.program.length
    assert len(control.logged) == 10 and "`D` shows the log" in said[-1]
    assert control.search(-1) is None and control.debugger.position == 0


def test_a_breakpoint_has_a_mark_of_its_kind() -> None:
    session = open_session(None, {})
    marks = {"dz": "●", "dz@3": "○", "dz if t > 2": "◆", "dz log t": "◇"}
    assert {text: mark_of(session.debugger.add(text)) for text in marks} == marks


def test_training_stops_at_the_first_loss_that_is_no_number() -> None:
    said: list[str] = []
    control = Controller(open_session("exploding", {"lr": 1e200, "allow-nan": True}), look(), said.append)
    control.trainer.toggle()
    while control.training:
        control.trainer.slice().run()
        control.trainer.take()
    losses = [measured.loss for _, measured in sorted(control.debugger.history.items())]
    assert [i for i, loss in enumerate(losses) if not math.isfinite(loss)] == [len(losses) - 1]
    assert "Training stopped" in said[-1]
    control.trainer.toggle()
    assert not control.training
