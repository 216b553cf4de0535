"""Weights in a notation's names and layout: which arrays there are, and arrays from one into the other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.cells import Cell
from engine.errors import InputError
from engine.functions import Array, Axes
from engine.network import Network
from engine.notation.layout import Layout
from engine.notation.spelling import Spelling
from engine.notation.tables import NOTATIONS
from engine.program import build

TORCH_LINEAR: Mapping[str, tuple[str, ...]] = {"weight": ("Wy",), "bias": ("by",)}
"""The arrays of the read-out, torch.nn.Linear."""


def stored(spelling: Spelling, cell: Cell, parameters: Mapping[str, Axes]) -> dict[str, tuple[str, ...]]:
    """The arrays by the notation's names, and the parameters stacked in each (one, but for PyTorch's gates).

    A parameter in two arrays is their sum: PyTorch has two biases where one would do.
    """
    if spelling.notation.stacked and cell.torch:
        return {**cell.torch, **TORCH_LINEAR}
    return {spelling.name(name): (name,) for name in parameters}


def from_notation(notation: str, arrays: Mapping[str, Array], cell: Cell | str) -> dict[str, Array]:
    """A network's parameters in the engine's names and layout, from arrays in those of a notation.

    Biases that are not there are zero, arrays with other names are left alone. Raises InputError for a weight that is missing and for
    shapes that do not fit each other; the message names the array.
    """
    network, spelling = _spelled(notation, cell)
    layout, axes, sizes = spelling.layout, network.parameter_axes, dict[str, int]()
    result: dict[str, Array] = {}
    wanted = stored(spelling, network.table, axes)
    for name, parameters in wanted.items():
        lying = layout.shape(axes[parameters[0]])
        if name not in arrays:
            if len(axes[parameters[0]]) > 1:
                known = ", ".join(f"{n} {_shape(layout, axes[p[0]], len(p))}" for n, p in wanted.items())
                raise InputError(f"the weights {name} are missing; in the notation {notation} there are {known}")
            continue
        found = _column(np.asarray(arrays[name]), lying)
        _check(name, found, lying, len(parameters), sizes)
        for parameter, part in zip(parameters, np.split(found, len(parameters)), strict=True):
            own = _turned(layout, part, axes[parameter])
            result[parameter] = result[parameter] + own if parameter in result else own
    for name, own in axes.items():
        if name not in result:
            result[name] = np.zeros(tuple(sizes[letter] for letter in own))
    return {name: result[name] for name in axes}


def to_notation(notation: str, parameters: Mapping[str, Array], cell: Cell | str) -> dict[str, Array]:
    """The other way: arrays in a notation's names and layout. Of two arrays that are summed, the second is zero."""
    network, spelling = _spelled(notation, cell)
    axes, used, result = network.parameter_axes, set[str](), dict[str, Array]()
    for name, stacked in stored(spelling, network.table, axes).items():
        parts = [spelling.layout.array(parameters[each], axes[each]) for each in stacked]
        parts = [np.zeros_like(part) if each in used else part for each, part in zip(stacked, parts, strict=True)]
        result[name] = np.concatenate(parts) if len(parts) > 1 else parts[0]
        used |= set(stacked)
    return result


def _spelled(notation: str, cell: Cell | str) -> tuple[Network, Spelling]:
    network = Network(inputs=1, outputs=1, hidden=1, cell=cell)
    return network, Spelling(NOTATIONS[notation], network.table, build(network, 1))


def _column(array: Array, lying: tuple[str, ...]) -> Array:
    """A bias as a column where the notation has columns; a plain vector will do as well."""
    return array[:, None] if array.ndim == 1 and lying[1:] == ("1",) else array


def _check(name: str, array: Array, lying: tuple[str, ...], count: int, sizes: dict[str, int]) -> None:
    """The array has the axes it should, and sizes that agree with those before; `sizes` learns from it."""
    shape = " × ".join(lying) if count == 1 else f"{count}·{' × '.join(lying)}"
    if array.ndim != len(lying) or array.dtype.kind not in "iuf" or (array.ndim and array.shape[0] % count):
        raise InputError(f"{name} has the shape {array.shape} and holds {array.dtype}, it needs {shape} numbers")
    own = ((array.shape[0] // count, *array.shape[1:]) if array.ndim else (), lying)
    for size, letter in zip(*own, strict=True):
        expected = 1 if letter == "1" else sizes.setdefault(letter, size)
        if size != expected:
            raise InputError(f"{name} has the shape {array.shape}, it needs {shape}, and {letter} is {expected}")


def _turned(layout: Layout, array: Array, axes: Axes) -> Array:
    """An array of the notation's as the engine has it."""
    if len(axes) == 2:
        return array.T if layout.turns(axes) else array
    return array[:, 0] if array.ndim > len(axes) else array


def _shape(layout: Layout, axes: Axes, count: int) -> str:
    lying = ", ".join(layout.shape(axes))
    return f"({lying})" if count == 1 else f"({count}{lying})"
