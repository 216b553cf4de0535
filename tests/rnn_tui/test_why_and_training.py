"""The Training view, explanations, breakpoints and watches, through the app's actions."""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from engine.debug.places import parse_place
from engine.debug.recordings import Batch, Recordings, TrainingState
from engine.explain.address import CellAddress
from engine.language.functions import Array
from engine.model.blocks import Point
from engine.recording.history import History
from engine.recording.plan import Plan, Progress
from engine.recording.tape import Tape
from engine.session import open_session
from rnn_tui.control.controller import Controller
from rnn_tui.control.work import Work
from rnn_tui.panes.training import draw_training
from rnn_tui.panes.why import draw_why
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbers import number
from rnn_tui.screens import at_work
from rnn_tui.screens.dialogs import questions, what_if
from rnn_tui.screens.dialogs.palette import PaletteScreen
from rnn_tui.screens.dialogs.questions import BreakpointsScreen, WatchScreen
from rnn_tui.shown.look import look
from rnn_tui.shown.targets import Press, ToCrumb, ToIteration, ToOperand, moment_at
from tests.rnn_tui.panes.scene import scene
from tests.rnn_tui.test_app import running, until

pytestmark = pytest.mark.usefixtures("plain_environment")
SIZES = [(60, 18), (80, 24), (120, 36), (200, 50)]


# Training


async def test_training_and_going_to_an_iteration_and_a_step() -> None:
    async with running() as driven:
        await driven.do("page('training')")
        assert "iteration 0, t = 10" in driven.text()
        await driven.do("train")
        await until(driven.pilot, lambda: len(driven.main.debugger.history) > 12)
        await driven.do("train")
        count = len(driven.main.debugger.history)
        await driven.pilot.pause(0.2)
        assert len(driven.main.debugger.history) == count  # paused
        driven.main.show(driven.controller.choose(moment=(7, 4)))
        await driven.pilot.pause()
        figures = driven.main.debugger.history[7]
        assert f"iteration 7, t = 4: ‖da‖ {figures.flows['a'][3]:.3g}" in driven.text()
        await driven.do("enter")
        point = driven.main.debugger.program.point(driven.position)
        assert (point.iteration, point.phase, point.t, point.line) == (7, "backward", 5, "da")
        assert "this line" in driven.text()


async def test_the_cursor_of_the_training_view_stays_inside() -> None:
    async with running() as driven:
        driven.main.debugger.start(5)
        await driven.do("page('training')", "cell(-99,-99)")
        assert driven.main.frame.moment == (0, 1)
        await driven.do("cell(99,99)")
        assert driven.main.frame.moment == (4, 10)
        await driven.click("training", lambda target: isinstance(target, ToIteration))
        assert driven.main.frame.moment == (0, 1)


async def test_the_training_view_and_reach_go_by_layer_and_direction() -> None:
    session = open_session("delayed_recall", {"layers": 2, "bidirectional": True, "truncate": None, "hidden": 4})
    async with running(session) as driven:
        driven.main.debugger.start(3)
        await driven.do("page('training')")
        driven.main.show(driven.controller.choose(moment=(2, 4)))
        tape = driven.main.debugger.tape(2)
        for name, held in (("a2", 1), ("a2r", 0), ("a1", 1), ("a1r", 0)):
            await driven.pilot.pause()
            norm = float(np.linalg.norm(tape[f"d{name}"][4 - 1 + held]))
            assert f"iteration 2, t = 4: ‖d{name}‖ {number(norm, 8, trim=True)}" in driven.text()
            await driven.do("operand(1)")
        await driven.do("operand(-1)", "enter")
        assert (
            driven.main.debugger.view.point.line.startswith("da1r") and driven.main.debugger.view.point.iteration == 2
        )
        await driven.do("reach")
        assert "∂a1r_t" in driven.pane("flow").canvas().plain()
        await driven.do("operand(1)")
        assert "∂a2_t" in driven.pane("flow").canvas().plain()


async def test_the_cursor_of_the_training_view_crosses_many_iterations_in_few_keys_and_has_both_ends() -> None:
    async with running() as driven:
        driven.main.debugger.start(400)
        position = driven.position
        await driven.do("page('training')", "start_of_phase")
        assert driven.main.frame.moment[0] == 0 and "f F last, first" in driven.footer()
        await driven.do("cell(0,1)")
        assert driven.main.frame.moment[0] == 399 // 100
        await driven.do("finish")
        assert driven.main.frame.moment[0] == 399
        await driven.do("cell(0,1)")
        assert driven.main.frame.moment[0] == 399 and driven.position == position


