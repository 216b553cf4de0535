"""Layers: a cell's table in its place in a network, under names and axes of its own, and the tables of all layers as one.

The first layer reads the input, each further one the output of the layer below. Of several layers or directions, the layer's number
follows the names of its quantities and parameters (a1, Wx1) and the axis of its units (H1), and "r" those of the reverse direction (a1r);
a single layer in one direction keeps the cell's own names. What comes after two directions reads both, side by side (`both1`), and after
dropout what a drawn mask keeps of them (`kept1 = a1 * keep1`). A residual connection is one more line of a layer's table, `res2 = a2 + a1`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from engine.errors import InputError
from engine.language.equation import equation
from engine.language.functions import PROJECTED, UNITS, Axes, axis_kind, joined_axis
from engine.tables.cells import Cell
from engine.tables.heads import READ_OUT

INPUT, FEATURES = "x", "D"
"""What a cell's table calls its input, and the axis of its values."""
EMBEDDED, EMBEDDING, EMBEDDED_AXIS = "e", "We", "E"
"""What is read in place of the input where that is embedded, its weights, and its axis."""
BOTH, BACKWARDS, INITIAL = "both", "r", "0"
"""What the outputs of a layer's two directions side by side are called, the letter of the reverse direction, the digit of a state's initial
value that is learned."""
KEEP, KEPT, RESIDUAL = "keep", "kept", "res"
"""The mask of dropout, what it keeps of a layer's output, and a layer's output and that of the layer below added up."""

_OWN_AXES: Mapping[str, str] = {letter: letter for letter in (FEATURES, UNITS, PROJECTED)}
"""The axes of a single layer are the cell's own."""

_WORD = re.compile(r"[^\W\d]\w*\b(?!\s*\()")


@dataclass(frozen=True, eq=False)
class Layer:
    """A cell's `table` with the names that it has in the network. It reads the quantity `reads` as its input; `axes` says by the cell's
    letters which axes of the network are its own: D is that of its input, H that of its units.

    A `reverse` one runs from the last step to the first: the step before (`_prev`) is then the one after. What a `dropped` one hands on
    goes through a mask of dropout first. `number` is the layer's, "" of the only one in one direction; `residual` what it hands on in
    place of its state where it adds what the layer below hands on.
    """

    table: Cell
    reads: str = INPUT
    axes: Mapping[str, str] = field(default_factory=lambda: dict(_OWN_AXES))
    title: str = ""
    reverse: bool = False
    dropped: bool = False
    number: str = ""
    residual: str = ""

    @property
    def output(self) -> str:
        """What it hands on."""
        return self.residual or self.table.output

    @property
    def features(self) -> str:
        """The axis of what it reads."""
        return self.axes[FEATURES]

    @property
    def units(self) -> str:
        """The axis of its units."""
        return self.axes[UNITS]

    @property
    def width(self) -> str:
        """The axis of what it hands on."""
        return self.table.state_axes[self.table.output][1]


@dataclass(frozen=True)
class LayerOutput:
    """What a layer or the read-out reads, one step of it: a quantity and its axis, and where needed the `lines` that make it of what is
    there (of two directions' outputs side by side), with the parameters of these lines, the mask of dropout that they read, and what is
    there in words."""

    name: str
    axis: str
    lines: tuple[str, ...] = ()
    parameters: Mapping[str, Axes] = field(default_factory=dict[str, Axes])
    mask: str = ""
    meanings: Mapping[str, str] = field(default_factory=dict[str, str])


