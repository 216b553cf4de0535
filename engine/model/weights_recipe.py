"""How a network's parameters come from arrays in a file, and their gradients go back into arrays of the same names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.language.functions import PROJECTED, UNITS, Array, axis_kind, is_joined
from engine.model.layers import Layer, layers_of, parameter_axes
from engine.tables.cells import Cell


@dataclass(frozen=True)
class Piece:
    """Where a parameter is stored: the array, and along each of its first axes [low, high) or an index (none: all of it).

    It lies transposed or not; as a column, for a vector; `more` is added to it.
    """

    array: str
    at: tuple[tuple[int, int] | int, ...] = ()
    transposed: bool = False
    column: bool = False
    more: float = 0.0

    @property
    def index(self) -> tuple[slice | int, ...]:
        """The same as an index of NumPy."""
        return tuple(place if isinstance(place, int) else slice(*place) for place in self.at)


@dataclass(frozen=True)
class WeightsRecipe:
    """How the parameters of a cell and of the read-out come from arrays: each is the sum of its pieces, zero when there is none.

    Where the file has no read-out, `pieces` and `sizes` say nothing of it. `words` say whose arrays these are, and how they lie.
    """

    cell: Cell
    pieces: Mapping[str, tuple[Piece, ...]]
    sizes: Mapping[str, int]
    words: str = ""
    bidirectional: bool = False
    learn_initial: bool = False
    embedded: bool = False

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The cell's table in the place of each layer and direction."""
        return layers_of(self.cell, len(self.units), bidirectional=self.bidirectional, embedded=self.embedded)

    def shape(self, parameter: str) -> tuple[int, ...]:
        """The shape of a parameter."""
        return tuple(self.sizes[axis] for axis in parameter_axes(self.layers)[parameter])

    @property
    def units(self) -> tuple[int, ...]:
        """H of each layer."""
        return tuple(h for axis, h in self.sizes.items() if axis_kind(axis) == UNITS and not is_joined(axis))

    @property
    def projection(self) -> int | None:
        """P, where the cell has one: that of the first layer."""
        return next((p for axis, p in self.sizes.items() if axis_kind(axis) == PROJECTED and not is_joined(axis)), None)

    def parameters(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The parameters by name, of the arrays' own type; sums are formed in float64."""
        return {
            name: self._value(name, [_cut(arrays, piece) for piece in wanted]) for name, wanted in self.pieces.items()
        }

    def gradients(self, arrays: Mapping[str, Array], gradients: Mapping[str, Array]) -> dict[str, Array]:
        """The loss's gradient with respect to the arrays, under their names and in their shapes and orders, from the parameters'."""
        result: dict[str, Array] = {}
        for name, pieces in self.pieces.items():
            for piece in pieces:
                like = arrays[piece.array]
                array = result.setdefault(piece.array, np.zeros(like.shape, gradients[name].dtype))
                given = gradients[name]
                array[piece.index] += given.T if piece.transposed else given[:, None] if piece.column else given
        return result

    def _value(self, parameter: str, parts: list[Array]) -> Array:
        if not parts:
            return np.zeros(self.shape(parameter))
        return np.array(parts[0] if len(parts) == 1 else sum(part.astype(np.float64) for part in parts), order="C")


def _cut(arrays: Mapping[str, Array], piece: Piece) -> Array:
    array = arrays[piece.array]
    part = array[piece.index]
    part = part.T if piece.transposed else part[:, 0] if piece.column else part
    return part + np.asarray(piece.more, part.dtype) if piece.more else part
