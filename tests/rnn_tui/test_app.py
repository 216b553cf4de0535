"""The app without a terminal: every command everywhere, exact inverses, dialogs, clicks, sizes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual import events
from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from textual.widgets._toast import Toast

from engine import Network, record
from engine.files.locate import sample_names
from engine.files.trace import write_trace
from engine.model.blocks import Point
from engine.notation import NOTATIONS
from engine.recording.tape import Tape
from engine.session import Session, open_session
from rnn_tui import terminal
from rnn_tui.app import DebuggerApp
from rnn_tui.control.controller import SPEEDS, Controller
from rnn_tui.keys.bindings import COMMANDS, FOOTER_ORDER, MOVE, WITHOUT_KEY, with_keys
from rnn_tui.screens.dialogs.palette import PaletteEntry, PaletteScreen, found
from rnn_tui.screens.dialogs.questions import FindScreen, GotoScreen, HelpScreen
from rnn_tui.screens.main import MainScreen
from rnn_tui.shown.targets import Press, ToCell, ToLine
from rnn_tui.widgets.pane import Pane

pytestmark = pytest.mark.usefixtures("plain_environment")
MOVES = ("step(1)", "step(-1)", "next", "previous", "finish", "start_of_phase", "iteration(1)", "iteration(-1)")


class Driven:
    """An app under test and what is on its screen."""

    def __init__(self, app: DebuggerApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def main(self) -> MainScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def controller(self) -> Controller:
        return self.main.controller

    @property
    def position(self) -> int:
        return self.main.debugger.position

    def rows(self) -> list[str]:
        """What the compositor draws, a line a row."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    def text(self) -> str:
        return "\n".join(self.rows())

    async def do(self, *actions: str) -> None:
        for action in actions:
            await self.main.run_action(action)
        await self.pilot.pause()

    async def go(self, to: Point | int) -> None:
        self.main.show(self.controller.go(to))
        await self.pilot.pause()

    def pane(self, name: str) -> Pane:
        return self.main.query_one(f"#{name}", Pane)

    def footer(self) -> str:
        return self.pane("footer").canvas().plain()

    async def click(self, pane: str, target: Callable[[Any], bool]) -> tuple[int, int]:
        """Clicks the first cell of a pane whose target is wanted."""
        widget = self.pane(pane)
        canvas = widget.canvas()
        for y in range(canvas.height):
            for x in range(canvas.width):
                hit = canvas.target_at(x, y)
                if hit is not None and target(hit[0]):
                    await self.pilot.click(widget, offset=(x, y))
                    await self.pilot.pause()
                    return x, y
        raise AssertionError(f"nothing to click in {pane}")


@asynccontextmanager
async def running(
    session: Session | None = None, size: tuple[int, int] = (120, 36), **options: Any
) -> AsyncIterator[Driven]:
    app = DebuggerApp(session or open_session(None, {}), **options)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Driven(app, pilot)
    assert app.return_code in (0, None)


async def until(pilot: Pilot[None], done: Callable[[], object], seconds: int = 5) -> None:
    """Waits for something that a timer brings about, or a program that is run."""
    for _ in range(100 * seconds):
        if done():
            return
        await asyncio.sleep(0.01)
        await pilot.pause()
    raise AssertionError("it never came about")


# Keys


CONTRACT = {
    "right": "step(1)", "left": "step(-1)", "n": "next", "p": "previous", "f": "finish", "F": "start_of_phase",
    "space": "run", "plus": "faster", "minus": "slower", "c": "continue", "C": "reverse_continue",
    "b": "toggle_breakpoint", "h": "cell(0,-1)", "j": "cell(1,0)", "k": "cell(-1,0)", "l": "cell(0,1)",
    "shift+left": "cell(0,-1)", "shift+down": "cell(1,0)", "shift+up": "cell(-1,0)", "shift+right": "cell(0,1)",
    "up": "list_up", "down": "list_down", "left_square_bracket": "sample(-1)", "right_square_bracket": "sample(1)",
    "g": "goto", "1": "page('program')", "2": "page('flow')", "3": "page('weights')", "4": "page('training')",
    "5": "page('findings')", "6": "page('yours')", "enter": "enter", "backspace": "back", "tab": "operand(1)",
    "L": "lessons", "slash": "find", "question_mark": "help", "ctrl+p": "app.palette", "q": "quit",
}  # fmt: skip


def test_the_keys_are_those_of_the_contract() -> None:
    found = {key: command.action for command in COMMANDS for key in command.keys.split(",")}
    assert {key: found.get(key) for key in CONTRACT} == CONTRACT
    others = {
        *"xyYPOmG",
        "B",
        "N",
        "full_stop",
        "D",
        "equals_sign",
        "s",
        "shift+tab",
        "t",
        "d",
        "w",
        "escape",
        "v",
        "e",
        "o",
        "u",
        "r",
        "H",
        "greater_than_sign",
        "less_than_sign",
        "z",
        "i",
        "I",
    }
    assert set(found) - set(CONTRACT) == others
    assert sum(len(command.keys.split(",")) for command in COMMANDS) == len(found)
    assert set(FOOTER_ORDER) <= {command.action for command in COMMANDS}