def layers_of(
    cell: Cell,
    count: int,
    *,
    bidirectional: bool = False,
    learn_initial: bool = False,
    embedded: bool = False,
    dropped: bool = False,
    residual: Collection[int] = (),
) -> tuple[Layer, ...]:
    """The layers of a network with `count` of them, each with the same cell, from the input up; each direction is one.

    With `embedded` the first layer reads `e = x @ We` in place of x. With `learn_initial` every state's initial value is a parameter,
    called a0 of the state a, the same for all samples. With `dropped` each layer's output goes through a mask. The layers of which the
    numbers are in `residual` add what the layer below hands on. InputError where the cell has such a name already.
    """
    cell = _with_initial(cell) if learn_initial else cell
    _refuse_taken(cell, (KEEP, KEPT) if dropped else (), "dropout")
    _refuse_taken(cell, (RESIDUAL,) if residual else (), "residual")
    single = count == 1 and not bidirectional
    if single and not embedded:
        return (Layer(cell, dropped=dropped),)
    layers: list[Layer] = []
    below = LayerOutput(INPUT, FEATURES)
    if embedded:
        _refuse_taken(cell, (EMBEDDED, EMBEDDING), "embedding")
        line = f"{EMBEDDED} = {INPUT} @ {EMBEDDING}"
        below = LayerOutput(EMBEDDED, EMBEDDED_AXIS, (line,), {EMBEDDING: (FEATURES, EMBEDDED_AXIS)})
    for number in [""] if single else map(str, range(1, count + 1)):
        lower = layers[-1 - bidirectional :] if number and int(number) in residual else []
        axes = {letter: letter + number for letter in (UNITS, PROJECTED)}
        if lower:  # what is added up is equally wide
            axes[axis_kind(lower[0].width)] = lower[0].width
        directions = [_placed(cell, number, axes, below)]
        if bidirectional:
            directions.append(_placed(cell, number, axes, LayerOutput(below.name, below.axis), reverse=True))
        if lower:
            directions = [_added_to(layer, under) for layer, under in zip(directions, lower, strict=True)]
        directions = [replace(layer, dropped=dropped) for layer in directions]
        layers += directions
        below = output(directions)
    return tuple(layers)


def output(layers: Sequence[Layer]) -> LayerOutput:
    """The output of the last layer, of both directions where it has two, as dropout leaves it."""
    top, number, lines, mask, meanings = layers[-1], layers[-1].number, list[str](), "", dict[str, str]()
    name, axis = top.output, top.width
    if top.reverse:
        forward, name, axis = layers[-2].output, BOTH + number, joined_axis(axis)
        lines.append(f"{name} = joined({forward}, {top.output})")
        meanings[name] = f"{forward} and {top.output} side by side"
    if top.dropped:
        mask = KEEP + number
        lines.append(f"{KEPT}{number} = {name} * {mask}")
        meanings |= {mask: f"what dropout keeps of {name}: 0 or 1/(1 − P)", KEPT + number: f"{name} after dropout"}
        name = KEPT + number
    return LayerOutput(name, axis, tuple(lines), mask=mask, meanings=meanings)


def outputs(layers: Sequence[Layer]) -> list[LayerOutput]:
    """What each layer hands on, from the input up."""
    return [output(layers[:n]) for n in range(1, len(layers) + 1) if n == len(layers) or not layers[n].reverse]


def residual_layers(cell: Cell, units: Sequence[int]) -> list[int]:
    """The numbers of the layers that hand on as much as the layer below: those that can add it. All projections are of one size."""
    return [n for n, (lower, own) in enumerate(pairwise(units), 2) if lower == own or cell.output in cell.widths]


def _refuse_taken(cell: Cell, names: Iterable[str], option: str) -> None:
    """InputError where a cell has one of these names already."""
    if taken := {*names} & {*_own_names(cell)}:
        raise InputError(
            f"the cell {cell.name} has a {min(taken)} of its own; take another name, or leave --{option} away"
        )


def _with_initial(cell: Cell) -> Cell:
    """The cell with a parameter for each state's initial value, which starts at zero."""
    initial = {state: state + INITIAL for state in cell.states}
    _refuse_taken(cell, initial.values(), "learn-initial")
    axes: dict[str, Axes] = {name: cell.state_axes[state][1:] for state, name in initial.items()}
    return replace(
        cell,
        parameters={**cell.parameters, **axes},
        start={**cell.start, **dict.fromkeys(axes, 0.0)},
        meanings={**cell.meanings, **{name: f"learned initial {state}" for state, name in initial.items()}},
        names={
            notation: {**given, **{name: given[state] + INITIAL for state, name in initial.items() if state in given}}
            for notation, given in cell.names.items()
        },
        initial=initial,
    )


