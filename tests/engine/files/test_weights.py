"""Weights files: what is read is the model that was saved, what is written comes back, and everything else is told in a sentence."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import InputError, Network, record
from engine.files.trace import write_trace
from engine.files.weights import Weights, read_weights, write_weights
from engine.tables.cells import CELLS
from tests.engine import pytorch

Array = np.ndarray[Any, Any]
CELL_NAMES = ("rnn", "lstm", "gru")
SUFFIXES = (".npz", ".safetensors")


def save(path: Path, arrays: Mapping[str, Array]) -> Path:
    """Saves with the formats' own libraries, not with ours."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    return path


def ours(cell: str = "rnn", *, dtype: str = "float64", **sizes: int) -> dict[str, Array]:
    made = Network(**{"inputs": 2, "hidden": 3, "outputs": 2, "cell": cell, "dtype": dtype, "seed": 4, **sizes})
    return dict(made.weights)


def network(weights: Weights, **options: Any) -> Network:
    sizes = weights.sizes
    return Network(
        inputs=sizes["D"],
        hidden=sizes["H"],
        outputs=sizes["C"],
        cell=weights.cell,
        weights=weights.parameters,
        **options,
    )


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as refused:
        read_weights(path, **options)
    sentence = str(refused.value)
    assert sentence.startswith(path.name) and "\n" not in sentence
    return sentence.removeprefix(path.name).removeprefix(": ")


