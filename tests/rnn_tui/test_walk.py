"""The walk through a program of the user's own, through the app's actions: steps, breakpoints, why, and what is opened when."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TextIO

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.doctor import opening
from engine.doctor.derive import beside
from engine.doctor.run.launch import Wishes
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.session import open_session
from rnn_tui.app import DebuggerApp, WalkApp
from rnn_tui.arguments import parser_of
from rnn_tui.commands.screen import opened_of
from rnn_tui.control.walker import Walker
from rnn_tui.kept.saving import WALK_KINDS
from rnn_tui.keys.walk_bindings import WALK_COMMANDS, WALK_FOOTER
from rnn_tui.panes.program.source import mistakes_told
from rnn_tui.panes.walk.run import draw_walk_source, draw_walk_told
from rnn_tui.panes.walk.value import draw_walk_value
from rnn_tui.panes.walk.why import draw_walk_why
from rnn_tui.render.inks import ColorMode
from rnn_tui.screens.dialogs.questions import HelpScreen
from rnn_tui.screens.dialogs.walk_dialogs import WalkStopsScreen
from rnn_tui.screens.main import MainScreen
from rnn_tui.screens.walk import WalkScreen
from rnn_tui.shown.look import look
from rnn_tui.shown.targets import ToCell, ToPosition, ToSource
from tests.engine.doctor.walk.programs import corrected_one, forward_only

pytestmark = pytest.mark.usefixtures("plain_environment")


@pytest.fixture(scope="module")
def wrong() -> ProgramWalk:
    return corrected_one()


@pytest.fixture(scope="module")
def forward() -> ProgramWalk:
    return forward_only()


class WalkDriven:
    """An app under test and what is on its screen."""

    def __init__(self, app: WalkApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot
        screen = app.screen_stack[0]
        assert isinstance(screen, WalkScreen)
        self.screen = screen

    @property
    def walker(self) -> Walker:
        return self.screen.walker

    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def do(self, *actions: str) -> str:
        for action in actions:
            await self.app.screen.run_action(action)
        await self.pilot.pause()
        return self.text()


@asynccontextmanager
async def walking(walk: ProgramWalk) -> AsyncIterator[WalkDriven]:
    app = WalkApp(walk)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        yield WalkDriven(app, pilot)


async def test_it_opens_where_the_program_goes_wrong_with_what_should_be_there(wrong: ProgramWalk) -> None:
    async with walking(wrong) as driven:
        text = driven.text()
    for said in (
        "line 20 · time 1 of 6",
        "dh = dz @ W.T",
        "should be  4",
        "it should be dL/d h of line 9, t = 4",
        "✗ line 20: not transposed",
        "dh every time that this line runs",
        "c C next wrong",
    ):
        assert said in text


async def test_without_a_backward_pass_one_walks_back_from_the_loss(forward: ProgramWalk) -> None:
    async with walking(forward) as driven:
        assert "● loss" in driven.text() and "Press ← to walk back from the loss" in driven.text()
        text = await driven.do(*["step(-1)"] * 2)
        assert "▶ forward  line 15 · t = 3 of 0–3" in text and "dL/d states[-1]" in text
        text = await driven.do("step(-1)", "operand(1)")
        assert "dL/d s" in text and "dL/d s at every t" in text
        number = driven.walker.frame.index
        gradient = forward.gradient(driven.walker.frame.event)
        assert gradient is not None and number == (0, 0)
        text = await driven.do("enter")
        assert "why · dL/d s[0, 0] t=3" in text
        assert f"{gradient[0, 0]:.6f}".replace("-", "−")[:7] in text


async def test_going_back_shows_the_same_screen_to_the_character(wrong: ProgramWalk) -> None:
    async with walking(wrong) as driven:
        screens = [await driven.do("step(-1)") for _ in range(5)]
        back = [await driven.do("step(1)") for _ in range(4)]
        assert back == screens[-2::-1]
        assert len(set(screens)) == 5
        assert await driven.do("next", "previous") == back[-1]


async def test_a_number_is_followed_and_come_back_from(wrong: ProgramWalk) -> None:
    """dh[1] = Σ dz[j] W[j, 1]: into W, which nothing made, and back."""
    async with walking(wrong) as driven:
        before = await driven.do("cell(0,1)")
        text = await driven.do("enter")
        terms = driven.walker.frame.terms
        assert len(terms) == 4 and "sum of 4" in text
        assert sum(t.value for t in terms) == pytest.approx(wrong.value(driven.walker.frame.event)[1])
        names = [wrong.places.described(f.number).name for f in driven.walker.frame.numbers]
        assert sorted(set(names)) == ["W", "dz"]
        await driven.do(*["cell(0,1)"] * names.index("dz"))
        assert "dz" in driven.text() and "dL/d(it)" not in driven.text()  # of a number of the way back there is none
        await driven.do(*["cell(0,-1)"] * names.index("dz"))
        await driven.do(*["cell(0,1)"] * names.index("W"))
        assert "dL/d(it)" in driven.text()  # the loss depends on W
        text = await driven.do("enter")
        assert "why · W[" in text and " › " in text
        assert await driven.do("back", "back") == before


async def test_breakpoints_on_lines_and_conditions(wrong: ProgramWalk) -> None:
    async with walking(wrong) as driven:
        await driven.do("start_of_phase", "list_up", "toggle_breakpoint")
        line = driven.walker.choice.source
        assert driven.walker.frame.stops == {line}
        text = await driven.do("breakpoints")
        assert isinstance(driven.app.screen, WalkStopsScreen) and str(line) in text
        driven.app.screen.query_one(Input).value = "dz if 1"
        await driven.pilot.press("enter")
        assert isinstance(driven.app.screen, WalkStopsScreen)  # refused, and said why
        driven.app.screen.query_one(Input).value = "norm(dz) > 0 and t == 2"
        await driven.pilot.press("enter", "escape")
        while not driven.walker.frame.stopped:
            await driven.do("continue")
        text = await driven.do("cell(0,1)")
        assert "stopped by norm(dz) > 0 and t == 2" in text and driven.walker.frame.line.before == 2


async def test_clicks_do_what_keys_do(wrong: ProgramWalk) -> None:
    walker = Walker(wrong, look(), lambda text: None)
    assert walker.click(ToPosition(3), 0, 0) and walker.choice.at == 3
    line = wrong.lines[walker.choice.at + 5].line
    assert walker.click(ToSource(line), 0, 0) and wrong.lines[walker.choice.at].line == line
    assert walker.click(ToCell(0, (1, 4), (1, 4), 8, 1), 17, 0) and walker.refresh().cell[1] <= 2
    assert not walker.click("nothing", 0, 0)


@pytest.mark.parametrize("mode", [ColorMode.NONE, ColorMode.COLORS_16])
def test_every_line_is_drawn_at_every_size(wrong: ProgramWalk, forward: ProgramWalk, mode: ColorMode) -> None:
    for walk in (wrong, forward):
        walker = Walker(walk, look(mode), lambda text: None)
        for at in range(0, len(walk), 3):
            walker.go(at)
            walker.operand(1)
            for width, height in ((30, 6), (60, 14), (110, 40)):
                frame = walker.refresh()
                text = draw_walk_value(frame, width, height).plain()
                assert f"line {frame.line.line}" in text and frame.event.name[:1] in text
                assert draw_walk_told(frame, width, 3).plain()
                assert "▶" in draw_walk_source(frame, width, height).plain()
            walker.enter()
            frame = walker.refresh()
            assert not frame.choice.asked or "why" in draw_walk_why(frame, 60, 14).plain()


async def test_a_picture_is_looked_at_from_near(wrong: ProgramWalk) -> None:
    async with walking(wrong) as driven:
        before = await driven.do("cell(0,1)")
        near = await driven.do("zoom", "zoom")
        picture = driven.walker.frame.pictures[0]
        row, column = driven.walker.frame.cell
        assert f"{picture.label} " in near and "z: back" in near
        for number in (picture.table[row, column], picture.table[row, 0]):
            assert f"{number:.4f}".replace("-", "−") in near
        assert await driven.do("zoom") == before
        assert await driven.do("zoom", "enter", "back", "close_why") == before


async def test_every_key_works_and_help_lists_it(forward: ProgramWalk) -> None:
    actions = {command.action for command in WALK_COMMANDS}
    assert set(WALK_FOOTER) <= actions and len(actions) == len(WALK_COMMANDS)
    left = ("quit", "examine", "derived", "app.palette", "help", "goto", "breakpoints", "run", "save")
    async with walking(forward) as driven:
        await driven.do(*(command.action for command in WALK_COMMANDS if command.action not in left))
        assert "max(abs(dh)) > 5" in await driven.do("help")
        assert isinstance(driven.app.screen, HelpScreen)


async def test_the_screen_and_the_numbers_at_the_cursor_are_saved_and_copied(
    forward: ProgramWalk, wrong: ProgramWalk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with walking(forward) as driven:
        await driven.do("step(-1)", "step(-1)")
        picture = driven.walker.frame.pictures[driven.walker.frame.picture]
        for ending in WALK_KINDS:
            await driven.pilot.press("x", *f"a{ending}", "enter")
        assert {path.suffix for path in tmp_path.iterdir()} == set(WALK_KINDS)
        assert (np.loadtxt(tmp_path / "a.csv", delimiter=",", ndmin=2) == picture.matrix).all()
        assert (np.load(tmp_path / "a.npy") == picture.values).all()
        await driven.pilot.press("x", *"a.html", "enter")
        assert "must end in one of .svg, .txt, .csv, .npy" in driven.text()
        await driven.pilot.press("escape", "y")
        assert float(driven.app.clipboard) == picture.values[driven.walker.frame.index]
        await driven.pilot.press("Y")
        assert driven.app.clipboard.count("\n") == len(picture.matrix)
    assert Walker(wrong, look(), print).copied() == ("the corrected line", wrong.report.diagnoses[0].fix)


def test_the_derived_backward_pass_is_shown_below_its_forward_lines_and_hidden(forward: ProgramWalk) -> None:
    walker = Walker(forward, look(ColorMode.TRUECOLOR), lambda _: None)
    line = next(n for n, text in enumerate(forward.source.lines, 1) if "tanh" in text)
    text = forward.source.line(line)
    walker.derived = {forward.main: {line: ("dz = dh * (1 - h ** 2)   (3, 4)",)}}
    assert walker.choose(derived=True)
    rows = draw_walk_source(walker.refresh(), 90, 60).plain().splitlines()
    at = next(y for y, row in enumerate(rows) if text in row)
    assert "∂ dz = dh * (1 - h ** 2)   (3, 4)" in rows[at + 1]
    assert walker.choose(derived=False)
    assert "∂" not in draw_walk_source(walker.refresh(), 90, 60).plain()


async def test_m_pressed_again_while_it_is_derived_hides_it(
    forward: ProgramWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = Event()
    monkeypatch.setattr(beside, "derived_of", lambda _: go_on.wait())
    monkeypatch.setattr(beside, "below_lines", lambda _: {})
    monkeypatch.setattr(beside, "completed", lambda *_: None)
    async with walking(forward) as driven:
        await driven.do("derived", "derived")
        go_on.set()
        await driven.app.workers.wait_for_complete()
        await driven.pilot.pause()
        assert driven.walker.derived == {} and not driven.walker.choice.derived


async def test_the_derived_backward_pass_is_stepped_through_and_its_numbers_are_explained(forward: ProgramWalk) -> None:
    """The program is run with the pass in its place: what was there stays under the cursor, breakpoints stay on their lines."""
    async with walking(forward) as driven:
        walker = driven.walker
        line = next(n for n, text in enumerate(forward.source.lines, 1) if "tanh" in text)
        assert walker.to_line(line)
        walker.toggle()
        text, before = forward.source.line(line), walker.frame.line.before
        await driven.do("derived")
        await driven.app.workers.wait_for_complete()
        await driven.pilot.pause()
        frame = walker.refresh()
        assert (frame.source.line(frame.line.line), frame.line.before) == (text, before)
        assert [frame.source.line(number) for number in frame.stops] == [text]
        assert any("dz" in below for below in frame.below[frame.line.line])
        derived = next(n for n, row in enumerate(frame.source.lines, 1) if "dz = " in row)
        assert walker.to_line(derived) and walker.enter()
        assert walker.refresh().numbers  # its terms, from the record
        assert walker.close() and walker.step(1) and walker.walk.phase(walker.choice.at) == "backward"
        await driven.do("derived")
        assert walker.walk is forward and not walker.refresh().below


async def test_a_file_opened_in_the_debugger_may_turn_out_to_be_no_network_of_ours(
    forward: ProgramWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "open_program", lambda *_: forward)
    app = DebuggerApp(open_session(None, {}))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)
        app.screen._examine(Path("mine.py"))
        while not isinstance(app.screen, WalkScreen):
            await pilot.pause()
        assert any("Press ← to walk back" in strip.text for strip in app.screen._compositor.render_strips())
        assert "Run one line" in [choice.name for choice in app.choices()]


def test_arguments_of_the_program_and_its_python_go_to_its_own_run(
    forward: ProgramWalk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wished: list[Wishes] = []

    def opened(path: Path, wishes: Wishes, function: None, progress: TextIO) -> ProgramWalk:
        assert progress is sys.stderr, "what takes long says how far it is"
        wished.append(wishes)
        return forward

    monkeypatch.setattr(opening, "open_walk", opened)
    (tmp_path / "mine.py").write_text("")
    parsed = parser_of(None).parse_args([str(tmp_path / "mine.py"), "--python", "python3.9"])
    parsed.arguments = ("--epochs", "3")
    assert opened_of(parsed, {}) is forward
    assert (wished[0].arguments, wished[0].python) == (("--epochs", "3"), "python3.9")
    parsed.data = None
    with pytest.raises(InputError, match="for a Python file"):
        opened_of(parsed, {})


def test_what_is_no_network_of_ours_is_opened_as_a_walk(forward: ProgramWalk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "open_walk", lambda *_: forward)
    assert opening.open_program(Path("mine.py")) is forward
    monkeypatch.setattr(opening, "recognised", lambda *_: pytest.fail("asked for another program"))

    def nothing(*_: object) -> None:
        raise InputError("mine.py: it computes no loss")

    monkeypatch.setattr(opening, "open_walk", nothing)
    with pytest.raises(InputError, match=r"mine.py: it computes no loss"):
        opening.open_program(Path("mine.py"))


def test_a_correction_that_leaves_something_wrong_says_so_beside_its_name(wrong: ProgramWalk) -> None:
    (found, *_), source = wrong.report.diagnoses, wrong.source
    (name,) = mistakes_told(replace(wrong.report, diagnoses=(found,)), source, look(), 200)
    assert f": {found.title}" in name[0][0] and "one of several" not in name[0][0]
    partly = replace(found, parameters=("U", "b"), leaves=("W",))
    name, effect = mistakes_told(replace(wrong.report, diagnoses=(partly,)), source, look(), 200)
    assert f", one of several: {found.title}" in name[0][0]
    assert effect[0][0] == "run with this line changed: U, b right, W still wrong"