async def test_every_key_reaches_its_action(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async with running() as driven:
        await driven.do("step(1)")

        async def note(action: Any, *_: Any, **__: Any) -> bool:
            name, parameters = (action[1], action[2]) if isinstance(action, tuple) else (action, ())
            if name.startswith("answer"):  # no question is open, so the digit is a view
                return False
            asked.append(name if not parameters else f"{name}({','.join(map(repr, parameters))})")
            return True

        monkeypatch.setattr(driven.app, "run_action", note)
        for key, action in CONTRACT.items():
            asked.clear()
            await driven.pilot.press(key)
            assert asked == [action], key


# Every command everywhere


@pytest.mark.parametrize("at", ["start", "end"])
async def test_every_command_works_from(at: str) -> None:
    async with running() as driven:
        position = {"start": 0, "end": driven.main.debugger.program.length}[at]
        for command in COMMANDS:
            if command.action in ("quit", "app.palette"):
                continue
            driven.main.show(driven.controller.go(position))
            await driven.do(command.action)
            if len(driven.app.screen_stack) > 1:
                await driven.pilot.press("escape")
            assert driven.app.screen is driven.main
            if driven.controller.running:
                await driven.do("run")
            assert len(driven.rows()) == 36
        await driven.do("quit")
    assert driven.app.return_code == 0


async def test_what_the_moves_do() -> None:
    async with running() as driven:
        debugger = driven.main.debugger

        def at() -> tuple[Any, ...]:
            point = debugger.view.point
            return point.iteration, point.phase, point.t, point.line

        for action, expected in (
            ("step(1)", (0, "forward", 1, "z")),
            ("next", (0, "forward", 2, "z")),
            ("previous", (0, "forward", 1, "z")),
            ("step(-1)", (0, "forward", 0, "start")),
            ("finish", (0, "forward", 10, "p")),
            ("finish", (0, "loss", None, "loss")),
            ("step(1)", (0, "backward", 10, "dlogits")),
            ("next", (0, "backward", 10, "da")),
            ("next", (0, "backward", 10, "da")),
            ("previous", (0, "backward", 10, "da")),
            ("step(1)", (0, "backward", 10, "dz")),
            ("next", (0, "backward", 9, "dz")),
            ("finish", (0, "backward", 1, "da")),
            ("finish", (0, "update", None, "W")),
            ("step(1)", (1, "forward", 1, "z")),
            ("iteration(1)", (2, "forward", 1, "z")),
            ("iteration(-1)", (1, "forward", 1, "z")),
            ("start_of_phase", (0, "update", None, "W")),
            ("start_of_phase", (0, "backward", 10, "dlogits")),
            ("start_of_phase", (0, "loss", None, "loss")),
            ("start_of_phase", (0, "forward", 1, "z")),
            ("start_of_phase", (0, "forward", 0, "start")),
            ("start_of_phase", (0, "forward", 0, "start")),
            ("step(-1)", (0, "forward", 0, "start")),
            ("iteration(-1)", (0, "forward", 0, "start")),
            ("iteration(1)", (1, "forward", 1, "z")),
            ("iteration(-1)", (0, "forward", 1, "z")),
        ):
            await driven.main.run_action(action)
            assert at() == expected, action


def small(folder: Path) -> Session:
    """A model of few steps: every line of an iteration takes half as long as in the built-in example."""
    np.savez(folder / "small.npz", X=np.random.default_rng(0).normal(size=(3, 4, 2)), y=np.array([0, 1, 1]))
    return open_session(folder / "small.npz", {"hidden": 4})


async def test_stepping_back_and_jumping_show_every_screen_again(tmp_path: Path) -> None:
    async with running(small(tmp_path)) as driven:
        length = driven.main.debugger.program.length
        screens = [driven.text()]
        for _ in range(length + 6):
            await driven.main.run_action("step(1)")
            screens.append(driven.text())
        assert len(set(screens)) == len(screens)
        for position in reversed(range(length + 6)):
            await driven.main.run_action("step(-1)")
            assert driven.text() == screens[position], position
        await driven.pilot.pause()
        assert driven.text() == screens[0]
    async with running(small(tmp_path)) as driven:
        for position in np.random.default_rng(7).choice(length + 6, 25, replace=False):
            driven.main.show(driven.controller.go(int(position)))
            assert driven.text() == screens[position], position


# Breakpoints


async def test_breakpoints_both_ways() -> None:
    async with running() as driven:
        debugger = driven.main.debugger
        await driven.do("toggle_breakpoint")
        assert not debugger.breakpoints  # no line is chosen
        await driven.do("continue", "reverse_continue")
        assert driven.position == 0
        assert "c C continue" not in driven.footer()
        lines = [line.name for line in debugger.program.lines]
        await driven.do(*["list_down"] * (lines.index("dWa") + 1), "toggle_breakpoint")
        assert "c C continue" in driven.footer()
        assert len([row for row in driven.rows() if "dWa += " in row and "●" in row]) == 1
        seen = []
        for _ in range(12):
            await driven.main.run_action("continue")
            seen.append(driven.position)
            assert debugger.view.line.name == "dWa"
        times = [debugger.program.point(position).t for position in seen]
        assert times == [*range(10, 0, -1), 10, 9]
        for position in reversed(seen[:-1]):
            await driven.main.run_action("reverse_continue")
            assert driven.position == position
        await driven.main.run_action("reverse_continue")
        assert driven.position == seen[0]
        await driven.do("toggle_breakpoint")
        assert not debugger.breakpoints
        assert "●  " not in "\n".join(row[:6] for row in driven.rows()[4:20])


async def test_a_breakpoint_on_the_loss_stops_once_an_iteration() -> None:
    async with running() as driven:
        debugger = driven.main.debugger
        loss = next(debugger.program.writers("loss"))
        debugger.toggle(loss)
        for iteration in range(3):
            await driven.do("continue")
            assert debugger.view.point == Point(iteration, "loss", None, "loss", None, loss.block)
        for iteration in (1, 0):
            await driven.do("reverse_continue")
            assert debugger.view.point.iteration == iteration


# Running


async def test_running_pausing_and_speeds() -> None:
    async with running() as driven:
        for _ in range(10):
            await driven.main.run_action("faster")
        await driven.do("run")
        assert f"pause (+ − {SPEEDS[-1]}/s)" in driven.footer()
        await until(driven.pilot, lambda: driven.position >= 5)
        await driven.do("run")
        stopped = driven.position
        assert "space run" in driven.footer()
        await asyncio.sleep(0.1)
        assert driven.position == stopped
        for _ in range(10):
            await driven.main.run_action("slower")
        await driven.do("run")
        assert f"pause (+ − {SPEEDS[0]}/s)" in driven.footer()
        for _ in range(10):
            await driven.main.run_action("faster")
        await until(driven.pilot, lambda: driven.position > stopped)
        await driven.do("run")


async def test_running_stops_at_a_breakpoint() -> None:
    async with running() as driven:
        debugger = driven.main.debugger
        debugger.toggle(next(debugger.program.writers("a")), 2)
        for _ in range(10):
            await driven.main.run_action("faster")
        await driven.do("run")
        await until(driven.pilot, lambda: not driven.controller.running)
        assert (debugger.view.point.line, debugger.view.point.t) == ("a", 2)
        assert "space run" in driven.footer()


# Choices


async def test_choosing_a_sample() -> None:
    async with running() as driven:
        await driven.go(Point(0, "backward", 7, "dWa"))
        await driven.do("sample(1)")
        assert driven.main.frame.selection.sample == 0
        assert "dWa@7,0" in driven.text()
        assert "sample 0" in driven.text()
        await driven.do(*["sample(1)"] * 9)
        assert "dWa@7,9" in driven.text()
        await driven.do("sample(1)")
        assert driven.main.frame.selection.sample is None
        await driven.do("sample(-1)")
        assert driven.main.frame.selection.sample == 9


async def test_a_chosen_sample_at_every_line(tmp_path: Path) -> None:
    async with running(small(tmp_path)) as driven:
        await driven.do("sample(1)")
        for _ in range(driven.main.debugger.program.length + 3):
            await driven.main.run_action("step(1)")
            assert len(driven.rows()) == 36


async def test_a_prediction_is_said_to_be_right_or_wrong() -> None:
    async with running() as driven:
        await driven.pilot.press("g", "p", "enter")
        tape = driven.main.debugger.tape(0)
        for sample in range(10):
            right = int(tape["p"][sample].argmax()) == int(tape["y"][sample])
            driven.main.show(driven.controller.choose(row=sample, column=0))
            await driven.pilot.pause()
            assert ("✓" if right else "✗") in driven.pane("inspector").canvas().plain()


async def test_moving_the_cell() -> None:
    async with running() as driven:
        await driven.go(Point(0, "forward", 4, "a"))
        await driven.do("cell(0,-1)", "cell(-1,0)")
        assert driven.main.frame.cell == (0, 0)
        await driven.do("cell(1,0)", "cell(0,1)", "cell(0,1)")
        assert "a@4[1,2] = " in driven.text()
        assert "sample 1, unit 2, target 1" in driven.text()
        await driven.do(*["cell(1,0)", "cell(0,1)"] * 20)
        assert "a@4[9,7] = " in driven.text()
        await driven.do("operand(1)")
        assert "z@4[9,7] = " in driven.text()
        await driven.do("operand(-1)")
        assert "a@4[9,7] = " in driven.text()
        value = float(driven.main.frame.view.tape["a"][4, 9, 7])
        assert repr(value) in driven.text()


async def test_pages() -> None:
    async with running() as driven:
        await driven.go(30)
        shown = {}
        for page in ("program", "flow", "weights"):
            await driven.do(f"page('{page}')")
            shown[page] = driven.text()
            assert "┌─ program" in shown[page]
        assert "┌─ this line" in shown["program"]
        assert "┌─ flow" in shown["program"]
        assert "┌─ this line" not in shown["flow"]
        assert "┌─ flow" in shown["flow"]
        assert "┌─ weights" in shown["weights"]
        assert "┌─ flow" not in shown["weights"]
        assert driven.main.query_one("#flow", Pane).frame is None  # what is hidden keeps no recording alive
        await driven.do("page('program')")
        assert driven.text() == shown["program"]
        await driven.do("page('nonsense')")
        assert driven.text() == shown["program"]


async def test_the_scale_of_the_colours() -> None:
    async with running(open_session("vanishing", {})) as driven:
        await driven.do("finish", "finish", "finish")
        assert "flow · da, log ·" in driven.text()
        await driven.do("log", "log")
        assert "flow · da, log ·" not in driven.text()
        await driven.do("log")
        assert "flow · da, log ·" in driven.text()


# Dialogs


async def test_the_notation() -> None:
    async with running() as d:
        await d.go(Point(0, "backward", 7, "dWa"))
        assert "dWa += a_{t-1}ᵀ·dz_t" in d.text()
        before = d.text()
        await d.do("notation('karpathy')")
        assert "dWhh += dhraw_t·h_{t-1}ᵀ" in d.text()
        assert "dhraw_7" in d.text()
        assert d.position == d.main.debugger.program.position(Point(0, "backward", 7, "dWa"))
        await d.pilot.press("g", *"backward 4 dhraw", "enter")
        await d.pilot.pause()
        assert "dhraw_4 = dh_4 ⊙ 1[hraw_4 > 0]" in d.text()
        await d.go(Point(0, "backward", 7, "dWa"))
        await d.do("notation('ng')")
        d.app.clear_notifications()
        await d.pilot.pause()
        assert d.text() == before
        for name in ("pytorch", "karpathy", "wildml", "goodfellow", "ng"):
            await d.do("notation")
            assert d.main.frame is not None
            assert d.main.frame.writer.spelling.notation.name == name


async def test_going_to_a_point() -> None:
    async with running() as driven:
        await driven.do("goto")
        assert isinstance(driven.app.screen, GotoScreen)
        driven.app.screen.query_one(Input).value = "backward 7"
        await driven.pilot.press("enter")
        await driven.pilot.pause()
        assert driven.main.debugger.view.point == Point(0, "backward", 7, "dba", None, 4)
        assert "t = 7" in driven.rows()[0]


@pytest.mark.parametrize("text", ["11", "dq", "", "[/]", "[@click=app.quit]x[/]"])
async def test_a_place_that_does_not_exist_is_said_and_can_be_corrected(text: str) -> None:
    async with running() as driven:
        await driven.do("goto")
        driven.app.screen.query_one(Input).value = text
        await driven.pilot.press("enter")
        await driven.pilot.pause()
        note = driven.app.screen.query(".note").last(Static)
        assert note.has_class("wrong")
        assert driven.position == 0
        assert all(row.isprintable() for row in driven.rows())
        driven.app.screen.query_one(Input).value = "loss"
        await driven.pilot.press("enter")
        await driven.pilot.pause()
        assert driven.app.screen is driven.main
        assert driven.main.debugger.view.point.line == "loss"


def tape_at(driven: Driven) -> Tape:
    return driven.main.debugger.tape(driven.main.debugger.view.point.iteration)


async def test_while_a_place_is_typed_it_is_said_where_enter_goes() -> None:
    async with running() as driven:
        await driven.pilot.press("g")
        told = driven.app.screen.query(".note").last(Static)
        for typed, meant in (
            ("7", "iteration 0, forward, t = 7"),
            ("da@3[2,4]", "iteration 0, backward, t = 4, the line of da@3"),
            ("sample 5", ", sample 5"),
            ("p[5]", "forward, t = 10, the line of p"),
            ("t == 3", "where t == 3 holds next"),
            ("max|d", "where max|da| < 0.001 holds next"),
            ("nor", "where norm("),
            ("norm(da", "where norm(da) < 0.1 holds next"),
            ("da@", "enter goes, → completes"),
            ("|dz|<1", "enter goes, → completes"),
        ):
            driven.app.screen.query_one(Input).value = typed
            await driven.pilot.pause()
            assert meant in str(told.content), typed


async def test_going_to_where_a_condition_holds_next() -> None:
    async with running(open_session("vanishing", {})) as driven:
        tape, program = driven.main.debugger.tape(0), driven.main.debugger.program
        below = max(t for t, norm in enumerate(tape.norms("da").tolist()) if norm < 0.1)
        await driven.pilot.press("g", *"norm(da)<.1", "enter")
        point = program.point(driven.position)
        assert (point.iteration, point.line, driven.main.debugger.view.row) == (0, "da", below)
        await driven.go(program.length)
        await driven.pilot.press("g", *"norm(da)<.1", "enter")
        assert program.point(driven.position).iteration == 1
        here = driven.position
        await driven.pilot.press("g", *"max | dz|<", "enter")  # the rest stands behind it
        assert (
            driven.position > here and (np.abs(tape_at(driven)["dz"][driven.main.debugger.view.row - 1]) < 1e-3).all()
        )
        await driven.pilot.press("g", *"norm(da)>9", "enter")
        assert "holds nowhere after this point" in driven.text()


async def test_what_is_pasted_reaches_the_screen_without_control_characters() -> None:
    async with running() as driven:
        for dialog in ("goto", "find"):
            await driven.do(dialog)
            driven.app.screen.query_one(Input).post_message(events.Paste("\x1b]52;c;aGk=\x07 \u202e \x9b2J"))
            await driven.pilot.pause()
            assert all(row.isprintable() for row in driven.rows())
            await driven.pilot.press("escape")


async def test_a_norm_may_be_written_as_it_stands_on_the_screen() -> None:
    async with running() as driven:
        await driven.do("goto")
        driven.app.screen.query_one(Input).post_message(events.Paste("‖da‖ < 9"))
        await driven.pilot.press("enter")
        assert driven.app.screen is driven.main
        assert "‖da‖" in driven.text()
        assert driven.position > 0


async def test_examples_in_dialogs_are_of_this_model_and_can_be_written_out() -> None:
    async with running(open_session(None, {"cell": "lstm"})) as driven:
        await driven.do("goto")
        line = driven.app.screen.query_one(Input)
        assert line.placeholder == "for example dh@3[2,4]" and "dzi@7  dh@3[2,4]   dWhi[2,3]" in driven.text()
        await driven.pilot.press("right", "enter")
        assert driven.app.screen is driven.main and driven.main.controller.frame.cell == (2, 4)


async def test_typing_into_a_dialog_does_not_press_keys() -> None:
    async with running() as driven:
        await driven.do("goto")
        await driven.pilot.press("n", "f", "q", "b", "escape")
        assert driven.app.screen is driven.main
        assert driven.position == 0
        assert not driven.main.debugger.breakpoints


async def test_finding_a_quantity() -> None:
    async with running() as driven:
        await driven.go(60)
        await driven.do("find")
        assert isinstance(driven.app.screen, FindScreen)
        options = driven.app.screen.query_one(OptionList)
        in_time = [q for q in driven.main.debugger.program.quantities.values() if q.rows]
        assert options.option_count == 1 + len(in_time) + len(("da_out", "da_next"))
        driven.app.screen.query_one(Input).value = "dz"
        await driven.pilot.pause()
        assert options.option_count == 1
        await driven.pilot.press("enter")
        await driven.pilot.pause()
        assert driven.main.frame.flowing == "dz"
        assert "flow · dz" in driven.text()
        await driven.do("find")
        await driven.pilot.press("down", "down", "up", "enter")
        await driven.pilot.pause()
        assert driven.main.frame.flowing == "x"
        await driven.do("find")
        driven.app.screen.query_one(Input).value = "zzz"
        await driven.pilot.pause()
        assert "no quantity in time is called zzz" in driven.text()
        await driven.pilot.press("enter", "escape")
        assert driven.app.screen is driven.main
        assert driven.main.frame.flowing == "x"


@pytest.mark.parametrize(("size", "columns"), [((80, 24), 1), ((120, 36), 2), ((200, 50), 2)])
async def test_help_lists_every_key(size: tuple[int, int], columns: int) -> None:
    async with running(size=size) as driven:
        await driven.do("run", "help")
        assert isinstance(driven.app.screen, HelpScreen)
        assert not driven.controller.running
        blocks = driven.app.screen.query(".columns Static").results(Static)
        shown = [str(block.content) for block in blocks]
        text = " ".join("\n".join(shown).split())
        assert len(shown) == columns
        for command in COMMANDS:
            if not command.back:
                assert with_keys(command.line or command.help, COMMANDS) in text
            assert command.shown in text or command.shown in "123456"  # one line for all views
        await driven.pilot.mouse_down(
            offset=(60, 20)
        )  # Textual's own selection would look for a parent that may be gone
        assert driven.app.screen._select_state is None
        await driven.pilot.press("escape")
        assert driven.app.screen is driven.main


async def test_the_palette_has_every_command() -> None:
    async with running() as driven:
        listed = {choice.name: choice for choice in driven.app.choices()}
        commands = [c for c in COMMANDS if c.action != "app.palette"]
        others = [*(name for _, name, _ in WITHOUT_KEY), *(f"Notation: {name}" for name in NOTATIONS), "Choose a theme"]
        assert {*(c.help for c in commands), *others} <= set(listed)
        assert all(listed[c.help].key == c.shown for c in commands)
        await driven.pilot.press("ctrl+p")
        assert isinstance(driven.app.screen, PaletteScreen)
        assert MOVE in driven.text() and re.search(r"Run one line {20,}→ ", driven.text())
        await driven.pilot.press(*"run one", "enter")
        assert driven.app.screen is driven.main
        assert driven.position == 1
        await driven.pilot.press("ctrl+p", "escape")
        assert (driven.app.screen, driven.position) == (driven.main, 1)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("br", "Breakpoints"),
        ("back", "Back to"),
        ("the line", "Set the line"),
        ("start", "Names: start"),
        ("", "Set the line"),
        ("zz", None),
    ],
)
def test_what_the_palette_finds_first(text: str, first: str | None) -> None:
    names = ("Set the line", "Go back to the start", "Back to", "Breakpoints", "Names: start")
    choices = found([PaletteEntry(name, "", "", "") for name in names], text)
    assert next((choice.name for choice in choices), None) == first


