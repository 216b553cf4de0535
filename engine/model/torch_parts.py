"""What a user's torch module is made of, found by attributes: the recurrent layer, an embedding before it, the linear layer behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from engine.errors import InputError
from engine.language.functions import Array
from engine.model.pytorch import as_array, width_of
from engine.model.torch_cells import SteppedCell, as_layers
from engine.model.torch_run import Run, run_of
from engine.model.torch_stack import one_above_another, stacked
from engine.text import clean

RECURRENT = ("input_size", "hidden_size", "num_layers")
CELL = ("input_size", "hidden_size", "weight_ih", "weight_hh")
LINEAR = ("in_features", "out_features")
EMBEDDING = ("num_embeddings", "embedding_dim")


@dataclass(frozen=True)
class TorchParts:
    """The modules by what they are, with the names that they have in the model.

    `linear` is None where what comes after the recurrent layer is not one linear layer.
    """

    recurrent: Any
    linear: Any
    embedding: Any = None
    names: str = ""
    embedding_name: str = "the embedding"

    @property
    def modules(self) -> tuple[Any, ...]:
        """What there is, as data go through it."""
        return tuple(module for module in (self.embedding, self.recurrent, self.linear) if module is not None)


def is_recurrent(module: Any) -> bool:
    """Whether it is a torch.nn.RNN, LSTM or GRU itself."""
    return _has(module, RECURRENT)


def _has(module: Any, attributes: Sequence[str]) -> bool:
    return all(hasattr(module, each) for each in attributes)


def parts_of(model: Any, *, read_out: bool = True, X: Any = None) -> tuple[TorchParts, Run]:
    """The parts of a torch.nn.Module that holds one recurrent layer and one linear layer, and how it ran; InputError for another one.

    Where it holds several of a kind, it is run on X to see which of them are used; recurrent ones that are layers one above the other
    count as one. Without a `read_out` there may be no linear layer or several, and the recurrent layer may be the model itself. A tuple is
    the parts themselves: (recurrent, linear) or (embedding, recurrent, linear).
    """
    run = Run()
    if isinstance(model, tuple):
        parts = cast("tuple[Any, ...]", model)
        if len(parts) not in (2, 3):
            raise InputError(f"give (rnn, linear) or (embedding, rnn, linear), not {len(parts)} modules")
        return TorchParts(*parts[-2:], *parts[:-2]), run
    if not read_out and (is_recurrent(model) or _has(model, CELL)):
        layer = model if is_recurrent(model) else SteppedCell(model)
        return TorchParts(layer, None, names=clean(type(model).__name__, 40)), run
    named = [(str(name), module) for name, module in model.named_modules() if name]
    found = {
        kind: [(name, module) for name, module in named if _has(module, attributes)]
        for kind, attributes in (("embedding", EMBEDDING), ("recurrent", RECURRENT), ("cell", CELL), ("linear", LINEAR))
    }
    if X is not None:
        run = run_of(model, X, [module for some in found.values() for _, module in some])
    if run.output is not None:
        found = {kind: [one for one in some if run.ran(one[1])] or some for kind, some in found.items()}
    whole = clean(type(model).__name__, 40)
    listed = ", ".join(
        f"{clean(name, 40)} ({clean(type(module).__name__, 40)})" for some in found.values() for name, module in some
    )
    cells = found.pop("cell")
    if X is None:  # what is watched has not run yet
        layers = {place: SteppedCell(cell) for place, (_, cell) in enumerate(cells) if not found["recurrent"]}
    else:
        layers, run = as_layers(run, [module for _, module in cells])
    found["recurrent"] += [(cells[place][0], layer) for place, layer in layers.items()]
    if not read_out and not _reads_out(found["linear"], found["recurrent"]):
        found["linear"] = []
    several = [module for _, module in found["recurrent"]]
    stack = None
    if len(several) > 1:
        stack = one_above_another(several) if X is None else stacked(several, run)
    if stack is not None:
        found["recurrent"] = [(", ".join(name for name, _ in found["recurrent"]), stack)]
    needed = {"recurrent": "torch.nn.RNN, LSTM or GRU", **({"linear": "torch.nn.Linear"} if read_out else {})}
    for kind, wanted in needed.items():
        if len(found[kind]) != 1:
            names = [clean(name, 40) for name, _ in found[kind]]
            raise InputError(
                f"{whole} needs one {wanted}, and holds {len(names)} ({', '.join(names[:6]) or 'none'}); {_instead(kind, names, named)}"
            )
    if read_out and not _reads_out(found["linear"], found["recurrent"]):
        (name, linear), (lower, _) = found["linear"][0], found["recurrent"][0]
        raise InputError(
            f"{clean(name, 40)} reads {linear.in_features} values, and {clean(lower, 40)} hands on {_widths(found['recurrent'])[0]}; "
            "rnn_tui.watch shows it with what comes back to it"
        )
    if len(found["embedding"]) > 1:
        several = ", ".join(clean(name, 40) for name, _ in found["embedding"][:6])
        raise InputError(
            f"{whole} holds several embeddings ({several}); give debug((rnn, linear), X, y) what they make of the inputs"
        )
    modules = {kind: some[0][1] for kind, some in found.items() if some}
    name = clean(found["embedding"][0][0], 40) if found["embedding"] else ""
    return TorchParts(modules["recurrent"], modules.get("linear"), modules.get("embedding"), listed, name), run


def _reads_out(linear: Sequence[tuple[str, Any]], recurrent: Sequence[tuple[str, Any]]) -> bool:
    """Whether the linear layer is one, and as wide as what the recurrent layer hands on."""
    return len(linear) == 1 and int(linear[0][1].in_features) in _widths(recurrent)


def _widths(recurrent: Sequence[tuple[str, Any]]) -> list[int]:
    """How many values modules hand on, in both directions where they have two."""
    return [width_of(module) * (2 if getattr(module, "bidirectional", False) else 1) for _, module in recurrent]


def _instead(kind: str, names: Sequence[str], named: Sequence[tuple[str, Any]]) -> str:
    """What to do where a model has not one of a kind of module."""
    the_two = "give the two as debug((rnn, linear), X, y)"
    if kind == "linear":
        return f"{the_two}; rnn_tui.watch shows the layer with what comes back to it"
    if names:
        return (
            "they are not layers one above the other, each reading at every step what the one before hands on alone; give one of them, "
            f"rnn_tui.watch(model.{names[0]}, ...), which is shown with what comes back to it"
        )
    cells = [clean(name, 40) for name, module in named if _has(module, CELL)]
    return f"{cells[0]} runs one step at a time: a torch.nn.LSTM with its weights is the same" if cells else the_two


def dropped_by(modules: Iterable[tuple[str, Any]]) -> str:
    """What dropout of modules (with their names) would have made another result while they train; "" where there is none.

    Nothing is dropped here: which masks torch will draw is not known, only which it has drawn (`torch_dropout`).
    """
    shares: list[str] = []
    for name, module in modules:
        inside = is_recurrent(module) and module.num_layers > 1
        share = getattr(module, "dropout" if inside else "p", 0)
        is_dropout = inside or type(module).__name__.startswith("Dropout")
        if is_dropout and isinstance(share, float) and share > 0 and getattr(module, "training", True):
            shares.append(f"{clean(name, 40)} drops {share:g}{' between its layers' if inside else ''}")
    if not shares:
        return ""
    return f"{' and '.join(shares)} while it trains; here nothing is dropped, as after eval()"


def unpacked(X: Any) -> tuple[Array, Array] | None:
    """Of a PackedSequence (N, T, D), zeros beyond each sample's end, and (N,) lengths, in the samples' own order; None of anything else."""
    if not (hasattr(X, "batch_sizes") and hasattr(X, "data")):
        return None
    data, sizes = as_array(X.data), as_array(X.batch_sizes).astype(int)
    padded = np.zeros((int(sizes[0]), len(sizes), *data.shape[1:]), data.dtype)
    for t, (size, end) in enumerate(zip(sizes, sizes.cumsum(), strict=True)):
        padded[:size, t] = data[end - size : end]
    lengths = (np.arange(len(padded))[:, None] < sizes).sum(axis=1)
    order = getattr(X, "unsorted_indices", None)
    rows = np.arange(len(padded)) if order is None else as_array(order)
    return padded[rows], lengths[rows]


def samples_and_steps(inputs: Any, recurrent: Any) -> tuple[int, int]:
    """B and T of what a recurrent layer is given."""
    if hasattr(inputs, "batch_sizes"):
        return int(inputs.batch_sizes[0]), len(inputs.batch_sizes)
    first, second = (int(size) for size in inputs.shape[:2])
    return (first, second) if getattr(recurrent, "batch_first", False) else (second, first)


def at_every_step(shape: tuple[int, ...], samples: int, steps: int, outputs: int) -> bool:
    """Whether an output of that shape is one of every step rather than one of each sample, however its axes are ordered or joined."""
    size = math.prod(shape)
    if size == samples * outputs:
        return steps == 1 and len(shape) == 3
    return len(shape) == 3 or shape[:1] != (samples,) or size == samples * steps * outputs
