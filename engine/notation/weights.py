"""Weights in a notation's names and layout: which arrays a file holds, and how a network's parameters are made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engine.errors import InputError
from engine.language.functions import Array, Axes
from engine.model.build import build
from engine.model.layers import EMBEDDING
from engine.model.network import Network
from engine.model.parameters import Shapes, recipe, refuse_unused
from engine.model.weights_recipe import Piece, WeightsRecipe
from engine.notation.spelling import Spelling
from engine.notation.tables import NG, NOTATIONS, Notation
from engine.tables.cells import BY_NAME, Cell
from engine.tables.heads import READ_OUT

TORCH_LINEAR: Mapping[str, tuple[str, ...]] = {"weight": ("Wy",), "bias": ("by",)}
"""The arrays of the read-out, torch.nn.Linear."""
TORCH_EMBEDDING = "embedding.weight"
"""That of torch.nn.Embedding."""


def stored(spelling: Spelling, network: Network) -> dict[str, tuple[str, ...]]:
    """The arrays by the notation's names, and the parameters stacked in each (one, but for PyTorch's gates)."""
    if not (spelling.notation.stacked and network.layers[0].table.torch):
        return {spelling.name(name): (name,) for name in network.parameter_axes}
    numbers = list(dict.fromkeys(layer.number for layer in network.layers))
    arrays = {
        f"{name}_l{numbers.index(layer.number)}" + "_reverse" * layer.reverse: parameters
        for layer in network.layers
        for name, parameters in layer.table.torch.items()
    }
    held = {*READ_OUT, *(name for stacked in arrays.values() for name in stacked)}
    own = {name: spelling.name(name) for name in network.parameter_axes if name not in held}
    further = {TORCH_EMBEDDING if name == EMBEDDING else shown: (name,) for name, shown in own.items()}
    return {**further, **arrays, **TORCH_LINEAR}


def from_notation(notation: str, arrays: Mapping[str, Array], cell: Cell | str) -> dict[str, Array]:
    """A cell's parameters and the read-out's in the engine's names and layout, from arrays in those of a notation.

    Raises InputError as `recipe_in` does.
    """
    table = BY_NAME[cell] if isinstance(cell, str) else cell
    given = {name: np.asarray(array) for name, array in arrays.items()}
    return recipe_in(notation, {name: array.shape for name, array in given.items()}, (table,)).parameters(given)


def recipe_in(notation: str, shapes: Shapes, cells: Sequence[Cell]) -> WeightsRecipe:
    """How arrays of these shapes, in a notation's names and layout, are the parameters of one of the cells. Arrays
    under the engine's, PyTorch's or another framework's names are accepted in any notation. Missing biases are zero; where the weights of
    several cells are complete, the cell with most weights is taken. Raises InputError, one sentence about one array,
    when nothing fits.
    """
    from engine.notation.frameworks import framework_recipe  # for files alone

    framework = framework_recipe(shapes, cells)
    if framework is not None:
        return framework
    chosen = NOTATIONS[notation]
    # The engine's names, and PyTorch's for a cell that says how its arrays are stacked, are accepted in any notation.
    apart = [cell for cell in cells if chosen is not NG and not (chosen.stacked and cell.torch)]
    spelled = [(_spelling(chosen, cell), cell) for cell in apart]
    complete = [pair for pair in spelled if all(name in shapes for name in _matrices(*pair))]
    if complete:
        return _recipe(*max(complete, key=lambda pair: len(_matrices(*pair))), shapes)
    try:
        return recipe(shapes, cells)
    except InputError as error:
        if not spelled:
            raise
        spelling, cell = spelled[0]
        names = ", ".join(spelling.name(name) for name in (*cell.parameters, *READ_OUT))
        raise InputError(f"{error} (in the notation {notation} the weights of {cell.name} are {names})") from None


def _spelling(notation: Notation, cell: Cell) -> Spelling:
    """The names for any network of a cell."""
    return Spelling(notation, cell, build(Network(inputs=1, outputs=1, hidden=1, cell=cell), 1))


def _matrices(spelling: Spelling, cell: Cell) -> list[str]:
    """The arrays that must be given: all but the biases."""
    axes = {**cell.parameters, **READ_OUT}
    return [spelling.name(name) for name in axes if len(axes[name]) > 1]


def _recipe(spelling: Spelling, cell: Cell, shapes: Shapes) -> WeightsRecipe:
    layout, sizes = spelling.layout, dict[str, int]()
    axes: dict[str, Axes] = {**cell.parameters, **READ_OUT}
    refuse_unused(shapes, (spelling.name(name) for name in axes))
    pieces: dict[str, tuple[Piece, ...]] = {}
    for parameter, letters in sorted(axes.items(), key=lambda entry: -len(entry[1])):
        name, lying = spelling.name(parameter), layout.shape(letters)
        if name not in shapes:  # a bias: the weights are complete
            pieces[parameter] = ()
            continue
        shape = shapes[name]
        column = lying[1:] == ("1",) and len(shape) == 2
        _check(name, shape, lying if column or len(letters) == 2 else letters, sizes, spelling.notation.name)
        pieces[parameter] = (Piece(name, (), layout.turns(letters) and len(letters) == 2, column),)
    return WeightsRecipe(cell, {name: pieces[name] for name in axes}, sizes)


def _check(name: str, shape: tuple[int, ...], lying: tuple[str, ...], sizes: dict[str, int], notation: str) -> None:
    """Checks that the array has the axes it should, in sizes that agree with `sizes`, which is extended by its own."""
    fits = len(shape) == len(lying)
    for size, letter in zip(shape, lying, strict=False):
        fits = fits and size > 0 and size == (1 if letter == "1" else sizes.setdefault(letter, size))
    if not fits:
        needed = ", ".join(str(sizes.get(letter, letter)) for letter in lying)
        raise InputError(f"{name} has shape {shape}; the notation {notation} needs it in shape ({needed})")