async def test_a_theme_is_chosen() -> None:
    async with running() as driven:
        await driven.do("step(1)")
        before = driven.text()
        await driven.pilot.press("ctrl+p", *"theme", "enter", *"nord", "enter")
        await driven.pilot.pause()
        assert driven.app.theme == "nord"
        styles = {segment.style for strip in driven.app.screen._compositor.render_strips() for segment in strip}
        grounds = {style.bgcolor.name for style in styles if style and style.bgcolor}
        assert "#2e3440" in grounds and not {"#101114"} & grounds
        assert driven.text() == before


# The mouse


async def test_clicking_a_time_step() -> None:
    async with running() as driven:
        await driven.do("finish", "finish")
        widget = driven.pane("strip")
        x = driven.rows()[widget.region.y].index(" 4 ") + 1
        await driven.pilot.click(widget, offset=(x, 1))
        assert driven.main.debugger.view.point == Point(0, "forward", 4, "a", None, 0)
        await driven.pilot.click(widget, offset=(x, 2))
        assert driven.main.debugger.view.point == Point(0, "backward", 5, "da", None, 4)


async def test_the_wheel() -> None:
    async with running() as driven:
        await driven.do("step(1)")
        for pane, step, changed in (("listing", 1, "line"), ("line", 1, "position"), ("strip", -1, "position")):
            before = (driven.controller.selection.line, driven.position)
            driven.pane(pane).post_message(
                (MouseScrollDown if step > 0 else MouseScrollUp)(None, 1, 1, 0, step, 0, False, False, False)
            )
            await driven.pilot.pause()
            after = (driven.controller.selection.line, driven.position)
            assert before != after and (before[1] != after[1]) == (changed == "position")


