"""Reads PyTorch's modules and tensors by their attributes: torch is never imported and need not be installed."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import InputError
from engine.language.functions import Array
from engine.model.layers import output
from engine.model.parameters import recipe
from engine.tables.cells import BY_NAME
from engine.text import clean


def as_array(value: Any) -> Array:
    """A NumPy array with the numbers of an array, a sequence or a tensor, wherever the tensor lies and whatever it is part of."""
    for step in ("detach", "cpu"):
        value = getattr(value, step, lambda value=value: value)()
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        kind = clean(str(getattr(value, "dtype", type(value).__name__)), 40)
        raise InputError(f"NumPy cannot hold {kind} ({clean(str(error), 80)}); convert it to float32 first") from error


def options_of(rnn: Any, linear: Any, embedding: Any = None) -> dict[str, Any]:
    """The arguments of `engine.Network` that torch.nn.RNN, LSTM or GRU, its Linear and perhaps an Embedding before it stand for: sizes,
    cell, activation, dtype, weights. Where `linear` is None, what the recurrent layer hands on is read out as it is.

    Raises InputError for any other object.
    """
    before = {} if embedding is None else _arrays("embedding", embedding)
    after = {} if linear is None else _arrays("linear", linear)
    if further := next((name for name in after if name not in ("linear.weight", "linear.bias")), None):
        what = f"{clean(type(linear).__name__, 40)} holds {clean(further.removeprefix('linear.'), 40)}"
        raise InputError(
            f"the read-out is not one torch.nn.Linear: {what}; rnn_tui.watch shows the recurrent layer with what comes back to it"
        )
    arrays = {**before, **_arrays("rnn", rnn), **after}
    weights = recipe({name: array.shape for name, array in arrays.items()}, tuple(BY_NAME.values()))
    units = weights.sizes[output(weights.layers).axis]
    as_it_is = {"Wy": np.eye(units), "by": np.zeros(units)} if linear is None else {}
    options: dict[str, Any] = {
        "inputs": weights.sizes["D"],
        "hidden": weights.units,
        "projection": weights.projection,
        "bidirectional": weights.bidirectional,
        "outputs": units if linear is None else weights.sizes["C"],
        "cell": weights.cell,
        "dtype": str(np.result_type(*arrays.values())),
        "weights": {**weights.parameters(arrays), **as_it_is},
    }
    if weights.embedded:
        options["embedding"] = weights.sizes["E"]
    if weights.cell.has_activation:
        options["activation"] = getattr(rnn, "nonlinearity", "tanh")
    return options


def _arrays(prefix: str, module: Any) -> dict[str, Array]:
    if not hasattr(module, "state_dict"):
        raise InputError(
            f"{clean(type(module).__name__, 40)} has no state_dict; give a torch.nn.RNN, LSTM or GRU and its torch.nn.Linear"
        )
    return {f"{prefix}.{name}": as_array(value) for name, value in module.state_dict().items()}


def width_of(recurrent: Any) -> int:
    """How many values each direction of a torch.nn.RNN, LSTM or GRU hands on: its units, or those of its projection."""
    return int(getattr(recurrent, "proj_size", 0) or recurrent.hidden_size)
