"""Recurrent layers as other frameworks keep them: Keras, TensorFlow 1, ONNX and Flax, told by the names of the arrays.

Each says, of every layer and direction, where the gates lie, in the order of the cell's `torch` table (i f g o, r z n): in columns of a
kernel, in rows of W and R, or in arrays of their own. Sources: the documentation of keras.layers.LSTM and GRU;
tf.nn.rnn_cell.BasicLSTMCell, LSTMCell and GRUCell; the operators LSTM, GRU and RNN of ONNX; flax.linen.LSTMCell, GRUCell and SimpleCell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.errors import InputError
from engine.model.parameters import Shapes
from engine.model.weights_recipe import Piece
from engine.text import clean

NAME = re.compile(r"(?P<layer>.*?)(?:^|[/._])(?P<kind>recurrent_kernel|kernel|bias)(?::\d+)?")
_TF1 = {
    4: "TensorFlow 1's joint kernel, gates i j f o, forget_bias 1 added to f",
    2: "TensorFlow 1's joint kernels, gates r u and c, the reset gate before the product",
    1: "TensorFlow 1's joint kernel",
}
_TF1_CELLS = {"lstm": 4, "gates$": 2, "rnn_cell|candidate$": 1}
"""How many gates are in a kernel, by what its layer is called."""
_FLAX = (("i", "f", "g", "o"), ("r", "z", "n"), ("",))
"""The gates' letters, in our order."""

_Pieces = dict[str, list[Piece | None]]


@dataclass(frozen=True)
class StoredLayer:
    """A recurrent layer in arrays, in one direction: D, H, by kind a piece for each gate, and what is to be said of it.

    `one_bias` says that there is one bias for input and state, `projection` what it hands on of its units where that is P values.
    """

    inputs: int
    hidden: int
    gates: _Pieces
    words: str
    one_bias: bool = False
    projection: int | None = None
    reverse: bool = False


def stored_layers(shapes: Shapes) -> list[StoredLayer]:
    """The layers and directions of a framework's arrays, from the input up; none where the names are no framework's."""
    return next((found for read in (_keras, _tf1, _onnx, _flax) if (found := read(shapes))), list[StoredLayer]())


# The frameworks


def _keras(shapes: Shapes) -> list[StoredLayer]:
    """kernel (D, G·H), recurrent_kernel (H, G·H), bias (G·H,), or (2, G·H) for input and state; gates i f c o, z r h. The reverse direction
    of Bidirectional has backward in its name."""
    return [_keras_layer(shapes, name, match["layer"]) for name, match in matches(shapes, "recurrent_kernel")]


def _keras_layer(shapes: Shapes, recurrent: str, prefix: str) -> StoredLayer:
    mine = {match["kind"]: name for name, match in matches(shapes) if match["layer"] == prefix}
    if "kernel" not in mine:
        raise InputError(f"beside {clean(recurrent, 60)} an array kernel is missing; save all of the layer's weights")
    hidden, gates = _square(shapes, recurrent)
    order = {4: (0, 1, 2, 3), 3: (1, 0, 2), 1: (0,)}[gates]
    (inputs, _) = _shape(shapes, mine["kernel"], (None, gates * hidden))
    made: _Pieces = {
        "weight_ih": [Piece(mine["kernel"], ((0, inputs), part)) for part in _parts(order, hidden)],
        "weight_hh": [Piece(recurrent, ((0, hidden), part)) for part in _parts(order, hidden)],
    }
    two = "bias" in mine and len(shapes[mine["bias"]]) == 2
    if two:
        _shape(shapes, mine["bias"], (2, gates * hidden))
        for row, kind in enumerate(("bias_ih", "bias_hh")):
            made[kind] = [Piece(mine["bias"], (row, part)) for part in _parts(order, hidden)]
    elif "bias" in mine:
        _shape(shapes, mine["bias"], (gates * hidden,))
        made["bias_ih"] = [Piece(mine["bias"], (part,)) for part in _parts(order, hidden)]
    letters = {4: ", gates i f c o", 3: ", gates z r h", 1: ""}[gates]
    reset = {3: ", reset_after=True" if two else ", reset_after=False"}.get(gates, "") if "bias" in mine else ""
    one, reverse = "bias" in mine and not two, "backward" in prefix
    return StoredLayer(inputs, hidden, made, f"Keras's kernels{letters}{reset}", one, reverse=reverse)


