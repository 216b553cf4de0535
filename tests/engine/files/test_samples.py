"""The built-in examples: each opens, and shows the phenomenon it names with the weights of its own options."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.files.data import Data, load
from engine.files.locate import sample_folder, sample_names
from engine.files.project import samples

ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "identity": (lambda z: z, np.ones_like),
}


class Pass:
    """z, dz (row t-1 holds step t), da (row t) and the loss of one pass, by the equations and initial weights agreed."""

    def __init__(self, data: Data) -> None:
        options: Any = data.options
        (N, T, D), H, C = data.X.shape, options["hidden"], len(data.classes)
        s = options.get("init-scale", 1.0) / np.sqrt(H)
        rng = np.random.default_rng(options["seed"])
        shapes = ((D, H), (H, H), (H,), (H, C), (C,))
        Wx, Wa, ba, Wy, by = (rng.uniform(-s, s, size=shape) for shape in shapes)
        function, derivative = ACTIVATIONS[options["activation"]]
        a = np.zeros((N, H))
        self.z, self.dz, self.da = np.zeros((T, N, H)), np.zeros((T, N, H)), np.zeros((T + 1, N, H))
        for t in range(T):
            self.z[t] = data.X[:, t] @ Wx + a @ Wa + ba
            a = function(self.z[t])
        logits = a @ Wy + by
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        self.loss = -log_p[np.arange(N), data.y].mean()
        self.da[T] = (np.exp(log_p) - np.eye(C)[data.y]) / N @ Wy.T
        for t in range(T, 0, -1):
            self.dz[t - 1] = self.da[t] * derivative(self.z[t - 1])
            self.da[t - 1] = self.dz[t - 1] @ Wa.T

    @property
    def norms(self) -> NDArray[Any]:
        """‖da_t‖ for t = 1..T."""
        return np.linalg.norm(self.da[1:].reshape(len(self.z), -1), axis=1)


@pytest.mark.parametrize("name", sample_names())
def test_every_example_opens(name: str) -> None:
    data = load(name)
    assert data.name == name
    assert data.title
    assert data.look_for
    assert np.isfinite(data.X).all()
    assert np.isfinite(data.y).all()
    assert bool(data.classes) == (data.options.get("loss") != "squared")


NAMES = (
    "many_to_one",
    "adding",
    "delayed_recall",
    "dying_relu",
    "exploding",
    "reber",
    "sonnet",
    "sunspots",
    "temporal_order",
    "vanishing",
)


def test_the_list_of_examples() -> None:
    found = samples()
    assert tuple(sample.name for sample in found) == NAMES
    for sample in found:
        data = load(sample.name)
        assert (data.title, data.look_for) == (sample.title, sample.look_for)
        assert len(sample.look_for) <= 104  # one line of a terminal 120 wide, after the names
        assert len(sample.title) <= 64  # of one 80 wide


def test_every_file_is_small_and_belongs_to_a_project() -> None:
    for path in sample_folder().iterdir():
        assert path.stem in sample_names()
        assert path.stat().st_size < 20_000
    assert sum(path.stat().st_size for path in sample_folder().iterdir()) < 60_000


def test_the_script_makes_the_same_files_again() -> None:
    script = Path(__file__).parents[3] / "docs" / "make_samples.py"
    tables = runpy.run_path(str(script))["TABLES"]
    assert set(tables) == {"adding", "delayed_recall", "temporal_order", "reber"}
    for name, table in tables.items():
        assert (sample_folder() / f"{name}.csv").read_bytes() == table().encode()


def test_many_to_one() -> None:
    data = load(None)
    assert data.X.shape == (10, 10, 1)
    assert data.y.tolist() == [0, 1, 1, 1, 0, 0, 1, 1, 0, 1]
    assert set(data.X.ravel().tolist()) == {0, 1, 2, 3, 4, 5}
    found = Pass(data)
    on = (found.z > 0).mean(axis=(0, 1))
    assert on.min() > 0.2
    assert on.max() < 0.9
    assert np.linalg.norm(found.dz[0], axis=1).min() > 0  # every sample's gradient reaches t = 1


def test_vanishing() -> None:
    norms = Pass(load("vanishing")).norms
    assert norms[-1] / norms[0] > 1e10
    assert (np.diff(norms) > 0).all()


def test_exploding() -> None:
    norms = Pass(load("exploding")).norms
    assert norms[0] / norms[-1] > 5e3
    assert (np.diff(norms) < 0).all()


@pytest.mark.parametrize("name", ["vanishing", "exploding"])
def test_the_label_is_in_the_first_step(name: str) -> None:
    data = load(name)
    assert data.X[:, 0, 0].tolist() == (2.0 * data.y - 1).tolist()
    assert abs(data.X[:, 1:]).max() <= 0.5


def test_dying_relu() -> None:
    data = load("dying_relu")
    assert data.y.tolist() == (data.X[:, -1, 0] > data.X[:, 0, 0]).astype(int).tolist()
    found = Pass(data)
    dead = ~(found.z > 0).any(axis=(0, 1))
    assert dead.sum() == 6
    assert not found.dz[:, :, dead].any()
    assert np.linalg.norm(found.dz[0]) > 0


def test_sunspots() -> None:
    data = load("sunspots")
    assert data.X.shape == (100, 11, 1)
    assert data.classes == ("falls", "rises")
    years = {1700 + 3 * row + t: value for row, x in enumerate(data.X[:, :, 0].tolist()) for t, value in enumerate(x)}
    assert (years[1705], years[1778], years[1957]) == (0.58, 1.544, 1.902)
    rows = range(len(data.X))
    rises = [years[1711 + 3 * row] > years[1710 + 3 * row] for row in rows if 1711 + 3 * row in years]
    assert [data.classes[y] == "rises" for y in data.y[: len(rises)]] == rises
    norms = Pass(data).norms
    assert norms[-3:].sum() > 0.6 * norms.sum()  # it listens to the last years


# What the data are


def symbols(data: Data, letters: str) -> list[str]:
    """One-hot samples as text."""
    lengths = np.full(len(data.X), data.X.shape[1]) if data.lengths is None else data.lengths
    assert (data.X.sum(axis=2) == (np.arange(data.X.shape[1]) < lengths[:, None])).all()
    return ["".join(letters[k] for k in row[:n].argmax(axis=1)) for row, n in zip(data.X, lengths, strict=True)]


def test_adding_is_the_sum_of_the_marked_values() -> None:
    data = load("adding")
    assert data.X.shape == (12, 30, 2)
    values, marks = data.X[:, :, 0], data.X[:, :, 1]
    assert set(marks.ravel().tolist()) == {0, 1}
    assert marks[:, 1:7].sum(axis=1).tolist() == marks[:, 15:28].sum(axis=1).tolist() == [1] * 12
    assert marks.sum() == 24
    np.testing.assert_allclose(data.y, (values * marks).sum(axis=1), rtol=1e-12)


def test_delayed_recall_asks_for_the_bit_four_steps_before() -> None:
    data = load("delayed_recall")
    bits = data.X[:, :, 0]
    assert data.classes == ("0", "1")
    assert set(bits.ravel().tolist()) == {0, 1}
    np.testing.assert_array_equal(data.y[:, 4:], bits[:, :-4])
    assert not data.y[:, :4].any()
    assert data.options["truncate"] == 3


def test_temporal_order_is_the_order_of_x_and_y() -> None:
    data = load("temporal_order")
    found = symbols(data, "EBabcdXY")
    for text, label in zip(found, data.y, strict=True):
        assert re.fullmatch(r"E[abcd]+[XY][abcd]+[XY][abcd]+B", text)
        assert "".join(re.findall("[XY]", text)) == data.classes[label]
    for first in range(0, 12, 4):
        assert len({re.sub("[XY]", "-", text) for text in found[first : first + 4]}) == 1
        assert sorted(data.y[first : first + 4]) == [0, 1, 2, 3]


def test_reber_strings_obey_the_grammar_and_its_second_symbol_comes_again() -> None:
    data = load("reber")
    after_x_or_p = "(XT*VP)*(S|XT*VV)"
    inner = f"B(TS*X{after_x_or_p}|PT*V(V|P{after_x_or_p}))E"
    texts = symbols(data, "BTSXPVE")
    assert data.lengths is not None
    assert data.lengths.max() == data.X.shape[1]
    for text, y in zip(texts, data.y, strict=True):
        string = text[0] + "".join(data.classes[k] for k in y[: len(text)])
        assert string[:-1] == text
        assert re.fullmatch(f"B(T{inner}T|P{inner}P)E", string)
    assert len(set(texts)) == len(texts) == 10


def test_the_sonnet_is_shakespeares() -> None:
    data = load("sonnet")
    assert data.X.shape == (24, 25, 40)
    assert data.y.shape == (24, 25)
    text = data.path.read_text(encoding="utf-8")
    assert len(text) == 621
    assert text.startswith("Shall I compare thee to a summer's day?\n")
    assert text.endswith("So long lives this, and this gives life to thee.\n")
