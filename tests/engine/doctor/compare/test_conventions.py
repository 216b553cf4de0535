"""Files in frameworks' names: what fits only with another framework's convention says so; what fits as it is says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Network, record
from engine.doctor.compare.arrays import ArrayReport, compare_arrays, text
from engine.recording.tape import Tape
from tests.engine.notation.test_frameworks import DENSE, FRAMEWORKS

Array = np.ndarray[Any, Any]
X = np.random.default_rng(1).normal(size=(5, 6, 3))
Y = np.arange(5) % 2


def compared(tmp_path: Path, **arrays: Any) -> ArrayReport:
    np.savez(tmp_path / "mine.npz", **{name.replace("__", "."): array for name, array in arrays.items()})
    return compare_arrays(tmp_path / "mine.npz", None, {})


@pytest.mark.parametrize("framework", list(FRAMEWORKS))
def test_a_frameworks_own_arrays_fit_as_they_are(tmp_path: Path, framework: str) -> None:
    arrays, states = FRAMEWORKS[framework](X)
    report = compared(tmp_path, X=X, h=np.moveaxis(states, 0, 1), **arrays)
    assert report.ok and [row.name for row in report.rows] == ["h"] and not report.conventions
    report = compared(tmp_path, X=X, y=Y, h=states, **arrays, **{f"dense/{n}": array for n, array in DENSE.items()})
    assert report.ok and not report.conventions and "cross-entropy" in report.weights


def torch_names(tape: Tape, order: str) -> dict[str, Array]:
    """The weights under PyTorch's names, the blocks in an order of gates."""
    W, stacked = tape.parameters, tape.plan.network.table.torch
    own = [name.removeprefix("Wx") for name in stacked["weight_ih"]]
    kinds: dict[str, Array] = {}
    for kind, names in stacked.items():
        twice = stacked["bias_ih"] if kind == "bias_hh" else ()
        blocks = [names[own.index(gate)] for gate in order]
        kinds[kind] = np.concatenate([0 * W[name] if name in twice else W[name].T for name in blocks])
    return {f"{kind}_l0": array for kind, array in kinds.items()} | {"fc.weight": W["Wy"].T, "fc.bias": W["by"]}


def tape_of(cell: str, **options: Any) -> Tape:
    return record(Network(3, 2, 4, cell=cell, seed=3, init_scale=2, **options), X, Y)


def states(tape: Tape) -> Array:
    return np.moveaxis(tape["h"][1:], 0, 1)


def test_gates_in_another_order(tmp_path: Path) -> None:
    tape = tape_of("gru")
    report = compared(tmp_path, X=X, y=Y, h=states(tape), **torch_names(tape, "rzn"))
    assert report.ok and not report.conventions
    report = compared(tmp_path, X=X, y=Y, h=states(tape), **torch_names(tape, "zrn"))
    assert report.ok and report.conventions == ("the gates as z r n (Keras's and ONNX's), not r z n",)
    assert "everything that was compared is right, with the gates as z r n (Keras's" in text(report)
    assert report.to_json()["conventions"] == list(report.conventions)


def test_order_and_forget_bias_of_tensorflow_1(tmp_path: Path) -> None:
    tape = tape_of("lstm")
    arrays = torch_names(tape, "igfo")
    arrays["bias_ih_l0"] = arrays["bias_ih_l0"] - np.repeat([0, 0, 1, 0], 4)
    report = compared(tmp_path, X=X, y=Y, h=states(tape), **arrays)
    assert report.ok and report.conventions == (
        "the gates as i g f o (TensorFlow 1's), not i f g o",
        "1 added to the forget gate's bias (TensorFlow 1's forget_bias)",
    )


def test_a_bias_that_is_there_twice(tmp_path: Path) -> None:
    tape = tape_of("lstm")
    arrays = torch_names(tape, "ifgo")
    report = compared(tmp_path, X=X, y=Y, h=states(tape), **{**arrays, "bias_hh_l0": arrays["bias_ih_l0"]})
    assert report.ok and report.conventions == ("bias_hh = 0",)


def test_the_reset_gate_before_the_product(tmp_path: Path) -> None:
    before, layer = tape_of("gru-before"), tape_of("gru")
    arrays = torch_names(layer, "rzn")
    for kind, names in before.plan.network.table.torch.items():
        arrays[f"{kind}_l0"] = np.concatenate([before.parameters[name].T for name in names])
    arrays |= {"bias_hh_l0": np.zeros(12), "fc.weight": before.parameters["Wy"].T, "fc.bias": before.parameters["by"]}
    report = compared(tmp_path, X=X, y=Y, h=states(before), **arrays)
    assert report.ok and [words[:19] for words in report.conventions] == ["the cell gru-before"]


def test_lengths_in_the_file_are_binding(tmp_path: Path) -> None:
    lengths = np.array([6, 3, 5, 2, 4])
    network = Network(3, 1, 4, cell="lstm", seed=3, predict="every", loss="squared")
    y = np.random.default_rng(2).normal(size=(5, 6, 1))
    short, whole = (record(network, X, y, lengths=ends) for ends in (lengths, None))

    def report(tape: Tape, factor: float = 1.0) -> ArrayReport:
        made = {
            f"{name}.grad": factor * tape.gradients[own].T for name, own in (("fc.weight", "Wy"), ("fc.bias", "by"))
        }
        arrays = torch_names(tape, "ifgo")
        return compared(tmp_path, X=X, y=y[..., 0], lengths=lengths, loss=factor * tape.loss, **made, **arrays)

    assert report(short).ok and not report(short).conventions
    padded = report(whole)
    assert padded.ok and padded.conventions == ("the lengths left out, so that padding counts",)
    third = report(short, 20 / 30)
    assert not third.ok and third.ratio == (
        "all are 0.6667 = 20/30 of the reference's: the steps that count over all steps of all samples"
    )
    assert third.ratio in text(third)
    summed = report(short, 20)
    assert summed.ok and "sum over the batch" in summed.weights and not summed.ratio