async def test_clicking_the_listing() -> None:
    async with running() as driven:
        program = driven.main.debugger.program
        dz = next(program.writers("dz"))
        wanted = ToLine(dz.block, dz.index)
        await driven.click("listing", lambda target: target == wanted)
        assert driven.main.frame.selection.line == (dz.block, dz.index)
        assert not driven.main.debugger.breakpoints
        gutter = ToLine(dz.block, dz.index, gutter=True)
        await driven.click("listing", lambda target: target == gutter)
        assert {(b.block, b.index, b.t) for b in driven.main.debugger.breakpoints} == {(dz.block, dz.index, None)}
        await driven.click("listing", lambda target: target == gutter)
        assert not driven.main.debugger.breakpoints
        assert driven.position == 0


async def test_clicking_a_cell() -> None:
    async with running() as driven:
        await driven.go(Point(0, "backward", 7, "dz"))
        x, y = await driven.click("line", lambda target: isinstance(target, ToCell) and target.part == 0)
        assert driven.main.frame.inspected == 0
        assert driven.main.frame.cell == (0, 0)
        assert "da@7[0,0] = " in driven.text()
        target, _, _ = driven.pane("line").canvas().target_at(x, y)
        await driven.pilot.click(driven.pane("line"), offset=(x + 3 * target.cell_width, y + 1))
        await driven.pilot.pause()
        row, column = driven.main.frame.cell
        assert (column, row) == (3, int(1.25 / target.lines_per_row))
        assert f"da@7[{row},3] = " in driven.text()


