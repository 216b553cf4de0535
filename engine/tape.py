"""The tape: everything one iteration computed, one read-only array a quantity, time first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.derive import NEXT, OUT, gradient
from engine.errors import InputError
from engine.evaluate import evaluate
from engine.expression import Name
from engine.functions import Array
from engine.network import Network
from engine.plan import Plan, plan
from engine.program import Line, Loop

PARTIALS_KEPT = 32
"""Partial gradients kept at a time: a screen asks for the same few again and again."""


@dataclass(frozen=True, eq=False)
class Tape:
    """The recording of one iteration.

    `tape["da"]` is a recorded array by its name in ARCHITECTURE.md's table (shapes there), a parameter, or a flow (`da_out`, `da_next`)
    that is derived when asked for. All arrays are read-only.
    """

    plan: Plan
    arrays: Mapping[str, Array]
    parameters: Mapping[str, Array]
    _norms: dict[tuple[str, int | None], Array] = field(default_factory=dict[tuple[str, int | None], Array], repr=False)
    _scales: dict[str, float] = field(default_factory=dict[str, float], repr=False)
    _depths: dict[str, float] = field(default_factory=dict[str, float], repr=False)
    _partials: dict[tuple[str, int], Array] = field(default_factory=dict[tuple[str, int], Array], repr=False)

    def __getitem__(self, name: str) -> Array:
        for place in (self.arrays, self.parameters):
            if name in place:
                return place[name]
        flow = self._flow(name)
        if flow is None:
            raise KeyError(name)
        return flow

    def __contains__(self, name: str) -> bool:
        return name in self.arrays or name in self.parameters or self._flow(name) is not None

    @property
    def loss(self) -> float:
        """The loss, as a plain number."""
        return float(self.arrays["loss"])

    @cached_property
    def gradients(self) -> Mapping[str, Array]:
        """dL/dparameter by the parameter's name."""
        return MappingProxyType({name: self.arrays[gradient(name)] for name in self.parameters})

    def norms(self, name: str, sample: int | None = None) -> Array:
        """‖row‖ over samples and units (or one sample's units) for each row of a quantity in time, (T,) or (T+1,)."""
        key = name, sample
        if key not in self._norms:
            array = self[name] if sample is None else self[name][:, sample]
            flat = np.abs(array.reshape(len(array), -1)).astype(np.float64, copy=False)
            largest = flat.max(axis=1, initial=0.0)
            # Squares of large numbers overflow, of small ones vanish: the row's own scale is taken out first.
            unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
            with np.errstate(all="ignore"):
                scaled = flat / unit[:, None]
                self._norms[key] = unit * np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
        return self._norms[key]

    def scale(self, name: str) -> float:
        """The largest finite magnitude of a quantity over all its rows, for one colour scale over time; 1.0 when there is none."""
        if name not in self._scales:
            magnitude = np.abs(self[name])
            largest = float(magnitude.max(initial=0.0))
            if not np.isfinite(largest):
                largest = float(magnitude[np.isfinite(magnitude)].max(initial=0.0))
            self._scales[name] = largest or 1.0
        return self._scales[name]

    def depth(self, name: str) -> float:
        """The largest magnitude of the smallest row that is not all zero, as a share of `scale`: how far down colours must reach."""
        if name not in self._depths:
            array = (
                np.abs(self[name]).reshape(len(self[name]), -1)
                if self[name].ndim > 1
                else np.abs(self[name]).reshape(1, -1)
            )
            largest = array.max(axis=1, initial=0.0)
            rows = largest[np.isfinite(largest) & (largest > 0)]
            self._depths[name] = float(rows.min()) / self.scale(name) if rows.size else 1.0
        return self._depths[name]

    def at(self, name: str, t: int | None = None) -> Array:
        """The row of a quantity at step t (the whole array for what is not in time): a view, nothing is copied."""
        quantity = self.plan.program.quantities.get(name)
        rows = quantity.rows if quantity else ("T+1" if self._flow(name) is not None else "")
        if not rows or t is None:
            return self[name]
        return self[name][t if rows == "T+1" else t - 1]

    def partial(self, name: str, t: int) -> Array:
        """A gradient that accumulates over time, as far as it is summed when step t is done: over T down to t."""
        if t == 1:
            return self[name]
        if (name, t) not in self._partials:
            if len(self._partials) > PARTIALS_KEPT:
                self._partials.clear()
            self._partials[name, t] = self.plan.gradient({**self.arrays, **self.parameters}, name, t)
        return self._partials[name, t]

    def lookup(self, name: Name, t: int | None, sample: int | None = None) -> Any:
        """What a name in a line stands for when the line runs at step t; with `sample`, that sample's row of what has a batch axis."""
        if name.name in self.plan.sizes:
            return self.plan.sizes[name.name]
        value = self.at(name.name, None if t is None else t + name.step)
        if sample is not None and self.plan.axes[name.name][:1] == ("B",):
            return value[sample : sample + 1]
        return value

    def term(self, line: Line, t: int | None, sample: int | None = None) -> Array:
        """What one run of a line computes, evaluated afresh.

        For a gradient that accumulates this is the term of step t, `dWa@t`, and with a sample that sample's term of it, `dWa@t,b`.
        """
        with np.errstate(all="ignore"):
            return np.asarray(
                evaluate(line.equation.expression, lambda name: self.lookup(name, t, sample), self.plan.axes)
            )

    def _flow(self, name: str) -> Array | None:
        """A flow that has no line of its own because it is the whole gradient or nothing: da_out, da_next."""
        for suffix in (OUT, NEXT):
            base = name.removesuffix(suffix)
            if base == name or base not in self.arrays:
                continue
            result = np.zeros_like(self.arrays[base])
            for line in self.plan.program.writers(base):
                looped = self.plan.program.blocks[line.block].loop is Loop.DOWN
                if looped and suffix == NEXT:
                    result[:-1] = self.arrays[base][:-1]
                elif not looped and suffix == OUT:
                    result[-1] = self.arrays[base][-1]
            result.flags.writeable = False
            return result
        return None


