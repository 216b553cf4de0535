"""Every recorded number, and five steps of training, against what PyTorch computed (tests/golden/make_torch_traces.py wrote it down)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Debugger, Network, record

Array = np.ndarray[Any, Any]
FILES = sorted((Path(__file__).parents[2] / "golden" / "torch").glob("*.npz"))
TRAINED = [path for path in FILES if path.stem.startswith("training")]
RECORDED = [path for path in FILES if path not in TRAINED]
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}
GIVEN = {"y", "N", "cut"}  # what a recording holds beside quantities and gradients: no one computes it


class Trace:
    """One file: a network with its data, and PyTorch's numbers by name."""

    def __init__(self, path: Path) -> None:
        self.case = path.stem
        with np.load(path) as stored:
            options, self.numbers = json.loads(str(stored["options"])), stored["trace"]
        self.names = set(self.numbers.dtype.names)
        weights = {name: self.numbers[name] for name in self.names if f"d{name}" in self.names and name[0] in "Wb"}
        self.X, self.y = self.numbers["X"], self.numbers["y"]
        self.lengths = self.numbers["lengths"] if "lengths" in self.names else None
        self.initial = {name[0]: self.numbers[name] for name in self.names & {"a0", "h0", "c0"}}
        self.names -= {"X", "y", "lengths", "a0", "h0", "c0"}
        if path in TRAINED:
            weights = {name: rows[0] for name, rows in weights.items()}
        self.parameters = set(weights)
        hidden, outputs = weights["Wy"].shape
        self.network = Network(self.X.shape[2], outputs, hidden, weights=weights, **options)

    def check(self, name: str, got: Array, row: int | None = None) -> None:
        """Whether a quantity (its `row` of those by iteration) is PyTorch's."""
        wanted = self.numbers[name] if row is None else self.numbers[name][row]
        where = f"{self.case}: {name}" + ("" if row is None else f" of iteration {row}")
        assert got.shape == wanted.shape, f"{where} has shape {got.shape}, PyTorch's has {wanted.shape}"
        assert got.dtype == wanted.dtype, f"{where} is {got.dtype}, PyTorch's is {wanted.dtype}"
        error, largest = np.max(np.abs(got - wanted)), np.max(np.abs(wanted))
        assert error <= TOLERANCE[self.network.dtype] * largest, (
            f"{where} is off by {error:.3g} where the largest is {largest:.3g}"
        )


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_every_quantity_is_pytorchs(path: Path) -> None:
    trace = Trace(path)
    tape = record(trace.network, trace.X, trace.y, initial=trace.initial, lengths=trace.lengths)
    assert set(tape.arrays) - GIVEN <= trace.names
    for name in sorted(trace.names):
        trace.check(name, tape[name])


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_training_is_pytorchs(path: Path) -> None:
    trace = Trace(path)
    debugger = Debugger(trace.network, trace.X, trace.y, initial=trace.initial)
    steps = len(trace.numbers["loss"])
    for iteration in range(steps):
        tape = debugger.tape(iteration)
        for name in sorted(trace.names - trace.parameters):
            trace.check(name, tape[name], iteration)
    for iteration in range(steps + 1):
        for name, weight in debugger.network_at(iteration).weights.items():
            trace.check(name, weight, iteration)


def test_the_traces_cover_every_head_with_and_without_lengths() -> None:
    traces = [Trace(path) for path in RECORDED]
    heads = {(t.network.predict, t.network.loss, t.network.reduction, t.lengths is None) for t in traces}
    assert len(heads) == 2 * 3 * 2 * 2
    assert (len(RECORDED), len(TRAINED)) == (36, 9)
