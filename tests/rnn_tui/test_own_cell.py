"""A cell with numbers for each sample and lines that are made of parameters alone, on the screen and in the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.session import open_session
from rnn_tui import cli
from tests.engine.tables.test_own_cell import NORMED
from tests.rnn_tui.test_app import running

pytestmark = pytest.mark.usefixtures("plain_environment")


@pytest.fixture
def normed(tmp_path: Path) -> Path:
    path = tmp_path / "normed.py"
    path.write_text(NORMED)
    return path


async def test_every_line_and_page_is_drawn_and_every_number_asked_why(normed: Path) -> None:
    async with running(open_session(None, {"cell": normed, "hidden": 3})) as driven:
        program = driven.main.debugger.program
        loops = [number for number, block in enumerate(program.blocks) if not block.title]
        inside = [program.block_range(number).start + k for number in loops for k in (2, 8)]
        outside = [
            p for n, b in enumerate(program.blocks) if b.title.startswith("made") for p in program.block_range(n)
        ]
        for position in (0, *(place + 1 for place in sorted({*inside, *outside}))):
            await driven.go(position)
            name = driven.main.debugger.view.point.line
            for page in ("flow", "weights"):
                await driven.do(f"page('{page}')")
                assert len(driven.rows()) == 36
            await driven.do("page('program')", "enter", "enter", "back", "back")
            assert driven.app.screen is driven.main, name
        await driven.go(1)
        assert "lam = sigmoid(nu)" in driven.text()
        await driven.do("next", "step(1)")
        assert driven.main.debugger.view.point.line == "u"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check",), "the gradients are right"),
        (("explain", "m@2[1]"), "3 terms"),
        (("explain", "dlam[0]"), "dlam = dlam_steps − 2 · (dgamma ⊙ 0.5 / gamma) ⊙ lam"),
        (("explain", "ds@3[4]"), "Σ_h"),
        (("show", "m@3"), "m@3"),
        (("run", "--break", "any(lam > 0.5)"), "lam"),
        (("show", "dWh", "--set", "lam=0", "--difference"), "dWh"),
    ],
)
def test_the_commands_know_it(
    normed: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code = cli.main([*arguments, "--cell", str(normed), "--hidden", "3"])
    out = capsys.readouterr()
    assert code == 0, out.err
    assert said in out.out
