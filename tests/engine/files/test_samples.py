"""The built-in examples: each opens, and shows the phenomenon it names with the weights of its own options."""

from __future__ import annotations

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
def test_every_example_opens_and_can_be_trained_on(name: str) -> None:
    data = load(name)
    assert data.name == name
    assert data.title
    assert data.look_for
    assert len(data.classes) == 2
    assert np.isfinite(Pass(data).loss)


def test_the_list_of_examples() -> None:
    found = samples()
    assert [sample.name for sample in found] == ["many_to_one", "dying_relu", "exploding", "sunspots", "vanishing"]
    for sample in found:
        data = load(sample.name)
        assert (data.title, data.look_for) == (sample.title, sample.look_for)
        assert len(sample.look_for) <= 120


def test_every_file_is_small_and_belongs_to_a_project() -> None:
    for path in sample_folder().iterdir():
        assert path.stem in sample_names()
        assert path.stat().st_size < 20_000


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
