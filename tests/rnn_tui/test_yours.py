"""The view of the user's own program, through the app's actions: stepping both in step, why, examining again."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest

from engine.doctor.derive import beside
from engine.doctor.opening import open_program
from engine.doctor.run.launch import Wishes
from engine.doctor.walk.lockstep import Lockstep
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.session import Session
from rnn_tui.app import DebuggerApp
from rnn_tui.arguments import model_options, parser_of
from rnn_tui.cli import main
from rnn_tui.commands.screen import opened_of
from rnn_tui.screens.dialogs.examine import ExamineScreen
from rnn_tui.screens.main import MainScreen
from rnn_tui.screens.walk import WalkScreen
from rnn_tui.shown.targets import ToCell, ToSource
from tests.rnn_tui.test_app import Driven, running, until

pytestmark = pytest.mark.usefixtures("plain_environment")
RIGHT = (Path(__file__).parents[1] / "engine/doctor/specimens/forward_beside.py").read_text()
WITHOUT_A_LOSS = """
import numpy as np
rng = np.random.default_rng(1)
x, W, V, y = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), np.eye(2)[[0, 1, 1, 0]]
h = [np.zeros((1, 3))]
for t in range(4):
    h.append(np.tanh(x[t] + h[-1] @ W))
states = np.concatenate(h[1:])
p = np.exp(states @ V)
p /= p.sum(axis=1, keepdims=True)
V -= 0.1 * states.T @ (p - y)
"""
WRONG = RIGHT.replace("dh = dz @ W_rec.T", "dh = dz @ W_rec")
Opened = tuple[Session, Lockstep]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("yours") / "mine.py"
    path.write_text(WRONG)
    return path


@pytest.fixture(scope="module")
def opened(file: Path) -> Opened:
    """The file as it is examined, once: what the same text gave elsewhere is of another file. Where it is, another test left it."""
    found = open_program(file, wishes=Wishes(stand=file.parent))
    assert isinstance(found, tuple)
    return found


@asynccontextmanager
async def yours(opened: Opened, size: tuple[int, int] = (120, 36)) -> AsyncIterator[Driven]:
    app = DebuggerApp(*opened)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Driven(app, pilot)


async def test_it_opens_where_the_program_goes_wrong_and_the_reference_is_there_too(opened: Opened) -> None:
    async with yours(opened) as driven:
        text = driven.text()
        assert "line 41: dh = dz @ W_rec" in text and "≠ differs" in text
        assert re.search(r"\+ +dh = dz @ W_rec.T", text) and "[wa-not-transposed]" in text
        assert "the reference · da_4 = dz_5·Waᵀ" in text
        point = driven.main.debugger.view.point
        assert (point.phase, point.line, point.t) == ("backward", "da", 5)


async def test_G_turns_to_the_other_files_of_the_program_and_back_to_the_same_place(tmp_path: Path) -> None:
    script = (Path(__file__).parents[1] / "engine/doctor/specimens/script_columns.py").read_text()
    (tmp_path / "mine.py").write_text(f"from helper import doubled\ndoubled(3.0)\n{script}")
    (tmp_path / "helper.py").write_text("def doubled(x):\n    y = 2 * x\n    return y\n")
    found = open_program(tmp_path / "mine.py", wishes=Wishes(stand=tmp_path))
    assert isinstance(found, tuple)
    async with yours(found) as driven:
        before = driven.text()
        assert "mine.py · 1 of 2 files" in before and "G next file" in before
        await driven.do("file")
        assert "helper.py · 2 of 2 files" in driven.text() and re.search(r"▶ +return y", driven.text())
        await driven.do("file")
        assert driven.text() == before
        await driven.do("file", "step(-1)")
        assert re.search(r"▶ +y = 2 \* x", driven.text())


async def test_m_opens_the_walk_with_the_missing_backward_pass_and_leaves_it(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_: ProgramWalk) -> None:
        raise InputError("mine.py: nothing could be derived")

    monkeypatch.setattr(beside, "derived_of", nothing)
    async with yours(opened) as driven:
        await driven.do("derived")
        await driven.app.workers.wait_for_complete()
        await driven.pilot.pause()
        screen = driven.app.screen
        assert isinstance(screen, WalkScreen) and screen.walker.walk is opened[1].walk
        await driven.pilot.press("m")
        await driven.pilot.pause()
        assert not isinstance(driven.app.screen, WalkScreen)


async def test_both_are_stepped_in_step_and_back_shows_the_same_again(opened: Opened) -> None:
    lockstep = opened[1]
    async with yours(opened) as driven:
        await driven.do("start_of_phase", "start_of_phase")
        assert driven.controller.selection.execution == 0
        shown: list[str] = [driven.text()]
        for _ in range(25):
            await driven.do("step(1)")
            shown.append(driven.text())
            at = driven.controller.selection.execution
            position = lockstep.position(at)
            assert position is None or position == driven.position
        for before in reversed(shown[3:-1]):
            await driven.do("step(-1)")
            if lockstep.position(driven.controller.selection.execution) is not None:
                assert driven.text() == before


async def test_the_same_line_at_another_time_step_and_what_differs_next(opened: Opened) -> None:
    lockstep = opened[1]
    async with yours(opened) as driven:
        at = driven.controller.selection.execution
        await driven.do("next")
        assert lockstep.executions[driven.controller.selection.execution].line == 41
        assert "t = 4  da@3" in driven.text() and "t = 3" not in driven.text()  # one meaning of t: the header's
        await driven.do("previous")
        assert driven.controller.selection.execution == at
        await driven.do("continue")
        assert "it reads what is wrong already" in driven.text()
        await driven.do("reverse_continue")
        assert driven.controller.selection.execution == at
        await driven.do("reverse_continue")  # nothing before
        assert driven.controller.selection.execution == at
        await driven.do("run")
        await until(driven.pilot, lambda: driven.controller.selection.execution > at + 1)
        await driven.do("run")


async def test_enter_asks_why_of_the_reference_s_number_at_the_cursor(opened: Opened) -> None:
    async with yours(opened) as driven:
        await driven.do("cell(1,2)", "enter")
        (cell,) = driven.controller.selection.asked
        assert (cell.name, cell.t, cell.index) == ("da", 4, (1, 2))
        assert "why · da@4[1,2]" in driven.text() and "mine.py" in driven.text()
        await driven.do("back")
        assert "≠ differs" in driven.text()
        await driven.click("beside", lambda target: isinstance(target, ToCell))
        assert driven.main.frame.beside.cell == (0, 0)


async def test_a_line_of_the_source_is_chosen_and_gone_to(opened: Opened) -> None:
    lockstep = opened[1]
    async with yours(opened) as driven:
        await driven.do("list_up")
        assert driven.controller.selection.source == 40
        await driven.do("enter")
        assert lockstep.executions[driven.controller.selection.execution].line == 40
        await driven.click("source", lambda target: isinstance(target, ToSource) and target.line == 37)
        assert lockstep.executions[driven.controller.selection.execution].line == 37


async def test_the_other_views_show_the_reference_at_the_same_place(opened: Opened) -> None:
    lockstep = opened[1]
    async with yours(opened) as driven:
        at = driven.controller.selection.execution
        await driven.do("page('program')")
        assert "da_4 = dz_5·Waᵀ" in driven.text()
        await driven.do("page('yours')")
        assert driven.controller.selection.execution == at
        await driven.do("page('program')", "step(-1)", "step(-1)", "page('yours')")
        value = lockstep.value(driven.controller.selection.execution)
        assert value is not None and value.entry is not None
        assert lockstep.position(driven.controller.selection.execution) == driven.position


async def test_a_corrected_file_is_examined_again(file: Path, opened: Opened) -> None:
    async with yours(opened) as driven:
        first = driven.controller
        file.write_text(RIGHT)
        try:
            await driven.do("examine")
            await until(driven.pilot, lambda: "The backward pass is right" in driven.text())
            assert driven.controller is not first
        finally:
            file.write_text(WRONG)
        file.write_text("def backward(X, y:\n")
        try:
            second = driven.controller
            await driven.do("examine")
            await until(
                driven.pilot, lambda: any("is not Python" in each.message for each in driven.app._notifications)
            )
            assert driven.controller is second
        finally:
            file.write_text(WRONG)


async def test_a_file_is_opened_from_within(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    async with running() as driven:
        await driven.do("page('yours')")
        assert "rnn-tui MINE.py" in driven.text()
        await driven.do("enter")
        assert isinstance(driven.app.screen, ExamineScreen)
        await driven.pilot.press(*"no.py", "enter")
        assert "no.py" in driven.text() and isinstance(driven.app.screen, ExamineScreen)
        driven.app.screen.query_one("Input").value = ""
        await driven.pilot.press("enter")
        assert "type the beginning of its name: " in driven.text()
        driven.app.screen.query_one("Input").value = file.name[:3]  # the rest stands faintly behind
        await driven.pilot.press("enter")
        await until(driven.pilot, lambda: isinstance(driven.app.screen, MainScreen) and "≠ differs" in driven.text())


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (200, 50)])
async def test_it_fits(opened: Opened, size: tuple[int, int]) -> None:
    async with yours(opened, size) as driven:
        for _ in range(3):
            await driven.do("step(1)")
            assert all(len(row) <= size[0] for row in driven.rows())
        assert "mine.py" in driven.text()


def test_the_command_line_refuses_what_does_not_go_with_a_program(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_tui.terminal.problem", lambda *_: "")
    with pytest.raises(InputError, match="leave --hidden away"):
        main([str(file), "--hidden", "3"])
    with pytest.raises(InputError, match="--function names a function of a Python file"):
        main(["many_to_one", "--function", "backward"])
    with pytest.raises(InputError, match="--limit, --network and what follows -- are for a Python file"):
        main(["many_to_one", "--limit", "5"])


def test_a_program_is_opened_as_it_is_to_be_run(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(WITHOUT_A_LOSS)
    for loss, words in (("squared", "the squared error of"), ("cross-entropy", "the cross-entropy of")):
        parsed = parser_of(None).parse_args([str(path), "--loss", loss, "--network", "--limit", "50"])
        parsed.arguments = ()
        opened = opened_of(parsed, model_options(parsed))
        assert not isinstance(opened, ProgramWalk) and opened[1] is not None
        walk = opened[1].walk
        assert words in walk.loss.assumed
        assert (walk.wishes.network, walk.wishes.limits.seconds) == (True, 50)


def test_the_first_word_comes_before_the_doctor_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    (tmp_path / "mine.py").write_text("x = 1\n", encoding="utf-8")
    stream, said = Terminal(), list[str]()
    loaded = ModuleType("engine.doctor.opening")
    loaded.open_program = lambda *_: said.append(stream.getvalue())  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "engine.doctor.opening", loaded)
    monkeypatch.setattr(sys, "stderr", stream)
    parsed = parser_of(None).parse_args([str(tmp_path / "mine.py")])
    parsed.arguments = ()
    opened_of(parsed, {})
    assert said == ["\rreading mine.py …\x1b[K"] and stream.getvalue().endswith("\r\x1b[K")
