"""Several layers, two directions, dropout: every gradient against what torch.nn's own modules gave (tests/golden/make_torch_layers.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Debugger, Network
from engine.debug.whatif import what_if
from engine.model.parameters import recipe
from engine.tables.cells import BY_NAME, CELLS

FILE = Path(__file__).parents[2] / "golden" / "torch-layers.npz"
with np.load(FILE) as _stored:
    CASES: list[dict[str, Any]] = json.loads(str(_stored["cases"]))
    NUMBERS = [_stored[f"case{number}"] for number in range(len(CASES))]


def name(number: int) -> str:
    case = CASES[number]
    words = [case["cell"], str(case["layers"]), *(word for word in ("bidirectional", "ragged") if case[word])]
    return "-".join([*words, case["predict"], case["loss"], *(["dropout"] if case["dropout"] else [])])


@pytest.mark.parametrize("number", range(len(CASES)), ids=name)
def test_every_gradient_is_torchs(number: int) -> None:
    case, numbers = CASES[number], NUMBERS[number]
    found = {each: numbers[each] for each in numbers.dtype.names}
    weights = {each: array for each, array in found.items() if each.startswith(("rnn.", "fc."))}
    held = recipe({each: array.shape for each, array in weights.items()}, tuple(BY_NAME.values()))
    network = Network(
        held.sizes["D"],
        held.sizes["C"],
        held.units,
        held.cell,
        predict=case["predict"],
        loss=case["loss"],
        dropout=case["dropout"],
        bidirectional=held.bidirectional,
        projection=held.projection,
        weights=held.parameters(weights),
    )
    built = (network.table.name, len(network.units), network.bidirectional)
    assert built == (case["cell"], case["layers"], case["bidirectional"])
    states = [(state, place) for place, layer in enumerate(network.layers) for state in layer.table.states]
    first = {state: f"{state[0]}0" for state, _ in states}
    initial = {state: found[first[state]][place] for state, place in states}
    lengths = found["lengths"] if case["ragged"] else None
    debugger = Debugger(network, found["X"], found["y"], initial=initial, lengths=lengths)
    tape = (what_if(debugger, *_masks(found)) if case["dropout"] else debugger).tape(0)
    np.testing.assert_allclose(tape.loss, found["loss"], rtol=1e-12)
    np.testing.assert_allclose(tape["dx"], found["dx"], rtol=1e-10, atol=1e-14)
    for each, gradient in held.gradients(weights, tape.gradients).items():
        np.testing.assert_allclose(gradient, found[f"d{each}"], rtol=1e-10, atol=1e-14, err_msg=each)
    for state, place in states:
        row = -1 if network.layers[place].reverse else 0
        np.testing.assert_allclose(
            tape[f"d{state}"][row], found[f"d{first[state]}"][place], rtol=1e-10, atol=1e-14, err_msg=state
        )


def _masks(found: dict[str, Any]) -> list[str]:
    """The masks that the module drew between its layers, as edits; before its read-out it drops nothing."""
    mask = found["keep1"]
    dropped = [f"keep1@{t + 1}[{b},{j}] = 0" for t, b, j in np.argwhere(mask == 0)]
    return ["keep2 = 1", f"keep1 = {float(mask.max())!r}", *dropped]


def test_the_cases_cover_layers_directions_predictions_losses_and_lengths() -> None:
    assert {(c["cell"], c["layers"], c["bidirectional"]) for c in CASES} >= {
        (cell, layers, both)
        for cell, most in (*dict.fromkeys(CELLS, 4).items(), ("lstmp", 2))
        for layers in range(1, most + 1)
        for both in (False, True)
    }
    for each in ("predict", "loss", "ragged"):
        assert len({(c["cell"], c["bidirectional"], c[each]) for c in CASES if c["cell"] in CELLS}) == 3 * 2 * 2
    assert {c["cell"] for c in CASES if c["dropout"]} == set(CELLS)
