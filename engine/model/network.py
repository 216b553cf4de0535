"""A network: its tables of equations, its options and its initial weights. Immutable; the weights are read-only arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from engine import registry
from engine.errors import InputError
from engine.language.functions import ACTIVATIONS, Array, Axes
from engine.model.layers import (
    EMBEDDED,
    Layer,
    joined,
    layers_of,
    output,
    outputs,
    parameter_axes,
    residual_layers,
    sizes,
)
from engine.model.pytorch import options_of
from engine.size import Size
from engine.tables.cells import BY_NAME, Cell
from engine.tables.cells.base import Start
from engine.tables.heads import HEADS, Head
from engine.tables.optimizers import OPTIMIZERS, Optimizer

PARAMETERS_LIMIT = 2 << 30
"""Bytes that the parameters of a network may take."""


@dataclass(frozen=True, eq=False)
class Network:
    """A recurrent cell, a head, an optimizer and the weights to start from.

    `inputs`, `hidden` and `outputs` are D, H and C; several numbers as `hidden` make as many layers, from the input up, when it is
    `bidirectional` each in two directions. `weights` may give initial weights by name (shapes as in the tables); those not given are
    drawn by `initial_parameters`. `truncate` cuts the flow back through time: with `truncate_by` "window" each loss reaches that many
    steps back (in the reverse direction ahead), with "chunk" nothing flows from one run of that many steps into the one before. With
    `learn_initial` initial states are parameters; `embedding` is E, the width in which the input (one-hot, where it is classes) is
    embedded; `dropout` is the share of each layer's output that is not handed on, drawn anew in each iteration; with `residual` layers
    of one size add what the layer below hands on; `projection` is P of a cell that has one, left open half of H. Raises InputError for an
    option that does not exist.
    """

    inputs: int
    outputs: int
    hidden: int | tuple[int, ...] = 8
    cell: Cell | str = "rnn"
    activation: str = "tanh"
    predict: str = "last"
    loss: str = "cross-entropy"
    reduction: str = "mean"
    dtype: str = "float64"
    seed: int = 0
    init_scale: float = 1.0
    optimizer: str = "sgd"
    lr: float = 0.1
    clip_norm: float | None = None
    clip_value: float | None = None
    truncate: int | None = None
    truncate_by: str = "window"
    bidirectional: bool = False
    learn_initial: bool = False
    embedding: int | None = None
    dropout: float | None = None
    residual: bool = False
    projection: int | None = None
    weights: Mapping[str, Array] = field(default_factory=dict[str, Array])

    def __post_init__(self) -> None:
        if isinstance(self.cell, str):
            object.__setattr__(self, "cell", choose("cell", self.cell, BY_NAME))
        choose("activation", self.activation, ACTIVATIONS)
        choose("loss", self.loss, HEADS)
        choose("optimizer", self.optimizer, OPTIMIZERS)
        for name, value, allowed in (
            ("predict", self.predict, registry.PREDICT),
            ("reduction", self.reduction, registry.REDUCTIONS),
            ("dtype", self.dtype, registry.DTYPES),
            ("truncate_by", self.truncate_by, registry.TRUNCATIONS),
        ):
            choose(name, value, dict.fromkeys(allowed))
        if not isinstance(self.hidden, int):
            object.__setattr__(self, "hidden", self.hidden[0] if len(self.hidden) == 1 else tuple(self.hidden))
        for name, size in (
            ("inputs", self.inputs),
            *(("hidden", units) for units in self.units),
            ("outputs", self.outputs),
            ("embedding", 1 if self.embedding is None else self.embedding),
            ("projection", 1 if self.projection is None else self.projection),
        ):
            if size < 1:
                raise InputError(f"{name} must be at least 1, not {size}")
        if not self.units:
            raise InputError("hidden needs at least one number: the units of each layer")
        assert isinstance(self.cell, Cell)
        if not self.cell.has_projection and self.projection is not None:
            having = ", ".join(name for name, cell in BY_NAME.items() if cell.has_projection)
            raise InputError(
                f"the cell {self.cell.name} has no projection; leave projection away, or take a cell with one: {having}"
            )
        if self.cell.has_projection and self.projection is None:
            object.__setattr__(self, "projection", max(1, min(self.units) // 2))
        if self.head.outputs not in (None, self.outputs):
            wanted = "one output" if self.head.outputs == 1 else f"{self.head.outputs} outputs"
            raise InputError(
                f"the loss {self.loss} needs {wanted}, not {self.outputs}; leave the number of outputs away"
            )
        if self.truncate is not None and self.truncate < 1:
            raise InputError(f"truncate must be at least 1 step, not {self.truncate}")
        for name in ("clip_norm", "clip_value"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"{name} must be a number above 0, not {value}")
        if self.dropout is not None and not 0 < self.dropout < 1:
            raise InputError(f"dropout must be a number between 0 and 1, not {self.dropout}")
        if self.residual and not residual_layers(self.cell, self.units):
            raise InputError(
                "residual connections add a layer's output to that of the layer below, and no two of these layers are of one size; "
                "take several of the same, or leave them away"
            )
        if self.seed < 0:
            raise InputError(f"seed must be 0 or more, not {self.seed}")
        if not 0 < self.init_scale < float("inf"):
            raise InputError(f"init_scale must be a number above 0, not {self.init_scale}")
        object.__setattr__(self, "weights", self._initial())

    @classmethod
    def from_torch(cls, rnn: Any, linear: Any, embedding: Any = None, **options: Any) -> Network:
        """The network of a torch.nn.RNN, LSTM or GRU and the torch.nn.Linear that reads it out, perhaps with the torch.nn.Embedding before
        it (whose inputs are one-hot here); torch itself is not needed.

        Sizes, cell, activation, weights and (unless given) dtype are the modules'; `options` are the network's others. The modules are
        copied: training here does not train them.
        """
        arguments = options_of(rnn, linear, embedding)
        twice = next((name for name in options if name in arguments and name != "dtype"), None)
        if twice is not None:
            raise InputError(f"{twice} is the modules'; leave it away")
        return cls(**{**arguments, **options})

    @property
    def description(self) -> str:
        """The model in a few words: `rnn relu 1→8→2`."""
        kind = f"{self.table.name} {self.activation}" if self.table.has_activation else self.table.name
        way = "⇄" if self.bidirectional else ""
        handed_on = "" if self.projection is None else f"↘{self.projection}"
        layers = (f"{way}{units}{handed_on}" for units in self.units)
        return f"{kind} {'→'.join(map(str, (self.inputs, *layers, self.outputs)))}"

    def __repr__(self) -> str:
        return f"<Network: {self.description}, {self.predict}, {self.head.name}, {self.dtype}>"

    @property
    def units(self) -> tuple[int, ...]:
        """H of each layer."""
        return (self.hidden,) if isinstance(self.hidden, int) else self.hidden

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The cell's table in the place of each layer and direction, from the input up."""
        assert isinstance(self.cell, Cell)
        return layers_of(
            self.cell,
            len(self.units),
            bidirectional=self.bidirectional,
            learn_initial=self.learn_initial,
            embedded=self.embedding is not None,
            dropped=self.dropout is not None,
            residual=residual_layers(self.cell, self.units) if self.residual else (),
        )

    @cached_property
    def table(self) -> Cell:
        """The table of equations of a step: the cell's, of several layers that of all of them."""
        return joined(self.layers)

    @property
    def head(self) -> Head:
        """The head's table of equations."""
        return HEADS[self.loss]

    @property
    def rule(self) -> Optimizer:
        """The optimizer's table of equations."""
        return OPTIMIZERS[self.optimizer]

    @cached_property
    def hyperparameters(self) -> dict[str, float]:
        """The scalars that the update's equations read, by name; `count`, the number of the update, is not among them."""
        given = {name: getattr(self, name) for name in ("lr", "clip_norm", "clip_value")}
        return {**{n: float(v) for n, v in given.items() if v is not None}, **self.rule.constants}

    @property
    def parameter_axes(self) -> dict[str, Axes]:
        """Every parameter's axes, cell first, in the order in which initial weights are drawn."""
        return parameter_axes(self.layers)

    @cached_property
    def masks(self) -> tuple[str, ...]:
        """The masks of dropout, one a layer from the input up."""
        return tuple(read.mask for read in outputs(self.layers) if read.mask)

    @property
    def meanings(self) -> dict[str, str]:
        """What the quantities are, in words: those of the cell's table, and what layers make of each other's outputs."""
        between = {name: text for read in outputs(self.layers) for name, text in read.meanings.items()}
        embedded = {} if self.embedding is None else {EMBEDDED: "embedded input"}
        return {**self.table.meanings, **between, **embedded}

    @property
    def state_axes(self) -> dict[str, Axes]:
        """The axes at one step of every state that is carried to the next."""
        return {state: axes for layer in self.layers for state, axes in layer.table.state_axes.items()}

    @property
    def sizes(self) -> dict[str, int]:
        """The dimensions that belong to the network: D, H (of several layers H1, H2, …; of two directions together HH1, …), where the
        cell has projections P likewise, and C."""
        return sizes(self.layers, self.inputs, self.units, self.outputs, self.embedding, self.projection)

    @property
    def bounds(self) -> dict[str, str]:
        """For each parameter the axis H of its layer (the read-out's: what it reads), whose size bounds its initial values."""
        own = {name: layer.units for layer in self.layers for name in layer.table.parameters}
        return {name: own.get(name, output(self.layers).axis) for name in self.parameter_axes}

    def _initial(self) -> dict[str, Array]:
        drawn = initial_parameters(
            self.parameter_axes, self.bounds, self.sizes, self.seed, self.init_scale, self.table.start
        )
        unknown = set(self.weights) - set(drawn)
        if unknown:
            raise InputError(f"there is no parameter {sorted(unknown)[0]!r} in this network; it has {', '.join(drawn)}")
        result: dict[str, Array] = {}
        for name, value in drawn.items():
            given = np.array(self.weights.get(name, value), dtype=self.dtype)
            if given.shape != value.shape:
                raise InputError(f"{name} has shape {given.shape}, this network needs {value.shape}")
            given.flags.writeable = False
            result[name] = given
        return result


