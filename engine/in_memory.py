"""Debugging objects in memory: from a network (or PyTorch modules) and arrays (or tensors) to a debugger ready to step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from engine.debug.debugger import Debugger
from engine.errors import InputError
from engine.files.data import Data
from engine.files.options import DEFAULTS
from engine.language.functions import Array
from engine.model.network import Network
from engine.model.pytorch import as_array
from engine.model.torch_embedding import OneHotInputs, looked_up
from engine.model.torch_parts import (
    TorchParts,
    at_every_step,
    dropped_by,
    is_recurrent,
    parts_of,
    unpacked,
)
from engine.model.torch_run import Run
from engine.model.torch_stack import Stack
from engine.session import Session
from engine.text import clean

_OF_DEBUGGER = ("initial", "lengths", "batch_size")


def session_of(
    network: Any, X: Any, y: Any, linear: Any = None, *, name: str = "data", classes: Sequence[str] = (), **options: Any
) -> Session:
    """The session for a network, or for PyTorch's modules, on X and y; the arguments are those of `rnn_tui.debug`.

    A torch.nn.Module with one recurrent layer, one linear layer and perhaps an embedding is taken apart; `data.said` tells whether what
    it computes is what they do. X may be (N, T), or a table of N rows and T columns, where a step has one value.
    Class indices may have a last axis of one, and be floating point with whole values, as other libraries' losses want them.
    Raises InputError for what does not fit together.
    """
    of_debugger = {key: options.pop(key) for key in _OF_DEBUGGER if key in options}
    model, run = None, Run()
    if isinstance(network, TorchParts):
        parts = network
    elif isinstance(network, tuple):
        parts, _ = parts_of(network)
    elif linear is None and hasattr(network, "named_modules") and not is_recurrent(network):
        model, (parts, run) = network, parts_of(network, X=X)
    else:
        parts = TorchParts(network, linear)
    rnn, lookup = parts.recurrent, None
    packed = unpacked(X)
    inputs, targets = packed[0] if packed else as_array(X), as_array(y)
    if packed is not None:
        of_debugger.setdefault("lengths", packed[1])
    if parts.embedding is not None:
        lookup = looked_up(parts.embedding, inputs, parts.embedding_name)
        inputs = lookup.inputs
    time_first = packed is None and not getattr(rnn, "batch_first", True)
    output, given = run.output, None if model is None else _given(run, rnn)
    if packed is None and given is not None and _turned(given, inputs):
        time_first = not time_first  # the model itself turns what it hands to the layer
    inputs = _batch_first(inputs) if time_first else inputs
    if output is not None and inputs.ndim > 1 and "predict" not in options:
        every = at_every_step(output.shape, inputs.shape[0], inputs.shape[1], parts.linear.out_features)
        options["predict"] = "every" if every else "last"
    elif "predict" not in options and (outputs := getattr(parts.linear, "out_features", 0)):
        inside = inputs.shape[1::-1] if time_first else inputs.shape[:2]
        options["predict"] = "every" if _one_each_step(targets, inside, outputs) else "last"
    chosen = _loss_of(targets, parts, options)
    made = _network(parts, lookup, {**options, **chosen})
    targets = _batch_first(targets) if time_first and made.predict == "every" else targets
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
        said=tuple(
            text
            for text in (
                "" if model is None else _said(parts, output, debugger),
                f"the loss is {made.head.text}, as y is; loss= says another" if chosen else "",
                *(lookup.said if lookup else ()),
                _dropped(model, rnn) if made.dropout is None else "",
            )
            if text
        ),
    )
    return Session(data, {**DEFAULTS, "seed": made.seed, "init-scale": made.init_scale}, debugger)


def _given(run: Run, rnn: Any) -> Array | None:
    """What the model's recurrent layer was given, where that is an array."""
    given = run.given(rnn.modules[0] if isinstance(rnn, Stack) else rnn)
    return None if given is None or unpacked(given) is not None else as_array(given)


def _dropped(model: Any, rnn: Any) -> str:
    return dropped_by(model.named_modules() if model is not None else [("the recurrent layer", rnn)])


