"""What if on the screen: numbers put in by every way there is, the original beside them, undo."""

from __future__ import annotations

import numpy as np
import pytest
from textual.widgets import Input, Static

from engine.debug.whatif import Branch, what_if
from engine.model.blocks import Point
from engine.session import open_session
from rnn_tui.keys.bindings import WITHOUT_KEY
from rnn_tui.panes.flow import draw_flow
from rnn_tui.screens.dialogs.what_if import EditScreen
from rnn_tui.shown.targets import Press
from tests.rnn_tui.test_app import Driven, running

pytestmark = pytest.mark.usefixtures("plain_environment")
SIZES = [(80, 24), (120, 36), (200, 50)]


def at(t: int, line: str = "da", phase: str = "backward", iteration: int = 0) -> Point:
    return Point(iteration, phase, t, line)  # type: ignore[arg-type]


async def set_(driven: Driven, value: str) -> None:
    """Presses e and types the rest of the line."""
    await driven.pilot.press("e")
    await driven.pilot.pause()
    assert isinstance(driven.app.screen, EditScreen)
    field = driven.app.screen.query_one(Input)
    field.value += value
    await driven.pilot.press("enter")
    await driven.pilot.pause()


def edits(driven: Driven) -> list[str]:
    debugger = driven.main.debugger
    return [edit.text for edit in debugger.edits] if isinstance(debugger, Branch) else []


@pytest.mark.parametrize("size", SIZES)
async def test_a_cell_is_set_shown_and_undone(size: tuple[int, int]) -> None:
    async with running(size=size) as driven:
        await driven.go(at(4))
        original = driven.main.debugger
        await driven.do("cell(0,1)")
        before = driven.text()
        await set_(driven, "0")
        assert edits(driven) == ["da@3[0,1] = 0"]
        assert driven.main.debugger.view.tape["da"][3, 0, 1] == 0
        assert "what if: da@3[0,1] = 0 (u undoes)" in driven.pane("header").canvas().plain()
        assert "put in by what if: da@3[0,1] = 0 · was 0.0001822, changed by −0.0001822" in driven.text()
        assert {"undo_edit", "beside"} <= {key[2] for key in driven.main.frame.keys}  # type: ignore[union-attr]
        await driven.pilot.press("u")
        await driven.pilot.pause()
        assert driven.main.debugger is original
        driven.app.clear_notifications()
        await driven.pilot.pause()
        assert driven.text() == before
        assert original.tape(0)["da"][3, 0, 1] != 0


async def test_what_runs_later_follows_and_what_ran_before_stays() -> None:
    async with running() as driven:
        await driven.go(at(4))
        await set_(driven, "da@3[0,0] = 5")  # a whole edit, behind the beginning that is there
        expected = what_if(open_session(None, {}).debugger, "da@3[0,0] = 5")
        await driven.do("step(1)", "finish", "finish", "finish")
        point = driven.main.debugger.view.point
        assert (point.iteration, point.phase) == (1, "forward")
        for iteration in (0, 1):
            shown = driven.main.debugger.tape(iteration)
            assert all((shown[name] == expected.tape(iteration)[name]).all() for name in ("a", "da", "dWa", "Wa"))


async def test_the_original_beside_it() -> None:
    async with running(size=(200, 50)) as driven:
        await driven.go(at(2))
        await driven.do("beside")
        assert not driven.main.frame.selection.beside  # type: ignore[union-attr]
        driven.main.show(driven.controller.edits.edit("da@3 = 0"))
        await driven.pilot.press("o")
        await driven.pilot.pause()
        frame = driven.main.frame
        assert frame is not None
        edited, original, change = (
            next(part for part in reversed(frame.parts) if part.role == role)
            for role in ("result", "original", "difference")
        )
        tape = open_session(None, {}).debugger.tape(0)
        assert original.values is not None
        assert change.values is not None
        assert (original.values == tape["da"][1]).all()
        assert not edited.values.any()  # type: ignore[union-attr]
        assert (change.values == -tape["da"][1]).all()
        assert {"original", "difference"} <= set(driven.pane("line").canvas().plain().split())
        flow = driven.pane("flow").canvas().plain()
        assert "da edited, log" in flow
        assert "da original, log" in flow
        assert "da edited − original" in flow
        for height in range(6):  # a window that is being made smaller
            assert len(draw_flow(frame, 60, height).strips()) == height
        await driven.do("operand(1)")
        assert "original da@1[0,0] = 2.79084" in driven.pane("inspector").canvas().plain()
        assert "sum of 8 terms" in driven.pane("inspector").canvas().plain()
        await driven.do("operand(1)")
        assert "difference da@1[0,0] = " in driven.pane("inspector").canvas().plain()
        await driven.do("enter")
        assert not driven.controller.selection.asked


@pytest.mark.parametrize(("cell", "size"), list(zip(("rnn", "lstm", "gru"), SIZES, strict=True)))
async def test_beside_at_every_line(cell: str, size: tuple[int, int]) -> None:
    async with running(open_session(None, {"cell": cell, "optimizer": "adam", "clip-norm": 0.1}), size=size) as driven:
        state = driven.main.debugger.program.output
        driven.main.show(driven.controller.edits.edit(f"{state}@5[0,0] = 0.5"))
        await driven.do("beside")
        lines = [line for block in driven.main.debugger.program.blocks for line in block.lines]
        for number, line in enumerate(
            lines
        ):  # each for all samples and for one, without going back to what was chosen before
            await driven.go(1 + driven.main.debugger.program.offset(line))
            assert driven.main.frame is not None
            assert driven.main.frame.parts[-1].role == "difference"
            driven.main.show(driven.controller.choose(sample=(0, None)[number % 2]))
            await driven.pilot.pause()
            assert driven.main.frame.parts[-1].role == "difference"


