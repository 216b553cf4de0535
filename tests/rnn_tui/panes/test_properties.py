"""What holds for every pane, whatever the point, the size, the data and the choices."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.files.locate import sample_names
from engine.session import Session, open_session
from rnn_tui.panes import flow, weights
from rnn_tui.panes.around import strip
from rnn_tui.panes.shared.time_axis import time_axis
from rnn_tui.render.canvas import Canvas
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.palette import NOT_YET, PAD
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.selection import PAGES
from rnn_tui.shown.targets import ToPosition
from tests.examples import examples
from tests.rnn_tui.panes.scene import PANES, SIZES, scene

WIDE = 30
ZERO_WITH_MINUS = re.compile(r"[−-]0(\.0*)?(?![\d.e…])")


@cache
def session_of(name: str) -> Session:
    return open_session(name, {})


def assert_sound(canvas: Canvas, width: int, height: int) -> str:
    """Exactly the size asked for, nothing a terminal acts upon, no minus before zero; the text."""
    strips = canvas.strips()
    assert len(strips) == height
    for each in strips:
        assert each.cell_length == width
        assert sum(cell_len(segment.text) for segment in each) == width
        assert not [segment for segment in each if segment.control]
        assert each.text.isprintable()
        assert not [segment for segment in each if segment.style and segment.style.meta]
    text = "\n".join(each.text for each in strips)
    if width >= WIDE:  # a narrower pane may cut −0.15 after the zero
        assert not ZERO_WITH_MINUS.search(text), ZERO_WITH_MINUS.search(text)
    return text


def choices(data: st.DataObject, frame: Frame) -> dict[str, Any]:
    """What a person may have chosen, valid or left over from another line."""
    rows = [name for name, quantity in frame.view.program.quantities.items() if quantity.rows]
    lines = [(line.block, line.index) for line in frame.view.program.lines]
    draw = data.draw
    return {
        "page": draw(st.sampled_from(PAGES), "page"),
        "sample": draw(st.none() | st.integers(0, frame.samples - 1), "sample"),
        "row": draw(st.integers(0, 60), "row"),
        "column": draw(st.integers(0, 60), "column"),
        "operand": draw(st.none() | st.integers(0, 12), "operand"),
        "line": draw(st.none() | st.sampled_from(lines), "line"),
        "quantity": draw(st.none() | st.sampled_from(rows), "quantity"),
        "log": draw(st.sampled_from([None, True, False]), "log"),
    }


@examples(100)
@given(st.data(), st.sampled_from(sample_names()), st.sampled_from(list(PANES)), st.sampled_from(ColorMode))
def test_any_pane_anywhere(data: st.DataObject, name: str, pane: str, mode: ColorMode) -> None:
    session = session_of(name)
    at = data.draw(st.integers(0, 2 * session.debugger.program.length), "position")
    chosen = choices(data, scene(session, at))
    light = data.draw(st.booleans(), "light")
    width, height = data.draw(st.integers(1, 220), "width"), data.draw(st.integers(1, 60), "height")
    assert_sound(PANES[pane](scene(session, at, mode, light, **chosen), width, height), width, height)


@pytest.mark.parametrize("pane", list(PANES))
def test_tiny_panes(pane: str) -> None:
    frames = [scene(at=at) for at in (0, 5, 25, 40, 92)]
    for k, width in enumerate((1, 2, 3, 5, 8, 13, 21)):
        for j, height in enumerate((1, 2, 3, 4, 6, 8, 13)):
            for frame in (frames[0], frames[1 + (k + j) % 4]):
                assert_sound(PANES[pane](frame, width, height), width, height)


def test_every_point_of_an_iteration_and_a_few_more() -> None:
    """For all samples and for one: at every point outside the loops, and from one time step to the next inside them."""
    session = session_of("many_to_one")
    program = session.debugger.program
    for position in range(program.length + 10):
        t = program.point(position).t
        for sample in (None, 9) if t is None else ((None, 9)[t % 2],):
            frame = scene(session, position, sample=sample)
            for name, draw in PANES.items():
                width, height = SIZES["120x36"][name]
                assert_sound(draw(frame, width, height), width, height)


@pytest.mark.parametrize("sample", [None, 2])
def test_every_cell_of_every_picture_can_be_inspected(sample: int | None) -> None:
    session = open_session(None, {"hidden": 3})
    program = session.debugger.program
    for line in program.lines:
        position = 1 + program.offset(line)
        frame = scene(session, position, sample=sample)
        for operand, part in enumerate(frame.parts):
            if part.values is None:
                continue
            for row, column in {(0, 0), (part.values.shape[0] - 1, part.values.shape[1] - 1)}:
                chosen = scene(session, position, sample=sample, operand=operand, row=row, column=column)
                text = assert_sound(PANES["inspector"](chosen, 120, 7), 120, 7)
                assert repr(abs(float(part.values[row, column]))).replace("-", "−") in text or "= 0" in text


# Not yet


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The codes of all pictures drawn."""
    seen: list[np.ndarray] = []
    for module in (flow, weights):

        def recorded(codes: np.ndarray, *args: Any, real=module.heatmap, **kwargs: Any):
            seen.append(codes.copy())
            return real(codes, *args, **kwargs)

        monkeypatch.setattr(module, "heatmap", recorded)
    return seen


