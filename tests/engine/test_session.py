"""From data and options to a debugger: which option wins, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import InputError
from engine.files.options import DEFAULTS
from engine.session import open_session
from tests.engine import pytorch


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "d.csv").write_text("1,2,3,4,0\n4,3,2,1,1\n0,1,0,1,1\n")
    path = tmp_path / "p.toml"
    path.write_text(
        'data = "d.csv"\ntitle = "T"\n[options]\ntimesteps = 2\nactivation = "relu"\nhidden = 5\nseed = 3\n'
        'init-scale = 2\nreduction = "sum"\ndtype = "float32"\nlr = 0.5\niteration = 1\noutputs = 4\n'
    )
    return path


def test_defaults(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("1,2,3,4,0\n4,3,2,1,1\n")
    session = open_session(path, {})
    assert session.options == {**DEFAULTS, "predict": "last"}
    network = session.debugger.network
    assert (network.inputs, network.hidden, network.outputs, network.activation) == (1, 8, 2, "tanh")
    assert (network.dtype, network.seed, network.init_scale, network.reduction) == ("float64", 0, 1.0, "mean")
    assert (network.lr, session.debugger.program.steps, session.debugger.position) == (0.1, 4, 0)
    assert session.description == "rnn tanh 1→8→2 · 2 samples · float64"


def test_a_projects_options_come_before_the_defaults(project: Path) -> None:
    session = open_session(project, {})
    network = session.debugger.network
    assert (network.inputs, network.hidden, network.outputs, network.activation) == (2, 5, 4, "relu")
    assert (network.dtype, network.seed, network.init_scale, network.reduction) == ("float32", 3, 2.0, "sum")
    assert (network.lr, session.options["iteration"], session.debugger.program.steps) == (0.5, 1, 2)
    assert session.options["optimizer"] == DEFAULTS["optimizer"]


GIVEN: dict[str, Any] = {
    "activation": "sigmoid",
    "hidden": 3,
    "seed": 0,
    "init-scale": 0.5,
    "reduction": "mean",
    "dtype": "float64",
    "lr": 0.25,
    "outputs": 2,
}


@pytest.mark.parametrize("name", list(GIVEN))
def test_what_is_given_comes_before_the_project(project: Path, name: str) -> None:
    before, after = open_session(project, {}), open_session(project, {name: GIVEN[name]})
    attribute = name.replace("-", "_")
    assert getattr(before.debugger.network, attribute) != GIVEN[name]
    assert getattr(after.debugger.network, attribute) == GIVEN[name]
    others = {other: getattr(before.debugger.network, other.replace("-", "_")) for other in GIVEN if other != name}
    assert others == {other: getattr(after.debugger.network, other.replace("-", "_")) for other in others}


def test_given_time_steps_and_iteration(project: Path) -> None:
    session = open_session(project, {"timesteps": 4, "iteration": 0})
    assert session.data.X.shape == (3, 4, 1)
    assert session.options["iteration"] == 0


def test_equal_options_are_equal_numbers() -> None:
    first, second = open_session(None, {"seed": 5}), open_session(None, {"seed": 5})
    np.testing.assert_array_equal(first.debugger.tape(2)["dWa"], second.debugger.tape(2)["dWa"])
    assert first.debugger.tape(2).loss != open_session(None, {"seed": 6}).debugger.tape(2).loss


def test_an_initial_state_is_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a0 = rng.normal(size=(3, 8))
    np.savez(tmp_path / "d.npz", X=rng.normal(size=(3, 4, 2)), y=np.array([0, 1, 1]), a0=a0)
    tape = open_session(tmp_path / "d.npz", {}).debugger.tape(0)
    np.testing.assert_array_equal(tape["a"][0], a0)
    with pytest.raises(InputError, match="initial"):
        open_session(tmp_path / "d.npz", {"hidden": 5})


def test_more_outputs_than_classes() -> None:
    assert open_session(None, {"outputs": 5}).debugger.tape(0)["p"].shape == (10, 5)


REFUSED = [
    ("1,2,0\n3,4,1\n", {"outputs": 1}, "2 classes; --outputs must be at least that, not 1"),
    ("1,2,0\n3,4,0\n", {}, "every sample is of class 0"),
    ("1,2,0.5\n3,4,1.5\n", {"outputs": 2}, "the loss squared on these targets needs --outputs 1, not 2"),
    ("1,2,0\n3,4,1\n", {"predict": "every"}, "one target a sample, and --predict every needs one a step"),
    ("1,2,3,0\n1,2,3,1\n", {"timesteps": 2}, "do not fold into 2 time steps"),
    (
        "x1,x2,y1,y2\n1,2,0,1\n3,4,1,0\n",
        {"predict": "last"},
        "a target a step (y1..y2), and --predict last needs one a sample",
    ),
]


@pytest.mark.parametrize(("text", "options", "message"), REFUSED)
def test_refusals(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        open_session(path, options)
    assert message in str(caught.value)
    assert "mine" in str(caught.value)


def test_numbers_as_targets_can_be_made_classes(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("1,2,0.5\n3,4,1.5\n2,2,0.5\n")
    session = open_session(path, {"loss": "cross-entropy"})
    assert session.data.classes == ("0.5", "1.5")
    assert session.debugger.tape(0)["y"].tolist() == [0, 1, 0]


OPENED = [
    ("1,2,0\n3,4,0\n", {"outputs": 2}, ("last", "cross-entropy", 2, None)),
    ("1,2,0.5\n3,4,1.5\n", {}, ("last", "squared", 1, None)),
    ("1,2,0\n3,4,1\n", {"loss": "binary"}, ("last", "binary", 1, None)),
    ("1,2,0\n3,,1\n", {}, ("last", "cross-entropy", 2, [2, 1])),
    ("x1,x2,y1,y2\n1,2,0,1\n3,4,1,0\n", {}, ("every", "cross-entropy", 2, None)),
    ("x1,x2,y1,y2\n1,2,0.5,1\n3,,1,\n", {}, ("every", "squared", 1, [2, 1])),
    ("1,2,3,0\n", {"outputs": 3}, ("last", "cross-entropy", 3, None)),
    ("x1,x2,y1,y2\n1,2,0,0\n", {"outputs": 2}, ("every", "cross-entropy", 2, None)),
]


@pytest.mark.parametrize(("text", "options", "expected"), OPENED)
def test_what_the_targets_say_decides_the_head(
    text: str, options: dict[str, Any], expected: tuple[Any, ...], tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    debugger = open_session(path, options).debugger
    network = debugger.network
    lengths = None if debugger.lengths is None else debugger.lengths.tolist()
    assert (network.predict, network.loss, network.outputs, lengths) == expected
    assert np.isfinite(debugger.tape(1).loss)


def test_three_numbers_a_sample_are_three_outputs_where_they_could_be_one_a_step(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, X=np.ones((4, 3)), y=np.full((4, 3), 0.5))
    steps, outputs = open_session(path, {}), open_session(path, {"predict": "last"})
    assert (steps.debugger.network.predict, steps.debugger.network.outputs) == ("every", 1)
    assert (outputs.debugger.network.predict, outputs.debugger.network.outputs) == ("last", 3)


@pytest.mark.parametrize(("predict", "shape"), [(None, (9, 2, 3)), ("last", (2, 3))])
def test_a_text_is_a_character_model(tmp_path: Path, predict: str | None, shape: tuple[int, ...]) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("abc" * 6 + "a")
    debugger = open_session(path, {"timesteps": 9, "predict": predict} if predict else {"timesteps": 9}).debugger
    assert debugger.tape(0)["p"].shape == shape
    assert debugger.tape(20).loss < debugger.tape(0).loss


# Weights


@pytest.fixture
def weights(project: Path) -> Path:
    """An LSTM's for two inputs, in the project's folder."""
    path = project.parent / "w.npz"
    np.savez(path, **pytorch.model("lstm", inputs=2, hidden=3))
    return path


def test_weights_decide_the_cell_and_its_sizes(project: Path, weights: Path) -> None:
    data = project.parent / "d.csv"
    session = open_session(data, {"weights": weights, "timesteps": 2})
    network = session.debugger.network
    assert (network.table.name, network.hidden, network.outputs) == ("lstm", 3, 2)
    assert (session.options["cell"], session.options["hidden"], session.options["outputs"]) == ("lstm", 3, 2)
    tape = session.debugger.tape(0)
    expected = pytorch.hidden_states("lstm", pytorch.state("lstm"), session.data.X)
    np.testing.assert_allclose(tape["h"][1:], expected, rtol=1e-12)
    same = {"weights": weights, "timesteps": 2, "cell": "lstm", "hidden": 3, "outputs": 2}
    assert open_session(data, same).debugger.tape(0).loss == tape.loss


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"cell": "gru"}, "w.npz: its weights are of cell lstm, not gru; leave --cell away"),
        ({"hidden": 8}, "w.npz: its weights are of hidden 3, not 8; leave --hidden away"),
        ({"outputs": 3}, "w.npz: its weights are of outputs 2, not 3; leave --outputs away"),
        ({"activation": "relu"}, "the cell lstm has its own activations"),
        ({"timesteps": 4}, "w.npz: its weights are for 2 values a step, d.csv has 1;"),
    ],
)
def test_what_contradicts_the_weights_is_refused(
    project: Path, weights: Path, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        open_session(project.parent / "d.csv", {"weights": weights, "timesteps": 2, **given})
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "given", "sentence"),
    [
        (
            "1,2,0\n3,4,1\n5,6,2\n",
            {},
            "w.npz: its weights are for 2 outputs, the targets of few.csv need 3; take weights",
        ),
        ("1,2,0\n3,4,1\n", {"loss": "binary"}, "w.npz: its weights are for 2 outputs, the targets of few.csv need 1; "),
    ],
)
def test_weights_for_other_targets_are_refused(
    project: Path, weights: Path, text: str, given: dict[str, Any], sentence: str
) -> None:
    (project.parent / "few.csv").write_text(text)
    with pytest.raises(InputError) as refused:
        open_session(project.parent / "few.csv", {"weights": weights, "timesteps": 1, **given})
    assert str(refused.value).startswith(sentence)


def test_weights_say_how_many_classes_there_are(project: Path, weights: Path) -> None:
    (project.parent / "few.csv").write_text("1,2,0\n")
    session = open_session(project.parent / "few.csv", {"weights": weights, "timesteps": 1})
    assert session.debugger.network.outputs == 2


def test_weights_on_the_command_line_come_before_a_projects_sizes(project: Path, weights: Path) -> None:
    network = open_session(project, {"weights": weights}).debugger.network
    assert (network.table.name, network.hidden, network.outputs, network.lr) == ("lstm", 3, 2, 0.5)


def test_a_projects_own_weights(project: Path, weights: Path) -> None:
    text = 'data = "d.csv"\n[options]\ntimesteps = 2\nweights = "w.npz"\n'
    project.write_text(text)
    assert open_session(project, {}).debugger.network.table.name == "lstm"
    project.write_text(text + "hidden = 5\n")
    with pytest.raises(InputError, match=r"w\.npz: its weights are of hidden 3, not 5"):
        open_session(project, {})


@pytest.mark.parametrize("name", ["../w.npz", "/w.npz", "out.npz", "C:\\\\w.npz"])
def test_a_projects_weights_lie_in_its_folder(project: Path, weights: Path, name: str) -> None:
    inner = project.parent / "inner"
    inner.mkdir()
    (inner / "d.csv").write_text("1,2,0\n3,4,1\n")
    (inner / "out.npz").symlink_to(weights)
    (inner / "p.toml").write_text(f'data = "d.csv"\n[options]\nweights = "{name}"\n')
    with pytest.raises(InputError, match="leads out of the project's folder; put the file inside it"):
        open_session(inner / "p.toml", {})


@pytest.mark.parametrize("value", ["3", "true", '"no.npz"', '""'])
def test_a_projects_weights_are_a_file(project: Path, value: str) -> None:
    project.write_text(f'data = "d.csv"\n[options]\nweights = {value}\n')
    with pytest.raises(InputError, match=r"^p\.toml: option weights .*file"):
        open_session(project, {})
