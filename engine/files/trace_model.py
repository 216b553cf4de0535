"""What a trace was recorded of: the network, its data and states, and the edits in force, compared with each other."""

from __future__ import annotations

import contextlib
import json
from dataclasses import fields
from types import NoneType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from engine.debug.edits import parse_edit
from engine.debug.recordings import TrainingState
from engine.debug.whatif import is_start
from engine.errors import InputError
from engine.files.options import LAYERS
from engine.files.trace import BEFORE, META, Trace, equations_of
from engine.language.derive import NEXT, gradient
from engine.language.functions import Array
from engine.model.build import build
from engine.model.layers import Layer, layers_of, outputs, parameter_axes, residual_layers, sizes
from engine.model.network import Network, choose
from engine.model.program import Program, carried_over
from engine.recording.checks import check_batch
from engine.tables.cells import BY_NAME, Cell
from engine.tables.given import MASK
from engine.tables.heads import HEADS
from engine.text import clean

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from engine.recording.tape import Tape

_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "None": (NoneType,),
}


def network_of(trace: Trace, *, cell: Cell | None = None) -> tuple[Network, Array, Array]:
    """The network with the weights of the trace, X (B, T, D) and y: recording them gives the trace's numbers again, bit for bit
    on the same machine (with `initial_of(trace)` as initial states).

    A user's cell must be given as `cell`: a trace holds no code. Raises InputError for options and arrays that do not fit.
    """
    options = _options(trace)
    options["cell"] = _cell(trace, str(options["cell"]), cell)
    weights, x, y = _weights(trace, options), _array(trace, "x"), _array(trace, "y")
    with _named(trace):
        network = Network(**options, weights=weights)
        if x.ndim != 3:
            raise InputError(f"x has shape {x.shape}, it needs (time steps, samples, {network.inputs})")
        targets = np.moveaxis(y, 0, 1) if network.predict == "every" and y.ndim > 1 else y
        X, targets = check_batch(network, np.moveaxis(x, 0, 1), targets)
    return network, X, targets


def lengths_of(trace: Trace) -> Array | None:
    """(B,) the time steps of each sample, None where all have the same."""
    if MASK not in trace.arrays:
        return None
    mask, x = trace.arrays[MASK], _array(trace, "x")
    lengths = mask.sum(axis=0).astype(np.int64)
    if mask.shape != x.shape[:2] or not (mask == (np.arange(1, len(mask) + 1)[:, None] <= lengths)).all():
        raise InputError(f"{trace.file}: mask must be {x.shape[:2]} and 1 up to each sample's end, 0 beyond it")
    return lengths


def start_of(trace: Trace, network: Network) -> TrainingState:
    """What the recorded iteration started from."""
    done = trace.meta.get("updates_before", 0)
    kept = {name.removesuffix(BEFORE): value for name, value in trace.arrays.items() if name.endswith(BEFORE)}
    needed = carried_over(build(network, 1)) if kept else frozenset[str]()
    for name in needed:
        shape = next(network.weights[p].shape for p in network.weights if name.endswith(p))
        if name not in kept or kept[name].shape != shape:
            raise InputError(f"{trace.file}: {name}{BEFORE} is missing or not of shape {shape}")
    return TrainingState(network.weights, {name: kept[name] for name in needed}, done if isinstance(done, int) else 0)


def initial_of(trace: Trace, *, cell: Cell | None = None) -> dict[str, Array]:
    """The initial states (B, H) by name; empty when they are all zero, as they are when none were given. What flowed into last states from
    beyond the layer likewise, by the flow's name, and the masks of dropout."""
    options = _options(trace)
    table, samples = _cell(trace, str(options["cell"]), cell), _array(trace, "x").shape[1:2]
    units = _units(options)
    layers = layers_of(table, len(units), **_kind({**options, "cell": table}))
    lengths = _sizes(trace, layers, options)
    states: dict[str, Array] = {}
    flows: dict[str, Array] = {}
    for layer in layers:
        for name, (_, axis) in layer.table.state_axes.items():
            hidden = lengths[axis]
            first, last = (-1, 0) if layer.reverse else (0, -1)
            for given, array, row in ((states, name, first), (flows, gradient(name) + NEXT, last)):
                if array in trace.arrays or given is states:
                    rows = _array(trace, array)
                    if rows.ndim != 3 or rows.shape[1:] != (*samples, hidden):
                        raise InputError(
                            f"{trace.file}: {array} has shape {rows.shape}; it needs one row a sample, {hidden} wide"
                        )
                    given[array] = rows[row]
    if options["learn_initial"] or not any(state.any() for state in states.values()):
        states = {}
    flows = {name: flow for name, flow in flows.items() if flow.any()}
    return states | flows | {read.mask: _mask(trace, read.mask) for read in outputs(layers) if read.mask}


def _mask(trace: Trace, name: str) -> Array:
    """A mask of dropout, one row a sample."""
    mask = _array(trace, name)
    return np.moveaxis(mask, 1, 0) if mask.ndim > 2 else mask


