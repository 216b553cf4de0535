"""The curve of norms, the spectra, which loss reaches which step, and the ledger of a gradient's cell."""

from __future__ import annotations

import re

import numpy as np
import pytest

from engine.debug.places import parse_place
from engine.explain.reach import reach
from engine.explain.spectrum import spectra
from engine.session import open_session
from rnn_tui.control.controller import Controller
from rnn_tui.panes.around.strip import draw_strip
from rnn_tui.panes.flow import draw_flow
from rnn_tui.panes.ledger import weight_cell
from rnn_tui.panes.program.inspector import draw_inspector
from rnn_tui.panes.shared.time_axis import listing_width
from rnn_tui.panes.weights import draw_weights
from rnn_tui.panes.zoom import draw_zoom
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbers import exact
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import look
from rnn_tui.shown.targets import ToPosition, ToWeight
from tests.rnn_tui.panes.scene import POINTS, scene


def at(data: str, place: str, mode: ColorMode = ColorMode.TRUECOLOR, **choices: object) -> Frame:
    session = open_session(data, {"notation": choices.pop("notation")} if "notation" in choices else {})
    return scene(session, parse_place(place, session.debugger).position, mode=mode, **choices)


def braille(text: str) -> set[str]:
    return {character for character in text if 0x2800 < ord(character) < 0x2900}


# The flow view


def test_the_norms_have_a_curve_where_there_is_room() -> None:
    shown = at("vanishing", "da@5", page="flow")
    text = draw_flow(shown, 74, 23).plain()
    assert "‖da_t‖, log: 4.4e−11 … 0.14" in text
    assert braille(text)
    for size in ((74, 19), (37, 16)):
        assert not braille(draw_flow(shown, *size).plain())
    assert not braille(draw_flow(at("vanishing", "da@5"), 74, 23).plain())  # not beside the line


def test_the_curve_shows_nothing_that_is_not_computed() -> None:
    text = draw_flow(at("vanishing", "z@5", page="flow", quantity="da"), 74, 23).plain()
    assert not braille(text) and "once the error flows back" in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 36), (200, 50)])