def _tf1(shapes: Shapes) -> list[StoredLayer]:
    """One kernel (D + H, G·H) for input and state: LSTM with the gates i j f o, where 1 is added to f; GRU in two kernels, r u and c.

    LSTMCell(num_proj=P) keeps a projection's kernel (H, P) below its own, which has D + P rows then.
    """
    found: dict[int, StoredLayer] = {}
    for name, match in matches(shapes, "kernel"):
        rows, columns = shapes[name] if len(shapes[name]) == 2 else (0, 0)
        bias = next((n for n, m in matches(shapes, "bias") if m["layer"] == match["layer"]), None)
        place = re.split("[/.]", match["layer"].lower())[-1]
        gates = next((count for pattern, count in _TF1_CELLS.items() if re.search(pattern, place)), 0)
        if not gates or columns % gates:
            continue
        hidden, below = columns // gates, [match["layer"] + mark + "projection" for mark in "/."]
        projecting = next((n for n, m in matches(shapes, "kernel") if m["layer"] in below), None)
        projection = None if projecting is None else _shape(shapes, projecting, (hidden, None))[1]
        inputs = rows - (projection or hidden)
        if not hidden or inputs < 1:
            continue
        order = {4: (0, 2, 1, 3), 2: (0, 1), 1: (0,)}[gates]
        mores = (0.0, 1.0, 0.0, 0.0) if gates == 4 else (0.0,) * gates
        made: _Pieces = {
            "weight_ih": [Piece(name, ((0, inputs), part)) for part in _parts(order, hidden)],
            "weight_hh": [Piece(name, ((inputs, rows), part)) for part in _parts(order, hidden)],
            "bias_ih": [],
        }
        if projecting is not None:
            made["weight_hr"] = [Piece(projecting)]
        if bias:
            _shape(shapes, bias, (columns,))
            parts = zip(_parts(order, hidden), mores, strict=True)
            made["bias_ih"] = [Piece(bias, (part,), more=more) for part, more in parts]
        words = _TF1[gates] + ", num_proj" * (projecting is not None)
        found[gates] = StoredLayer(inputs, hidden, made, words, bias is not None, projection)
    if 2 in found and 1 in found:  # the gates of a GRU, and its candidate
        both = {kind: [*found[2].gates[kind], *found[1].gates[kind]] for kind in found[1].gates}
        return [StoredLayer(found[2].inputs, found[2].hidden, both, _TF1[2], one_bias=True)]
    return [found[count] for count in (4, 1) if count in found][:1]


