"""Wild hands for a while (`make soak` goes on for longer), and every sequence that once broke something."""

from __future__ import annotations

import pytest

from tests.soak.__main__ import actions_of
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


def test_what_fails_is_shrunk_to_the_actions_that_it_takes() -> None:
    def fails(some: list[str]) -> bool:
        return "a" in some and "b" in some[some.index("a") :]

    actions = ["x"] * 100 + ["a"] + ["x"] * 30 + ["b"]
    assert shrunk(actions, lambda some: fails(list(some))) == ["a", "b"]