@pytest.mark.parametrize("place", ["z@4", "dz@4", "dWa@4"])
def test_strip_flow_and_ledger_have_the_present_step_in_one_column(width: int, height: int, place: str) -> None:
    left = listing_width(width)
    shown = at("many_to_one", place, page="weights", row=1, column=1, parameter="Wa")
    drawn = {
        "strip": draw_strip(shown, width, 4).plain(),
        "flow": draw_flow(shown, width - left, height // 3).plain(),
        "ledger": draw_weights(shown, width - left, height * 2 // 3).plain() if place == "dWa@4" else "",
    }
    numbered = {
        name: found.start(1) + (0 if name == "strip" else left)
        for name, text in drawn.items()
        for line in text.splitlines()
        if (found := re.match(r".*?[23] +(4) +[56] ", line))
    }
    assert len(numbered) == (3 if place == "dWa@4" else 2)
    assert len(set(numbered.values())) == 1
    marked = {line.index("▏") + left for line in drawn["flow"].splitlines() if "▏" in line}
    assert len(marked) == 1 and 0 <= next(iter(numbered.values())) - marked.pop() < 8


@pytest.mark.parametrize(("sample", "place", "count"), [("vanishing", "da@5", 1), ("temporal_order", "dh@5", 3)])
def test_the_spectra_of_all_recurrent_weights(sample: str, place: str, count: int) -> None:
    shown = at(sample, place, page="flow")
    lines = draw_flow(shown, 100, 33).plain().split("\n")
    start = next(i for i, line in enumerate(lines) if "singular values" in line)
    found = spectra(shown.view.tape)
    assert len(found) == count
    for line, name in zip(lines[start + 1 :], found, strict=False):
        assert f" {name} " in line and " … " in line


def test_the_gain_of_the_lstms_other_state_stands_beside_once_it_is_there() -> None:
    session = open_session("adding", {})
    tape = session.debugger.tape(0)

    def row(place: str) -> str:
        shown = scene(session, parse_place(place, session.debugger).position, page="flow")
        text = draw_flow(shown, 74, 23).plain()
        assert "gain of dc" in text
        return next(line for line in text.splitlines() if "8→7 " in line)

    of_dh, of_dc = (float(np.linalg.norm(tape[name][7]) / np.linalg.norm(tape[name][8])) for name in ("dh", "dc"))
    assert f"8→7   {of_dh:.2f} {of_dc:.2f} " in row("dc@7")
    assert f"8→7   {of_dh:.2f}  " in row("dh@7")


# Which loss reaches which step


def test_reach_is_a_triangle_with_words() -> None:
    shown = at("delayed_recall", "da@5", page="flow", reach=True, mode=ColorMode.NONE)
    canvas = draw_flow(shown, 74, 23)
    text = canvas.plain()
    assert "which loss reaches which step: ‖∂L_s/∂a_t‖, log" in text
    assert "at its own step a loss arrives with" in text
    rows = [line[7:-1].rstrip() for line in text.split("\n")[1:17]]
    assert [len(row) for row in rows] == sorted(len(row) for row in rows)
    assert text.split("\n")[16].strip("│ ").startswith("16")


def test_a_click_on_reach_goes_to_the_step() -> None:
    shown = at("delayed_recall", "da@5", page="flow", reach=True)
    canvas = draw_flow(shown, 74, 23)
    program = shown.view.program
    targets = {canvas.target_at(x, 2)[0] for x in range(74) if canvas.target_at(x, 2)}
    assert targets == {ToPosition(1 + program.written("da", t)) for t in range(1, 17)}


@pytest.mark.parametrize("size", [(20, 5), (37, 16), (144, 33)])
def test_reach_fits_and_one_loss_says_so(size: tuple[int, int]) -> None:
    for sample in ("sonnet", "vanishing"):
        lines = draw_flow(at(sample, "da@5", page="flow", reach=True), *size).plain().split("\n")
        assert len(lines) == size[1] and max(map(len, lines)) <= size[0]
    assert "one loss only" in draw_flow(at("vanishing", "da@5", page="flow", reach=True), 74, 23).plain()


def test_reach_of_one_sample() -> None:
    shown = at("sonnet", "da@5", page="flow", reach=True, sample=2)
    assert "sample 2" in draw_flow(shown, 74, 23).plain()
    tape = shown.view.tape
    alone = sum(reach(tape, sample=b) ** 2 for b in range(shown.samples))
    np.testing.assert_allclose(np.sqrt(alone), reach(tape), rtol=1e-12)


@pytest.mark.parametrize(
    ("layer", "before", "after"),
    [("a1", True, True), ("a1r", True, True), ("a2", True, False), ("a2r", False, True), (None, False, True)],
)
def test_reach_of_each_layer_and_direction(layer: str | None, before: bool, after: bool) -> None:
    """Through the layer above a loss reaches both ways, at the top one way; None is the layer at hand."""
    session = open_session("delayed_recall", {"layers": 2, "bidirectional": True, "truncate": None, "hidden": 4})
    shown = scene(
        session,
        parse_place("da2r@5", session.debugger).position,
        mode=ColorMode.NONE,
        page="flow",
        reach=True,
        layer=layer,
    )
    canvas = draw_flow(shown, 74, 23)
    text, name = canvas.plain(), layer or "a2r"
    others = ", ".join(one for one in ("a1", "a1r", "a2", "a2r") if one != name)
    assert f"‖∂L_s/∂{name}_t‖, log · tab: {others} " in text
    lines = text.split("\n")
    first, last = lines[1][7:39].replace("▏", " "), lines[16][7:39].replace("▏", " ")
    assert (len(first.split()) > 10, len(last.split()) > 10) == (after, before)
    words = " ".join(line.strip("│ ") for line in lines[18:])
    assert ("steps before it" in words, "steps after it" in words) == (before, after)
    program = shown.view.program
    targets = {canvas.target_at(x, 2)[0] for x in range(74) if canvas.target_at(x, 2)}
    assert targets == {ToPosition(1 + program.written(f"d{name}", t)) for t in range(1, 17)}


# The ledger


def test_the_ledger_stands_below_the_weights() -> None:
    text = draw_weights(at("many_to_one", "dWa@1", page="weights", parameter="Wa", row=2, column=3), 74, 23).plain()
    assert "dWa[2,3] −0.002836 = Σ_t Σ_b: samples × steps, ÷ pooled" in text
    before = draw_weights(at("many_to_one", "dWa@3", page="weights", parameter="Wa", row=2, column=3), 74, 23).plain()
    assert "= Σ_t Σ_b, t ≥ 3" in before
    assert (
        "Σ_t Σ_b" not in draw_weights(at("many_to_one", "dWa@1", page="weights"), 74, 23).plain()
    )  # no room, not asked
    assert "once it is summed" in draw_weights(at("many_to_one", "z@3", page="weights", parameter="Wa"), 74, 23).plain()


def test_samples_and_steps_have_their_sums_where_each_has_room() -> None:
    text = draw_weights(at("many_to_one", "dWa@1", page="weights", row=2, column=3), 144, 45).plain()
    lines = text.split("\n")
    (sums,) = [line for line in lines if "Σ_b  " in line]
    assert "−0.0023" in sums and "−0.001" in sums  # steps 9 and 10


def test_a_parameter_with_one_term_has_one_column() -> None:
    shown = at("many_to_one", "dWa@1", page="weights", parameter="Wy", row=1, column=1)
    assert "dWy[1,1]" in draw_weights(shown, 74, 23).plain()


def test_the_cursor_is_where_the_notation_has_the_cell() -> None:
    shown = at("temporal_order", "dWxr@3", page="weights", parameter="Wy", row=3, column=7)
    assert weight_cell(shown).cell == (3, 3)  # 8×4: within the picture
    turned = at("temporal_order", "dWxr@3", notation="goodfellow", page="weights", parameter="Wy", row=3, column=7)
    assert weight_cell(turned).cell == (7, 3)
    assert weight_cell(turned).place == (3, 7)


def in_the_ledger(place: str) -> Controller:
    control = Controller(open_session("many_to_one", {}), look(ColorMode.NONE), lambda _: None)
    control.visit(parse_place(place, control.debugger))
    control.choose(page="weights")
    control.refresh()
    control.page.tab(1)
    control.refresh()
    return control


def test_from_the_number_gone_to_one_key_leads_to_what_is_most_of_it() -> None:
    control = in_the_ledger("dWa@7[5,3]")
    tape = control.debugger.tape(0)
    addends = tape["a"][6:-1, :, 5] * tape["dz"][6:, :, 3]  # t = 7 … 10
    step, sample = np.unravel_index(np.abs(addends).argmax(), addends.shape)
    addend, t = float(addends[step, sample]), 7 + int(step)
    shown = draw_inspector(control.refresh(), 120, 7).plain()
    assert f"dWa@{t},{sample}[5,3] = {exact(addend)} " in shown and f"a@{t - 1}[{sample},5]" in shown
    assert control.page.copied() == (f"dWa@{t},{sample}[5,3]", repr(addend))
    control.page.enter()
    (asked,) = control.selection.asked
    assert (asked.name, asked.t, asked.sample, asked.index, asked.one_step) == ("dWa", t, sample, (5, 3), True)
    control.why.close()
    control.refresh()
    control.page.tab(-1)
    assert control.selection.addend is None and weight_cell(control.refresh()).cell == (5, 3)


def test_the_cursor_of_the_ledger_stays_in_what_is_summed_and_a_parameter_further_leaves_it() -> None:
    control = in_the_ledger("dWa@7[7,3]")
    for rows, columns, at in ((99, -9, (9, 7)), (-99, 99, (0, 10))):
        control.page.cursor(rows, columns)
        control.refresh()
        assert control.selection.addend == at
    control.zoom()
    assert "dWa, samples × time" in draw_zoom(control.refresh(), 74, 23).plain()
    control.page.tab(1)
    assert control.selection.addend is None and control.selection.parameter == "ba"
    early = in_the_ledger("z@3")
    assert early.selection.addend is None  # nothing is summed


def test_gradients_can_be_clicked_and_steps_of_the_ledger_too() -> None:
    canvas = draw_weights(at("many_to_one", "dWa@1", page="weights", parameter="Wa", row=2, column=3), 74, 23)
    found = [canvas.target_at(x, y) for y in range(23) for x in range(74)]
    targets = {hit[0] for hit in found if hit}
    assert {each.parameter for each in targets if isinstance(each, ToWeight)} == {"Wx", "Wa", "ba", "Wy", "by"}
    assert len([each for each in targets if isinstance(each, ToPosition)]) == 10


@pytest.mark.parametrize("mode", list(ColorMode))
@pytest.mark.parametrize("size", [(20, 14), (37, 16), (74, 23), (144, 33)])
@pytest.mark.parametrize(("sample", "place"), [("reber", "dWhf@3"), ("sonnet", "dWa@25"), ("dying_relu", "dWa@1")])
def test_it_fits(sample: str, place: str, size: tuple[int, int], mode: ColorMode) -> None:
    lines = draw_weights(at(sample, place, mode, page="weights"), *size).plain().split("\n")
    assert len(lines) == size[1] and max(map(len, lines)) <= size[0]


@pytest.mark.parametrize(
    ("options", "place", "factors"),
    [
        ({}, "dz@3", "relu'×Wa "),
        ({"bidirectional": True}, "dz1r@3", "relu'×Wa1r"),  # the read-out writes da1r too, from another step
        ({"cell": "irnn"}, "dz@3", "relu'×Wa "),
        ({"activation": "sigmoid", "dropout": 0.3}, "dz@3", "sigmoid'×Wa"),
    ],
)
def test_the_factors_of_a_gain_are_those_of_the_layer_at_hand(
    options: dict[str, object], place: str, factors: str
) -> None:
    session = open_session(None, options)
    shown = scene(session, parse_place(place, session.debugger).position)
    assert factors in draw_flow(shown, 90, 24).plain()


def test_where_it_is_narrow_the_gains_stand_below_the_pictures() -> None:
    frame = scene(at=POINTS["da"])
    alone, page = draw_flow(frame, 37, 6).plain(), draw_flow(frame.choose(page="flow"), 37, 16).plain()
    assert "gain 0.65 = relu' 0.86 × Wa 0.75" in alone
    assert "step gain relu'×Wa  live" in page and "3→2  0.65 0.86×0.75  68%" in page


def test_a_function_is_said_with_the_number_it_is_of_and_a_gate_without_a_sign() -> None:
    text = draw_inspector(at("adding", "f@10"), 120, 7).plain()
    assert "= sigmoid(zf@10[0,0])" in text and "= sigmoid(0.045669)" in text
    assert "+0.993" in text and "−0.993" not in text