@pytest.mark.parametrize("name", ["many_to_one", "exploding"])
def test_not_yet_exactly_where_nothing_is_computed(codes: list[np.ndarray], name: str) -> None:
    session = session_of(name)
    length = session.debugger.program.length
    for position in [*range(1, length + 1, 7), length, length + 1, length + 5]:
        frame = scene(session, position)
        view = frame.view
        rows, axis = PANES["strip"](frame, 200, 4).plain().splitlines(), time_axis(view.program, 144, 56)
        for line, quantity in ((rows[1], "a"), (rows[3], "da")):
            dashed = [line[axis.x(t)] == "┈" for t in range(1, view.program.steps + 1)]
            np.testing.assert_array_equal(dashed, ~view.computed(quantity)[1:])
        for quantity in ("a", "z", "da", "dz", "x"):
            codes.clear()
            PANES["flow"](frame.choose(quantity=quantity), 144, 9)
            (picture,) = codes
            there = view.computed(quantity)
            if quantity in ("z", "dz", "x"):
                assert (picture[:, 0] == PAD).all()  # there is no such row
                picture = picture[:, 1:]
            np.testing.assert_array_equal(picture == NOT_YET, np.broadcast_to(~there, picture.shape))
        codes.clear()
        PANES["weights"](frame, 144, 40)
        pictures = iter(codes)
        for parameter in view.program.parameters:
            assert not (next(pictures) == NOT_YET).any()
            assert {bool(c == NOT_YET) for c in next(pictures).flat} == {view.gradient(f"d{parameter}") is None}
            if parameter in ("Wx", "Wa", "ba"):
                reached = view.summed_to(f"d{parameter}")
                assert {bool(c == NOT_YET) for c in next(pictures).flat} == {reached is None}
        assert not list(pictures)


@pytest.mark.parametrize("mode", list(ColorMode))
def test_at_the_start_the_whole_iteration_stands_there_faintly_where_there_are_colours_for_that(
    mode: ColorMode,
) -> None:
    text = PANES["flow"](scene(mode=mode), 74, 9).plain()
    assert ("┈" in text or "░" in text) == (mode in (ColorMode.COLORS_16, ColorMode.NONE))


