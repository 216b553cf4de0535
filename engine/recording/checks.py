"""What is refused before anything is recorded: samples, lengths, parameters and initial states that do not fit the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from engine.errors import InputError
from engine.language.derive import NEXT, gradient
from engine.language.functions import Array
from engine.model.layers import outputs
from engine.model.network import Network
from engine.recording.plan import Plan
from engine.size import Size


def check_batch(network: Network, X: Array, y: Array) -> tuple[Array, Array]:
    """X (B, T, D) and y as arrays whose shapes and values fit the network; InputError otherwise.

    Numbers as targets get an axis of outputs where there is one output only: (B,) is (B, 1), and (B, T) is (B, T, 1).
    """
    inputs, targets = np.asarray(X), np.asarray(y)
    if inputs.ndim != 3 or inputs.shape[2] != network.inputs or 0 in inputs.shape:
        raise InputError(f"X has shape {inputs.shape}, this network needs (samples, time steps, {network.inputs})")
    every = network.predict == "every"
    one_each = inputs.shape[:2] if every else inputs.shape[:1]
    unit = "step of each sample" if every else "sample"
    if not network.head.classes:
        if network.outputs == 1 and targets.shape == one_each:
            targets = targets[..., None]
        if targets.shape != (*one_each, network.outputs):
            raise InputError(
                f"y has shape {targets.shape}, it needs {network.outputs} numbers a {unit}: {(*one_each, network.outputs)}"
            )
        if targets.dtype.kind not in "iufb":
            raise InputError(f"y holds {targets.dtype}, the {network.loss} loss needs numbers")
        return inputs, targets
    if targets.shape != one_each:
        raise InputError(f"y has shape {targets.shape}, it needs one class a {unit}: {one_each}")
    if not np.issubdtype(targets.dtype, np.integer):
        raise InputError(f"y holds {targets.dtype}, it needs whole numbers: the index of each {unit}'s class")
    low, high, classes = targets.min(), targets.max(), network.head.class_count(network.outputs)
    if low < 0 or high >= classes:
        raise InputError(f"y holds classes {low} to {high}, this network has the classes 0 to {classes - 1}")
    return inputs, targets


def check_lengths(X: Array, lengths: Array | None) -> Array | None:
    """(B,) lengths of the samples in X (B, T, D) from 1 to T; None when none is short. InputError otherwise."""
    if lengths is None:
        return None
    short = np.asarray(lengths)
    if short.shape != X.shape[:1] or short.dtype.kind not in "iu":
        raise InputError(f"lengths has shape {short.shape} and type {short.dtype}, it needs one whole number a sample")
    if short.min() < 1 or short.max() > X.shape[1]:
        raise InputError(f"lengths go from {short.min()} to {short.max()}; X has the steps 1 to {X.shape[1]}")
    return short.astype(np.int64) if (short < X.shape[1]).any() else None


def check_parameters(network: Network, parameters: Mapping[str, Array]) -> Mapping[str, Array]:
    """The same, when it names every parameter of the network; their shapes are checked by `Network`."""
    missing = [name for name in network.parameter_axes if name not in parameters]
    if missing:
        raise InputError(f"the parameter {missing[0]} is missing; this network has {', '.join(network.parameter_axes)}")
    return parameters


def check_initial(network: Network, batch: int, steps: int, initial: Mapping[str, Array] | None) -> dict[str, Array]:
    """Initial states (B, H) by name, flows into last states, and masks of dropout; InputError for one that the network does not have, or of
    another shape."""
    checked: dict[str, Array] = {}
    every = network.predict == "every"
    shapes: dict[str, tuple[int, ...]] = {
        state: (batch, network.sizes[axis]) for state, (_, axis) in network.state_axes.items()
    }
    known = {**shapes, **({gradient(state) + NEXT: shape for state, shape in shapes.items()} if every else {})}
    for read in outputs(network.layers) if network.masks else ():
        in_time = (steps,) if every or read.mask != network.masks[-1] else ()
        known[read.mask] = (batch, *in_time, network.sizes[read.axis])
    for name, value in (initial or {}).items():
        if network.learn_initial and name in shapes:
            raise InputError(f"the initial {name} is learned, so none can be given; leave --learn-initial away")
        if name not in known:
            raise InputError(f"the cell {network.table.name} has no state {name!r}; it has {', '.join(shapes)}")
        checked[name] = np.array(value)
        if checked[name].shape != known[name]:
            needed = f"{'the initial ' * (name in shapes)}{name} has shape {checked[name].shape}, this network needs {known[name]}"
            raise InputError(f"{needed}: one row a sample, one column a hidden unit")
    return checked


def refuse_too_large(prepared: Plan, limit: int | None) -> None:
    """Raises InputError, with the size and a remedy, when a recording would take more bytes than the limit."""
    size = prepared.nbytes()
    if limit is None or size <= limit:
        return
    remedy = (
        "raise the limit"
        if prepared.batch == 1
        else "take fewer samples at a time with --batch-size, or raise the limit"
    )
    if not prepared.checkpoints:
        sparse = replace(prepared, checkpoints=True).nbytes()
        if sparse <= limit:
            remedy = (
                f"with --checkpoints it takes {Size(sparse)} and computes again what is looked at, or raise the limit"
            )
    raise InputError(
        f"recording B = {prepared.batch}, T = {prepared.steps}, H = {', '.join(map(str, prepared.network.units))} takes {Size(size)}, "
        f"more than --memory-limit {Size(limit)}; {remedy}"
    )
