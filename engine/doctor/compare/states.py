"""Arrays of states as frameworks have them: of all layers and directions, (layers · directions, B, H), and the last layer's outputs."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from engine.language.derive import gradient
from engine.language.functions import Array
from engine.recording.tape import Tape

_LAST = re.compile(r"(?P<state>[ahc])_?(?:n|T|last|final)")
"""The last states, PyTorch's h_n and c_n."""
_OF_INITIAL = re.compile(r"(?:d|grad_?)(?P<after>[ahc])_?0|(?P<before>[ahc])_?0[._]grad")
"""The gradients of the initial states."""
_OUTPUT = ("a", "h")

ReferenceArrays = tuple[str, list[Array]]
"""A name of what is compared, and the arrays that it may be."""


def of_layers(name: str, tape: Tape) -> ReferenceArrays | None:
    """What a name means that stands for a state of every layer and direction; None where it means something else, or the cell's own."""
    if name in tape:
        return None
    if match := _LAST.fullmatch(name):
        own = _states(match["state"], tape)
        steps = {True: 1, False: tape.plan.steps}
        quantities = tape.plan.program.quantities
        return (name, [_stacked([tape.at(s, steps[quantities[s].reverse]) for s in own])]) if own else None
    if match := _OF_INITIAL.fullmatch(name):
        letter = match["after"] or match["before"]
        own = _states(letter, tape)
        rows = [tape[gradient(state)][tape.plan.initial_row(state)] for state in own]
        return (f"{gradient(own[0] if len(own) == 1 else letter)}0", [_stacked(rows)]) if own else None
    return None


def initial_of(tape: Tape) -> dict[str, Array]:
    """The initial states of a recording, (B, H) by name; none where they are all zero."""
    rows = {state: np.array(tape[state][tape.plan.initial_row(state)]) for state in tape.plan.network.table.states}
    return rows if any(row.any() for row in rows.values()) else {}


def outputs(tape: Tape) -> ReferenceArrays | None:
    """The last layer's outputs at each step, (T, B, H), of two directions side by side; also with zeros where a sample has ended, as a
    padded sequence has them. None for a single layer in one direction."""
    layers = tape.plan.network.layers
    if len(layers) == 1:
        return None
    top = [layer for layer in layers if layer.number == layers[-1].number]
    rows = [np.asarray(tape[layer.output]) for layer in top]
    steps = tape.plan.steps
    whole = np.concatenate(
        [r if len(r) == steps else r[:-1] if layer.reverse else r[1:] for layer, r in zip(top, rows, strict=True)],
        axis=2,
    )
    padding = tape.padding
    ended = [] if padding is None else [np.where(padding[1:, :, None], 0, whole)]
    return ", ".join(layer.output for layer in top), [whole, *ended]


def _states(letter: str, tape: Tape) -> list[str]:
    """The states that a letter stands for, of each layer and direction: the cell's output (a or h), or c."""
    cell = tape.plan.network.cell
    assert not isinstance(cell, str)
    own = cell.output if letter in _OUTPUT else letter
    place = cell.states.index(own) if own in cell.states else None
    return [] if place is None else [layer.table.states[place] for layer in tape.plan.network.layers]


def _stacked(rows: Sequence[Array]) -> Array:
    """(L, B, H); for layers of unequal sizes side by side, (B, H1 + H2 + …)."""
    return np.stack(rows) if len({row.shape for row in rows}) == 1 else np.concatenate(rows, axis=-1)
