"""The settings file, other keys, and sessions that come back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.debug.places import parse_place
from engine.errors import InputError
from engine.lessons.lesson import lesson_names, read_lesson
from engine.session import open_session
from rnn_tui.app import DebuggerApp
from rnn_tui.cli import main
from rnn_tui.control.controller import Controller
from rnn_tui.control.memory import memory, recall
from rnn_tui.kept.sessions import LARGEST, remember, remembered, session_file
from rnn_tui.kept.settings import Settings, read_settings, settings_path, settings_text
from rnn_tui.keys.bindings import COMMANDS
from rnn_tui.shown.look import look
from tests.rnn_tui.test_app import Driven, running
from tests.tmux import tmux

__all__ = ["tmux"]  # the fixture
pytestmark = pytest.mark.usefixtures("plain_environment")


def test_without_a_file_there_are_the_defaults_and_they_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert read_settings() == Settings()
    assert main(["config"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"# {tmp_path}/rnn-tui/settings.toml (not there")
    settings_path().parent.mkdir()
    settings_path().write_text(printed.replace("# save ", "save ").replace('"x"', '"f5"'))
    assert read_settings() == Settings(keys={"save": "f5"})
    assert "\nsave " in settings_text(read_settings(), settings_path())
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)
    settings_path().write_text("theme = 'nope'")
    with pytest.raises(InputError, match="there is no theme nope"):
        main(["config"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("them = 'dark'", "there is no setting them; did you mean theme?"),
        ("mouse = 1", "mouse must be true or false"),
        ("color = 'red'", "color must be one of auto, truecolor"),
        ("theme = ", "Invalid value"),
        ("[keys]\nsav = 'x'", "there is no command sav; did you mean save?"),
        ("[keys]\nsave = 'c'", "c would be both continue and save"),
        ("[keys]\nsave = 'ctrl+c'", "ctrl+c is no key that can be given"),
        ("[keys]\nsave = 'banana'", "banana is no key"),
        ("[keys]\nsave = 3", "keys.save must be a text"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_settings(path)
    assert said in str(refused.value) and str(path) in str(refused.value) and "\n" not in str(refused.value)


async def test_other_keys_work_and_are_shown() -> None:
    keys = {
        "step": "k",
        "cell_up": "K",
        "quit": "ctrl+q",
        "save": "f5",
        "page_flow": "f2",
        "run": "f3",
        "set_cell": "f6",
    }
    app = DebuggerApp(open_session(None, {}), keys=keys)
    async with app.run_test(size=(120, 90)) as pilot:
        driven = Driven(app, pilot)
        assert "▶ f3 watch it    k step it    L lesson" in driven.text()
        assert "1 f2 3 4 5 6 view" in driven.footer()
        await pilot.press("u")
        assert [each.message for each in app._notifications] == ["Nothing is set: f6 asks what to set."]
        await pilot.press("k", "k", "right")
        assert driven.position == 2
        assert "k ← line" in driven.footer() and "ctrl+q quit" in driven.footer()
        assert " f2 flow  3 weights " in driven.text()
        await pilot.press("question_mark")
        assert "k ←       one line back" in driven.text() and "h j K l   move the cell" in driven.text()
        await pilot.press("escape", "ctrl+p", *"run one line")
        assert app.screen.query_one("OptionList").get_option_at_index(0).prompt.plain.endswith(" k")
        await pilot.press("escape")
        driven.main.show(driven.main.begin_lesson(read_lesson(lesson_names()["walk"])))
        await pilot.press("greater_than_sign")
        assert "(k runs one line, n one time step.)" in driven.text()


async def test_how_a_session_was_left_comes_back() -> None:
    async with running() as driven:
        controller = driven.controller
        controller.go(parse_place("da@5", driven.main.debugger).position)
        for stop in ("dz if norm(dz) < 1e-3", "a", "da@3", "dz log t"):
            controller.debugger.add(stop)
        controller.debugger.watch("norm(da)")
        controller.write_in("pytorch")
        controller.turn_to("weights")
        controller.choose(sample=2, row=1, parameter="Wa")
        left = memory(controller)
    app = DebuggerApp(open_session(None, {}), remembered=left)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        again = Driven(app, pilot)
        assert memory(again.controller) == left == app.left()
        assert again.controller.selection.parameter == "Wa"
        assert ["As you left it" in notification.message for notification in app._notifications] == [True]
        again.main.show(again.main.begin_lesson(read_lesson(lesson_names()["walk"])))
        await pilot.press("greater_than_sign", "f")
        assert app.left() == left, "a lesson over it changes nothing of it"


@pytest.mark.parametrize(
    "kept",
    [
        {"point": [0, "backward", 3, "nothing", None, None], "breakpoints": ["nonsense", 3], "watches": "x"},
        {"point": [10**9, "backward", 3, "da", None, 2], "choices": {"page": "yours"}},
        {"point": 5, "choices": {"page": "nowhere", "sample": 10**6, "row": "a", "other": 1}, "notation": "klingon"},
        {"choices": [], "breakpoints": {}, "notation": []},
    ],
)
def test_what_means_nothing_any_more_is_left_out(kept: dict[str, object]) -> None:
    controller = Controller(open_session(None, {}), look(), lambda _: None)
    recall(controller, kept)
    controller.refresh()
    assert controller.debugger.position == 0 and not controller.debugger.breakpoints


def test_files_of_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = session_file(tmp_path / "a.csv", {"hidden": 3})
    assert path != session_file(tmp_path / "a.csv", {}) and path == session_file(tmp_path / "a.csv", {"hidden": 3})
    assert remembered(path) is None
    remember(path, {"point": [0]})
    assert remembered(path) == {"point": [0]}
    for broken in (b"\xff", b"[1", b"[]", b"[" * LARGEST * 2, b"[" * 50_000):
        path.write_bytes(broken)
        assert remembered(path) is None
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))  # nothing can be kept there
    remember(session_file(tmp_path / "a.csv", {}), {})


def test_in_a_terminal(tmux) -> None:
    terminal = tmux()
    terminal.start("rnn-tui vanishing; rnn-tui vanishing; rnn-tui vanishing --fresh", width=100, height=30)
    terminal.wait_for("walks back")
    terminal.keys("n", "n", "n")
    terminal.wait_for("t = 3")
    terminal.keys("q")
    terminal.wait_for("As you left it")
    terminal.wait_for("t = 3")
    terminal.keys("q")
    terminal.wait_for("walks back")
    terminal.keys("q")
    assert terminal.wait_for_exit() == 0
    assert os.environ.get("XDG_STATE_HOME") is None
