"""The recurrent weights, found from the tables, and their spectra."""

from __future__ import annotations

import numpy as np
import pytest

from engine import Network
from engine.explain.spectrum import recurrent, spectra, spectrum
from engine.recording.record import record
from engine.tables.cells import Cell
from tests.engine.strategies import case

PROJECTED = Cell(
    name="projected",
    equations=("z = x @ Wx + (r * a_prev) @ Wa", "u = relu(z)", "v = x @ Wv", "w = v @ Wn", "a = u @ Wp + w"),
    parameters={"Wx": ("D", "H"), "Wa": ("H", "H"), "Wv": ("D", "H"), "Wn": ("H", "H"), "Wp": ("H", "H"), "r": ("H",)},
    states=("a",),
    output="a",
)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("rnn", ["Wa"]),
        ("lstm", ["Whi", "Whf", "Whg", "Who"]),
        ("gru", ["Whr", "Whz", "Whn"]),
        (PROJECTED, ["Wa", "Wp"]),
    ],
)
def test_what_is_on_the_way_from_step_to_step_is_recurrent(cell: str | Cell, names: list[str]) -> None:
    rng = np.random.default_rng(0)
    tape = record(Network(inputs=2, outputs=2, hidden=4, cell=cell), rng.normal(size=(3, 4, 2)), np.array([0, 1, 1]))
    assert list(recurrent(tape.plan.program)) == names
    assert list(spectra(tape)) == names


def test_the_spectrum_of_known_matrices() -> None:
    drawn = case(given=False)
    for matrix, largest, smallest, radius in (
        (np.diag([3.0, -2.0, 0.5]), 3, 0.5, 3),
        (np.array([[0.0, 5, 0], [0, 0, 0], [0, 0, 1]]), 5, 0, 1),  # nilpotent part: long steps, but no radius
        (np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 0.9]]), 1, 0.9, 1),  # a rotation: complex eigenvalues
    ):
        network = Network(inputs=2, outputs=3, hidden=3, weights={"Wa": matrix})
        found = spectrum(record(network, drawn.X, drawn.y), "Wa")
        assert (found.largest, found.radius) == pytest.approx((largest, radius))
        assert found.smallest == pytest.approx(smallest, abs=1e-12)


def test_weights_that_are_not_finite_have_no_spectrum() -> None:
    drawn = case(given=False)
    network = Network(inputs=2, outputs=3, hidden=3, weights={"Wa": np.full((3, 3), np.nan)})
    assert np.isnan(spectrum(record(network, drawn.X, drawn.y), "Wa").largest)