def what_if_of(trace: Trace, network: Network, program: Program) -> list[str]:
    """The edits of what lines write, which do not follow from what the trace says the iteration started from."""
    texts: Any = trace.meta.get("what_if", [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in cast("list[Any]", texts)):
        raise InputError(f"{trace.file}: what_if in {META} must be a list of texts")
    with _named(trace):
        edits = [parse_edit(text) for text in cast("list[str]", texts)]
    return [edit.text for edit in edits if not is_start(edit, network, program)]


def check_equations(trace: Trace, tape: Tape) -> None:
    """Refuses a user's cell whose equations are no longer those of the trace; those of the forward pass, which is all it says."""
    recorded: Any = trace.meta.get("equations")
    forward = [block for block in recorded if block.get("phase") == "forward"] if _is_blocks(recorded) else None
    if forward != [block for block in equations_of(tape) if block["phase"] == "forward"]:
        name = tape.plan.network.table.name
        raise InputError(
            f"{trace.file} was recorded with other equations of the cell {name}; give the file as it was then"
        )


def _is_blocks(recorded: Any) -> bool:
    return isinstance(recorded, list) and all(isinstance(block, dict) for block in cast("list[Any]", recorded))


@contextlib.contextmanager
def _named(trace: Trace) -> Generator[None]:
    """Puts the file's name before errors of a network or a batch; NumPy raises ValueError for a bad seed or scale."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise InputError(f"{trace.file}: {clean(str(error))}") from error


def _array(trace: Trace, name: str) -> Array:
    if name not in trace.arrays:
        raise InputError(f"{trace.file} has no array named {clean(name)}, so it is no whole trace")
    return trace.arrays[name]


_ADDED: dict[str, Any] = {
    "bidirectional": False,
    "learn_initial": False,
    "embedding": None,
    "dropout": None,
    "residual": False,
    "projection": None,
}
"""Options that older traces do not say."""


def _options(trace: Trace) -> dict[str, Any]:
    """The network's options, each there and of its own type."""
    given: Any = trace.meta.get("options")
    if not isinstance(given, dict):
        raise InputError(f"{trace.file}: {META} has no options; write it again with rnn-tui trace")
    given = {**_ADDED, **cast("dict[str, Any]", given)}
    annotations = {field.name: str(field.type) for field in fields(Network) if field.name != "weights"}
    for name in (*annotations, *given):
        if name not in given:
            raise InputError(f"{trace.file}: the option {name} is missing in {META}")
        if name not in annotations:
            raise InputError(f"{trace.file}: there is no option {clean(name, 40)}; is it of a newer version?")
    return {name: _option(trace, name, annotation, given[name]) for name, annotation in annotations.items()}


def _units(options: Mapping[str, Any]) -> tuple[int, ...]:
    """H of each layer."""
    return (options["hidden"],) if isinstance(options["hidden"], int) else options["hidden"]


def _kind(options: Mapping[str, Any]) -> dict[str, Any]:
    """What options say of the layers, beside their cell and number."""
    return {
        "bidirectional": options["bidirectional"],
        "learn_initial": options["learn_initial"],
        "embedded": options["embedding"] is not None,
        "dropped": options["dropout"] is not None,
        "residual": residual_layers(options["cell"], _units(options)) if options["residual"] else (),
    }


def _sizes(trace: Trace, layers: Sequence[Layer], options: Mapping[str, Any]) -> dict[str, int]:
    """The dimensions of the network that options say."""
    if layers[0].table.has_projection != (options["projection"] is not None):
        raise InputError(f"{trace.file}: the option projection cannot be {options['projection']} with this cell")
    own = (options[name] for name in ("outputs", "embedding", "projection"))
    return sizes(layers, options["inputs"], _units(options), *own)


def _option(trace: Trace, name: str, annotation: str, value: Any) -> Any:
    allowed = tuple(kind for part in annotation.split(" | ") for kind in _TYPES.get(part, ()))
    if "tuple[int, ...]" in annotation and isinstance(value, list):
        value = numbers = cast("list[Any]", value)
        if 0 < len(numbers) <= LAYERS and all(type(number) is int for number in numbers):
            return tuple(numbers)
    if float in allowed and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if type(value) not in allowed:
        raise InputError(f"{trace.file}: the option {name} cannot be {clean(json.dumps(value), 40)}")
    return float(value) if float in allowed and isinstance(value, int) else value


def _cell(trace: Trace, name: str, cell: Cell | None) -> Cell:
    if cell is not None:
        if cell.name != name:
            raise InputError(
                f"{trace.file} was recorded with the cell {clean(name, 40)}, not {cell.name}; leave --cell away"
            )
        return cell
    if name not in BY_NAME:
        raise InputError(
            f"{trace.file} was recorded with the cell {clean(name, 40)}, which does not come with rnn-tui; give its file with --cell"
        )
    return BY_NAME[name]


def _weights(trace: Trace, options: Mapping[str, Any]) -> dict[str, Array]:
    """The parameters, their shapes compared with the options before a network is made: what fits in the file fits in memory."""
    with _named(trace):
        choose("loss", options["loss"], HEADS)
        units = _units(options)
        layers = layers_of(options["cell"], len(units), **_kind(options))
    lengths = _sizes(trace, layers, options)
    weights: dict[str, Array] = {}
    for name, letters in parameter_axes(layers).items():
        weights[name] = _array(trace, name)
        needed = tuple(lengths[axis] for axis in letters)
        if weights[name].shape != needed:
            raise InputError(f"{trace.file}: {name} has shape {weights[name].shape}, its network needs {needed}")
    return weights