def _said(parts: TorchParts, output: Array | None, debugger: Debugger) -> str:
    """What was found in the model, and whether it computes what these parts compute."""
    tape = debugger.tape(0)
    if output is None or not debugger.batches.whole:
        return f"{parts.names} were taken out of the model; its own output was not compared"
    known = {name: tape[name] for name in ("logits", "p") if name in tape}
    with np.errstate(all="ignore"):
        known |= {f"log {name}": np.log(value) for name, value in known.items() if name == "p"}
    closest = {name: _difference(output, value) for name, value in known.items() if value.size == output.size}
    if not closest:
        wanted = "×".join(map(str, known["logits"].shape))
        return (
            f"{parts.names}: the model's own output was not compared; it has {output.size} numbers, logits has {wanted}"
        )
    name = min(closest, key=lambda each: closest[each])
    if closest[name] < 1e-4:
        return f"{parts.names}: {name} is what the model computes (largest difference {closest[name]:.1g})"
    if _reads_last_outputs(output, debugger):
        return (
            f"{parts.names}: both directions are read at the last step, output[:, -1], where the reverse one has seen that step alone; "
            "here each direction's own last state is read, as h_n has it"
        )
    further = "what lies between them is not seen here"
    return f"{parts.names}: the model computes something else (largest difference {closest[name]:.2g}); {further}"


def _reads_last_outputs(output: Array, debugger: Debugger) -> bool:
    """Whether the model reads of two directions what they hand on at the last step, and not the last state of each."""
    network, tape = debugger.network, debugger.tape(0)
    if not network.bidirectional or network.predict == "every":
        return False
    ahead, reverse = (layer.output for layer in network.layers[-2:])
    last = np.concatenate([tape.at(ahead, tape.plan.steps), tape.at(reverse, tape.plan.steps)], axis=1)
    logits = last @ tape.parameters["Wy"] + tape.parameters["by"]
    return logits.size == output.size and _difference(output, logits) < 1e-4


def _difference(output: Array, value: Array) -> float:
    """The largest difference of what the model computes from what is recorded, in whatever order its axes are, joined or apart."""
    differences = (
        float(np.abs(output.ravel() - value.transpose(order).ravel()).max())
        for order in permutations(range(value.ndim))
    )
    return min((each for each in differences if each == each), default=float("inf"))


def _network(parts: TorchParts, lookup: OneHotInputs | None, options: dict[str, Any]) -> Network:
    rnn, linear = parts.recurrent, parts.linear
    if isinstance(rnn, Network):
        extra = next(iter(options), None) if linear is None else "linear"
        if extra is not None:
            raise InputError(f"an engine.Network is complete; leave {extra} away")
        return rnn
    if linear is None and "loss" not in options:
        raise InputError(
            "the read-out is missing; give the torch.nn.Linear too: debug((rnn, linear), X, y), or as loss= what the layer's own outputs "
            "are taken for"
        )
    return Network.from_torch(rnn, linear, lookup, **options)


def _loss_of(y: Array, parts: TorchParts, options: Mapping[str, Any]) -> dict[str, str]:
    """The loss that targets are of where none is said and they are no classes of several: 0 or 1 of one output, or numbers."""
    outputs = getattr(parts.linear, "out_features", 0)
    if "loss" in options or not outputs or not np.isfinite(y).all():
        return {}
    if outputs == 1:
        return {"loss": "binary" if np.isin(y, (0, 1)).all() else "squared"}
    numbers = y.dtype.kind == "f" and ((y.ndim > 1 and y.shape[-1] == outputs) or (y != np.round(y)).any())
    return {"loss": "squared"} if numbers else {}


def _one_each_step(y: Array, inside: tuple[int, ...], outputs: int) -> bool:
    """Whether targets lie as the inputs' samples and steps do, and not as a sample's outputs."""
    return y.ndim > 1 and y.shape[:2] == inside and (y.ndim > 2 or y.shape[1] != outputs)


def _turned(given: Array, inputs: Array) -> bool:
    """Whether a layer is given the model's inputs with samples and steps in the other order."""
    if inputs.ndim < 2 or given.shape[:2] != inputs.shape[1::-1]:
        return False
    return given.shape[:2] != inputs.shape[:2] or np.array_equal(given, inputs.swapaxes(0, 1))


def _batch_first(array: Array) -> Array:
    return array.swapaxes(0, 1) if array.ndim > 1 else array


def _class_indices(targets: Array, axes: int) -> Array:
    if targets.ndim == axes + 1 and targets.shape[-1] == 1:
        targets = targets[..., 0]
    if targets.dtype.kind not in "bf" or not np.isfinite(targets).all():
        return targets
    whole = targets.astype(np.int64)
    return whole if (whole == targets).all() else targets
