"""Weights read in a notation: the same network, and refusals in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import InputError, Network
from engine.codegen import program_text
from engine.explain.line_parts import writer_for
from engine.files.weights import read_weights
from engine.language.functions import Array
from engine.notation import NOTATIONS, from_notation, stored
from engine.recording.plan import plan
from engine.session import open_session
from engine.tables.cells import CELLS


def written(network: Network, notation: str, *, columns: bool = True) -> dict[str, Array]:
    """A network's weights as a user of the notation would save them."""
    spelling = writer_for(plan(network, 1, 1), notation).spelling
    result: dict[str, Array] = {}
    done: set[str] = set()
    for name, parameters in stored(spelling, network).items():
        parts = [spelling.layout.array(network.weights[p], network.parameter_axes[p]) for p in parameters]
        parts = [0.25 * part if p in done else part for p, part in zip(parameters, parts, strict=True)]
        done |= set(parameters)
        array = np.concatenate(parts) if len(parts) > 1 else parts[0]
        result[name] = array if columns or array.shape[1:] != (1,) or name.startswith("W") else array[:, 0]
    return result


@pytest.mark.parametrize("notation", list(NOTATIONS))
@pytest.mark.parametrize("cell", list(CELLS))
def test_they_come_back(cell: str, notation: str) -> None:
    network = Network(inputs=2, outputs=3, hidden=4, cell=cell, seed=5)
    found = from_notation(notation, written(network, notation), cell)
    for name, value in network.weights.items():
        stacked = network.table.torch if NOTATIONS[notation].stacked else {}
        twice = name in stacked.get("bias_hh", ()) and name in stacked.get("bias_ih", ())
        np.testing.assert_allclose(found[name], 1.25 * value if twice else value, rtol=1e-15)


def test_biases_may_be_vectors_or_missing() -> None:
    network = Network(inputs=2, outputs=3, hidden=4)
    arrays = written(network, "karpathy")
    flat = from_notation("karpathy", {**arrays, "bh": arrays["bh"][:, 0], "by": arrays["by"][:, 0]}, "rnn")
    np.testing.assert_array_equal(flat["ba"], network.weights["ba"])
    none = from_notation("wildml", {"U": arrays["Wxh"], "W": arrays["Whh"], "V": arrays["Why"]}, "rnn")
    np.testing.assert_array_equal(none["ba"], np.zeros(4))
    np.testing.assert_array_equal(none["Wa"], network.weights["Wa"])


def test_refusals_name_the_array() -> None:
    arrays = written(Network(inputs=2, outputs=3, hidden=4), "karpathy")
    with pytest.raises(InputError, match=r"Whh has shape \(4, 5\); the notation karpathy needs it in shape \(4, 4\)"):
        from_notation("karpathy", {**arrays, "Whh": np.zeros((4, 5))}, "rnn")
    with pytest.raises(InputError, match=r"bh has shape \(5, 1\); the notation karpathy needs it in shape \(4, 1\)"):
        from_notation("karpathy", {**arrays, "bh": np.zeros((5, 1))}, "rnn")
    with pytest.raises(InputError, match=r"in the notation karpathy the weights of rnn are Wxh, Whh, bh, Why, by"):
        from_notation("karpathy", {"Wxh": arrays["Wxh"]}, "rnn")


@pytest.mark.parametrize("cell", list(CELLS))
def test_our_own_names_and_pytorchs_are_read_in_any_notation(cell: str) -> None:
    network = Network(inputs=2, outputs=3, hidden=4, cell=cell)
    for notation in NOTATIONS:
        found = from_notation(notation, written(network, "ng"), cell)
        np.testing.assert_array_equal(found["Wy"], network.weights["Wy"])
        if network.table.torch:
            found = from_notation(notation, written(network, "pytorch"), cell)
            np.testing.assert_array_equal(found["Wy"], network.weights["Wy"])


@pytest.mark.parametrize("notation", list(NOTATIONS))
@pytest.mark.parametrize("cell", list(CELLS))
def test_a_file_starts_the_session_and_the_printed_program(tmp_path: Path, cell: str, notation: str) -> None:
    from tests.engine.codegen.test_codegen import assert_same

    network = Network(inputs=1, outputs=2, hidden=5, cell=cell, seed=9)
    path = tmp_path / "weights.npz"
    np.savez(path, **written(network, notation))
    assert read_weights(path, notation=notation).cell.name == cell
    session = open_session(None, {"weights": path, "notation": notation})
    np.testing.assert_array_equal(session.debugger.network.weights["Wy"], network.weights["Wy"])
    assert "np.load" in program_text(session)
    assert_same(session)
