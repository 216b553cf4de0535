"""The initial states that a file gives: of each kind one array for all layers and directions, as PyTorch's h0 and c0, or one for each."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from engine.model.layers import INITIAL, Layer
from engine.tables.cells import Cell

INITIAL_STATE = re.compile(r"(?P<kind>a0|h0|c0)_?(?P<layer>(?:[0-9]+r?|r)?)")
"""What such an array is called; `layer` is the layer and direction that it is of, "" where it holds those of all."""
_OUTPUTS = ("h0", "a0")
"""What the initial value of a cell's output is called, whatever its name is."""


def initial_names(layers: Sequence[Layer], cell: Cell) -> dict[str, tuple[str, ...]]:
    """For each state of the layers what an array with its initial value alone is called."""
    names: dict[str, tuple[str, ...]] = {}
    for place, own in enumerate(cell.states):
        kinds = dict.fromkeys((own + INITIAL, *(_OUTPUTS if own == cell.output else ())))
        for layer in layers:
            state = layer.table.states[place]
            names[state] = tuple(kind + state.removeprefix(own) for kind in kinds if INITIAL_STATE.fullmatch(kind))
    return names


def initial_places(names: Collection[str], layers: Sequence[Layer], cell: Cell) -> dict[str, tuple[str, int | None]]:
    """For each state of the layers that has an initial value among arrays of these names: which array holds it, and its number in there,
    None where that is of one layer alone."""
    numbers = {state: number for number, layer in enumerate(layers) for state in layer.table.states}
    plain = {name.replace("_", ""): name for name in names}
    found: dict[str, tuple[str, int | None]] = {}
    for state, wanted in initial_names(layers, cell).items():
        for name in wanted:
            if (kind := name[: len("h0")]) in names:
                found[state] = kind, numbers[state]
            elif name in plain:
                found[state] = plain[name], None
    return found