# PyTorch's names


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("prefixes", [("", "linear."), ("module.encoder.", "module.head."), ("rnn_", "fc_")])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_pytorchs_arrays_compute_what_they_do_in_pytorch(
    tmp_path: Path, cell: str, bias: bool, prefixes: tuple[str, str], suffix: str
) -> None:
    weights = read_weights(save(tmp_path / f"w{suffix}", pytorch.model(cell, bias=bias, prefixes=prefixes)))
    assert weights.cell is CELLS[cell]
    assert weights.sizes.items() >= {"D": 2, "H": 3, "C": 2}.items()
    X = np.random.default_rng(1).normal(size=(4, 6, 2))
    tape = record(network(weights), X, np.zeros(4, int))
    expected = pytorch.hidden_states(cell, pytorch.state(cell, bias=bias), X)
    np.testing.assert_allclose(tape[weights.cell.output][1:], expected, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(
        tape["logits"], pytorch.logits(expected, pytorch.linear(bias=bias)), rtol=1e-13, atol=1e-14
    )


@pytest.mark.parametrize("cell", list(pytorch.GATES))
def test_the_layers_of_a_state_dict_compute_what_pytorch_computes(tmp_path: Path, cell: str) -> None:
    arrays, stacked = pytorch.state(cell), pytorch.state(cell, inputs=3, seed=1)
    above = {name.replace("_l0", "_l1"): array for name, array in stacked.items()}
    weights = read_weights(save(tmp_path / "w.npz", {**arrays, **above, **pytorch.linear()}))
    assert weights.recipe.units == (3, 3)
    made = Network(2, 2, weights.recipe.units, cell=weights.cell, weights=weights.parameters)
    X = np.random.default_rng(1).normal(size=(4, 6, 2))
    tape = record(made, X, np.zeros(4, int))
    below = pytorch.hidden_states(cell, arrays, X)
    expected = pytorch.hidden_states(cell, stacked, np.moveaxis(below, 0, 1))
    np.testing.assert_allclose(tape[f"{weights.cell.output}2"][1:], expected, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(tape["logits"], pytorch.logits(expected, pytorch.linear()), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("cell", list(pytorch.GATES))
def test_both_directions_of_a_state_dict_compute_what_pytorch_computes(tmp_path: Path, cell: str) -> None:
    """On an embedding."""
    embedding = np.random.default_rng(1).normal(size=(5, 2))
    numbers = np.arange(24).reshape(4, 6) % 5
    arrays: dict[str, Array] = {"emb.weight": embedding}
    X, read = np.eye(5)[numbers], embedding[numbers]
    for layer in range(2):
        outputs: list[Array] = []
        for way, order in (("", 1), ("_reverse", -1)):
            own = pytorch.state(cell, inputs=read.shape[2], seed=2 * layer + (order < 0))
            arrays |= {f"{name[:-1]}{layer}{way}": array for name, array in own.items()}
            outputs.append(pytorch.hidden_states(cell, own, read[:, ::order])[::order])
        read = np.moveaxis(np.concatenate(outputs, axis=2), 0, 1)
    linear = pytorch.linear(hidden=6)
    weights = read_weights(save(tmp_path / "w.npz", {**arrays, **linear}))
    assert (weights.recipe.units, weights.recipe.bidirectional) == ((3, 3), True)
    for predict, states in (("every", np.moveaxis(read, 1, 0)), ("last", np.hstack([read[:, -1, :3], read[:, 0, 3:]]))):
        made = Network(
            *(5, 2, weights.recipe.units),
            cell=weights.cell,
            weights=weights.parameters,
            bidirectional=True,
            embedding=2,
            predict=predict,
        )
        tape = record(made, X, np.zeros((4, 6) if predict == "every" else 4, int))
        np.testing.assert_allclose(tape["both2"], states, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(tape["logits"], states @ linear["weight"].T + linear["bias"], rtol=1e-12, atol=1e-13)
    gradients = weights.recipe.gradients(weights.arrays, tape.gradients)
    assert {name: array.shape for name, array in gradients.items()} == {n: a.shape for n, a in weights.arrays.items()}
    np.testing.assert_array_equal(gradients["emb.weight"], tape["dWe"])
    bias = weights.cell.torch["bias_ih"][0]
    np.testing.assert_array_equal(gradients["bias_ih_l1_reverse"][:3], tape[f"d{bias}2r"])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("hidden", [(4, 5, 4), 4])
def test_weights_of_layers_come_back(tmp_path: Path, hidden: Any, bidirectional: bool, suffix: str) -> None:
    kind: dict[str, Any] = {"bidirectional": bidirectional, "learn_initial": suffix == ".npz"}
    network = Network(inputs=5, outputs=3, hidden=hidden, cell="gru", embedding=2, **kind)
    write_weights(tmp_path / f"w{suffix}", network.weights)
    weights = read_weights(tmp_path / f"w{suffix}")
    assert (weights.cell, weights.recipe.units) == (CELLS["gru"], network.units)
    assert {name: getattr(weights.recipe, name) for name in kind} == kind and weights.recipe.embedded
    assert all(np.array_equal(weights.parameters[name], value) for name, value in network.weights.items())


def test_the_names_of_a_single_step_are_read_too(tmp_path: Path) -> None:
    arrays = {name.removesuffix("_l0"): array for name, array in pytorch.model("lstm").items()}
    assert read_weights(save(tmp_path / "w.npz", arrays)).cell is CELLS["lstm"]


def test_biases_in_single_precision_are_added_in_double(tmp_path: Path) -> None:
    arrays = pytorch.model("rnn", dtype="float32")
    found = read_weights(save(tmp_path / "w.npz", arrays)).parameters
    first, second = (arrays[f"rnn.{name}_l0"].astype(float) for name in ("bias_ih", "bias_hh"))
    np.testing.assert_array_equal(found["ba"], first + second)
    assert (found["Wx"].dtype, found["Wx"].shape) == (np.float32, (2, 3))


@pytest.mark.parametrize(("read_out", "embedded"), [({"fc": 2}, True), ({"fc": 3}, True), ({}, False)])
def test_an_embedding_as_wide_as_the_layer(tmp_path: Path, read_out: dict[str, int], embedded: bool) -> None:
    """The first of two arrays that fit is the embedding's, and one alone is the linear layer's."""
    layer, rng = pytorch.state("gru", inputs=3, hidden=3), np.random.default_rng(0)
    further = {f"{name}.weight": rng.normal(size=(rows, 3)) for name, rows in read_out.items()}
    found = read_weights(save(tmp_path / "w.npz", {"e.weight": rng.normal(size=(7, 3)), **layer, **further}))
    assert found.recipe.embedded == embedded
    assert found.parameters["We" if embedded else "Wy"].shape == ((7, 3) if embedded else (3, 7))


def changed(**changes: Any) -> dict[str, Array]:
    """A GRU's arrays with some changed or (None) left out."""
    arrays = {**pytorch.model("gru", prefixes=("", "fc.")), **{n.replace("__", "."): a for n, a in changes.items()}}
    return {name: array for name, array in arrays.items() if array is not None}


PYTORCH_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"weight_ih_l1": np.zeros((9, 3))}, "beside weight_ih_l1 an array weight_hh_l1 is missing"),
    (
        {"weight_ih_l1": np.zeros((9, 2)), "weight_hh_l1": np.zeros((9, 3))},
        "weight_ih_l1 has shape (9, 2); layer 2 of the cell gru with H = 3 needs it in shape (9, 3)",
    ),
    ({"weight_ih_l2": np.zeros((9, 3))}, "the arrays of layer 1 (weight_ih_l1, …) are missing"),
    (
        {"weight_ih_l0_reverse": np.zeros((9, 2))},
        "beside weight_ih_l0_reverse an array weight_hh_l0_reverse is missing",
    ),
    ({"weight_hr_l0": np.zeros((2, 3))}, "weight_hh_l0 has shape (9, 3), it needs (4·H, P) for lstmp"),
    ({"b__weight_hh_l0": np.zeros((9, 3))}, "it has two recurrent networks (weight_hh_l0 and b.weight_hh_l0)"),
    ({"weight_hh_l0": None}, "beside weight_ih_l0 an array weight_hh_l0 is missing; save the whole state_dict"),
    (
        {"weight_hh_l0": np.zeros((6, 3))},
        "weight_hh_l0 has shape (6, 3), it needs (H, H) for rnn, (4·H, H) for lstm or (3·H, H) for gru",
    ),
    ({"weight_hh_l0": np.zeros(9)}, "weight_hh_l0 has shape (9,), it needs (H, H) for rnn"),
    ({"weight_hh_l0": np.zeros((0, 0))}, "weight_hh_l0 has shape (0, 0), it needs (H, H) for rnn"),
    (
        {"weight_ih_l0": np.zeros((8, 2))},
        "weight_ih_l0 has shape (8, 2); the cell gru with H = 3 needs it in shape (9, 2)",
    ),
    ({"weight_ih_l0": np.zeros(9)}, "weight_ih_l0 has shape (9,); the cell gru with H = 3 needs it in shape (9, D)"),
    ({"bias_hh_l0": np.zeros(3)}, "bias_hh_l0 has shape (3,); the cell gru with H = 3 needs it in shape (9,)"),
    ({"fc__weight": None}, "the linear layer is missing: its weight needs the shape (C, 3)"),
    (
        {"fc__weight": np.zeros((2, 4))},
        "the linear layer is missing: its weight needs the shape (C, 3) (fc.weight has shape (2, 4))",
    ),
    ({"fc__bias": np.zeros(3)}, "fc.bias has shape (3,); a linear layer of 2 outputs needs it in shape (2,)"),
    ({"out__weight": np.zeros((2, 3))}, "it has two linear layers (fc.weight and out.weight); save one of them"),
    (
        {"norm__weight": np.zeros((50, 4))},
        "norm.weight of shape (50, 4) is no part of a recurrent layer with a read-out; leave it out",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), PYTORCH_REFUSED, ids=[text[:50] for _, text in PYTORCH_REFUSED])
def test_another_model_is_refused_by_the_array_that_does_not_fit(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    assert refusal(save(tmp_path / "w.npz", changed(**changes))).startswith(sentence)


# Our names


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_written_and_read_again_bit_for_bit(tmp_path: Path, cell: str, dtype: str, suffix: str) -> None:
    parameters = ours(cell, dtype=dtype)
    path = tmp_path / f"w{suffix}"
    write_weights(path, parameters)
    weights = read_weights(path)
    assert weights.cell is CELLS[cell]
    assert list(weights.parameters) == list(parameters)
    for name, value in parameters.items():
        found = weights.parameters[name]
        assert (found.dtype, found.shape, found.tobytes()) == (value.dtype, value.shape, value.tobytes())
    write_weights(tmp_path / f"again{suffix}", weights.parameters)
    assert (tmp_path / f"again{suffix}").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_views_and_transposed_arrays_are_written_as_they_look(tmp_path: Path, suffix: str) -> None:
    parameters = ours(hidden=2)
    parameters["Wa"] = parameters["Wa"].T
    parameters["ba"] = np.arange(4.0)[::2]
    write_weights(tmp_path / f"w{suffix}", parameters)
    found = read_weights(tmp_path / f"w{suffix}").parameters
    np.testing.assert_array_equal(found["Wa"], parameters["Wa"])
    np.testing.assert_array_equal(found["ba"], [0, 2])


def test_a_trace_is_a_weights_file_too(tmp_path: Path) -> None:
    made = Network(inputs=2, hidden=3, outputs=2, cell="gru")
    write_trace(tmp_path / "t.npz", record(made, np.ones((2, 3, 2)), np.array([0, 1])), meta={})
    found = read_weights(tmp_path / "t.npz")
    assert found.cell is CELLS["gru"]
    assert all(found.parameters[name].tobytes() == value.tobytes() for name, value in made.weights.items())


def own(**changes: Any) -> dict[str, Array]:
    return {name: array for name, array in {**ours(), **changes}.items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        (own(Wa=np.zeros((3, 4))), "Wa has shape (3, 4); the cell rnn needs it in shape (3, 3)"),
        (own(Wx=np.zeros((2, 4))), "Wx has shape (2, 4); the cell rnn needs it in shape (2, 3)"),
        (own(Wx=np.zeros((0, 3))), "Wx has shape (0, 3); the cell rnn needs it in shape (D, 3)"),
        (own(ba=np.zeros((1, 3))), "ba has shape (1, 3); the cell rnn needs it in shape (3,)"),
        (own(Wx=np.zeros(3)), "Wx has shape (3,); the cell rnn needs it in shape (D, 3)"),
        (own(by=None), "by is missing; the cell rnn needs it in shape (2,)"),
        (own(Wz=np.zeros((3, 3))), "Wz of shape (3, 3) is no part of a recurrent layer with a read-out; leave it out"),
        ({"U": np.zeros((3, 3))}, "its arrays (U) are not the weights of a known cell; save them as Wx, Wa, ba"),
        ({}, "its arrays (nothing) are not the weights of a known cell"),
    ],
)
def test_weights_that_do_not_fit_together(tmp_path: Path, arrays: dict[str, Array], sentence: str) -> None:
    assert refusal(save(tmp_path / "w.npz", arrays)).startswith(sentence)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_nan_and_infinity_are_refused_with_their_place(tmp_path: Path, value: float, suffix: str) -> None:
    arrays = ours()
    arrays["Wa"] = arrays["Wa"].copy()
    arrays["Wa"][2, 1] = value
    path = save(tmp_path / f"w{suffix}", arrays)
    assert refusal(path) == f"Wa[2, 1] is {value}; --allow-nan opens it all the same"
    np.testing.assert_array_equal(read_weights(path, allow_nan=True).parameters["Wa"], arrays["Wa"])


# The files themselves


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"PK\3\4")
    assert refusal(tmp_path / "model.pt").startswith(" is a pickle by its name")
    np.savez(tmp_path / "w.npz", Wx=np.array([{}], dtype=object))
    assert refusal(tmp_path / "w.npz").startswith("Wx holds Python objects (a pickle)")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_missing_and_large_files(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"w{suffix}", ours())
    assert "more than the limit of 100 bytes" in refusal(path, limit=100)
    content = path.read_bytes()
    for damaged in (content[:-9], content[:20], b"", b"x" * 40):
        path.write_bytes(damaged)
        assert refusal(path)
    path.unlink()
    assert "cannot be read" in refusal(path)