async def test_clicking_the_flow() -> None:
    async with running() as driven:
        await driven.go(40)
        await driven.click("flow", lambda target: True)
        assert driven.main.debugger.view.line.name == "da"


async def test_clicking_the_footer_does_what_the_keys_do() -> None:
    async with running(size=(200, 50)) as driven:
        actions = [action for _, _, action in driven.main.frame.keys]
        assert "step(1)" in actions
        await driven.click("footer", lambda target: target == Press("step(1)"))
        assert driven.position == 1
        await driven.click("footer", lambda target: target == Press("help"))
        await until(driven.pilot, lambda: isinstance(driven.app.screen, HelpScreen))


async def test_clicks_anywhere_do_no_harm() -> None:
    async with running() as driven:
        await driven.do("finish", "finish", "next", "next")
        for y in range(0, 36, 7):
            for x in range(3, 120, 29):
                await driven.pilot.click(offset=(x, y))
                if driven.app.screen is not driven.main:
                    await driven.pilot.press("escape")
                if not driven.app.is_running:
                    return
        assert len(driven.rows()) == 36


async def test_the_footer_shows_only_what_works() -> None:
    async with running(size=(200, 50)) as driven:
        start = driven.footer()
        for label in ("← → line", "n p time step", "f F phase", "space run", "b break", "? help", "q quit", "g go to"):
            assert label in start
        for label in ("c C continue", "h j k l cell", "tab picture"):
            assert label not in start
        await driven.do("step(1)")
        assert "h j k l cell" in driven.footer()
        await driven.do("page('flow')")
        assert "h j k l cell" in driven.footer()
        assert "tab picture" not in driven.footer()
        await driven.do("page('training')")
        assert "tab picture" not in driven.footer()
        await driven.do("page('weights')")
        assert "h j k l cell" in driven.footer()


