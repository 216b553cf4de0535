"""Debugging objects in memory: from a network (or PyTorch modules) and arrays (or tensors) to a debugger ready to step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from engine.debug.debugger import Debugger
from engine.errors import InputError
from engine.files.data import Data
from engine.files.options import DEFAULTS
from engine.language.functions import Array
from engine.model.network import Network
from engine.model.pytorch import as_array
from engine.session import Session
from engine.text import clean

_OF_DEBUGGER = ("initial", "lengths", "batch_size")


def session_of(
    network: Any, X: Any, y: Any, linear: Any = None, *, name: str = "data", classes: Sequence[str] = (), **options: Any
) -> Session:
    """The session for a network, or for PyTorch's modules, on X and y; the arguments are those of `rnn_tui.debug`.

    X may be (N, T), or a table of N rows and T columns, where a step has one value.
    Class indices may have a last axis of one, and be floating point with whole values, as other libraries' losses want them.
    Raises InputError for what does not fit together.
    """
    of_debugger = {key: options.pop(key) for key in _OF_DEBUGGER if key in options}
    rnn: Any = network
    if isinstance(network, tuple):
        rnn, linear = cast("tuple[Any, Any]", network)
    made = _network(rnn, linear, options)
    inputs, targets = as_array(X), as_array(y)
    if not getattr(rnn, "batch_first", True):
        inputs = _batch_first(inputs)
        targets = _batch_first(targets) if made.predict == "every" else targets
    if inputs.ndim == 2 and made.inputs == 1:
        inputs = inputs[..., None]  # (N, T): one value a step
    if made.head.classes:
        targets = _class_indices(targets, axes=2 if made.predict == "every" else 1)
    debugger = Debugger(made, inputs, targets, **of_debugger)
    data = Data(
        name=clean(name),
        path=Path(),
        X=inputs,
        y=targets,
        classes=tuple(clean(str(label)) for label in classes),
        table=None,
        lengths=debugger.lengths,
    )
    return Session(data, {**DEFAULTS, "seed": made.seed, "init-scale": made.init_scale}, debugger)


def _network(rnn: Any, linear: Any, options: dict[str, Any]) -> Network:
    if isinstance(rnn, Network):
        extra = next(iter(options), None) if linear is None else "linear"
        if extra is not None:
            raise InputError(f"an engine.Network is complete; leave {extra} away")
        return rnn
    if linear is None:
        raise InputError("the read-out is missing; give the torch.nn.Linear too: debug((rnn, linear), X, y)")
    return Network.from_torch(rnn, linear, **options)


def _batch_first(array: Array) -> Array:
    return array.swapaxes(0, 1) if array.ndim > 1 else array


def _class_indices(targets: Array, axes: int) -> Array:
    if targets.ndim == axes + 1 and targets.shape[-1] == 1:
        targets = targets[..., 0]
    if targets.dtype.kind not in "bf" or not np.isfinite(targets).all():
        return targets
    whole = targets.astype(np.int64)
    return whole if (whole == targets).all() else targets
