"""The view of the user's own program: its source, what a line made beside the reference, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.doctor.walk.lockstep import Lockstep
from rnn_tui.panes.program.source import ListedSource, draw_listed
from rnn_tui.panes.yours import draw_beside, draw_source, draw_told
from rnn_tui.render.inks import ColorMode
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import look
from tests.engine.doctor.reports import opened
from tests.rnn_tui.panes.scene import scene

SPECIMENS = Path(__file__).parents[2] / "engine/doctor/specimens"
SIZES = {
    "80x24": ((40, 16), (40, 8), (80, 3)),
    "120x36": ((60, 23), (60, 14), (120, 7)),
    "200x50": ((100, 33), (100, 20), (200, 10)),
}
Golden = Callable[[str, str], None]


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Lockstep]:
    path = tmp_path_factory.mktemp("yours") / "mine.py"
    path.write_text((SPECIMENS / "forward_beside.py").read_text().replace("dh = dz @ W_rec.T", "dh = dz @ W_rec"))
    return opened(path)


def frame(beside: tuple[Any, Lockstep], execution: int | None = None, **choices: Any) -> Frame:
    session, lockstep = beside
    at = lockstep.first if execution is None else execution
    choices = {"page": "yours", "execution": at, **choices}
    mode = choices.pop("mode", ColorMode.TRUECOLOR)
    return replace(scene(session, lockstep.position(at) or 0, mode, **choices), lockstep=lockstep)


def drawn(shown: Frame, size: str = "120x36") -> str:
    draws = (draw_source, draw_beside, draw_told)
    return "\n".join(f"=== {s}\n{draw(shown, *s).plain()}" for draw, s in zip(draws, SIZES[size], strict=True))


@pytest.mark.parametrize("size", SIZES)
def test_where_it_goes_wrong(golden: Golden, wrong: tuple[Any, Lockstep], size: str) -> None:
    golden(f"yours-{size}", drawn(frame(wrong), size))


def test_without_colour(golden: Golden, wrong: tuple[Any, Lockstep]) -> None:
    golden("yours-no-color", drawn(frame(wrong, mode=ColorMode.NONE, row=1, column=1)))


def test_what_is_right_and_what_was_wrong_before(wrong: tuple[Any, Lockstep]) -> None:
    lockstep = wrong[1]
    told = draw_told(frame(wrong, lockstep.first - 1), 120, 7).plain()
    assert "the same" in told and "wrong is this line" not in told
    later = lockstep.next_wrong(lockstep.first, 1)
    assert "it reads what is wrong already" in draw_told(frame(wrong, later), 120, 7).plain()
    assert "wrong is this line" in draw_told(frame(wrong), 120, 7).plain()


def test_every_execution_is_drawn_at_every_size(wrong: tuple[Any, Lockstep]) -> None:
    for execution in range(len(wrong[1])):
        for size in SIZES:
            assert "forward_beside" not in drawn(frame(wrong, execution), size)
    assert drawn(frame(wrong, 0, row=99, column=99))


def test_without_a_program_it_says_how_to_give_one() -> None:
    text = " ".join(draw_beside(scene(page="yours"), 60, 23).plain().replace("│", " ").split())
    assert "rnn-tui MINE.py" in text and "with your rights" in text


def test_the_line_that_ran_last_is_there_as_a_whole(wrong: tuple[Any, Lockstep]) -> None:
    source = wrong[1].source
    longest = max(range(1, len(source.lines) + 1), key=lambda line: len(source.line(line)))
    listed = ListedSource("", source, (), range(longest, longest + 1), None, (), {})
    shown = "".join(row[9:29].strip() for row in draw_listed(listed, look(), 30, 40).plain().splitlines()[1:-1])
    assert len(source.line(longest)) > 40
    assert source.line(longest).replace(" ", "") in shown.replace(" ", "")