async def test_with_one_sample_there_is_none_to_choose(tmp_path: Path) -> None:
    network = Network(inputs=1, outputs=2)
    write_trace(tmp_path / "t.npz", record(network, np.ones((1, 4, 1)), np.array([1])), meta={"classes": ["no", "yes"]})
    async with running(open_session(tmp_path / "t.npz", {}), size=(200, 50)) as driven:
        assert "sample" not in driven.footer()
        await driven.do("step(1)", "sample(1)", "sample(1)", "step(1)")
        assert "forward" in driven.rows()[0]


# Sizes


async def test_too_small_and_back() -> None:
    async with running() as driven:
        await driven.do("step(1)")
        before = driven.text()
        for width, height in ((40, 10), (59, 36), (120, 17), (10, 3), (1, 1), (2, 40)):
            await driven.pilot.resize_terminal(width, height)
            await driven.pilot.pause()
            rows = driven.rows()
            assert (len(rows), {len(row) for row in rows}) == (height, {width})
            assert "forward" not in driven.text()
            if width >= 40 and height >= 10:
                assert "rnn-tui needs 60×18 characters" in driven.text()
            await driven.main.run_action("step(1)")
            await driven.main.run_action("step(-1)")
        await driven.pilot.resize_terminal(120, 36)
        await driven.pilot.pause()
        assert driven.text() == before


