"""Layers: a cell's table in its place in a network, under names and axes of its own, and the tables of all layers as one.

The first layer reads the input, each further one the output of the layer below. Of several layers, each one's number follows the names of
its quantities and parameters (a1, Wx1) and the axis of its units (H1); a single layer keeps the cell's own names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.errors import InputError
from engine.language.equation import equation
from engine.language.functions import UNITS, Axes
from engine.tables.cells import Cell
from engine.tables.heads import READ_OUT

INPUT, FEATURES = "x", "D"
"""What a cell's table calls its input, and the axis of its values."""

_WORD = re.compile(r"[^\W\d]\w*\b(?!\s*\()")


@dataclass(frozen=True, eq=False)
class Layer:
    """A cell's `table` with the names that it has in the network. It reads the quantity `reads` as its input; `units` is its axis H."""

    table: Cell
    reads: str = INPUT
    units: str = UNITS
    title: str = ""

    @property
    def state_axes(self) -> dict[str, Axes]:
        """The axes of every state at one step."""
        return dict.fromkeys(self.table.states, ("B", self.units))


def layers_of(cell: Cell, count: int) -> tuple[Layer, ...]:
    """The layers of a network with `count` of them, each with the same cell, from the input up."""
    if count == 1:
        return (Layer(cell),)
    layers: list[Layer] = []
    for number in range(1, count + 1):
        below = layers[-1] if layers else Layer(cell, units=FEATURES)
        reads = below.table.output if layers else INPUT
        layers.append(_placed(cell, str(number), reads, below.units))
    return tuple(layers)


def joined(layers: tuple[Layer, ...]) -> Cell:
    """The tables of all layers as one: its output is that of the last layer. InputError where two of its names are alike."""
    tables = [layer.table for layer in layers]
    if len(tables) == 1:
        return tables[0]
    names = Counter(name for table in tables for name in _own_names(table))
    if twice := next((name for name, count in names.items() if count > 1), None):
        raise InputError(
            f"two layers of the cell {tables[0].name} would both have a quantity {twice}; take other names in the cell"
        )
    notations = {notation for table in tables for notation in table.names}
    return replace(
        tables[-1],
        equations=tuple(line for table in tables for line in table.equations),
        parameters={name: axes for table in tables for name, axes in table.parameters.items()},
        states=tuple(state for table in tables for state in table.states),
        meanings={name: text for table in tables for name, text in table.meanings.items()},
        names={
            notation: {name: shown for table in tables for name, shown in table.names.get(notation, {}).items()}
            for notation in notations
        },
        start={name: start for table in tables for name, start in table.start.items()},
    )


def parameter_axes(layers: Sequence[Layer]) -> dict[str, Axes]:
    """Every parameter's axes, layer by layer and last the read-out, in the order in which initial weights are drawn."""
    own = {name: axes for layer in layers for name, axes in layer.table.parameters.items()}
    top = layers[-1].units
    return own | {name: tuple(top if axis == UNITS else axis for axis in axes) for name, axes in READ_OUT.items()}


def sizes(layers: Sequence[Layer], inputs: int, units: Sequence[int], outputs: int) -> dict[str, int]:
    """The dimensions that belong to a network: D, H (of several layers H1, H2, …) and C."""
    return {FEATURES: inputs, **dict(zip((layer.units for layer in layers), units, strict=True)), "C": outputs}


def _placed(cell: Cell, number: str, reads: str, inputs: str) -> Layer:
    """A cell's table as one of several layers."""
    own = {name: name + number for name in _own_names(cell)}
    axes = {FEATURES: inputs, UNITS: UNITS + number}
    words = {**own, **{f"{name}_prev": f"{new}_prev" for name, new in own.items()}, **axes, INPUT: reads}

    def renamed(text: str) -> str:
        return _WORD.sub(lambda word: words.get(word[0], word[0]), text)

    table = replace(
        cell,
        equations=tuple(renamed(line) for line in cell.equations),
        parameters={own[name]: tuple(axes[a] for a in letters) for name, letters in cell.parameters.items()},
        states=tuple(own[name] for name in cell.states),
        output=own[cell.output],
        meanings={own[name]: f"{text}, layer {number}" for name, text in cell.meanings.items()},
        names={
            notation: {_numbered(name, own, number): shown + number for name, shown in given.items()}
            for notation, given in cell.names.items()
        },
        torch={array: tuple(own[name] for name in held) for array, held in cell.torch.items()},
        start={own[name]: start for name, start in cell.start.items()},
    )
    return Layer(table, reads, axes[UNITS], f"layer {number}")


def _own_names(cell: Cell) -> tuple[str, ...]:
    """What the cell's lines write, and its parameters."""
    lines = (equation(source.format(activation="tanh")) for source in cell.equations)
    return tuple(dict.fromkeys((*(line.target for line in lines), *cell.parameters)))


def _numbered(name: str, own: Mapping[str, str], number: str) -> str:
    """A quantity's name with the layer's number; in that of a gradient or a flow (`da_next`) it follows the quantity (`da1_next`)."""
    base, _, flow = name.removeprefix("d").partition("_")
    if name in own or base not in own:
        return name + number
    return f"d{own[base]}" + (f"_{flow}" if flow else "")
