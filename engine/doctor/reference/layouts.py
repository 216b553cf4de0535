"""Conventions of layout: how an array of ours is handed to a program that holds it in another order of axes, and back.

A layout is a word of axes: B samples, T steps, D features, H units, C outputs, 1 an axis of length one. An axis that is left out is one at
which a single sample is taken, or of which there is only one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.doctor.reference.problem import Problem
from engine.doctor.vocabulary.packing import (
    OWN,
    Order,
    axes_of,
    is_matrix,
    pack,
    shape_of,
    unpack,
)
from engine.language.functions import Array
from engine.tables.cells import Cell

BATCHES = ("BTD", "DBT", "TBD", "BDT", "TDB", "DTB")


@dataclass(frozen=True)
class ArrayLayout:
    """One way of handing over a problem. `wx`, `wa`, `wy` say whether that weight is transposed (outputs first), `flat` that Wy of one
    output has no axis for it; `order` how parameters lie together in one array."""

    x: str = "BTD"
    wx: bool = False
    wa: bool = False
    wy: bool = False
    bias: str = "H"
    out_bias: str = "C"
    state: str = "BH"
    y: str = "B"
    upstream: str = "TBH"
    order: Order = OWN
    flat: bool = False

    @property
    def single(self) -> bool:
        """One sample at a time."""
        return "B" not in self.x.upper()

    @property
    def tokens(self) -> bool:
        """Inputs as whole numbers."""
        return self.x.islower()


def to_layout(value: Array, axes: str, layout: str) -> Array:
    """`value`, whose axes are named by `axes`, in a layout; axes that the layout leaves out must have length one."""
    for k in reversed(range(len(axes))):
        if axes[k] not in layout:
            value = value.take(0, axis=k)
    kept = [a for a in axes if a in layout]
    order = [kept.index(a) for a in layout if a != "1"]
    value = value.transpose(order)
    for k, letter in enumerate(layout):
        if letter == "1":
            value = np.expand_dims(value, k)
    return np.array(value, order="C")


def inputs(problem: Problem, layout: ArrayLayout, sample: int | None) -> Any:
    """X as the layout wants it, of one sample or all."""
    X = problem.X if sample is None else problem.X[sample : sample + 1]
    if layout.tokens:
        numbers = X.argmax(axis=2)
        if layout.x == "t":
            return [int(n) for n in numbers[0]]
        return numbers if layout.x == "bt" else numbers.T.copy()
    return to_layout(X, "BTD", layout.x)


def targets(problem: Problem, layout: ArrayLayout, sample: int | None) -> Any:
    """y as the layout wants it: one-hot where it has the axis C and targets are classes."""
    y = problem.y if sample is None else problem.y[sample : sample + 1]
    axes = "BT" if problem.network.predict == "every" else "B"
    if "C" in layout.y and problem.network.head.classes:
        y = np.eye(problem.network.outputs)[y] if problem.network.outputs > 1 else y[..., None].astype(float)
        axes += "C"
    elif not problem.network.head.classes:
        axes += "C"
    elif problem.network.head.two_classes and layout.y != "":
        y = y.astype(float) if "l" not in layout.y else y
    value = to_layout(y, axes, layout.y.replace("l", ""))
    if value.ndim == 0:
        return value.item()
    return value.tolist() if layout.single and layout.y == "T" else value


def weight(role: str, problem: Problem, layout: ArrayLayout) -> Array:
    """The array of a role, made of the problem's parameters, as the layout wants it."""
    cell = problem.network.table
    value = pack(role, problem.parameters, cell, layout.order)
    if role == "Wy" and layout.flat:
        return value.ravel()
    if is_matrix(role, cell):
        return value.T.copy() if is_turned(role, cell, layout) else value.copy()
    return to_layout(value, "C", layout.out_bias) if role == "by" else to_layout(value, "H", layout.bias)


