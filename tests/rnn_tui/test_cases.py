"""Problems that people had, built small: what each needed is printed by one command of the README."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.rnn_tui.test_cli import Done, rnn_tui

__all__ = ["rnn_tui"]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_which_operation_was_nan_first_and_after_which_update(rnn_tui: Callable[..., Done]) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(24, 40, 2))
    X[:, :, 1] = 0
    for sample in X:
        sample[rng.choice(40, 2, replace=False), 1] = 1
    np.savez("data.npz", X=X, y=(X[:, :, 0] * X[:, :, 1]).sum(1) * 10)
    options = "--activation relu --hidden 12 --lr 0.03 --dtype float32 --seed 3 --findings --iterations 30"
    out = rnn_tui("run", "data.npz", *options.split()).out
    assert "z@12[0,0] is −∞: a@11[0,2] = 4.84e+37 × Wa[2,0] = −2517 is more than the largest float32" in out
    assert "the update of Wa is large: ‖ΔWa‖/‖Wa‖ is 14508" in out


def test_every_sequence_gets_the_same_prediction(rnn_tui: Callable[..., Done]) -> None:
    lengths = np.random.default_rng(3).integers(60, 170, 9)
    np.savez("data.npz", X=np.ones((9, 200, 1)), y=lengths / 200, lengths=lengths)
    out = rnn_tui("run", "data.npz", "--cell", "lstm", "--hidden", "10", "--findings").out
    assert "falls below 1e−06 of what it is at each sample's own end 29 steps before it (gain 0.6" in out
    assert "the gate f lets 0.51" in out and "what if: --set 'bf = 1.1'" in out
    assert "all predictions are alike: −0.087 to −0.087, where y goes from 0.3" in out


def test_a_dated_series(rnn_tui: Callable[..., Done]) -> None:
    days = [f"2021-03-{day:02}" for day in range(1, 29)]
    Path("weather.csv").write_text(
        "date,temp,pressure\n" + "".join(f"{day},{20 + i % 3}.5,{1000 + i}.2\n" for i, day in enumerate(days))
    )
    done = rnn_tui("run", "weather.csv", "--timesteps", "10", "--findings")
    assert "where each row is a time step, --series --window 10" in done.err
    done = rnn_tui("run", "weather.csv", "--series", "--window", "10", "--target", "temp", "--findings")
    assert "weather.csv: column 1 (date) holds dates: left out\n" in done.err
    assert "weather.csv: 18 samples of 10 rows, with the target one row later (--window, --ahead)\n" in done.err
    assert "the inputs saturate the first step" in done.out and "x goes from 1000 to 1026 (feature 1)" in done.out


def test_a_state_that_is_carried_between_batches(rnn_tui: Callable[..., Done]) -> None:
    Path("text.txt").write_text("to be or not to be, that is the question")
    options = ("text.txt", "--timesteps", "5", "--hidden", "3", "--stateful")
    carried = rnn_tui("show", "a@0", *options, "--iteration", "1").out
    assert "zeros 0%" in carried.splitlines()[1]  # it is where iteration 0 ended
    code = rnn_tui("code", *options, "--iteration", "1").out
    assert "a_last = a[T]  # where the next one goes on" in code


LAYER_NORM = """
from engine.cells import Cell

CELL = Cell(
    name="lnrnn",
    equations=("u = x @ Wx + h_prev @ Wh", "d = u - {mean}", "v = {variance}", "z = gain * d / sqrt(v + 1e-5) + b", "h = tanh(z)"),
    parameters={{"Wx": ("D", "H"), "Wh": ("H", "H"), "gain": ("H",), "b": ("H",){more}}},
    states=("h",),
    output="h",
)
"""


def test_where_the_nan_of_a_layer_normalised_cell_comes_from(rnn_tui: Callable[..., Done]) -> None:
    Path("ln.py").write_text(LAYER_NORM.format(mean="mean(u)", variance="mean(d ** 2)", more=""))
    assert "the gradients are right" in rnn_tui("check", "--cell", "ln.py").out
    Path("ln2.py").write_text(LAYER_NORM.format(mean="u @ A", variance="d ** 2 @ A", more=', "A": ("H", "H")'))
    out = rnn_tui("run", "--cell", "ln2.py", "--findings").out
    assert out.startswith(
        "! non-finite: z@1[0,0] is NaN: what it divides by, made of v@1[0,0] = −0.172, is NaN, in the forward line z"
    )
