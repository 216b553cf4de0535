"""`rnn_tui.debug`: the app on a program's own network and data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rnn_tui
from engine import InputError, Network
from rnn_tui import terminal
from tests.engine.pytorch import Tensor, modules

X = np.random.default_rng(1).normal(size=(4, 6, 2))
Y = np.array([0, 1, 1, 0])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[Any]]:
    """Instead of a terminal: what the app would be run with, and the code it ends with."""

    def prepare(code: int) -> list[Any]:
        apps: list[Any] = []

        def run(app: Any, *, mouse: bool) -> int:
            apps.append(app)
            return code

        monkeypatch.setattr(terminal, "problem", lambda *_: None)
        monkeypatch.setattr(terminal, "prepare_environment", lambda *_: None)
        monkeypatch.setattr(terminal, "run", run)
        return apps

    return prepare


def test_debug_opens_the_app_on_them_and_returns(opened: Callable[[int], list[Any]]) -> None:
    apps = opened(0)
    rnn, linear = modules("gru")
    assert rnn_tui.debug((rnn, linear), Tensor(X), Tensor(Y), name="mine") is None
    assert rnn_tui.debug(rnn, X, Y, linear, theme="light", color="16") is None
    assert rnn_tui.debug(Network.from_torch(rnn, linear), X, Y) is None
    losses = {app.session.debugger.tape(0).loss for app in apps}
    assert len(apps) == 3 and len(losses) == 1
    assert apps[0].session.data.name == "mine"


@pytest.mark.parametrize(("code", "raised"), [(130, KeyboardInterrupt), (143, SystemExit), (1, SystemExit)])
def test_a_signal_ends_the_program_that_called_too(
    opened: Callable[[int], list[Any]], code: int, raised: type[BaseException]
) -> None:
    opened(code)
    with pytest.raises(raised):
        rnn_tui.debug(modules(), X, Y)


def test_without_a_terminal_debug_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "problem", lambda *_: "the debugger needs a terminal")
    with pytest.raises(InputError, match="needs a terminal"):
        rnn_tui.debug(modules(), X, Y)
