"""Findings, reach and ledger in the app: reached by a key, by the palette and by the mouse; each leads to its point."""

from __future__ import annotations

from engine.session import open_session
from rnn_tui.shown.targets import ToFinding, ToWeight
from tests.rnn_tui.test_app import running


async def test_five_lists_them_and_enter_goes_there() -> None:
    session = open_session("exploding", {})
    async with running(session) as driven:
        await driven.pilot.press("5")
        await driven.pilot.pause()
        assert "exploding" in driven.pane("findings").canvas().plain()
        assert "go there" in driven.footer()
        found = driven.main.frame.findings
        await driven.pilot.press("j", "enter")
        await driven.pilot.pause()
        assert session.debugger.position == found[1].position
        assert driven.main.frame.selection.page == "program"
        await driven.pilot.press("5")
        await driven.pilot.pause()
        assert driven.main.frame.finding == 1  # where one was
        await driven.pilot.press("k", "k", "enter")
        await driven.pilot.pause()
        assert session.debugger.position == found[0].position


async def test_the_cursor_is_at_the_cell() -> None:
    session = open_session("dying_relu", {"seed": 3})
    async with running(session) as driven:
        await driven.pilot.press("5", "enter")
        await driven.pilot.pause()
        dead = driven.main.frame.findings[0]
        assert dead.kind == "dead units"
        assert driven.main.frame.cell == dead.index


async def test_by_mouse_alone() -> None:
    session = open_session("exploding", {})
    async with running(session) as driven:
        assert driven.main.frame.findings is None  # nothing is computed yet
        await driven.do("step(1)")
        await driven.click("header", lambda target: "findings" in str(target))
        await driven.click("findings", lambda target: target == ToFinding(1))
        assert session.debugger.position == driven.main.frame.findings[1].position


async def test_the_palette_has_it_by_its_plain_name() -> None:
    async with running() as driven:
        assert "Findings: what is wrong (view 5)" in [choice.name for choice in driven.app.choices()]
        await driven.do("page('findings')")
        assert not driven.main.frame.findings and "go there" not in driven.footer()  # there is nothing to go to


async def test_each_iteration_has_its_own() -> None:
    session = open_session("exploding", {})
    async with running(session) as driven:
        await driven.go(1)
        first = driven.main.frame.findings
        await driven.go(1 + 2 * session.debugger.program.length)
        assert driven.main.frame.findings != first
        await driven.go(1)
        assert driven.main.frame.findings == first


async def test_reach_is_a_key_and_the_same_key_leads_back() -> None:
    async with running(open_session("sonnet", {})) as driven:
        await driven.pilot.press("v")
        await driven.pilot.pause()
        assert "which loss reaches which step" in driven.pane("flow").canvas().plain()
        await driven.pilot.press("v")
        await driven.pilot.pause()
        assert "which loss" not in driven.pane("flow").canvas().plain()


async def test_the_weights_view_has_a_cursor_and_why() -> None:
    session = open_session("many_to_one", {})
    async with running(session) as driven:
        await driven.go(session.debugger.program.length)
        await driven.pilot.press("3", *["shift+tab"] * 3, "j", "l", "l")
        await driven.pilot.pause()
        assert "dWa[1,2]" in driven.pane("weights").canvas().plain()
        await driven.pilot.press("enter")
        await driven.pilot.pause()
        asked = driven.main.frame.asked.path[-1]
        assert (asked.name, asked.index) == ("dWa", (1, 2))
        await driven.pilot.press("backspace")
        await driven.pilot.pause()
        await driven.click("weights", lambda target: isinstance(target, ToWeight) and target.parameter == "Wy")
        assert driven.main.frame.selection.parameter == "Wy"
