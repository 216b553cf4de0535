"""Weights as other frameworks keep them (`stored_layers`), as the parameters of a network: layers one above the other, and a read-out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from engine.errors import InputError
from engine.language.functions import PROJECTED, joined_axis
from engine.model.layers import Layer, joined, layers_of, output
from engine.model.parameters import Shapes, refuse_unused
from engine.model.weights_recipe import Piece, WeightsRecipe
from engine.notation.stored_layers import NAME, StoredLayer, matches, stored_layers
from engine.tables.cells import Cell
from engine.tables.heads import READ_OUT

_LISTED = re.compile(r"arr_\d+")


def framework_recipe(shapes: Shapes, cells: Sequence[Cell]) -> WeightsRecipe | None:
    """How arrays of a framework's names are the parameters of one of the cells; None when they are no framework's.

    Raises InputError for an array that does not fit, or belongs to nothing.
    """
    named = _of_a_list(shapes)
    stored = stored_layers(named)
    if not stored:
        return None
    cell, bidirectional = _cell(stored[0], cells), any(layer.reverse for layer in stored)
    count = len(stored) // (1 + bidirectional)
    layers = layers_of(cell, count, bidirectional=bidirectional)
    if [layer.reverse for layer in layers] != [layer.reverse for layer in stored]:
        raise InputError("its layers have not all two directions; save those that have, or those that have not")
    pieces: dict[str, tuple[Piece, ...]] = dict.fromkeys(joined(layers).parameters, ())
    sizes: dict[str, int] = {}
    for layer, held in zip(layers, stored, strict=True):
        _fits(held, layer, cell, cells, sizes)
        for kind, stacked in layer.table.torch.items():
            for parameter, piece in zip(stacked, held.gates.get(kind, ()), strict=False):
                pieces[parameter] += () if piece is None else (piece,)
    used = {piece.array for held in stored for found in held.gates.values() for piece in found if piece is not None}
    read_out, sizes_out = _dense({n: s for n, s in named.items() if n not in used}, sizes[output(layers).axis])
    real = dict(zip(named, shapes, strict=True))
    used |= {piece.array for found in read_out.values() for piece in found}
    refuse_unused(shapes, {real[name] for name in used})
    all_pieces = {n: tuple(_renamed(p, real) for p in found) for n, found in {**pieces, **read_out}.items()}
    return WeightsRecipe(cell, all_pieces, {**sizes, **sizes_out}, stored[0].words, bidirectional)


def _fits(held: StoredLayer, layer: Layer, cell: Cell, cells: Sequence[Cell], sizes: dict[str, int]) -> None:
    """Adds the lengths of a layer's axes to `sizes`; InputError where they are not what the layers below need."""
    own = {layer.features: held.inputs, layer.units: held.hidden}
    own |= {} if held.projection is None else {layer.axes[PROJECTED]: held.projection}
    for axis, length in own.items():
        if sizes.setdefault(axis, length) != length:
            place = f"{layer.title}: its arrays are for {axis} = {length}, those before for {sizes[axis]}"
            raise InputError(f"{place}; save recurrent layers that are one above the other, from the input up")
    if _cell(held, cells) is not cell:
        raise InputError(
            f"{layer.title}: its arrays are not of the cell {cell.name}, as those before; save one of them"
        )
    sizes |= {joined_axis(layer.width): 2 * sizes[layer.width]} if layer.reverse else {}


def _renamed(piece: Piece, real: Mapping[str, str]) -> Piece:
    return Piece(real[piece.array], piece.at, piece.transposed, piece.column, piece.more)


def _of_a_list(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The shapes by names; what `np.savez(file, *model.get_weights())` wrote gets Keras's names, in their order: of each recurrent layer a
    kernel and a recurrent kernel of as many columns, perhaps a bias, then those of a dense layer."""
    if not shapes or not all(_LISTED.fullmatch(name) for name in shapes):
        return dict(shapes)
    rest: list[tuple[int, ...]] = list(shapes.values())
    named: dict[str, tuple[int, ...]] = {}
    while len(rest) > 1 and len(rest[0]) == len(rest[1]) == 2 and rest[0][1] == rest[1][1]:
        place, columns = f"rnn_{len(named)}", rest[1][1]
        kinds = ["kernel", "recurrent_kernel", *(["bias"] if len(rest) > 2 and rest[2][-1:] == (columns,) else [])]
        named |= {f"{place}/{kind}": rest.pop(0) for kind in kinds}
    named |= {f"dense/{kind}": rest.pop(0) for kind in ("kernel", "bias") if rest}
    return dict(shapes) if rest else named


def _cell(layer: StoredLayer, cells: Sequence[Cell]) -> Cell:
    """The cell of as many gates; with one bias one whose biases are all the input's (the reset gate before the product)."""
    count = len(layer.gates["weight_hh"])
    alike = [cell for cell in cells if cell.has_projection == (layer.projection is not None)]
    fitting = [cell for cell in alike if len(cell.torch.get("weight_hh", ())) == count]
    if layer.one_bias:
        fitting.sort(key=lambda cell: not {*cell.torch.get("bias_hh", ())} <= {*cell.torch.get("bias_ih", ())})
    if not fitting:
        raise InputError(f"its layer has {count} gates, which no cell asked for has; take another --cell")
    return fitting[0]


def _dense(rest: Shapes, hidden: int) -> tuple[dict[str, tuple[Piece, ...]], dict[str, int]]:
    """The read-out among the other arrays: kernel (H, C) and bias, our Wy and by, or PyTorch's weight (C, H) and bias."""
    for name, shape in rest.items():
        match = NAME.fullmatch(name)
        if len(shape) != 2:
            continue
        stem, kind = name[: -len("weight")], name.rpartition(".")[2]
        if match is not None and match["kind"] == "kernel" and shape[0] == hidden:
            bias = next((n for n, m in matches(rest, "bias") if m["layer"] == match["layer"]), None)
            turned = False
        elif name == "Wy" and shape[0] == hidden:
            bias, turned = "by", False
        elif kind == "weight" and shape[1] == hidden:
            bias, turned = f"{stem}bias", True
        else:
            continue
        outputs = shape[0] if turned else shape[1]
        has_bias = bias is not None and rest.get(bias) == (outputs,)
        biases = (Piece(bias),) if bias is not None and has_bias else ()
        return dict(zip(READ_OUT, ((Piece(name, transposed=turned),), biases), strict=True)), {"C": outputs}
    return {}, {}
