"""Files in a framework's own names: first as that framework computes, then with one or more of the conventions that others have.

What fits only with a convention is right for somebody else's program: the convention is said. Weights are read as `--weights` does.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.doctor.vocabulary.packing import gates
from engine.errors import InputError
from engine.language.functions import Array
from engine.model.initial_states import initial_places
from engine.model.network import Network
from engine.model.weights_recipe import Piece, WeightsRecipe
from engine.notation import recipe_in
from engine.tables.cells import BY_NAME, CELLS, FURTHER, Cell
from engine.tables.heads import READ_OUT

_WEIGHTS = re.compile(
    r"(?!.*grad)(?:.*(?:weight|bias)_(?:ih|hh|hr)(?:_l\d+)?(?:_reverse)?|.*kernel(?::\d+)?|(?:.*[/._])?bias(?::\d+)?|(?:.*\.)?[WRB]|.*\.weight"
    r"|weight|Wy|by|arr_\d+"
    r"|W[axh][a-z]?\d+r?|b[a-z]{1,2}\d+r?)"  # our own, of several layers or directions
)
_OF_FRAMEWORKS = ("gru-before", "lstmp")
"""Further cells that frameworks' arrays may be of."""
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
    """How a framework's arrays in the file, or those of a further cell that is asked for, make a cell's parameters, and these arrays; None
    where the names are others."""
    asked = options.get("cell")
    further = FURTHER.get(asked) if isinstance(asked, str) else None
    own = further.parameters if further else ()
    arrays = {name: array for name, array in mine.items() if _WEIGHTS.fullmatch(name) or name in own}
    cells = (
        (BY_NAME[asked],) if isinstance(asked, str) else (*CELLS.values(), *map(FURTHER.__getitem__, _OF_FRAMEWORKS))
    )
    try:
        recipe = recipe_in("ng", {name: array.shape for name, array in arrays.items()}, cells)
    except InputError:
        return None
    return (recipe, arrays) if recipe.words or further or len(recipe.layers) > 1 else None


def conventions(recipe: WeightsRecipe, *, lengths: bool) -> Iterator[Convention]:
    """All ways to take the weights, the framework's own first, then those with fewer conventions."""
    kinds = [_orders(recipe), _second_bias(recipe), _forget(recipe), _other_cells(recipe)]
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
    read = convention.recipe
    sizes = {"C": 1, **read.sizes}
    return Network(
        inputs=sizes["D"],
        hidden=read.units,
        projection=read.projection,
        outputs=sizes["C"],
        cell=read.cell,
        bidirectional=read.bidirectional,
        embedding=sizes["E"] if read.embedded else None,
        weights=read.parameters(arrays),
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
    letters, names = gates(recipe.cell), recipe.layers[0].table.torch.get("weight_hh", ())
    first = {gate: recipe.pieces[name][0].at for gate, name in zip(letters, names, strict=True)}
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
        pieces = dict(recipe.pieces)
        for layer in recipe.layers:
            for stacked in (held for held in layer.table.torch.values() if len(held) == len(order)):
                for gate, name in zip(gates(recipe.cell), stacked, strict=True):
                    shift = (order.index(gate) - own.index(gate)) * recipe.sizes[layer.units]
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


def _forget(recipe: WeightsRecipe) -> list[Any]:
    letters = gates(recipe.cell)
    gate = next((gate for gate in letters if recipe.cell.meanings.get(gate) == "forget gate"), None)
    if gate is None:
        return []
    biases = [layer.table.torch["bias_ih"][letters.index(gate)] for layer in recipe.layers]

    def change(read: WeightsRecipe) -> WeightsRecipe:
        found = {bias: read.pieces[bias] for bias in biases if read.pieces[bias]}
        more = {bias: (replace(first, more=first.more + 1), *rest) for bias, (first, *rest) in found.items()}
        return replace(read, pieces={**read.pieces, **more})

    return [("1 added to the forget gate's bias (TensorFlow 1's forget_bias)", change)]


def _other_cells(recipe: WeightsRecipe) -> list[Any]:
    """Cells with the same matrices and other equations; a second bias that they lack is added to the first."""
    cell = recipe.cell
    matrices = {name for name, axes in cell.parameters.items() if len(axes) == 2}

    def changed(other: Cell) -> Any:
        def change(read: WeightsRecipe) -> WeightsRecipe:
            whole = replace(read, cell=other)
            held = {*READ_OUT, *(name for layer in whole.layers for name in layer.table.parameters)}
            pieces = {name: found for name, found in read.pieces.items() if name in held}
            for stacked in (layer.table.torch for layer in read.layers):
                for first, second in zip(stacked.get("bias_ih", ()), stacked.get("bias_hh", ()), strict=False):
                    if second not in held:
                        pieces[first] = (*pieces[first], *read.pieces[second])
            return replace(whole, pieces=pieces)

        return change

    return [
        (f"the cell {other.name}: {other.source}", changed(other))
        for other in BY_NAME.values()
        if other is not cell
        and len(matrices) > 2
        and other.parameters.keys() <= cell.parameters.keys()
        and {name for name, axes in other.parameters.items() if len(axes) == 2} == matrices
    ]


def initial_states(mine: Mapping[str, Array], recipe: WeightsRecipe, batch: int) -> dict[str, Array]:
    """The initial states that the file gives, (B, H) or of all layers and directions (L, B, H), or one a layer; a trace's are rows of its
    states."""
    found: dict[str, Array] = {}
    units = {
        state: recipe.sizes[axis] for layer in recipe.layers for state, (_, axis) in layer.table.state_axes.items()
    }
    for state, (name, number) in initial_places(mine, recipe.layers, recipe.cell).items():
        layers = 1 if number is None else len(recipe.layers)
        if mine[name].size == layers * batch * units[state]:
            found[state] = mine[name].reshape(layers, batch, units[state])[number or 0]
    traced = (
        {state: layer.reverse for layer in recipe.layers for state in layer.table.states} if not recipe.words else {}
    )
    rows = {state: mine[state][-1 if reverse else 0] for state, reverse in traced.items() if state in mine}
    return found or {state: row for state, row in rows.items() if row.ndim == 2 and len(row) == batch}
