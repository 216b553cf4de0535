"""From arrays in a file to a cell's parameters: which array holds which parameter, in which shape, and whether it is transposed.

Arrays carry the engine's names, or those of PyTorch's state_dict: `weight_ih` (gates·H, D), `weight_hh` (gates·H, H),
`bias_ih` and `bias_hh` (gates·H,) with the gates stacked as the cell's table says, weights transposed because vectors are columns there;
of a projection `weight_hr` (P, H), and P columns of `weight_hh`; one linear layer's `weight` (C, H) and `bias` (C,), and perhaps an
embedding's `weight` (classes, E), which has no bias.
The names and shapes alone say which cell it is; every refusal is an InputError about one array.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from engine.errors import InputError
from engine.language.functions import Axes, joined_axis
from engine.model.layers import BACKWARDS, EMBEDDING, INITIAL, Layer, joined, layers_of, output, parameter_axes
from engine.model.weights_recipe import Piece, WeightsRecipe
from engine.tables.cells import Cell
from engine.tables.heads import READ_OUT
from engine.text import clean

Shapes = Mapping[str, tuple[int, ...]]

_RECURRENT = re.compile(
    r".*?(?P<kind>weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)(?:_l(?P<layer>\d+))?(?P<reverse>_reverse)?"
)
_WEIGHT, _BIAS, _PROJECTION = "weight", "bias", "weight_hr"
PYTORCH = "PyTorch's names and orders"


def recipe(shapes: Shapes, cells: Sequence[Cell]) -> WeightsRecipe:
    """How arrays of these shapes are the parameters of one of the cells; InputError when they are not."""
    is_pytorch = any(_RECURRENT.fullmatch(name) for name in shapes)
    return _from_pytorch(shapes, cells) if is_pytorch else _from_ours(shapes, cells)


# Our own names


def _from_ours(shapes: Shapes, cells: Sequence[Cell]) -> WeightsRecipe:
    tables = [(cell, joined(_layers_held(shapes, cell)).parameters) for cell in cells]
    # Of those that are all there the largest.
    cell, own = max(tables, key=lambda one: (one[1].keys() <= shapes.keys(), len(shapes.keys() & one[1].keys())))
    layers = _layers_held(shapes, cell)
    axes = parameter_axes(layers)
    if own.keys() - shapes.keys() and (shapes.keys() - axes.keys() or not shapes):
        raise InputError(
            f"its arrays ({_listed(shapes)}) are not the weights of a known cell; save them as {', '.join(axes)}, "
            "under the names of PyTorch's state_dict, or give the file of a cell of your own with --cell"
        )
    refuse_unused(shapes, axes)
    sizes = _sizes(shapes, axes)
    for name, letters in axes.items():
        _check(shapes, name, _lengths(letters, sizes), f"the cell {cell.name}")
    pieces = {name: (Piece(name),) for name in axes}
    learned = bool(layers[0].table.initial)
    return WeightsRecipe(
        cell, pieces, sizes, bidirectional=layers[-1].reverse, learn_initial=learned, embedded=EMBEDDING in axes
    )


def _layers_held(shapes: Shapes, cell: Cell) -> tuple[Layer, ...]:
    """The layers of a cell that are there, by the numbers that follow the names; one where the names have none."""
    if all(name in shapes for name in cell.parameters):
        return layers_of(cell, 1, learn_initial=cell.output + INITIAL in shapes, embedded=EMBEDDING in shapes)
    count = 0
    while all(f"{name}{count + 1}" in shapes for name in cell.parameters):
        count += 1
    bidirectional = count > 0 and all(f"{name}1{BACKWARDS}" in shapes for name in cell.parameters)
    learned = f"{cell.output}{INITIAL}1" in shapes
    return layers_of(
        cell, max(1, count), bidirectional=bidirectional, learn_initial=learned, embedded=EMBEDDING in shapes
    )


def _sizes(shapes: Shapes, axes: Mapping[str, Axes]) -> dict[str, int]:
    """The length of every axis, as most arrays have it: the array that differs from the rest is reported."""
    votes: dict[str, Counter[int]] = {}
    for name, letters in axes.items():
        if len(shapes.get(name, ())) == len(letters):
            for axis, length in zip(letters, shapes.get(name, ()), strict=True):
                if length:
                    votes.setdefault(axis, Counter())[length] += 1
    return {axis: counted.most_common(1)[0][0] for axis, counted in votes.items()}


# PyTorch's names


def _from_pytorch(shapes: Shapes, cells: Sequence[Cell]) -> WeightsRecipe:
    stacked, bidirectional = _recurrent(shapes)
    cell, _ = _recognised(shapes, stacked[0], cells)
    units = [_recognised(shapes, recurrent, (cell,))[1] for recurrent in stacked]
    directions = 1 + bidirectional
    embedding = _embedding(shapes, stacked, directions * shapes[stacked[-1]["weight_hh"]][1])
    layers = layers_of(cell, len(stacked) // directions, bidirectional=bidirectional, embedded=bool(embedding))
    sizes = {"D": shapes[embedding][0]} if embedding else dict[str, int]()
    pieces: dict[str, tuple[Piece, ...]] = dict.fromkeys(parameter_axes(layers), ())
    for layer, recurrent, hidden in zip(layers, stacked, units, strict=True):
        sizes.setdefault(layer.units, hidden)
        for kind, axis in (("weight_ih", layer.features), ("weight_hh", layer.width)):
            if len(shape := shapes[recurrent[kind]]) == 2 and shape[1]:
                sizes.setdefault(axis, shape[1])
        sizes |= {joined_axis(layer.width): 2 * sizes[layer.width]} if layer.reverse else {}
        needed_by = " of ".join(filter(None, (layer.title, f"the cell {cell.name} with H = {hidden}")))
        for kind, name in recurrent.items():
            if held := layer.table.torch.get(kind):
                *columns, rows = layer.table.parameters[held[0]]
                _check(shapes, name, (len(held) * sizes[rows], *_lengths(columns, sizes)), needed_by)
            for gate, parameter in enumerate(held or ()):
                at = ((gate * hidden, (gate + 1) * hidden),) if len(held or ()) > 1 else ()
                pieces[parameter] += (Piece(name, at, kind.startswith(_WEIGHT)),)
    held = {name for recurrent in stacked for kind, name in recurrent.items() if kind in cell.torch}
    if embedding:
        held, pieces[EMBEDDING] = held | {embedding}, (Piece(embedding),)
    read = WeightsRecipe(cell, pieces, sizes, PYTORCH, bidirectional, embedded=bool(embedding))
    if held == set(shapes):
        return replace(read, pieces={name: piece for name, piece in pieces.items() if name not in READ_OUT})
    weight, bias = _linear(shapes, held, sizes[output(layers).axis])
    sizes["C"] = shapes[weight][0]
    pieces["Wy"] = (Piece(weight, transposed=True),)
    if bias in shapes:
        _check(shapes, bias, (sizes["C"],), f"a linear layer of {sizes['C']} outputs")
        pieces["by"] = (Piece(bias),)
    refuse_unused(shapes, {*held, weight, bias})
    return read


def _embedding(shapes: Shapes, stacked: Sequence[Mapping[str, str]], read_out: int) -> str:
    """The embedding's weight, as wide as what the first layer reads, without a bias; "" where there is none.

    Of two arrays that fit one is the linear layer, which is `read_out` wide: it has the bias, or is the later one.
    """
    recurrent = {name for arrays in stacked for name in arrays.values()}
    weights = [name for name in shapes if name.endswith(_WEIGHT) and name not in recurrent and len(shapes[name]) == 2]
    alone = [name for name in weights if name.removesuffix(_WEIGHT) + _BIAS not in shapes]
    width = shapes[stacked[0]["weight_ih"]][-1:]
    fitting = [name for name in alone if shapes[name][1:] == width]
    others = [name for name in weights if name not in fitting[:1] and shapes[name][1] == read_out]
    return fitting[0] if fitting and (others or width != (read_out,)) else ""


def _recurrent(shapes: Shapes) -> tuple[list[dict[str, str]], bool]:
    """The arrays of each recurrent layer and direction by what they hold, and whether there are two directions."""
    layers: dict[tuple[int, str], dict[str, str]] = {}
    for name in shapes:
        match = _RECURRENT.fullmatch(name)
        if match is None:
            continue
        arrays = layers.setdefault((int(match["layer"] or 0), match["reverse"] or ""), {})
        if match["kind"] in arrays:
            both = f"{clean(arrays[match['kind']], 60)} and {clean(name, 60)}"
            raise InputError(f"it has two recurrent networks ({both}); save one of them, with its linear layer")
        arrays[match["kind"]] = name
    directions = ("", "_reverse") if any(reverse for _, reverse in layers) else ("",)
    wanted = [(number, way) for number in range(1 + max(number for number, _ in layers)) for way in directions]
    if missing := next((place for place in wanted if place not in layers), None):
        number, way = missing
        raise InputError(
            f"the arrays of layer {number} (weight_ih_l{number}{way}, …) are missing; save the whole state_dict"
        )
    return [layers[place] for place in wanted], len(directions) > 1


def _recognised(shapes: Shapes, recurrent: Mapping[str, str], cells: Sequence[Cell]) -> tuple[Cell, int]:
    """The cell that has as many gates, and its H: weight_hh tells both, by its square blocks or beside a projection."""
    for kind in ("weight_ih", "weight_hh"):
        if kind not in recurrent:
            array = next(iter(recurrent.values()))
            match = _RECURRENT.fullmatch(array)
            layer = ((match and match["layer"]) or "0") + ((match and match["reverse"]) or "")
            raise InputError(
                f"beside {clean(array, 60)} an array {kind}_l{layer} is missing; save the whole state_dict"
            )
    name = recurrent["weight_hh"]
    shape, projection = shapes[name], recurrent.get(_PROJECTION)
    known = [
        cell
        for cell in cells
        if ("bias_hh" in cell.torch or (cell.torch and len(cells) == 1))
        and (_PROJECTION in cell.torch) == (projection is not None)
    ]
    hidden = shape[-1:] if projection is None else shapes[projection][-1:]
    for cell in known:
        if len(shape) == 2 and shape[1] and shape[:1] == tuple(len(cell.torch["weight_hh"]) * size for size in hidden):
            return cell, hidden[0]
    if not known and projection is None and _PROJECTION in cells[0].torch:
        raise InputError(f"beside {clean(name, 60)} an array {_PROJECTION} is missing; save the whole state_dict")
    if not known:
        unknown = clean(projection or name, 60)
        raise InputError(f"the cell {cells[0].name} does not say what PyTorch's {unknown} holds; use its own names")
    read = "H" if projection is None else "P"
    needed = [f"({len(cell.torch['weight_hh'])}·H, {read}) for {cell.name}".replace("(1·", "(") for cell in known]
    raise InputError(f"{clean(name, 60)} has shape {shape}, it needs {_or(needed)}")


def _linear(shapes: Shapes, recurrent: Iterable[str], hidden: int) -> tuple[str, str]:
    """The names of the one linear layer's weight and bias (which may be missing)."""
    weights = [name for name in shapes if name.endswith(_WEIGHT) and name not in set(recurrent)]
    fitting = [name for name in weights if len(shapes[name]) == 2 and shapes[name][1] == hidden]
    if len(fitting) > 1:
        raise InputError(
            f"it has two linear layers ({clean(fitting[0], 60)} and {clean(fitting[1], 60)}); save one of them"
        )
    if not fitting:
        place = f" ({clean(weights[0], 60)} has shape {shapes[weights[0]]})" if weights else ""
        raise InputError(f"the linear layer is missing: its weight needs the shape (C, {hidden}){place}")
    return fitting[0], fitting[0].removesuffix(_WEIGHT) + _BIAS


# Both


def _lengths(axes: Iterable[str], sizes: Mapping[str, int]) -> tuple[int | str, ...]:
    """The length of each axis, and of one that is not known its letter."""
    return tuple(sizes.get(axis, axis) for axis in axes)


def _check(shapes: Shapes, name: str, expected: tuple[int | str, ...], needed_by: str) -> None:
    if shapes.get(name) == expected:
        return
    problem = f"has shape {shapes[name]}" if name in shapes else "is missing"
    raise InputError(f"{clean(name, 60)} {problem}; {needed_by} needs it in shape {_text(expected)}")


def refuse_unused(shapes: Shapes, used: Iterable[str]) -> None:
    """InputError for the first array that is not used."""
    known = set(used)
    unused = next((name for name in shapes if name not in known), None)
    if unused is not None:
        raise InputError(
            f"{clean(unused, 60)} of shape {shapes[unused]} is no part of a recurrent layer with a read-out; leave it out"
        )


def _text(shape: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(clean(name, 40) for name in islice(names, 8)) or "nothing"


def _or(texts: list[str]) -> str:
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