def _onnx(shapes: Shapes) -> list[StoredLayer]:
    """W (1, G·H, D), R (1, G·H, H), B (1, 2·G·H), in two directions (2, …): gates i o f c, z r h."""
    found = {name.rpartition(".")[2]: name for name in shapes if len(shapes[name]) in (2, 3)}
    if not {"W", "R"} <= found.keys() or len(shapes[found["W"]]) != 3 or len(shapes[found["R"]]) != 3:
        return []
    directions, rows, hidden = shapes[found["R"]]
    gates = rows // hidden if hidden and rows % hidden == 0 else 0
    if gates not in (1, 3, 4) or directions not in (1, 2):
        raise InputError(
            f"{clean(found['R'], 60)} has shape {shapes[found['R']]}, it needs (1, G·H, H) with 1, 3 or 4 gates, or (2, G·H, H)"
        )
    order = {4: (0, 2, 3, 1), 3: (1, 0, 2), 1: (0,)}[gates]
    inputs = _shape(shapes, found["W"], (directions, rows, None))[2]
    if "B" in found:
        _shape(shapes, found["B"], (directions, 2 * rows))
    parts = _parts(order, hidden)
    ways: list[_Pieces] = []
    for way in range(directions):
        ways.append(
            {
                kind: [Piece(found[letter], (way, part), transposed=True) for part in parts]
                for kind, letter in (("weight_ih", "W"), ("weight_hh", "R"))
            }
        )
        for half, kind in enumerate(("bias_ih", "bias_hh") if "B" in found else ()):
            ways[-1][kind] = [Piece(found["B"], (way, (low + half * rows, high + half * rows))) for low, high in parts]
    letters = {4: ", gates i o f c", 3: ", gates z r h, linear_before_reset 1", 1: ""}[gates]
    words = f"ONNX's W, R and B{letters}"
    return [StoredLayer(inputs, hidden, made, words, reverse=bool(way)) for way, made in enumerate(ways)]


def _flax(shapes: Shapes) -> list[StoredLayer]:
    """An array for each gate: ii, if, ig, io (D, H) and hi … (H, H); ir, iz, in and hr …; i and h."""
    kernels = {match["layer"]: name for name, match in matches(shapes, "kernel")}
    biases = {match["layer"]: name for name, match in matches(shapes, "bias")}
    for letters in _FLAX:
        for place in kernels:
            prefix = place.removesuffix(f"h{letters[0]}")
            inward, back = ([f"{prefix}{side}{letter}" for letter in letters] for side in "ih")
            if place != back[0] or prefix[-1:] not in ("", "/", ".") or not {*inward, *back} <= kernels.keys():
                continue
            hidden, inputs = shapes[kernels[back[0]]][0], shapes[kernels[inward[0]]][0]
            made: _Pieces = {}
            for layers, kind, rows in ((inward, "ih", inputs), (back, "hh", hidden)):
                for layer in layers:
                    _shape(shapes, kernels[layer], (rows, hidden))
                    if layer in biases:
                        _shape(shapes, biases[layer], (hidden,))
                made[f"weight_{kind}"] = [Piece(kernels[layer]) for layer in layers]
                made[f"bias_{kind}"] = [Piece(biases[layer]) if layer in biases else None for layer in layers]
            return [StoredLayer(inputs, hidden, made, "Flax's arrays, one a gate")]
    return []


# What they have in common


def matches(shapes: Shapes, kind: str | None = None) -> Iterator[tuple[str, re.Match[str]]]:
    for name in shapes:
        match = NAME.fullmatch(name)
        if match is not None and kind in (None, match["kind"]):
            yield name, match


def _parts(order: Sequence[int], hidden: int) -> list[tuple[int, int]]:
    """Where each gate lies, [low, high), of the gates in our order."""
    return [(place * hidden, (place + 1) * hidden) for place in order]


def _square(shapes: Shapes, name: str) -> tuple[int, int]:
    """H and the number of gates of a recurrent kernel (H, G·H)."""
    shape = shapes[name]
    if len(shape) != 2 or not shape[0] or shape[1] % shape[0] or shape[1] // shape[0] not in (1, 3, 4):
        raise InputError(
            f"{clean(name, 60)} has shape {shape}, it needs (H, H), (H, 3·H) for a GRU or (H, 4·H) for an LSTM"
        )
    return shape[0], shape[1] // shape[0]


def _shape(shapes: Shapes, name: str, wanted: tuple[int | None, ...]) -> tuple[int, ...]:
    """The shape of an array, which must be `wanted` where that is no None."""
    shape = shapes[name]
    if len(shape) != len(wanted) or any(w not in (None, s) for s, w in zip(shape, wanted, strict=True)):
        needed = ", ".join("D" if length is None else str(length) for length in wanted)
        raise InputError(f"{clean(name, 60)} has shape {shape}; beside the layer's other arrays it needs ({needed})")
    return shape