def record(
    network: Network,
    X: Array,
    y: Array,
    *,
    parameters: Mapping[str, Array] | None = None,
    initial: Mapping[str, Array] | None = None,
) -> Tape:
    """Runs one iteration forward and backward and keeps everything.

    X is (B, T, D), y is (B,) class indices. `parameters` replace the network's initial ones, `initial` gives initial states (B, H) by
    name. Raises InputError when shapes do not fit the network.
    """
    inputs, targets = check_batch(network, X, y)
    states = check_initial(network, len(inputs), initial)
    own = network if parameters is None else replace(network, weights=check_parameters(network, parameters))
    return record_with(plan(own, *inputs.shape[:2]), inputs, targets, initial=states)


def record_with(
    prepared: Plan,
    X: Array,
    y: Array,
    *,
    parameters: Mapping[str, Array] | None = None,
    initial: Mapping[str, Array] | None = None,
) -> Tape:
    """`record` with a plan made before; X and y are taken as they are."""
    arrays = prepared.allocate()
    arrays["x"][...] = np.moveaxis(X, 0, 1)
    arrays["y"][...] = y
    for name, value in (initial or {}).items():
        arrays[name][0] = value
    values = dict(parameters or prepared.network.weights)
    with np.errstate(all="ignore"):  # overflow and NaN are what people come to look at
        prepared.run(arrays, values)
    return _finished(prepared, arrays, values)


def rerun(tape: Tape, t: int) -> Tape:
    """The same iteration computed again from step t on, the rows before taken from `tape`."""
    arrays = {name: array.copy() for name, array in tape.arrays.items()}
    with np.errstate(all="ignore"):
        tape.plan.run(arrays, tape.parameters, forward_from=t)
    return _finished(tape.plan, arrays, dict(tape.parameters))


def check_batch(network: Network, X: Array, y: Array) -> tuple[Array, Array]:
    """X and y as arrays whose shapes and values fit the network; InputError otherwise."""
    inputs, targets = np.asarray(X), np.asarray(y)
    if inputs.ndim != 3 or inputs.shape[2] != network.inputs or 0 in inputs.shape:
        raise InputError(f"X has shape {inputs.shape}, this network needs (samples, time steps, {network.inputs})")
    if targets.shape != inputs.shape[:1]:
        raise InputError(f"y has shape {targets.shape}, it needs one class a sample: ({len(inputs)},)")
    if not np.issubdtype(targets.dtype, np.integer):
        raise InputError(f"y holds {targets.dtype}, it needs whole numbers: the index of each sample's class")
    low, high = targets.min(), targets.max()
    if low < 0 or high >= network.outputs:
        raise InputError(f"y holds classes {low} to {high}, this network has the classes 0 to {network.outputs - 1}")
    return inputs, targets


def check_parameters(network: Network, parameters: Mapping[str, Array]) -> Mapping[str, Array]:
    """The same, when it names every parameter of the network; their shapes are checked by `Network`."""
    missing = [name for name in network.parameter_axes if name not in parameters]
    if missing:
        raise InputError(f"the parameter {missing[0]} is missing; this network has {', '.join(network.parameter_axes)}")
    return parameters


def check_initial(network: Network, batch: int, initial: Mapping[str, Array] | None) -> dict[str, Array]:
    """Initial states (B, H) by name; InputError for one that the cell does not have, or of another shape."""
    states: dict[str, Array] = {}
    for name, value in (initial or {}).items():
        if name not in network.table.states:
            raise InputError(
                f"the cell {network.table.name} has no state {name!r}; it has {', '.join(network.table.states)}"
            )
        states[name] = np.array(value)
        if states[name].shape != (batch, network.hidden):
            raise InputError(
                f"the initial {name} has shape {states[name].shape}, this network needs ({batch}, {network.hidden}): "
                f"one row a sample, one column a hidden unit"
            )
    return states


def _finished(prepared: Plan, arrays: dict[str, Array], parameters: dict[str, Array]) -> Tape:
    for array in arrays.values():
        array.flags.writeable = False
    return Tape(prepared, MappingProxyType(arrays), MappingProxyType(parameters))
