"""Files in a framework's own names: first as that framework computes, then with one or more of the conventions that others have.

What fits only with a convention is right for somebody else's program: the convention is said. Weights are read as `--weights` does.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.doctor.vocabulary.packing import gates
from engine.errors import InputError
from engine.language.functions import Array
from engine.model.network import Network
from engine.model.parameters import Piece, WeightsRecipe
from engine.notation import recipe_in
from engine.tables.cells import BY_NAME, CELLS, Cell
from engine.tables.heads import READ_OUT

_WEIGHTS = re.compile(
    r"(?!.*grad)(?:.*(?:weight|bias)_(?:ih|hh)(?:_l\d+)?(?:_reverse)?|.*kernel(?::\d+)?|(?:.*[/._])?bias(?::\d+)?|(?:.*\.)?[WRB]|.*\.weight"
    r"|weight|Wy|by|arr_\d+)"
)
_KNOWN_ORDERS: Mapping[str, str] = {
    "ifgo": "PyTorch's and Keras's",
    "igfo": "TensorFlow 1's",
    "iofg": "ONNX's",
    "rzn": "PyTorch's",
    "zrn": "Keras's and ONNX's",
}
MOST = 3
"""Conventions taken together."""


@dataclass(frozen=True, eq=False)
class Convention:
    """A network whose weights are a file's, read so: `words` say by which conventions that are not the framework's own, none is its own."""

    recipe: WeightsRecipe
    words: tuple[str, ...] = ()
    without_lengths: bool = False


def own_weights(mine: Mapping[str, Array], options: Mapping[str, Any]) -> tuple[WeightsRecipe, dict[str, Array]] | None:
    """How a framework's arrays in the file make a cell's parameters, and these arrays; None where the names are no framework's."""
    arrays = {name: array for name, array in mine.items() if _WEIGHTS.fullmatch(name)}
    asked = options.get("cell")
    cells = (*CELLS.values(), BY_NAME["gru-before"]) if not isinstance(asked, str) else (BY_NAME[asked],)
    try:
        recipe = recipe_in("ng", {name: array.shape for name, array in arrays.items()}, cells)
    except InputError:
        return None
    if len(recipe.units) > 1 or recipe.bidirectional:
        raise InputError(
            f"its weights are of {len(recipe.units)} layers{' in two directions' * recipe.bidirectional}; "
            "compare takes the arrays of one layer in one direction at a time"
        )
    return (recipe, arrays) if recipe.words else None


def conventions(recipe: WeightsRecipe, *, lengths: bool) -> Iterator[Convention]:
    """All ways to take the weights, the framework's own first, then those with fewer conventions."""
    kinds = [_orders(recipe), _second_bias(recipe), _forget(recipe.cell), _other_cells(recipe.cell)]
    if lengths:
        kinds.append([("the lengths left out, so that padding counts", None)])
    choices = [[None, *kind] for kind in kinds]
    together = [tuple(c for c in chosen if c is not None) for chosen in itertools.product(*choices)]
    for chosen in sorted((each for each in together if len(each) <= MOST), key=len):
        read = recipe
        for _, change in chosen:
            read = change(read) if change is not None else read
        yield Convention(read, tuple(words for words, _ in chosen), any(change is None for _, change in chosen))


def network_of(convention: Convention, arrays: Mapping[str, Array], **options: Any) -> Network:
    """The network with the weights read so; without a read-out in the file one that is not to be compared."""
    sizes = {"C": 1, **convention.recipe.sizes}
    return Network(
        inputs=sizes["D"],
        hidden=sizes["H"],
        outputs=sizes["C"],
        cell=convention.recipe.cell,
        weights=convention.recipe.parameters(arrays),
        **options,
    )


def gradients_by_name(
    recipe: WeightsRecipe, arrays: Mapping[str, Array], gradients: Mapping[str, Array]
) -> dict[str, Array]:
    """The gradients as the file may call them: after its arrays."""
    made = recipe.gradients(arrays, gradients)
    spelt = ("{}.grad", "{}_grad", "d{}", "grad_{}")
    return {form.format(name): array for name, array in made.items() for form in spelt}


# Each convention: its words, and what it makes of a recipe