def initial_parameters(
    axes: Mapping[str, Axes],
    bounds: Mapping[str, str],
    sizes: Mapping[str, int],
    seed: int,
    scale: float = 1.0,
    start: Mapping[str, Start] = MappingProxyType({}),
) -> dict[str, Array]:
    """Weights and biases drawn uniformly from ±scale/√H, H being the axis in `bounds`, in the order of `axes`, float64.

    PyTorch's RNN and Linear draw them so; those with a `start` are not drawn. The same few lines stand in the program that `codegen`
    prints; NumPy keeps `default_rng(seed).uniform` stable.
    """
    shapes = {name: tuple(sizes[axis] for axis in letters) for name, letters in axes.items()}
    if (needed := 8 * sum(map(math.prod, shapes.values()))) > PARAMETERS_LIMIT:
        largest = max(shapes, key=lambda name: math.prod(shapes[name]))
        raise InputError(
            f"the parameters take {Size(needed)} ({largest} is {shapes[largest]}), more than {Size(PARAMETERS_LIMIT)}; take fewer units"
        )
    rng = np.random.default_rng(seed)
    result: dict[str, Array] = {}
    for name in axes:
        shape, bound = shapes[name], scale / np.sqrt(sizes[bounds[name]])
        result[name] = _started(start[name], shape) if name in start else rng.uniform(-bound, bound, size=shape)
    return result


def _started(start: Start, shape: tuple[int, ...]) -> Array:
    match start:
        case "identity":
            return np.eye(shape[0])
        case (low, high):
            return np.linspace(low, high, shape[0])
        case number:
            return np.full(shape, number)


def choose(option: str, value: str, allowed: Mapping[str, Any]) -> Any:
    """`allowed[value]`, or an InputError that lists what is allowed."""
    if value not in allowed:
        raise InputError(f"{option} {value!r} does not exist; choose {', '.join(allowed)}")
    return allowed[value]
