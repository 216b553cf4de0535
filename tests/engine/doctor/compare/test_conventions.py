"""Files in frameworks' names: what fits only with another framework's convention says so; what fits as it is says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Network, record
from engine.doctor.compare.arrays import compare_arrays
from engine.doctor.compare.results import ArrayReport, text
from engine.errors import InputError
from engine.files.trace import write_trace
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


@pytest.mark.parametrize("cell", ["lstmp", "leaky"])
def test_a_further_cell_is_compared_where_it_is_asked_for(tmp_path: Path, cell: str) -> None:
    tape = tape_of(cell)
    write_trace(tmp_path / "t.npz", tape, meta={})
    report = compare_arrays(tmp_path / "t.npz", None, {"cell": cell})
    assert report.ok and {"dWy", "dba" if cell == "leaky" else "dWr"} <= {row.name for row in report.rows}


def torch_names(tape: Tape, order: str, *, gradients: bool = False) -> dict[str, Array]:
    """The weights (or their gradients) under PyTorch's names, the blocks in an order of gates."""
    W, found = tape.gradients if gradients else tape.parameters, dict[str, Array]()
    for layer in tape.plan.network.layers:
        stacked = layer.table.torch
        own = [name[2] for name in stacked["weight_ih"]]
        for kind, names in stacked.items():
            twice = stacked["bias_ih"] if kind == "bias_hh" and not gradients else ()
            blocks = [names[own.index(gate)] for gate in order]
            place = f"{kind}_l{int(layer.number or 1) - 1}" + "_reverse" * layer.reverse
            found[place] = np.concatenate([0 * W[name] if name in twice else W[name].T for name in blocks])
    found |= {"fc.weight": W["Wy"].T, "fc.bias": W["by"]}
    return {f"{name}.grad": array for name, array in found.items()} if gradients else found


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


LENGTHS = np.array([6, 3, 5, 2, 4])


def of_layers(cell: str, bidirectional: bool, order: str) -> tuple[Tape, dict[str, Array]]:
    """Two layers, and all that a PyTorch program would save of them: h0, padded outputs, last states, gradients."""
    network = Network(3, 2, (4, 4), cell=cell, bidirectional=bidirectional, seed=3, init_scale=2)
    rng = np.random.default_rng(3)
    states = [
        state
        for letter in ("h", "c")[: len(network.layers[0].table.states)]
        for state in network.table.states
        if state[0] == letter
    ]
    initial = {state: rng.normal(size=(5, 4)) for state in states}
    tape = record(network, X, Y, initial=initial, lengths=LENGTHS)
    top, ends = [layer.output for layer in network.layers][-1 - bidirectional :], {False: 6, True: 1}
    rows = [tape[name][:-1] if name.endswith("r") else tape[name][1:] for name in top]
    saved = {
        "output": np.moveaxis(np.concatenate(rows, axis=2) * tape["mask"][:, :, None], 0, 1),
        "loss": np.array(tape.loss),
    }
    for letter in {state[0] for state in states}:
        own = [state for state in states if state[0] == letter]
        saved[f"{letter}0"] = np.stack([initial[state] for state in own])
        saved[f"{letter}_n"] = np.stack([tape.at(state, ends[state.endswith("r")]) for state in own])
        saved[f"{letter}0.grad"] = np.stack([tape[f"d{state}"][-1 if state.endswith("r") else 0] for state in own])
    return tape, saved | torch_names(tape, order) | torch_names(tape, order, gradients=True)


@pytest.mark.parametrize(("cell", "bidirectional", "order"), [("lstm", True, "ifgo"), ("gru", False, "rzn")])
def test_several_layers_and_directions(tmp_path: Path, cell: str, bidirectional: bool, order: str) -> None:
    _, saved = of_layers(cell, bidirectional, order)
    report = compared(tmp_path, X=X, y=Y, lengths=LENGTHS, **saved)
    assert report.ok and not report.conventions and not report.unknown, text(report)
    assert {"output", "h_n", "h0.grad", "loss", "weight_hh_l1.grad"} <= {row.name for row in report.rows}
    apart = {name: saved.pop(name) for name in ("h0", "c0") if name in saved}  # of the data, with what they belong to
    np.savez(tmp_path / "data.npz", X=X, y=Y, lengths=LENGTHS, **apart)
    np.savez(tmp_path / "mine.npz", **saved)
    assert compare_arrays(tmp_path / "mine.npz", str(tmp_path / "data.npz"), {}).ok
    marks = ("1", "1r", "2", "2r") if bidirectional else ("1", "2")
    single = {name + mark: value[n] for name, value in apart.items() for n, mark in enumerate(marks)}
    report = compared(tmp_path, X=X, y=Y, lengths=LENGTHS, **saved, **single)
    assert report.ok and not report.unknown, text(report)
    saved |= apart
    saved["h_n"][-1, 2] *= 2
    wrong = compared(tmp_path, X=X, y=Y, lengths=LENGTHS, **saved)
    assert [row.name for row in wrong.rows if not row.comparison.ok] == ["h_n"]
    with pytest.raises(InputError, match="of 2 layers that read 3 values a step, and it has no X of so many"):
        compared(tmp_path, **saved)


@pytest.mark.parametrize("own_names", [False, True])
def test_the_weights_say_of_which_cell_the_data_are(tmp_path: Path, own_names: bool) -> None:
    tape = tape_of("gru")
    names = {f"d{name}": array for name, array in tape.gradients.items()} | tape.parameters
    framework = torch_names(tape, "rzn") | torch_names(tape, "rzn", gradients=True)
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    np.savez(tmp_path / "mine.npz", **(names if own_names else framework))
    report = compare_arrays(tmp_path / "mine.npz", str(tmp_path / "data.npz"), {})
    assert report.ok and {"dWy" if own_names else "fc.weight.grad"} <= {row.name for row in report.rows}


def test_several_layers_with_a_convention(tmp_path: Path) -> None:
    tape, saved = of_layers("gru", True, "zrn")
    report = compared(tmp_path, X=X, y=Y, lengths=LENGTHS, **saved)
    assert report.ok and report.conventions == ("the gates as z r n (Keras's and ONNX's), not r z n",)
    write_trace(tmp_path / "run.npz", tape, meta={})
    report = compare_arrays(tmp_path / "run.npz", None, {})
    assert report.ok and "as our own names" in report.weights and {"h1r", "dWhn2r"} <= {row.name for row in report.rows}


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
