"""Conventions of layout: how an array of ours lies in a file that holds it in another order of axes.

An order of axes is a word: B samples, T steps, D features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
    """One way to hold arrays. `wx`, `wa`, `wy` say whether that weight is transposed (outputs first), `order` how parameters lie
    together in one array."""

    x: str = "BTD"
    wx: bool = False
    wa: bool = False
    wy: bool = False
    order: Order = OWN


def is_turned(role: str, cell: Cell, layout: ArrayLayout) -> bool:
    """Whether an array of weights is transposed."""
    axes = axes_of(cell).get(role, ("H", "H") if role == "Wa" else ("D", "H"))
    return layout.wy if axes[1] == "C" else layout.wa if axes[0] == "H" else layout.wx


def shape_in(role: str, cell: Cell, sizes: Mapping[str, int], layout: ArrayLayout) -> tuple[int, ...]:
    """The shape of an array of weights in the layout."""
    shape = shape_of(role, cell, sizes, layout.order)
    return shape[::-1] if is_turned(role, cell, layout) else shape


def weight_back(role: str, value: Array, problem: Problem, layout: ArrayLayout) -> dict[str, Array]:
    """The gradients of parameters in an array of a role, in our layout; as it is where its shape is not what it should be."""
    network = problem.network
    wanted = pack(role, problem.parameters, network.table, layout.order).shape
    if is_matrix(role, network.table):
        squeezed = value if value.ndim == 2 else value.squeeze()
        back = squeezed.T if is_turned(role, network.table, layout) and squeezed.ndim == 2 else squeezed
        value = back if back.shape == wanted or back.size != int(np.prod(wanted)) else back.T.reshape(wanted)
    elif value.size == int(np.prod(wanted)):
        value = value.reshape(wanted)
    elif value.ndim == 2 and value.shape[0] == wanted[-1] and value.shape[1] != wanted[-1]:
        value = value.T  # a bias's gradient that is not summed: samples in front, as in ours
    return unpack(role, value, network.sizes, network.table, layout.order)
