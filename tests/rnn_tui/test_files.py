"""What the app saves, copies and opens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from textual.widgets import Input

from engine.debug.places import parse_place
from engine.errors import InputError
from engine.files.trace import is_trace
from engine.session import open_session
from rnn_tui.cli import main
from rnn_tui.control.controller import Controller
from rnn_tui.kept.saving import KINDS, Shown, _sections, save, where_to
from rnn_tui.render.numbers import number
from rnn_tui.screens.dialogs.file_dialogs import OpenScreen, SaveScreen
from rnn_tui.shown.look import look
from tests.rnn_tui.test_app import Driven, running, until

pytestmark = pytest.mark.usefixtures("plain_environment")


async def test_a_name_says_what_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(size=(80, 24)) as driven:
        await driven.go(parse_place("dz@7", driven.main.debugger).position)
        await driven.do("notation('karpathy')", "cell(0,1)")
        driven.app.clear_notifications()
        await driven.pilot.pause()
        screen = driven.text()
        for ending in KINDS:
            await driven.pilot.press("x", *f"a{ending}", "enter")
            await driven.pilot.pause()
            assert driven.app.screen is driven.main, ending
        tape = driven.main.debugger.tape(0)
    assert {path.suffix for path in tmp_path.iterdir()} == set(KINDS)
    saved = (tmp_path / "a.txt").read_text()
    assert [line.rstrip() for line in screen.splitlines()[4:12]] == saved.splitlines()[4:12]
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert (np.loadtxt(tmp_path / "a.csv", delimiter=",") == tape["dz"][6].T).all()  # as it lies in this notation
    assert (np.load(tmp_path / "a.npy") == tape["dz"]).all()
    assert is_trace(tmp_path / "a.npz") and open_session(tmp_path / "a.npz", {}).debugger.tape(0).loss == tape.loss
    for ending in (".html", ".md"):
        report = (tmp_path / f"a{ending}").read_text()
        assert "dhraw" in report and re.search(r"loss 0\.\d+", report) and "Gradients of the iteration" in report
    assert "http" not in re.sub(
        r"http://www\.w3\.org|https?://www\.textualize\.io", "", (tmp_path / "a.html").read_text()
    )
    done = subprocess.run([sys.executable, "-I", tmp_path / "a.py"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"loss {tape.loss:.12g}\n"), done.stderr
    assert "dhraw" in (tmp_path / "a.py").read_text()


async def test_what_cannot_be_saved_is_said_and_nothing_is_replaced(tmp_path: Path) -> None:
    there = tmp_path / "there.md"
    there.write_text("mine")
    async with running() as driven:
        for name, said in (
            ("pic.png", "must end in"),
            (str(there), "is there already"),
            ("no/such.md", "does not exist"),
        ):
            await driven.pilot.press("x")
            assert isinstance(driven.app.screen, SaveScreen)
            driven.app.screen.query_one(Input).value = name
            await driven.pilot.press("enter")
            await driven.pilot.pause()
            assert said in driven.text()
            await driven.pilot.press("escape")
        assert there.read_text() == "mine"


def test_every_kind_is_saved_at_the_start_or_refused_in_a_sentence(tmp_path: Path) -> None:
    control = Controller(open_session(None, {}), look(), lambda _: None)
    shown = Shown([], control.refresh(), control.session)
    for ending in (".csv", ".npy"):
        with pytest.raises(Exception, match="no picture at the cursor"):
            save(tmp_path / f"a{ending}", shown)
    control.edits.edit("da@3 = 0")
    with pytest.raises(Exception, match="undo that first"):
        save(tmp_path / "a.py", Shown([], control.refresh(), control.session))
    assert not list(tmp_path.iterdir())
    assert where_to(str(tmp_path / "A.SVG")).name == "A.SVG"


async def copied(driven: Driven, key: str) -> str:
    await driven.pilot.press(key)
    return driven.app.clipboard


async def test_copying() -> None:
    async with running() as driven:
        assert await copied(driven, "y") == ""
        await driven.go(parse_place("dz@7", driven.main.debugger).position)
        await driven.do("cell(2,1)")
        dz = driven.main.debugger.tape(0)["dz"][6]
        assert float(await copied(driven, "y")) == dz[2, 1]
        rows = (await copied(driven, "Y")).splitlines()
        assert (np.array([row.split("\t") for row in rows], float) == dz).all()
        await driven.do("enter")
        assert float(await copied(driven, "y")) == dz[2, 1]
        await driven.do("close_why", "page('weights')")
        assert float(await copied(driven, "y")) == driven.main.debugger.view.gradient("dWx")[0, 1]


async def test_other_data_is_opened(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("1,2,3,0\n3,2,1,1\n")
    async with running() as driven:
        await driven.pilot.press("O", *"vani", "enter")
        await until(driven.pilot, lambda: driven.controller.session.data.name == "vanishing")
        await driven.pilot.press("O")
        assert isinstance(driven.app.screen, OpenScreen)
        field = driven.app.screen.query_one(Input)
        field.value = str(tmp_path / "nothing.csv")
        await driven.pilot.press("enter")
        await until(driven.pilot, lambda: "no file and no example named" in driven.text())
        field.value = str(mine)
        await driven.pilot.press("enter")
        await until(driven.pilot, lambda: driven.controller.session.data.name == "mine")
        assert driven.position == 0


async def test_the_program_is_shown_in_another_notation_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(size=(130, 40)) as driven:
        await driven.pilot.press("P")
        assert "import numpy as np" in driven.text() and "Andrew Ng" in driven.text()
        await driven.pilot.press("N")
        await until(driven.pilot, lambda: "PyTorch" in driven.text())
        await driven.pilot.press("x")
        assert isinstance(driven.app.screen, SaveScreen)
        assert driven.app.screen.query_one(Input).selected_text == "many_to_one.py"  # what is typed takes its place
        await driven.pilot.press("enter")
        assert "PyTorch" in Path("many_to_one.py").read_text()
        assert driven.app.screen is driven.main


def test_a_shot_is_the_screen_at_a_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = str(tmp_path / "shot.txt")
    assert main(["shot", "da@3[2,4]", "-o", name, "--size", "80x24", "--set", "da@5 = 0"]) == 0
    assert "wrote" in capsys.readouterr().err
    text = Path(name).read_text()
    assert len(text.splitlines()) == 24
    assert "da@3[2,4] = 0" in text and "what if: da@5 = 0" in text
    for wrong, said in (
        (["da@99"], "time steps"),
        (["da@3", "--size", "1x1"], "not possible"),
        (["da@3", "-o", "a.png"], "must end in"),
    ):
        with pytest.raises(InputError, match=said):
            main(["shot", "-o", name, *wrong])
    with pytest.raises(InputError, match="no theme"):
        main(["shot", "-o", name, "da@3", "--theme", "midnight"])
    assert Path(name).read_text() == text


def test_a_report_counts_the_steps_of_the_reverse_direction_as_its_rows_hold_them() -> None:
    session = open_session(None, {"bidirectional": True, "hidden": 2})
    controller = Controller(session, look(), lambda _: None)
    controller.go(parse_place("dz1r@3", session.debugger).position)
    told = dict(_sections(Shown((), controller.frame, session)))["Error by time step"].splitlines()
    norms = session.debugger.tape(0).norms("da1r")
    assert told[0] == f"t = 1    ‖da1r‖ = {number(float(norms[0]), trim=True)}" and told[-1].startswith("t = 11 ")
