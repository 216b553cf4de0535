"""Weights in a notation's names and layout: which arrays there are, and how a network's parameters come from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engine.errors import InputError
from engine.language.functions import Array, Axes
from engine.model.network import Network
from engine.model.parameters import Piece, Shapes, WeightsRecipe, recipe, refuse_unused
from engine.model.program import build
from engine.notation.spelling import Spelling
from engine.notation.tables import NOTATIONS, Notation
from engine.tables.cells import CELLS, Cell
from engine.tables.heads import READ_OUT

TORCH_LINEAR: Mapping[str, tuple[str, ...]] = {"weight": ("Wy",), "bias": ("by",)}
"""The arrays of the read-out, torch.nn.Linear."""


def stored(spelling: Spelling, cell: Cell) -> dict[str, tuple[str, ...]]:
    """The arrays by the notation's names, and the parameters stacked in each (one, but for PyTorch's gates)."""
    if spelling.notation.stacked and cell.torch:
        return {**{f"{name}_l0": parameters for name, parameters in cell.torch.items()}, **TORCH_LINEAR}
    return {spelling.name(name): (name,) for name in (*cell.parameters, *READ_OUT)}


def from_notation(notation: str, arrays: Mapping[str, Array], cell: Cell | str) -> dict[str, Array]:
    """A cell's parameters and the read-out's in the engine's names and layout, from arrays in those of a notation.

    Raises InputError as `recipe_in` does.
    """
    table = CELLS[cell] if isinstance(cell, str) else cell
    found = {name: np.asarray(array) for name, array in arrays.items()}
    return recipe_in(notation, {name: array.shape for name, array in found.items()}, (table,)).parameters(found)


def recipe_in(notation: str, shapes: Shapes, cells: Sequence[Cell]) -> WeightsRecipe:
    """How arrays of these shapes, by a notation's names and as they lie in it, are the parameters of one of the cells.

    Arrays under the engine's own names or PyTorch's are taken as what they are in any notation. Biases that are not there are zero; of
    several cells whose weights are all there it is the one that has most.
    Raises InputError, one sentence about one array, when they are neither.
    """
    own = NOTATIONS[notation]
    if not own.layout.columns:  # the names are the engine's own, or PyTorch's
        return recipe(shapes, cells)
    spelled = [(_spelling(own, cell), cell) for cell in cells]
    there = [each for each in spelled if all(name in shapes for name in _matrices(*each))]
    if there:
        return _recipe(*max(there, key=lambda each: len(_matrices(*each))), shapes)
    try:
        return recipe(shapes, cells)
    except InputError as error:
        names = ", ".join(spelled[0][0].name(name) for name in (*cells[0].parameters, *READ_OUT))
        raise InputError(f"{error} (in the notation {notation} the weights of {cells[0].name} are {names})") from None


def _spelling(notation: Notation, cell: Cell) -> Spelling:
    """The names for any network of a cell."""
    return Spelling(notation, cell, build(Network(inputs=1, outputs=1, hidden=1, cell=cell), 1))


def _matrices(spelling: Spelling, cell: Cell) -> list[str]:
    """The arrays that must be there: biases need not."""
    axes = {**cell.parameters, **READ_OUT}
    return [spelling.name(name) for name in axes if len(axes[name]) > 1]


def _recipe(spelling: Spelling, cell: Cell, shapes: Shapes) -> WeightsRecipe:
    layout, sizes = spelling.layout, dict[str, int]()
    axes: dict[str, Axes] = {**cell.parameters, **READ_OUT}
    refuse_unused(shapes, (spelling.name(name) for name in axes))
    pieces: dict[str, tuple[Piece, ...]] = {}
    for parameter, own in sorted(axes.items(), key=lambda entry: -len(entry[1])):
        name, lying = spelling.name(parameter), layout.shape(own)
        if name not in shapes:  # a bias: the weights are all there
            pieces[parameter] = ()
            continue
        shape = shapes[name]
        column = lying[1:] == ("1",) and len(shape) == 2
        _check(name, shape, lying if column or len(own) == 2 else own, sizes, spelling.notation.name)
        pieces[parameter] = (Piece(name, None, layout.turns(own) and len(own) == 2, column),)
    return WeightsRecipe(cell, {name: pieces[name] for name in axes}, sizes)


def _check(name: str, shape: tuple[int, ...], lying: tuple[str, ...], sizes: dict[str, int], notation: str) -> None:
    """The array has the axes it should, in sizes that agree with those before; `sizes` learns from it."""
    fits = len(shape) == len(lying)
    for size, letter in zip(shape, lying, strict=False):
        fits = fits and size > 0 and size == (1 if letter == "1" else sizes.setdefault(letter, size))
    if not fits:
        needed = ", ".join(str(sizes.get(letter, letter)) for letter in lying)
        raise InputError(f"{name} has shape {shape}; the notation {notation} needs it in shape ({needed})")