SCREENS = [(60, 18), (75, 24), (76, 23), (99, 29), (160, 38), (300, 80)]


@pytest.mark.parametrize("size", SCREENS, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_any_size(size: tuple[int, int]) -> None:
    async with running(open_session("sunspots", {}), size=size) as driven:
        for action in ("step(1)", "finish", "finish", "next", "next", "page('flow')", "page('weights')", "help"):
            await driven.do(action)
            rows = driven.rows()
            assert (len(rows), {cells(row) for row in rows}) == (size[1], {size[0]})
            if action != "help":
                assert "needs" not in driven.text()


def cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


# Colours


@pytest.mark.parametrize(
    ("mode", "theme"), [("truecolor", "dark"), ("256", "light"), ("16", "dark"), ("16", "light"), ("none", "light")]
)
async def test_every_depth_of_colour(monkeypatch: pytest.MonkeyPatch, mode: str, theme: str) -> None:
    environ: dict[str, str] = {"TERM": "xterm-256color"}
    terminal.prepare_environment(mode, environ)
    for name in ("NO_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
        if name in environ:
            monkeypatch.setenv(name, environ[name])
    async with running(mode=mode, theme=theme) as driven:
        await driven.do("step(1)", "finish", "finish", "finish")
        styles = {segment.style for strip in driven.app.screen._compositor.render_strips() for segment in strip}
        colored = {style for style in styles if style and (style.color or style.bgcolor)}
        assert ("✚" in driven.text()) == (mode == "none")
        if mode == "16":
            assert {style.color.type.name for style in colored if style.color} <= {"STANDARD", "DEFAULT"}
        await driven.do("help")
        assert "rnn-tui: keys" in driven.text()


# Data of every kind


@pytest.mark.parametrize("sample", sample_names())
async def test_every_sample_opens_and_runs_through(sample: str) -> None:
    async with running(open_session(sample, {})) as driven:
        assert sample in driven.rows()[0]
        for _ in range(5):
            await driven.do("finish")
        assert driven.main.debugger.view.point.iteration == 1


async def test_starting_at_an_iteration() -> None:
    async with running(open_session(None, {"iteration": 3})) as driven:
        assert driven.main.debugger.view.point.iteration in (2, 3)
        assert driven.position == 3 * driven.main.debugger.program.length


async def test_long_sequences_and_wide_states(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "long.npz", X=rng.normal(size=(2, 2000, 1)), y=np.array([0, 1]))
    np.savez(tmp_path / "wide.npz", X=rng.normal(size=(3, 5, 4)), y=np.array([0, 1, 1]))
    for name, options in (("long", {}), ("wide", {"hidden": 256})):
        async with running(open_session(tmp_path / f"{name}.npz", options)) as driven:
            for action in (
                "step(1)",
                "next",
                "finish",
                "finish",
                "next",
                "next",
                "next",
                "page('flow')",
                "page('weights')",
            ):
                await driven.do(action)
            await driven.do("page('program')", "cell(1,0)", "cell(0,1)", "sample(1)", "step(-1)", "previous")
            assert {cells(row) for row in driven.rows()} == {120}


async def test_nan_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("1,nan,2,0\n3,2,inf,1\n")
    async with running(open_session(path, {"allow-nan": True})) as driven:
        debugger = driven.main.debugger
        for _ in range(debugger.program.length + 2):
            await driven.main.run_action("step(1)")
            view = debugger.view
            if view.line.name == "z" and view.point.t == 2 and view.point.iteration == 0:
                await driven.pilot.pause()
                assert "!" in driven.text()
                assert "NaN" in driven.text()
            if view.point.phase == "backward":
                assert driven.rows()[0].rstrip().endswith("L NaN")


@pytest.mark.parametrize("label", ["[/]", "[@click=app.quit]x[/]", "\x1b[31m\x1b]52;c;aGk=\x07", "a\u202eb"])
async def test_hostile_labels(tmp_path: Path, label: str) -> None:
    (tmp_path / "d.csv").write_text(f'1,2,"{label}"\n3,4,b\n', encoding="utf-8")
    escaped = "".join(f"\\U{ord(c):08x}" for c in label)
    (tmp_path / "p.toml").write_text(f'data = "d.csv"\ntitle = "{escaped}"\nlook_for = "{escaped}"\n')
    async with running(open_session(tmp_path / "p.toml", {})) as driven:
        assert all(row.isprintable() for row in driven.rows())
        for action in ("step(1)", "finish", "finish", "next"):  # every pane, at other points: panes/test_properties.py
            await driven.main.run_action(action)
            assert all(row.isprintable() for row in driven.rows())
        for action in ("goto", "find", "help"):
            await driven.do(action)
            assert all(row.isprintable() for row in driven.rows())
            await driven.pilot.press("escape")


# Ending


@pytest.mark.parametrize(("keys", "code"), [(["q"], 0), (["ctrl+c"], 130), (["question_mark", "ctrl+c"], 130)])
async def test_ending(keys: Sequence[str], code: int) -> None:
    app = DebuggerApp(open_session(None, {}))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press(*keys)
    assert app.return_code == code


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36), (200, 50)])
async def test_what_is_said_covers_neither_keys_nor_numbers(plain_environment: None, size: tuple[int, int]) -> None:
    app = DebuggerApp(open_session(None, {}))
    async with app.run_test(size=size, notifications=True) as pilot:
        for page in ("1", "4"):
            await pilot.press(page, "s")
            await pilot.pause(0.2)
            said = app.screen.query_one(Toast).region
            assert said.height == 1 and said.y == app.screen.query_one("#body").region.bottom - 1
            assert "quit" in app.screen._compositor.render_strips()[-1].text


@pytest.mark.parametrize("opener", ["g", "slash", "question_mark", "ctrl+p"])
async def test_a_dialog_that_is_closed_twice_closes_once(plain_environment: None, opener: str) -> None:
    app = DebuggerApp(open_session(None, {}))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press(opener)
        if opener == "g":
            await pilot.press("7")
        for _ in range(3):
            app.simulate_key("enter" if opener != "ctrl+p" else "escape")
        await pilot.pause()
        assert app.is_running
        assert len(app.screen_stack) == 1


async def test_letters_that_come_together_with_the_key_that_opens_a_dialog_are_typed_into_it() -> None:
    """A busy machine reads several keys at once: all of them are given to the screen that is uppermost then."""
    async with running() as driven:
        for key in "gda@3":
            driven.app.post_message(events.Key(key, key))
        await until(driven.pilot, lambda: isinstance(driven.app.screen, GotoScreen))
        line = driven.app.screen.query_one(Input)
        await until(driven.pilot, lambda: line.value == "da@3")