def is_turned(role: str, cell: Cell, layout: ArrayLayout) -> bool:
    """Whether an array of weights is transposed."""
    axes = axes_of(cell).get(role, ("H", "H") if role == "Wa" else ("D", "H"))
    return layout.wy if axes[1] == "C" else layout.wa if axes[0] == "H" else layout.wx


def turned(cell: Cell, layout: ArrayLayout) -> frozenset[str]:
    """The weights that are transposed."""
    return frozenset(n for n, axes in axes_of(cell).items() if len(axes) == 2 and is_turned(n, cell, layout))


def shape_in(role: str, cell: Cell, sizes: Mapping[str, int], layout: ArrayLayout) -> tuple[int, ...]:
    """The shape of an array of weights in the layout."""
    shape = shape_of(role, cell, sizes, layout.order)
    return shape[::-1] if is_turned(role, cell, layout) else shape


def weight_back(role: str, value: Array, problem: Problem, layout: ArrayLayout) -> dict[str, Array]:
    """The gradients of parameters in an array of a role, in our layout; as it is where its shape is not what it should be."""
    network = problem.network
    wanted = pack(role, problem.parameters, network.table, layout.order).shape
    if role == "Wy" and layout.flat and value.size == int(np.prod(wanted)):
        value = value.reshape(wanted)
    elif is_matrix(role, network.table):
        squeezed = value if value.ndim == 2 else value.squeeze()
        back = squeezed.T if is_turned(role, network.table, layout) and squeezed.ndim == 2 else squeezed
        value = back if back.shape == wanted or back.size != int(np.prod(wanted)) else back.T.reshape(wanted)
    elif value.size == int(np.prod(wanted)):
        value = value.reshape(wanted)
    elif value.ndim == 2 and value.shape[0] == wanted[-1] and value.shape[1] != wanted[-1]:
        value = value.T  # a bias's gradient that is not summed: samples in front, as in ours
    return unpack(role, value, network.sizes, network.table, layout.order)


def state(problem: Problem, layout: ArrayLayout, sample: int | None, name: str = "") -> Array:
    """An initial state (the output's, unless another is named) as the layout wants it, zeros where the problem gives none."""
    B, H = len(problem.X), problem.network.units[0]
    value = np.asarray(problem.initial.get(name or problem.network.table.output, np.zeros((B, H))))
    return to_layout(value if sample is None else value[sample : sample + 1], "BH", layout.state)


def upstream(problem: Problem, layout: ArrayLayout, sample: int | None, *, of_outputs: bool = False) -> Array:
    """The gradient that the caller of a backward pass supplies: dL/da through each step's own output, or dL/dlogits.

    Of one sample it is that of its own loss, of which the loss of all is the mean.
    """
    tape, wanted = problem.tape, layout.upstream
    if of_outputs:
        every = problem.network.predict == "every"
        value, axes = np.asarray(tape["dlogits"]), "TBC" if every else "BC"
        wanted = wanted.replace("H", "C")
        wanted = wanted if every else wanted.replace("T", "")
    else:
        value = np.asarray(tape[f"d{problem.network.table.output}_out"])[1:]
        value, axes = value if "T" in wanted else value[-1:], "TBH"
    if sample is not None:
        value = value.take([sample], axis=axes.index("B"))
        value = value * (len(problem.X) if problem.network.reduction == "mean" else 1)
    return to_layout(value, axes, wanted)


def mask(problem: Problem, layout: ArrayLayout, sample: int | None) -> Array:
    """1 for every step of every sample, in the order of the axes of X."""
    axes = "".join(letter for letter in layout.x.upper() if letter in "BT")
    X = problem.X if sample is None else problem.X[sample : sample + 1]
    return to_layout(np.ones(X.shape[:2]), "BT", axes)


def lengths(problem: Problem, sample: int | None) -> Array:
    """The number of steps of every sample."""
    return np.full(len(problem.X) if sample is None else 1, problem.X.shape[1])