@pytest.mark.parametrize("size", SIZES)
async def test_the_training_view_fits(size: tuple[int, int]) -> None:
    async with running(open_session("reber", {}), size=size) as driven:
        await driven.do("page('training')")
        driven.main.debugger.start(30)
        driven.main.show()
        await driven.pilot.pause()
        assert all(len(row) <= size[0] for row in driven.rows())
        assert "loss" in driven.text()


# Why


async def test_a_number_is_followed_to_what_made_it_and_back() -> None:
    async with running() as driven:
        await driven.go(Point(0, "backward", 1, "dWa"))
        await driven.do("cell(2,3)", "enter")
        assert driven.controller.selection.asked == (CellAddress("dWa", 0, None, (2, 3)),)
        text = driven.text()
        assert "why · dWa[2,3]" in text
        assert "100 terms, largest first" in text
        assert re.search(r"= the other \d+", text)
        assert "= their sum; stored" in text
        await driven.do("cell(0,1)", "enter")  # the second number of the first term
        second = driven.controller.selection.asked[-1]
        assert second.name == "dz"
        assert f"dWa[2,3] ▸ {second.text}" in driven.text()
        await driven.do("enter", "enter")
        assert len(driven.controller.selection.asked) >= 3
        await driven.do("back", "back")
        depth = len(driven.controller.selection.asked)
        await driven.do("close_why")
        assert depth >= 1
        assert driven.controller.selection.asked == ()
        assert "this line" in driven.text()


async def test_the_chain_reaches_the_loss_and_the_input() -> None:
    async with running() as driven:
        driven.main.show(driven.controller.ask(CellAddress("dz", 0, 10, (3, 0))))
        for name in ("da", "dlogits", "p", "logits"):
            places = [(n, cell) for term in driven.controller.why.followed() for n, cell in term]
            number = next(n for n, cell in places if cell.name == name)
            driven.main.show(driven.controller.why.follow(number))
        assert [cell.name for cell in driven.controller.selection.asked] == ["dz", "da", "dlogits", "p", "logits"]