def joined(layers: tuple[Layer, ...]) -> Cell:
    """The tables of all layers as one: its output is that of the last layer, in its forward direction. InputError where two of its names
    are alike."""
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
        next(layer.table for layer in reversed(layers) if not layer.reverse),
        equations=tuple(line for table in tables for line in table.equations),
        parameters={name: axes for table in tables for name, axes in table.parameters.items()},
        states=tuple(state for table in tables for state in table.states),
        meanings={name: text for table in tables for name, text in table.meanings.items()},
        names={
            notation: {name: shown for table in tables for name, shown in table.names.get(notation, {}).items()}
            for notation in notations
        },
        start={name: start for table in tables for name, start in table.start.items()},
        widths={state: axes[1] for table in tables for state, axes in table.state_axes.items()},
        initial={state: name for table in tables for state, name in table.initial.items()},
    )


def parameter_axes(layers: Sequence[Layer]) -> dict[str, Axes]:
    """Every parameter's axes, layer by layer and last the read-out, in the order in which initial weights are drawn."""
    own = {name: axes for layer in layers for name, axes in layer.table.parameters.items()}
    top = output(layers).axis
    return own | {name: tuple(top if axis == UNITS else axis for axis in axes) for name, axes in READ_OUT.items()}


def sizes(
    layers: Sequence[Layer],
    inputs: int,
    units: Sequence[int],
    outputs: int,
    embedding: int | None = None,
    projection: int | None = None,
) -> dict[str, int]:
    """The dimensions that belong to a network: D, E of an embedding, H (of several layers H1, H2, …; of two directions together HH1, …),
    where the cell has projections P likewise, and C."""
    own = dict(zip((layer.units for layer in layers if not layer.reverse), units, strict=True))
    if projection is not None:
        own |= {layer.axes[PROJECTED]: projection for layer in layers}
    joined_axes = {joined_axis(layer.width): 2 * own[layer.width] for layer in layers if layer.reverse}
    embedded = {} if embedding is None else {EMBEDDED_AXIS: embedding}
    return {FEATURES: inputs, **embedded, **own, **joined_axes, "C": outputs}


def _added_to(layer: Layer, lower: Layer) -> Layer:
    """A layer that hands on its output and that of the layer below added up. Both are of one size, and share an axis."""
    name = RESIDUAL + layer.number + BACKWARDS * layer.reverse
    line = f"{name} = {layer.output} + {lower.output}"
    meanings = {**layer.table.meanings, name: f"{layer.output} and {lower.output} added up"}
    table = replace(layer.table, equations=(*layer.table.equations, line), meanings=meanings)
    return replace(layer, table=table, residual=name)


def _placed(
    cell: Cell, number: str, own_axes: Mapping[str, str], below: LayerOutput, *, reverse: bool = False
) -> Layer:
    """A cell's table as one of several layers or directions, which reads the output of the one below; `own_axes` are those of its units and
    of their projection."""
    mark = number + BACKWARDS * reverse
    own = {name: name + mark for name in _own_names(cell)}
    axes = {FEATURES: below.axis, **own_axes}
    words = {**axes, **own, **{f"{name}_prev": f"{new}_prev" for name, new in own.items()}, INPUT: below.name}
    title = (f"layer {number}" if number else "") + ", reverse" * reverse

    def renamed(text: str) -> str:
        return _WORD.sub(lambda word: words.get(word[0], word[0]), text)

    table = replace(
        cell,
        equations=(*below.lines, *(renamed(line) for line in cell.equations)),
        parameters={
            **below.parameters,
            **{own[name]: tuple(axes[a] for a in letters) for name, letters in cell.parameters.items()},
        },
        states=tuple(own[name] for name in cell.states),
        output=own[cell.output],
        meanings={own[name]: f"{text}, {title}" if title else text for name, text in cell.meanings.items()},
        names={
            notation: {_numbered(name, own, mark): shown + mark for name, shown in given.items()}
            for notation, given in cell.names.items()
        },
        torch={array: tuple(own[name] for name in held) for array, held in cell.torch.items()},
        start={own[name]: start for name, start in cell.start.items()},
        initial={own[state]: own[name] for state, name in cell.initial.items()},
        widths={own[state]: axes[letters[1]] for state, letters in cell.state_axes.items()},
    )
    return Layer(table, below.name, axes, title, reverse, number=number)


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