async def test_why_says_that_a_number_was_put_in() -> None:
    async with running() as driven:
        await driven.go(at(4))
        driven.main.show(driven.controller.edits.edit("da@3[0,0] = 0"))
        await driven.do("enter")
        text = driven.text()
        assert "put in, what if da@3[0,0] = 0" in text
        assert "(put in)" in text
        assert "(rounding)" not in text
        await driven.do("close_why", "cell(0,1)", "enter")
        assert "put in, what if" not in driven.text()


@pytest.mark.parametrize(
    ("action", "point", "expected"),
    [
        ("zero_gradient", at(4), "da@3 = 0"),
        ("zero_gradient", at(4, "z", "forward"), "dz@4 = 0"),
        ("zero_gradient", at(4, "dWa"), "dWa = 0"),
        ("cut_flow", at(4), "flow@4 = 0"),
        ("flip_label", at(4), "y[0] = flip"),
    ],
)
async def test_the_usual_ones_from_the_palette(action: str, point: Point, expected: str) -> None:
    async with running() as driven:
        await driven.go(point)
        await driven.do(action)
        assert edits(driven) == [expected]


async def test_those_that_ask_are_filled_in() -> None:
    async with running() as driven:
        await driven.go(at(4))
        for action, text in (
            ("change_weight", "Wa[0,0] = "),
            ("replace_activation", "activation = tanh"),
            ("set_cell", "da@3[0,0] = "),
        ):
            await driven.do(action)
            assert driven.app.screen.query_one(Input).value == text
            await driven.pilot.press("escape")
            await driven.pilot.pause()
        await driven.do("operand(1)", "operand(1)", "cell(2,3)", "change_weight")
        assert driven.app.screen.query_one(Input).value.startswith("Wa[")
        await driven.pilot.press("escape")
        await driven.pilot.pause()
        await driven.do("replace_activation")
        await driven.pilot.press("enter")
        await driven.pilot.pause()
        assert edits(driven) == ["activation = tanh"]
        assert "tanh(z_t)" in driven.pane("listing").canvas().plain()
        await driven.do("undo_edit")
        assert "relu(z_t)" in driven.pane("listing").canvas().plain()
        assert [choice.name for choice in driven.app.choices()].count(WITHOUT_KEY[0][1]) == 1


async def test_labels_of_more_classes_are_asked_for() -> None:
    async with running(open_session(None, {"outputs": 3})) as driven:
        await driven.do("sample(1)", "sample(1)", "flip_label")
        assert driven.app.screen.query_one(Input).value == "y[1] = "


async def test_what_cannot_be_is_said_in_the_dialog() -> None:
    async with running() as driven:
        await driven.go(at(4))
        await set_(driven, "zero")
        assert isinstance(driven.app.screen, EditScreen)
        note = driven.app.screen.query(".note").last(Static)
        assert "zero is no number" in str(note.render())
        await driven.pilot.press("escape")
        await driven.pilot.pause()
        assert edits(driven) == []
        await driven.do("undo_edit", "beside")
        assert driven.main.frame is not None
        assert driven.main.frame.original is None


async def test_several_edits_are_undone_one_after_another_and_by_mouse() -> None:
    async with running(size=(120, 40)) as driven:
        await driven.go(at(4))
        driven.main.show(driven.controller.edits.edit("z@2 = 0"))
        driven.main.show(driven.controller.edits.edit("y[4] = flip"))
        await driven.pilot.pause()
        assert "what if: y[4] = flip + 1 (u undoes)" in driven.pane("header").canvas().plain()
        await driven.click("header", lambda target: target == Press("undo_edit"))
        assert edits(driven) == ["z@2 = 0"]
        await driven.click("footer", lambda target: target == Press("undo_edit"))
        assert edits(driven) == []


async def test_breakpoints_and_the_notation_are_kept() -> None:
    async with running() as driven:
        await driven.go(at(4))
        await driven.do("toggle_breakpoint", "notation('pytorch')")
        stops = driven.main.debugger.breakpoints
        driven.main.show(driven.controller.edits.edit("dh@3 = 0"))
        assert edits(driven) == ["da@3 = 0"]
        assert driven.main.debugger.breakpoints == stops
        await driven.do("toggle_breakpoint", "undo_edit")
        assert driven.main.debugger.breakpoints == frozenset()


async def test_a_trace_of_what_was_set_opens_with_it(tmp_path: object) -> None:
    from pathlib import Path

    from engine.files.trace import write_trace

    path = Path(str(tmp_path)) / "edited.npz"
    tape = what_if(open_session(None, {}).debugger, "da@3 = 0").tape(0)
    write_trace(path, tape, meta={"what_if": ["da@3 = 0"]})
    async with running(open_session(path, {})) as driven:
        assert "what if: da@3 = 0" in driven.text()
        await driven.do("undo_edit")
        assert np.any(driven.main.debugger.tape(0)["da"][3])
