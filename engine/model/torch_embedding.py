"""torch.nn.Embedding as a part of the network: e = x·We, where x is one-hot, so that its weight has a gradient like any other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.language.functions import Array
from engine.model.pytorch import as_array
from engine.model.torch_parts import unpacked

ONE_HOT_LIMIT = 256 << 20
"""Bytes that the one-hot inputs may take before only the rows that they name are looked at."""


@dataclass(frozen=True, eq=False)
class OneHotInputs:
    """What an embedding looks up: `inputs` (N, T, D), one-hot, and `weight` (D, E), the rows that they choose from. It stands for
    the module.

    PyTorch gives the row at `padding_idx` no gradient. That row is zero unless somebody has set it, so inputs that are zero
    there compute the same and give it none either.
    """

    inputs: Array
    weight: Array
    said: tuple[str, ...] = ()

    def state_dict(self) -> dict[str, Array]:
        """As the module's own."""
        return {"weight": self.weight}


def looked_up(embedding: Any, numbers: Array, name: str = "the embedding") -> OneHotInputs:
    """What torch.nn.Embedding looks up for `numbers` (N, T), or in another order of these axes. InputError for what it has no row for."""
    weight = as_array(embedding.state_dict()["weight"])
    if numbers.dtype.kind not in "iu":
        raise InputError(f"X holds {numbers.dtype}, the embedding needs whole numbers from 0 to {len(weight) - 1}")
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(weight):
        raise InputError(
            f"X goes from {numbers.min()} to {numbers.max()}, the embedding has numbers from 0 to {len(weight) - 1}"
        )
    said: list[str] = []
    rows: Array = np.arange(len(weight))
    places = numbers
    if numbers.size * weight.itemsize * len(weight) > ONE_HOT_LIMIT:
        rows = np.unique(numbers)
        places = np.searchsorted(rows, numbers)
        said.append(
            f"of the {len(weight)} rows of {name} We has the {len(rows)} that the inputs name, in their order; the others have no gradient"
        )
    inputs = np.zeros((*numbers.shape, len(rows)), weight.dtype)
    np.put_along_axis(inputs, places[..., None], 1, axis=-1)
    padding = getattr(embedding, "padding_idx", None)
    if padding is not None and padding in numbers:
        row = int(np.flatnonzero(rows == padding)[0])
        if weight[padding].any():
            said.append(
                f"PyTorch gives row {padding} of {name} (padding_idx) no gradient; that row is not zero, and dWe[{row}] is what it would be"
            )
        else:
            inputs[..., row] = 0
            said.append(
                f"PyTorch gives row {padding} of {name} (padding_idx) no gradient: x is zero there, and so is dWe[{row}]"
            )
    return OneHotInputs(inputs, weight[rows], tuple(said))


def numbers_of(embedding: Any, numbers: Any, inputs: Any) -> Any:
    """Those of `numbers`, which an embedding was given, for which it gives `inputs` (a, b, E), as (a, b); of a PackedSequence as one.

    The axes of the numbers may be the other way round, and steps may follow that were not packed. None where it gives something else, as
    with dropout in between.
    """
    if numbers is None:
        return None
    weight, given = as_array(embedding.state_dict()["weight"]), as_array(numbers)
    packed = hasattr(inputs, "batch_sizes")
    vectors = as_array(inputs.data if packed else inputs)
    for each in _packed(given, inputs) if packed else _either_way(given):
        if each.shape == vectors.shape[:-1] and np.array_equal(weight[each], vectors, equal_nan=True):
            return inputs._replace(data=each) if packed else each
    return None


def _either_way(given: Array) -> list[Array]:
    return [given, given.swapaxes(0, 1)] if given.ndim == 2 else []


def _packed(given: Array, inputs: Any) -> Iterator[Array]:
    """The numbers in the order of a PackedSequence's own rows."""
    if given.ndim == 1:
        yield given
    places = unpacked(inputs._replace(data=np.arange(len(inputs.data))))
    if given.ndim != 2 or places is None:
        return
    numbers, lengths = places
    steps = int(numbers.shape[1])
    counts = np.arange(steps) < lengths[:, None]
    order = np.argsort(numbers[counts])
    for each in _either_way(given):
        if each.shape[0] == numbers.shape[0] and each.shape[1] >= steps:
            yield each[:, :steps][counts][order]
