"""How a cell's parameters are packed into a program's arrays: one array each, all gates side by side, or the input's
and the state's weights in one.

The *role* of an array says what it holds: a parameter's name; `Wx`, `Wa`, `ba`, `ba2` for what multiplies the input,
what multiplies the state, the bias and PyTorch's second bias, of all gates side by side; `W` for input and state in
one, `W.i` for those of the gate i alone. In which order, an `Order` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from engine.language.functions import Array, Axes
from engine.tables.cells import Cell
from engine.tables.heads import READ_OUT

JOINED, SECOND = "W", "ba2"
ALL = {"Wx": "weight_ih", "Wa": "weight_hh", "ba": "bias_ih", SECOND: "bias_hh"}
"""Roles of arrays of all gates, and what PyTorch calls such an array."""
_LETTERS = {"x": "weight_ih", "h": "weight_hh", "1": "bias_ih"}

Grid = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Order:
    """The order in which gates lie side by side (none: the cell's own), and of what multiplies x, h and 1 in one array."""

    gates: tuple[str, ...] = ()
    joined: str = "hx"


OWN = Order()
"""The cell's own order."""


def gates(cell: Cell) -> tuple[str, ...]:
    """The cell's gates in its table's order, each by what ends the names of its parameters; () where the table does not say."""
    return tuple(name.removeprefix("Wx") for name in cell.torch.get("weight_ih", ()))


def axes_of(cell: Cell) -> Mapping[str, Axes]:
    """The axes of every parameter, the read-out's too."""
    return {**cell.parameters, **READ_OUT}


def held(role: str, cell: Cell, order: Order) -> Grid:
    """The parameters in an array: a row for each thing that they multiply, a column for each gate; "" is a block of zeros."""
    if role in axes_of(cell) and (role not in ALL or len(gates(cell)) < 2):
        return ((role,),)
    kind, _, gate = role.partition(".")
    letters = gates(cell)
    chosen = (gate,) if gate else order.gates or letters
    arrays = [ALL[kind]] if kind in ALL else [_LETTERS[letter] for letter in order.joined]
    return tuple(tuple(_held(cell, array, letters.index(gate)) for gate in chosen) for array in arrays)


def _held(cell: Cell, array: str, gate: int) -> str:
    names = cell.torch.get(array, ())
    if array == "bias_hh" and names and names[gate] == cell.torch["bias_ih"][gate]:
        return ""  # the second of two biases where one would do
    return names[gate] if names else ""


def parameters_in(role: str, cell: Cell, order: Order) -> frozenset[str]:
    """The parameters that an array of a role holds."""
    return frozenset(name for row in held(role, cell, order) for name in row if name)


def is_role(role: str, cell: Cell) -> bool:
    """Whether a role is that of an array of this cell's parameters."""
    return (
        role in axes_of(cell)
        or ALL.get(role, "") in cell.torch
        or (role.partition(".")[0] == JOINED and bool(cell.torch))
    )


def is_matrix(role: str, cell: Cell) -> bool:
    """Whether an array of this role is one of weights and not of biases."""
    return len(axes_of(cell)[role]) == 2 if role in axes_of(cell) else role.startswith("W")


def pack(role: str, parameters: Mapping[str, Array], cell: Cell, order: Order) -> Array:
    """The array (inputs first, biases as vectors) made of parameters in our layout; a parameter that is not there is zero."""
    grid = held(role, cell, order)
    hidden = next(np.shape(parameters[name])[-1] for name in cell.parameters if name in parameters)
    zeros = np.zeros((1, hidden))
    rows = [
        np.concatenate([np.atleast_2d(parameters[n]) if n in parameters else zeros for n in row], axis=-1)
        for row in grid
    ]
    array = np.concatenate(rows, axis=0)
    return array if is_matrix(role, cell) else array[0]


def unpack(role: str, array: Array, sizes: Mapping[str, int], cell: Cell, order: Order) -> dict[str, Array]:
    """The parameters in an array (inputs first), or the whole array for each where its shape is not what it should be."""
    grid, axes = held(role, cell, order), axes_of(cell)
    heights, widths = _blocks(role, cell, sizes, order)
    whole = np.atleast_2d(array)
    if whole.shape != (sum(heights), sum(widths)):
        return {name: array for row in grid for name in row if name}
    parameters: dict[str, Array] = {}
    top = 0
    for row, height in zip(grid, heights, strict=True):
        left = 0
        for name, width in zip(row, widths, strict=True):
            if name:
                block = whole[top : top + height, left : left + width]
                parameters[name] = block if len(axes[name]) == 2 else block[0]
            left += width
        top += height
    return parameters


def shape_of(role: str, cell: Cell, sizes: Mapping[str, int], order: Order) -> tuple[int, ...]:
    """The shape of an array of a role, inputs first."""
    heights, widths = _blocks(role, cell, sizes, order)
    return (sum(heights), sum(widths)) if is_matrix(role, cell) else (sum(widths),)


def _blocks(role: str, cell: Cell, sizes: Mapping[str, int], order: Order) -> tuple[list[int], list[int]]:
    """The heights of the rows and the widths of the columns of its blocks."""
    grid, axes = held(role, cell, order), axes_of(cell)
    shapes = [[tuple(sizes[a] for a in axes[name]) if name else (sizes["H"],) for name in row] for row in grid]
    return [1 if len(row[0]) == 1 else row[0][0] for row in shapes], [shape[-1] for shape in shapes[0]]


def unstacked(roles: frozenset[str]) -> list[str]:
    """What may be joined in one array: with a row of biases where they are in no array of their own, and without."""
    if not any(role.partition(".")[0] == JOINED for role in roles):
        return ["hx"]
    return ["hx"] if any(role.startswith("b") and role != "by" for role in roles) else ["1xh", "hx"]


def orders(cell: Cell, roles: frozenset[str], joined: str) -> Iterator[Order]:
    """All orders that arrays of these roles may have, the cell's own first; `joined` says what lies in one array, in any order."""
    side_by_side = len(gates(cell)) > 1 and bool(roles & {*ALL, JOINED})
    apart = not any(role.partition(".")[0] == JOINED for role in roles)
    alike = (joined,) if apart else [j for j in ("hx", "xh", "1xh", "1hx", "xh1", "hx1") if len(j) == len(joined)]
    for order_of_gates in permutations(gates(cell)) if side_by_side else ((),):
        for letters in alike:
            yield Order(tuple(order_of_gates), letters)