def test_a_header_of_safetensors_that_claims_too_much(tmp_path: Path) -> None:
    header = json.dumps({"Wa": {"dtype": "F64", "shape": [10**9, 10**9], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    assert "is cut off, damaged or no safetensors file" in refusal(tmp_path / "w.safetensors")


def test_numbers_that_numpy_does_not_know(tmp_path: Path) -> None:
    header = json.dumps({"Wa": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    assert refusal(tmp_path / "w.safetensors") == "Wa holds BF16; save weights as one of F64, F32, F16"


@pytest.mark.parametrize("action", [read_weights, lambda path: write_weights(path, ours())])
def test_without_the_package_there_is_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Callable[[Path], object]
) -> None:
    path = save(tmp_path / "w.safetensors", ours())
    before = path.read_bytes()
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"pip install 'rnn-tui\[safetensors\]', or use NPZ"):
        action(path)
    assert path.read_bytes() == before
    assert read_weights(save(tmp_path / "w.npz", ours())).cell is CELLS["rnn"]


def test_names_from_a_file_are_made_safe(tmp_path: Path) -> None:
    assert "\x1b" not in refusal(save(tmp_path / "w.npz", {"\x1b[31m": np.zeros(1)}))
    assert "\x1b" not in refusal(save(tmp_path / "w.npz", {**ours(), "\x1b[31m": np.zeros(1)}))
    assert "\x1b" not in refusal(save(tmp_path / "w.npz", {"\x1b[31m.weight_ih_l1": np.zeros(1)}))
