"""Of recurrent modules one above the other: what was dropped between them, and what came back to each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.language.derive import OUT, gradient
from engine.language.functions import Array
from engine.model.pytorch import as_array, width_of
from engine.model.torch_parts import unpacked
from engine.model.torch_stack import kept_between
from engine.recording.tape import Tape

NO_LAYERS = (
    "the recurrent modules are not layers one above the other: what one hands on goes elsewhere, too, or something else than dropout is "
    "done with it; give one of them, rnn_tui.watch(model.NAME, ...)"
)
_LIKE = 1e-3
"""Gradients that differ by less of their norm are the same: torch computes in float32."""


def masks_between(between: Sequence[tuple[Any, Any] | None], inputs: Any, modules: Sequence[Any]) -> list[Array]:
    """What each layer's output (B, T, H) was multiplied with, the last one's with ones; [] where nothing was dropped. `between` is
    `Watched.between`. InputError where they are no layers."""
    masks: list[Array] = []
    if between and all(seen is not None and seen[1] is None for seen in between):
        return masks
    for number, module in enumerate(modules):
        units = width_of(module) * (2 if module.bidirectional else 1)
        if module is modules[-1]:
            samples, steps = masks[-1].shape[:2]
            masks += [np.ones((samples, steps, units))] * module.num_layers
            continue
        seen = between[number] if number < len(between) else None
        mask = None
        if seen is not None:
            mask = seen[0] * as_array(seen[1]) if isinstance(seen[0], float) else kept_between(*seen)
        if mask is None:
            raise InputError(NO_LAYERS)
        mask = _by_sample(mask, inputs, module)
        masks += [np.ones_like(mask)] * (module.num_layers - 1) + [mask]
    return masks if any((mask != 1).any() for mask in masks) else []


def refuse_read_elsewhere(back: Mapping[str, Any], inputs: Any, tape: Tape, modules: Sequence[Any]) -> None:
    """InputError where what came back to what a module handed on is not what came from the module above it, as it is recorded."""
    network, number = tape.plan.network, 0
    directions = 2 if network.bidirectional else 1
    for place, module in enumerate(modules[:-1]):
        number += module.num_layers * directions
        if (came := back.get(f"output.{place}")) is None:
            continue
        flows: list[Array] = []
        for layer in network.layers[number - directions : number]:
            rows = np.asarray(tape[gradient(layer.output) + OUT])
            flows.append(rows[:-1] if layer.reverse else rows[1:])
        recorded, found = np.concatenate(flows, axis=2).swapaxes(0, 1), _by_sample(came, inputs, module)
        with np.errstate(all="ignore"):
            if np.linalg.norm(found - recorded) > _LIKE * np.linalg.norm(found):
                raise InputError(NO_LAYERS)


def into_last(back: Mapping[str, Any], name: str, modules: Sequence[Any], directions: int) -> list[Array | None]:
    """What came back to h_n or c_n, layer by layer and direction; None where nothing did."""
    rows = list[Array | None]()
    for number, module in enumerate(modules):
        came = back.get(name if module is modules[-1] else f"{name}.{number}")
        rows += [None] * (module.num_layers * directions) if came is None else [*as_array(came)]
    return rows


def _by_sample(rows: Any, inputs: Any, module: Any) -> Array:
    """What lies as a module's inputs do, packed or with the steps first, as (B, T, H)."""
    packed = unpacked(inputs._replace(data=rows)) if hasattr(inputs, "batch_sizes") else None
    if packed is not None:
        return packed[0]
    return as_array(rows) if getattr(module, "batch_first", False) else as_array(rows).swapaxes(0, 1)