def _orders(recipe: WeightsRecipe) -> list[Any]:
    """The other orders in which the gates may lie side by side."""
    letters = gates(recipe.cell)
    first = {
        gate: recipe.pieces[name][0].at for gate, name in zip(letters, recipe.cell.torch["weight_hh"], strict=True)
    }
    if not all(first.values()):
        return []  # each gate has an array of its own
    own = tuple(sorted(letters, key=lambda gate: _slot(first[gate])))
    return [(_order_words(order, own), _reordered(order, own)) for order in itertools.permutations(own) if order != own]


def _slot(at: tuple[tuple[int, int] | int, ...]) -> tuple[int, int]:
    """Where a gate lies along the axis of the gates, the last one that a piece is cut along."""
    last = at[-1]
    assert isinstance(last, tuple)
    return last


def _order_words(order: tuple[str, ...], own: tuple[str, ...]) -> str:
    known = _KNOWN_ORDERS.get("".join(order), "")
    whose = f" ({known})" if known else ""
    return f"the gates as {' '.join(order)}{whose}, not {' '.join(own)}"


def _reordered(order: tuple[str, ...], own: tuple[str, ...]) -> Any:
    def change(recipe: WeightsRecipe) -> WeightsRecipe:
        letters, hidden = gates(recipe.cell), recipe.sizes["H"]
        pieces = dict(recipe.pieces)
        for stacked in recipe.cell.torch.values():
            for gate, name in zip(letters, stacked, strict=True):
                shift = (order.index(gate) - own.index(gate)) * hidden
                pieces[name] = tuple(_shifted(piece, shift) for piece in recipe.pieces[name])
        return replace(recipe, pieces=pieces)

    return change


def _shifted(piece: Piece, by: int) -> Piece:
    low, high = _slot(piece.at)
    return replace(piece, at=(*piece.at[:-1], (low + by, high + by)))


def _second_bias(recipe: WeightsRecipe) -> list[Any]:
    second = {piece.array for found in recipe.pieces.values() for piece in found if "bias_hh" in piece.array}
    if not second:
        return []

    def change(read: WeightsRecipe) -> WeightsRecipe:
        kept = {name: tuple(p for p in found if p.array not in second) for name, found in read.pieces.items()}
        return replace(read, pieces=kept)

    return [("bias_hh = 0", change)]


def _forget(cell: Cell) -> list[Any]:
    gate = next((gate for gate in gates(cell) if cell.meanings.get(gate) == "forget gate"), None)
    if gate is None:
        return []
    bias = cell.torch["bias_ih"][gates(cell).index(gate)]

    def change(read: WeightsRecipe) -> WeightsRecipe:
        found: tuple[Piece, ...] = read.pieces[bias]
        more = (replace(found[0], more=found[0].more + 1), *found[1:]) if found else found
        return replace(read, pieces={**read.pieces, bias: more})

    return [("1 added to the forget gate's bias (TensorFlow 1's forget_bias)", change)]


def _other_cells(cell: Cell) -> list[Any]:
    """Cells with the same matrices and other equations; a second bias that they lack is added to the first."""
    matrices = {name for name, axes in cell.parameters.items() if len(axes) == 2}

    def changed(other: Cell) -> Any:
        def change(read: WeightsRecipe) -> WeightsRecipe:
            pieces = {name: found for name, found in read.pieces.items() if name in {*other.parameters, *READ_OUT}}
            pairs = zip(cell.torch.get("bias_ih", ()), cell.torch.get("bias_hh", ()), strict=False)
            for first, second in pairs:
                if second not in other.parameters:
                    pieces[first] = (*pieces[first], *read.pieces[second])
            return replace(read, cell=other, pieces=pieces)

        return change

    return [
        (f"the cell {other.name}: {other.source}", changed(other))
        for other in BY_NAME.values()
        if other is not cell
        and len(matrices) > 2
        and other.parameters.keys() <= cell.parameters.keys()
        and {name for name, axes in other.parameters.items() if len(axes) == 2} == matrices
    ]


def initial_states(mine: Mapping[str, Array], cell: Cell, shape: tuple[int, int]) -> dict[str, Array]:
    """The initial states that the file gives, (B, H) or with an axis of layers before."""
    named = {cell.output: ("h0", "a0", f"{cell.output}0"), **{s: (f"{s}0",) for s in cell.states if s != cell.output}}
    found: dict[str, Array] = {}
    for state, names in named.items():
        for name in names:
            if name in mine and mine[name].size == np.prod(shape):
                found[state] = mine[name].reshape(shape)
    return found
