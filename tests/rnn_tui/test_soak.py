"""Wild hands for a while (`make soak` goes on for longer), and every sequence that once broke something."""

from __future__ import annotations

import gc
import warnings

import pytest
from textual import events
from textual._styles_cache import StylesCache
from textual.geometry import Size

from rnn_tui.control.controller import Controller
from tests.soak.__main__ import actions_of
from tests.soak.hands import Hands
from tests.soak.play import played, shrunk

pytestmark = pytest.mark.usefixtures("plain_environment")
BROKE = {
    "/ where both directions read one vector": ("model-13", "key slash"),
    "a name too long to be saved": ("built-in", f"key x; type {'x' * 300}.svg"),
    "a folder of nobody's": ("built-in", "key x; type ~nobody-of-that-name/a.svg"),
    "other data below a zoomed picture": ("model-0", "key n; key z; key O; key enter"),
    "a zoomed picture in a window without room for its map": (
        "long",
        "size 60 18; key right; key tab; key tab; key z; key z",
    ),
    "a lesson's gain where nothing is a number any more": (
        "lesson-vanishing",
        "key e; type Wa[0,0] = nan; key f; key 3",
    ),
    "the original beside an edit in windows that have no room for both": (
        "built-in",
        "key n; key e; type z@1[0,0] = 5; key o; size 30 9; key n; size 80 24; key 2; size 5 2; key o; key o; size 61 40",
    ),
    "clicks in the lower third of view 6": (
        "yours",
        "; ".join(f"click {column / 12:.2f} {row / 12:.2f}" for row in range(8, 12) for column in range(12)),
    ),
}


@pytest.mark.parametrize(("ground", "actions"), BROKE.values(), ids=list(BROKE))
async def test_what_once_broke(ground: str, actions: str) -> None:
    result = await played(ground, actions.split("; "))
    assert not result.error, result.trace


@pytest.mark.parametrize("ground", ["built-in", "lesson-vanishing", "model-12", "walk"])
async def test_500_actions_end_in_no_exception_and_going_back_shows_the_same(ground: str) -> None:
    actions = actions_of(f"suite {ground}", 500)
    result = await played(ground, actions)
    assert not result.error, f"{actions[: result.done + 1][-5:]}\n{result.trace}"


async def test_closed_dialogs_leave_nothing_behind() -> None:
    def widgets() -> int:
        gc.collect()
        return sum(isinstance(some, StylesCache) for some in gc.get_objects())

    before = widgets()
    assert (await played("built-in", ["key question_mark", "key escape"] * 10)).done == 20
    assert widgets() - before < 40  # the app's own; a help that is closed again would leave 7 each time


async def test_a_dialog_is_clicked_while_it_opens_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pressed(hands: Hands, key: str) -> None:
        hands._send(events.Key(key, None))
        for event in (events.MouseMove, events.MouseDown, events.MouseUp):
            hands._mouse(event, 0, hands.app.size.height - 1)
        await hands.settle(key)

    monkeypatch.setattr(Hands, "press", pressed)
    result = await played("built-in", ["key ctrl+p", "key escape", "key question_mark", "key escape"] * 2)
    assert not result.error, result.trace


async def test_help_opens_where_there_is_no_room_for_it() -> None:
    result = await played("built-in", ["size 1 1", "key question_mark", "key escape", "size 5 2", "key question_mark"])
    assert not result.error, result.trace


async def test_another_size_is_drawn_before_the_next_action(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, resize = list[tuple[Size, Size]](), Hands.resize

    async def resized(hands: Hands, *size: str) -> None:
        await resize(hands, *size)
        sizes.append((hands.app.size, hands.app.screen.size))

    monkeypatch.setattr(Hands, "resize", resized)
    assert not (await played("built-in", ["size 90 30", "size 120 36"])).error
    assert sizes == [(Size(90, 30),) * 2, (Size(120, 36),) * 2]


async def test_a_warning_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Controller, "sample", lambda *_: warnings.warn("odd", stacklevel=1))
    assert (await played("built-in", ["key right_square_bracket"])).error.startswith("UserWarning")


def test_what_fails_is_shrunk_to_the_actions_that_it_takes() -> None:
    def fails(some: list[str]) -> bool:
        return "a" in some and "b" in some[some.index("a") :]

    actions = ["x"] * 100 + ["a"] + ["x"] * 30 + ["b"]
    assert shrunk(actions, lambda some: fails(list(some))) == ["a", "b"]
