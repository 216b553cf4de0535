"""What every pane shows, as text and as colour codes, at a few points of the built-in example."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.debug.places import parse_place
from engine.model.blocks import Point
from engine.session import Session, open_session
from rnn_tui.render.inks import ColorMode
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToLine
from tests.rnn_tui.panes.scene import PANES, POINTS, SIZES, scene

Golden = Callable[[str, str], None]


def drawn(frame: Frame, sizes: dict[str, tuple[int, int]], names: tuple[str, ...] = tuple(PANES)) -> str:
    return "\n".join(f"=== {name} {sizes[name]}\n{PANES[name](frame, *sizes[name]).plain()}" for name in names)


@pytest.mark.parametrize("point", list(POINTS))
@pytest.mark.parametrize("size", list(SIZES))
def test_every_pane(golden: Golden, size: str, point: str) -> None:
    golden(f"panes-{size}-{point}", drawn(scene(at=POINTS[point]), SIZES[size]))


def test_without_colour(golden: Golden) -> None:
    golden("panes-no-color", drawn(scene(at=POINTS["dWa"], mode=ColorMode.NONE), SIZES["120x36"]))


def test_one_sample(golden: Golden) -> None:
    frame = scene(at=POINTS["dWa"], sample=3, operand=4, row=2, column=5)
    golden("panes-sample", drawn(frame, SIZES["120x36"], ("line", "flow", "weights", "inspector")))


@pytest.mark.parametrize("notation", ["karpathy", "pytorch", "goodfellow"])
def test_in_a_notation(golden: Golden, notation: str) -> None:
    session = open_session(None, {"notation": notation})
    names = ("header", "strip", "listing", "line", "flow", "weights", "inspector")
    shown = [drawn(scene(session, POINTS[point]), SIZES["120x36"], names) for point in ("dWa", "update")]
    golden(f"panes-notation-{notation}", "\n".join(shown))


def test_another_cell_another_quantity(golden: Golden) -> None:
    frame = scene(at=POINTS["dz"], operand=0, row=4, column=6, quantity="dz", log=True, line=(0, 1))
    golden("panes-chosen", drawn(frame, SIZES["120x36"], ("listing", "line", "flow", "inspector")))


def test_breakpoints(golden: Golden) -> None:
    frame = scene(at=POINTS["forward"])
    from engine.session import open_session

    session = open_session(None, {})
    debugger = session.debugger
    debugger.toggle(next(debugger.program.writers("dz")))
    debugger.toggle(next(debugger.program.writers("z")), 3)
    frame = scene(session, POINTS["dz"])
    golden("panes-breakpoints", drawn(frame, SIZES["120x36"], ("listing",)))


def test_time_steps_of_breakpoints_stand_in_order_until_one_is_for_all_of_them() -> None:
    session = open_session(None, {})
    line = next(session.debugger.program.writers("a"))
    for t in (9, 2, 10, 3):
        session.debugger.toggle(line, t)
    assert "@2,3,9,10 " in drawn(scene(session, POINTS["forward"]), SIZES["120x36"], ("listing",))
    session.debugger.toggle(line)
    assert "@" not in drawn(scene(session, POINTS["forward"]), SIZES["120x36"], ("listing",))


def listed(session: Session, at: str, height: int, **choices: object) -> list[str]:
    frame = scene(session, parse_place(at, session.debugger).position, **choices)
    return PANES["listing"](frame, 43, height).plain().splitlines()


def test_weight_gradients_are_folded_where_the_listing_is_too_long_for_its_pane() -> None:
    session = open_session("adding", {})
    program = session.debugger.program
    (fold,) = [line for line in listed(session, "dc@4", 34) if "▸" in line]
    assert "▸ 12 weight gradients, dWxi … dbo" in fold
    assert not [line for line in listed(session, "dc@4", 34) if "dWhg +=" in line]
    assert [line for line in listed(session, "dWhg@4", 34) if "▶ dWhg += " in line]  # the point is among them
    here = next(program.writers("dWhg"))
    assert [line for line in listed(session, "dc@4", 34, line=(here.block, here.index)) if "› dWhg += " in line]
    assert not [line for line in listed(session, "dc@4", 100) if "▸" in line]
    assert not [line for line in listed(open_session(None, {}), "dz@4", 16) if "▸" in line]  # three of them


def test_what_is_folded_shows_its_breakpoints_and_opens_on_a_click() -> None:
    session = open_session("adding", {})
    session.debugger.toggle(next(session.debugger.program.writers("dWhg")), 3)
    frame = scene(session, parse_place("dc@4", session.debugger).position)
    canvas = PANES["listing"](frame, 43, 34)
    (y,) = [y for y, line in enumerate(canvas.plain().splitlines()) if "▸" in line]
    assert canvas.plain().splitlines()[y][1] == "○"
    hit = canvas.target_at(8, y)
    first = next(session.debugger.program.writers("dWxi"))
    assert hit is not None and hit[0] == ToLine(first.block, first.index)


def matrix(codes: np.ndarray) -> str:
    return "\n".join(" ".join(f"{code:2}" for code in row) for row in codes.tolist())


@pytest.mark.parametrize(
    ("at", "operand"),
    [(Point(0, "backward", 7, "dz"), 0), (Point(0, "backward", 7, "dz"), 4), (Point(0, "forward", 4, "a"), None)],
    ids=["da_7", "dz_7", "a_4"],
)
def test_the_colours_of_a_picture(golden: Golden, request: pytest.FixtureRequest, at: Point, operand: int | None):
    frame = scene(at=at, operand=operand)
    assert frame.inspected is not None
    part = frame.parts[frame.inspected]
    assert part.values is not None
    golden(f"codes-{request.node.callspec.id}", matrix(frame.codes(part.values, part.name)))


def test_the_colours_of_the_flow(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    from rnn_tui.panes import flow

    seen = []
    monkeypatch.setattr(flow, "heatmap", lambda codes, *_: seen.append(codes.copy()) or [[]])
    PANES["flow"](scene(at=POINTS["dz"]), 74, 9)
    assert len(seen) == 1
    golden("codes-flow", matrix(seen[0]))