def test_more_steps_than_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    real = strip._cells

    def recorded(*given: Any) -> None:
        seen.append(given[3].copy())
        real(*given)

    monkeypatch.setattr(strip, "_cells", recorded)
    session = session_of("vanishing")
    for position in range(7, session.debugger.program.length, 7):
        frame = scene(session, position)
        seen.clear()
        PANES["strip"](frame, 40, 4)
        forward, backward = seen
        columns = len(forward)
        assert columns < 40
        for row, name in ((forward, "a"), (backward, "da")):
            there = frame.view.computed(name)[1:]
            groups = [there[i * 40 // columns : (i + 1) * 40 // columns].any() for i in range(columns)]
            assert (row != NOT_YET).tolist() == groups


# Clicks


def test_every_click_target_lies_within_its_pane_and_the_program() -> None:
    session = session_of("vanishing")
    program = session.debugger.program
    for size in SIZES.values():
        frame = scene(session, 60)
        for name, draw in PANES.items():
            canvas = draw(frame, *size[name])
            for y in range(canvas.height):
                for x in range(canvas.width):
                    hit = canvas.target_at(x, y)
                    if hit is not None and isinstance(hit[0], ToPosition):
                        assert 1 <= hit[0].position <= program.length


def test_a_click_on_the_strip_names_the_step_under_it() -> None:
    frame = scene(at=50)
    canvas = PANES["strip"](frame, 120, 4)
    program = frame.view.program
    labels = {m.start() + (len(m[0]) > 1): int(m[0]) for m in re.finditer(r"\d+", canvas.strips()[0].text)}
    assert sorted(labels.values()) == list(range(1, 11))
    for x, t in labels.items():
        for y, name in ((1, "a"), (2, "da")):
            hit = canvas.target_at(x, y)
            assert hit is not None
            assert isinstance(hit[0], ToPosition)
            point = program.point(hit[0].position)
            step = next(line for line in program.lines if line.name == name).equation.step
            assert point.line == name
            row = point.t + program.blocks[point.block].lines[program.line_at(hit[0].position).index].equation.step
            assert row == t
            assert step == 0


# Text from outside

HOSTILE = (
    "\x1b[31mred", "\x1b]52;c;aGk=\x07", "a\u202eb\u2066", "[/]", "[bold red]x[/]", "[@click=app.quit]x[/]", "\\[", "\x9b2J", "e\u200bf",
    "漢字", "👩‍👩‍👧", "a\nb", "\x7f",
)  # fmt: skip
UNCLEAN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text) for text in HOSTILE])
def test_hostile_labels_and_titles(tmp_path: Path, text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    (tmp_path / "d.csv").write_text(f"1,2,{quoted}\n3,4,b\n5,6,{quoted}\n", encoding="utf-8", newline="")
    escaped = "".join(f"\\U{ord(c):08x}" for c in text)
    (tmp_path / "p.toml").write_text(
        f'data = "d.csv"\ntitle = "T {escaped}"\nlook_for = "L {escaped}"\n', encoding="utf-8"
    )
    session = open_session(tmp_path / "p.toml", {})
    program = session.debugger.program
    for position in range(HOSTILE.index(text) % 5, program.length + 1, 5):  # each text at other points
        frame = scene(session, position, sample=(None, 0)[position % 2])
        for name, draw in PANES.items():
            shown = assert_sound(draw(frame, *SIZES["120x36"][name]), *SIZES["120x36"][name])
            assert not {unicodedata.category(c) for c in shown if c != "\n"} & UNCLEAN
    if text.isprintable() and text.isascii():
        assert f"T {text}" in assert_sound(PANES["line"](scene(session), 74, 14), 74, 14)
        logits = 1 + program.offset(next(program.writers("logits")))
        assert f"target {text}" in assert_sound(PANES["inspector"](scene(session, logits), 200, 7), 200, 7)


@examples(60)
@given(st.text(max_size=60), st.integers(1, 130), st.sampled_from(["header", "line", "inspector"]))
@example("\ud800", 120, "header")
def test_any_name_keeps_the_width(text: str, width: int, pane: str) -> None:
    from dataclasses import replace

    frame = scene(session_of("many_to_one"), 0 if pane == "line" else 4)
    frame = replace(frame, name=text, description=text, title=text, look_for=text, classes=(text, text))
    assert_sound(PANES[pane](frame, width, 9), width, 9)


# What is not finite


def test_nan_and_infinity_are_seen(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("1,nan,2,0\n3,2,inf,1\n1,1,1,0\n")
    session = open_session(tmp_path / "d.csv", {"allow-nan": True, "activation": "relu"})
    for number, mode in enumerate(ColorMode):
        for position in range(number, session.debugger.program.length + 2, 4):
            for choice in ({}, {"sample": 0, "log": True}):
                frame = scene(session, position, mode, **choice)
                for name, draw in PANES.items():
                    assert_sound(draw(frame, *SIZES["80x24"][name]), *SIZES["80x24"][name])
        z2 = scene(session, 1 + session.debugger.program.offset(next(session.debugger.program.writers("z")), 2), mode)
        assert "!" in PANES["line"](z2, 144, 20).plain()
        assert "NaN" in PANES["inspector"](z2, 120, 7).plain()


@pytest.mark.parametrize("pane", list(PANES))
@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_pane_that_is_narrower_than_its_edges(pane: str, width: int) -> None:
    """At the start, where the gains of the steps to come stand faintly."""
    canvas = PANES[pane](scene(session_of("many_to_one"), 0), width, 15)
    assert_sound(canvas, width, 15)
