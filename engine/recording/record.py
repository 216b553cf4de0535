"""Recording: one iteration run forward and backward on a batch, everything kept on a tape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from engine.language.evaluate import evaluate
from engine.language.functions import Array
from engine.model.network import Network
from engine.recording.checks import check_batch, check_initial, check_lengths, check_parameters
from engine.recording.plan import Plan, Progress, plan
from engine.recording.segments import Segments
from engine.recording.tape import Tape
from engine.tables.given import GIVEN, given_equation


def record(
    network: Network,
    X: Array,
    y: Array,
    *,
    parameters: Mapping[str, Array] | None = None,
    initial: Mapping[str, Array] | None = None,
    lengths: Array | None = None,
    updates: int = 0,
) -> Tape:
    """Runs one iteration forward and backward and keeps everything.

    X is (B, T, D). y is (B,), or with `predict="every"` (B, T): class indices, for the binary loss 0 or 1, for the squared one numbers,
    with an axis of outputs more. `parameters` replace the network's initial ones, `initial` gives initial states (B, H) by name, and by
    the flow's name (dc_next) what flows back into a last state from elsewhere than the output, or a mask of dropout, (B, T, H) or (B,
    H), that is not drawn; `lengths` (B,) how many steps of each sample count. `updates` is how many updates came before: masks of
    dropout are drawn anew for each. Raises InputError when shapes do not fit the network.
    """
    inputs, targets = check_batch(network, X, y)
    states = check_initial(network, len(inputs), inputs.shape[1], initial)
    with_parameters = network if parameters is None else replace(network, weights=check_parameters(network, parameters))
    short = check_lengths(inputs, lengths)
    prepared = plan(with_parameters, *inputs.shape[:2], masked=short is not None)
    return record_with(prepared, inputs, targets, initial=states, lengths=short, updates=updates)


def record_with(
    prepared: Plan,
    X: Array,
    y: Array,
    *,
    parameters: Mapping[str, Array] | None = None,
    initial: Mapping[str, Array] | None = None,
    lengths: Array | None = None,
    updates: int = 0,
    into: dict[str, Array] | None = None,
    progress: Progress | None = None,
) -> Tape:
    """`record` with a plan made before; X, y and lengths are taken as they are.

    `into` are arrays made by the plan that are used again: the tape that they belonged to is lost. `progress` is told
    the share that is done.
    """
    arrays = prepared.allocate() if into is None else into
    for array in arrays.values():
        array.flags.writeable = True
    arrays["x"][...] = np.moveaxis(X, 0, 1)
    _fill_given(prepared, arrays, y, lengths)
    if prepared.network.dropout is not None:
        _draw_masks(prepared, prepared.network.dropout, arrays, updates)
    for name, value in (initial or {}).items():
        if name in prepared.network.masks:
            arrays[name][...] = np.moveaxis(value, 0, 1) if value.ndim > 2 else value
        else:
            arrays[name][prepared.beginning(name)] = value
    values = dict(parameters or prepared.network.weights)
    with np.errstate(all="ignore"):  # overflow and NaN are shown, not warned of
        if prepared.checkpoints:
            segments = Segments(prepared, arrays, MappingProxyType(values))
            segments.record(progress)
            return Tape(prepared, segments, segments.parameters, updates)
        prepared.run(arrays, values, progress=progress)
    for array in arrays.values():
        array.flags.writeable = False
    return Tape(prepared, MappingProxyType(arrays), MappingProxyType(values), updates)


def _fill_given(prepared: Plan, arrays: dict[str, Array], y: Array, lengths: Array | None) -> None:
    """The target, the mask, where the flow is cut, and the number of entries that count."""
    network, steps, batch = prepared.network, prepared.steps, prepared.batch
    arrays["y"][...] = np.moveaxis(y, 0, 1) if network.predict == "every" else y
    values = {
        "t": np.arange(1, steps + 1)[:, None],
        "ends": np.full(batch, steps) if lengths is None else lengths,
        "K": network.truncate,
    }
    for name in GIVEN:
        if name in arrays:
            arrays[name][...] = evaluate(given_equation(name, network.truncate_by), lambda read: values[read.name])


def _draw_masks(prepared: Plan, dropout: float, arrays: dict[str, Array], updates: int) -> None:
    """The masks of dropout: 0 where a value is not handed on, else 1/(1 − P), so that what is handed on keeps its mean (inverted dropout,
    as PyTorch's).

    Seed, number of the update and layer decide them, so that any iteration can be recorded again. They are drawn sample by sample, as the
    data lie, which the same line of a printed program does.
    """
    for layer, name in enumerate(prepared.network.masks, 1):
        mask = arrays[name] if arrays[name].ndim == 2 else np.moveaxis(arrays[name], 0, 1)
        drawn = np.random.default_rng((prepared.network.seed, updates, layer)).random(mask.shape)
        mask[...] = (drawn >= dropout) / (1 - dropout)