async def test_terms_have_bars_as_long_as_they_are_large() -> None:
    async with running(open_session("vanishing", {})) as driven:
        await driven.go(Point(0, "backward", 5, "da"))
        await driven.do("enter")
        bars = [
            re.search(r"([█▏▎▍▌▋▊▉]*) *│$", line.rstrip()) for line in driven.text().splitlines() if " × Wa[" in line
        ]
        lengths = [len(found[1]) for found in bars if found]
        terms = np.abs(driven.main.frame.asked.explanation.values)
        largest_first = np.sort(terms)[::-1]
        assert lengths == [-(-max(1, round(48 * term)) // 8) for term in largest_first / largest_first[0]]


async def test_a_gradient_that_is_still_summed_has_its_largest_steps_and_samples() -> None:
    async with running() as driven:
        await driven.go(Point(0, "backward", 8, "dWa"))
        await driven.do("page('weights')", "cell(2,3)")
        await driven.do("enter")
        text, tape = driven.text(), driven.main.debugger.tape(0)
        addends = tape["a"][7:10, :, 2] * tape["dz"][7:, :, 3]  # t = 8, 9, 10
        steps, samples = addends.sum(axis=1), addends.sum(axis=0)
        assert f"by step: t = {8 + int(np.abs(steps).argmax())} " in text
        assert f"by sample: {int(np.abs(samples).argmax())} " in text
        (line,) = (line for line in text.splitlines() if "by step" in line)
        assert set(re.findall(r"t = (\d+)", line)) == {"8", "9", "10"}
        assert "iteration 0, t = 10…8" in text
        low = "\n".join(strip.text for strip in draw_why(driven.main.frame, 37, 11).strips())
        assert "by step: t = " in low and " terms, largest first" in low and " = sum" in low


async def test_by_mouse_alone() -> None:
    async with running() as driven:
        await driven.go(Point(0, "backward", 7, "dz"))
        await driven.do("enter")
        await driven.click("why", lambda target: isinstance(target, ToOperand))
        assert [cell.name for cell in driven.controller.selection.asked] == ["dz", "da"]
        await driven.click("why", lambda target: isinstance(target, ToCrumb))
        assert [cell.name for cell in driven.controller.selection.asked] == ["dz"]


async def test_what_nothing_made_says_so_and_a_move_closes_the_explanation() -> None:
    async with running() as driven:
        driven.main.show(driven.controller.ask(CellAddress("x", 0, 3, (0, 0))))
        await driven.pilot.pause()
        assert "given with the data" in driven.text()
        driven.main.show(driven.controller.ask(CellAddress("Wa", 0, None, (0, 0))))
        await driven.pilot.pause()
        assert "a weight as it was at the start" in driven.text()
        await driven.do("step(1)")
        assert driven.controller.selection.asked == ()


@pytest.mark.parametrize("size", SIZES)
async def test_explanations_fit(size: tuple[int, int]) -> None:
    async with running(open_session("reber", {"cell": "lstm"}), size=size) as driven:
        for cell in (
            CellAddress("dWhi", 0, None, (0, 1)),
            CellAddress("loss", 0, None, ()),
            CellAddress("h", 0, 2, (0, 1)),
            CellAddress("dx", 0, 2, (0, 1)),
        ):
            driven.main.show(driven.controller.ask(cell))
            await driven.pilot.pause()
            assert all(len(row) <= size[0] for row in driven.rows())
            body = [row.rstrip() for row in driven.rows() if row.startswith("│")]
            assert body and all(row.endswith("│") for row in body)  # nothing is written over the edge
            await driven.do("cell(1,0)", "cell(0,1)")


# Breakpoints and watches


async def test_a_condition_stops_and_a_search_says_when_there_is_none() -> None:
    async with running() as driven:
        debugger = driven.main.debugger
        debugger.add("if norm(da) < 1e-2")
        await driven.do("continue")
        await until(driven.pilot, lambda: driven.main.work is None and driven.position > 0)
        point = debugger.program.point(driven.position)
        assert (point.phase, point.line) == ("backward", "da")
        debugger.breakpoints = frozenset()
        debugger.add("if loss < -1")
        await driven.do("continue")
        await driven.do("continue")  # the second one stops the search
        await until(driven.pilot, lambda: driven.main.work is None)
        assert debugger.program.point(driven.position) == point


class Slow:
    """A debugger whose iterations take as long as `free` is not set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session, self.free = open_session(None, {}), Event()
        record = Recordings._run

        def slowly(
            recordings: Recordings,
            iteration: int,
            prepared: Plan,
            batch: Batch,
            start: TrainingState,
            into: dict[str, Array] | None,
            progress: Progress | None,
        ) -> Tape:
            while not self.free.wait(0.02) and progress is not None:
                progress(0.5)
            return record(recordings, iteration, prepared, batch, start, into, progress)

        monkeypatch.setattr(Recordings, "_run", slowly)
        monkeypatch.setattr(at_work, "LONG", 0)
        monkeypatch.setattr(Work, "said_after", 0)
        monkeypatch.setattr(questions, "WAITS", 0)
        monkeypatch.setattr(what_if, "WAITS", 0)


BUSY = "recording iteration {} ━━━━────  50 %, esc goes back"


async def test_what_takes_long_is_done_beside_the_screen_and_can_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    slow.free.set()
    async with running(slow.session) as driven:
        debugger = driven.main.debugger
        debugger.add("if loss < -1")
        for keys, iteration, done in (
            (("g", *"loss<-2", "enter"), 1, "holds nowhere"),
            (("e", *"Wa[0,0] = 9", "enter"), 0, "what if: Wa[0,0] = 9"),
            (("u",), 0, "undone"),  # the memory of the run before the last edit was given back
            (("space",), 1, "iteration 1 "),  # into an iteration in which a breakpoint's condition has to be looked up
            (("i",), 2, "iteration 2 "),
        ):
            if keys[0] != "u":
                driven.main.debugger.go((debugger.view.point.iteration + 1) * debugger.program.length)
            driven.main.show()
            await driven.pilot.pause()
            driven.app.clear_notifications()
            if keys[0] == "u":
                debugger.rest(1)
            elif iteration:
                debugger._tapes.pop(iteration, None)
            slow.free.clear()
            here, tape = driven.main.debugger, driven.main.debugger.view.tape
            shown, state = driven.text(), driven.controller.selection
            await driven.pilot.press(*keys)
            while BUSY.format(iteration) not in driven.text():
                await asyncio.sleep(0.02)
            await driven.main.run_action("page('weights')")
            assert driven.controller.selection.page == "program", "nothing else touches the debugger meanwhile"
            await driven.do("close_why")
            assert driven.main.work is None
            assert (driven.text(), driven.controller.selection) == (shown, state), keys
            assert driven.main.debugger is here
            assert here.view.tape is tape, "what is shown is kept until there is something else"
            slow.free.set()
            await driven.pilot.press(*keys)
            while not any(
                done in text for text in (driven.text(), *(said.message for said in driven.app._notifications))
            ):
                await asyncio.sleep(0.02)
            if keys == ("space",):
                await driven.pilot.press("space")
        slow.free.clear()
        shown, controller = driven.text(), driven.controller
        driven.main._take_session(open_session("vanishing", {}))
        while BUSY.format(0) not in driven.text():
            await asyncio.sleep(0.02)
        await driven.do("close_why")
        assert (driven.text(), driven.controller) == (shown, controller), "other data that are not shown yet are left"


async def test_a_point_in_a_late_iteration_is_gone_back_to_beside_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    length = slow.session.debugger.program.length
    monkeypatch.setattr(slow.free, "wait", lambda _: slow.session.debugger.pace.iteration < 3 or slow.free.is_set())
    left = {"point": [5, "backward", 3, "da", None, None]}
    async with running(slow.session, remembered=left) as driven:
        await until(driven.pilot, lambda: "training iteration 3 of 5 ━━━━──── " in driven.text())
        assert "start" in driven.text()
        slow.free.set()
        await until(driven.pilot, lambda: driven.main.work is None and "iteration 5 " in driven.text())
        assert driven.position // length == 5


async def test_training_is_left_at_once_however_long_an_iteration_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    async with running(slow.session) as driven:
        await driven.do("train")
        await until(driven.pilot, lambda: driven.main.work is not None)
        await driven.pilot.press("3")
        assert "weights ·" in driven.text() and driven.controller.training
        await until(driven.pilot, lambda: driven.main.work is not None)
        await driven.pilot.press("question_mark")
        assert driven.main.work is None, "a dialog may ask the debugger"
        await driven.pilot.press("escape", "escape")
        assert not driven.controller.training
        await driven.do("train")
        await until(driven.pilot, lambda: driven.main.work is not None)
        await driven.pilot.press("q")
        assert not driven.app.is_running


async def test_the_dialog_adds_refuses_and_removes() -> None:
    async with running() as driven:
        await driven.do("breakpoints")
        assert isinstance(driven.app.screen, BreakpointsScreen)
        await driven.pilot.press(*"dz if foo", "enter")
        assert "there is no quantity foo" in driven.text()
        await driven.pilot.press(*["backspace"] * 3, *"max(dz) > 0", "enter")
        assert len(driven.main.debugger.breakpoints) == 1
        assert "dz if max(dz) > 0" in driven.text()
        await driven.pilot.press("delete")
        assert not driven.main.debugger.breakpoints
        await driven.pilot.press("escape")
        assert driven.app.screen is driven.main


async def test_breakpoints_and_watches_are_written_in_the_notations_names() -> None:
    async with running() as driven:
        await driven.do("notation('karpathy')", "breakpoints")
        await driven.pilot.press(*"hraw if norm(foo) > 1", "enter")
        assert "there is no quantity foo; there are x, targets, hraw, h," in driven.text()
        await driven.pilot.press(*["backspace"] * 21, *"hraw if norm(h) > 1", "enter")
        assert "hraw if norm(h) > 1" in driven.text()
        (stop,) = driven.main.debugger.breakpoints
        assert stop.text(driven.main.debugger.program) == "z if norm(a) > 1"
        await driven.pilot.press("escape")
        await driven.do("watch")
        await driven.pilot.press(*"norm(dWhh)", "enter")
        assert [watched.source for watched in driven.main.debugger.watches] == ["norm(dWa)"]
        assert "norm(dWhh) = " in driven.text()


async def test_watches_and_logs_stand_below_the_listing() -> None:
    async with running() as driven:
        await driven.do("watch")
        assert isinstance(driven.app.screen, WatchScreen)
        await driven.pilot.press(*"norm(a)", "enter")
        assert driven.app.screen is driven.main
        driven.main.debugger.add("a log t, max(a)")
        await driven.do("step(1)", "step(1)")
        text = driven.text()
        assert "watch · log" in text
        assert "norm(a) = " in text
        assert "0 · t=1 a: t = 1, max(a) = " in text


async def test_the_palette_opens_by_mouse() -> None:
    async with running() as driven:
        await driven.click("header", lambda target: isinstance(target, Press))
        assert isinstance(driven.app.screen, PaletteScreen)


@pytest.mark.parametrize("width", [34, 60, 100])
@pytest.mark.parametrize("place", ["da@7[0,0]", "dWa[0,0]", "p@10[0,0]"])
def test_in_a_low_window_a_line_of_why_says_one_thing(place: str, width: int) -> None:
    control = Controller(open_session(None, {}), look(), lambda _: None)
    control.visit(parse_place(place, control.debugger))
    assert control.here.enter()
    frame = control.refresh()
    for height in range(7, 20):
        rows = draw_why(frame, width, height).plain().splitlines()
        assert len(rows) == height and all(row[0] in "┌│└" and row[-1] in "┐│┘" for row in rows), rows
        assert set(rows[-1]) == set("└─┘"), "nothing is written over the edge"
        assert not any("sum" in row and "esc" in row for row in rows), rows


def test_an_iteration_whose_gradient_is_no_number_does_not_look_as_if_it_had_not_been_run() -> None:
    control = Controller(open_session("exploding", {"dtype": "float32", "lr": 2e9}), look(), lambda _: None)
    control.debugger.go(control.debugger.program.length + 1)
    control.turn_to("training")
    frame = replace(control.refresh(), look=look(ColorMode.NONE))
    assert not math.isfinite(frame.history[1].loss)
    rows = draw_training(frame, 100, 20).plain().splitlines()
    axis = next(row for row in rows if "t = 1 " in row)
    assert axis.count("!") and "┈" not in axis


def test_a_spike_is_seen_however_many_iterations_share_a_column() -> None:
    measured = open_session(None, {}).debugger
    measured.tape(0)
    figures, two = measured.history[0], History()
    two.append(figures)
    two.append(figures)
    for spike in (7, 503, 998):
        history = History()
        for i in range(1000):
            history.append(replace(figures, loss=9.0 if i == spike else 1.0))
        frame = replace(scene(at=5), history=history)
        rows = draw_training(frame, 80, 24).plain().splitlines()
        column = 14 + spike * 64 // 1000
        assert " 9 " in rows[1] and rows[1][14:78].strip()
        assert rows[1][column - 1 : column + 2].strip() and not rows[1][column + 3 : 78].strip()
    level = draw_training(replace(scene(at=5), history=two), 80, 24).plain()
    assert "\n".join(level.splitlines()[:5]).count("0.73") == 1  # a level curve has one label


@pytest.mark.parametrize("height", [20, 36, 50])
def test_the_time_steps_of_training_take_the_room_and_a_click_finds_each(height: int) -> None:
    history = History()
    measured = open_session(None, {}).debugger
    measured.tape(0)
    history.append(measured.history[0])
    frame = replace(scene(at=5), history=history)
    canvas = draw_training(frame, 80, height)
    found: dict[int, int] = {}
    for y in range(height):
        if (hit := canvas.target_at(14, y)) and isinstance(hit[0], ToIteration):
            t = moment_at(*hit, frame.view.program.steps)[1]
            found[t] = found.get(t, 0) + 1
    steps, room = frame.view.program.steps, sum(found.values())
    assert (room == min(4 * steps, room) and height - room < 16) or room == 4 * steps
    if height >= 36:
        assert sorted(found) == list(range(1, steps + 1)) and max(found.values()) - min(found.values()) <= 1


async def test_a_page_takes_the_body() -> None:
    async with running(size=(120, 36)) as driven:
        await driven.do("step(1)")
        for page in ("training", "findings"):
            await driven.do(f"page('{page}')")
            assert driven.pane(page).size.width == 120
            assert "nothing computed" not in driven.text() and "program ·" not in driven.text()
            assert f"{page}" in driven.rows()[1]
        await driven.do("page('program')")
        assert driven.pane("listing").size.width == 46
        await driven.click("header", lambda target: target == Press("page('weights')"))
        assert driven.controller.selection.page == "weights"
