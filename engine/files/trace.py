"""Traces: everything one iteration computed, as an NPZ archive with the names of ARCHITECTURE.md's table, and back.

`numpy.load` opens a trace without rnn-tui; its `meta` is JSON text (`json.loads(str(trace["meta"]))`) and says what the numbers are:

    format          1
    versions        rnn-tui, numpy, python
    options         of the network, under the names of `engine.Network`; the cell by its name
    seed, iteration, classes
    what_if         the edits in force, as `engine.debug.edits` writes them; those of weights, data and activation are in the
                    arrays and options
    equations       a list of {"phase", "loop", "lines"}, in the order in which they run
    matrix_library  name, version, the processors there are, and the numbers of threads set in the environment

Nothing read from a trace is ever run or unpickled; the equations are for people, the network is built from the options.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.lib import format as npy

from engine.debug.edits import parse_edit
from engine.debug.recordings import TrainingState
from engine.debug.whatif import is_start
from engine.errors import InputError
from engine.files.arrays import MEMORY_LIMIT, member_names, read_npz
from engine.files.options import LAYERS
from engine.files.raw import shown
from engine.files.writing import write_npz
from engine.language.derive import NEXT, OUT, gradient
from engine.language.functions import Array
from engine.model.build import build
from engine.model.layers import layers_of, parameter_axes, residual_layers, sizes
from engine.model.network import Network, choose
from engine.model.program import Program, carried_over
from engine.notation import Writer
from engine.recording.checks import check_batch
from engine.recording.threads import asked
from engine.tables.cells import BY_NAME, Cell
from engine.tables.given import MASK
from engine.tables.heads import HEADS
from engine.text import clean

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Generator, Mapping

    from engine.recording.tape import Tape

FORMAT = 1
META = "meta"
BEFORE = "_before"
META_LIMIT = 16 << 20  # bytes of the text
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "None": (NoneType,),
}


@dataclass(frozen=True, eq=False)
class Trace:
    """A trace as it was read: arrays by name (read-only) and `meta`, whose texts are not yet made safe to show."""

    file: str
    arrays: Mapping[str, Array]
    meta: Mapping[str, Any]


# Writing


def write_trace(path: Path, tape: Tape, *, meta: Mapping[str, object]) -> None:
    """Writes a tape to `path`, beside it first and then renamed; the suffix is left as it is given.

    `meta` adds to what the tape itself tells, above all `iteration` and `classes`; it must be JSON. What the tape tells goes before.
    Raises InputError when the file cannot be written; what was there before is then untouched.
    """
    network = tape.plan.network
    whole: dict[str, object] = {"iteration": 0, "classes": [], **meta, **describe(tape), "seed": network.seed}
    text = np.array(json.dumps(_plain(whole), ensure_ascii=False, allow_nan=False))
    write_npz(path, {**recorded(tape), META: text})


def recorded(tape: Tape) -> dict[str, Array]:
    """What a trace holds: the recorded arrays with the gradients among them, both flows of every state, the parameters, what the update
    writes but for the new parameters, and what it reads of the update before (`vWa_before`)."""
    flows = [gradient(state) + suffix for state in tape.plan.network.table.states for suffix in (OUT, NEXT)]
    names = [*tape.arrays, *(name for name in flows if name not in tape.arrays and name in tape), *tape.parameters]
    before = {name + BEFORE: tape.before(name) for name in carried_over(tape.plan.program)}
    return {name: tape[name] for name in (*names, *tape.plan.program.updates)} | before


def describe(tape: Tape) -> dict[str, object]:
    """What a tape tells about itself and the machine: versions, options, equations, matrix library; no path, no name of a person."""
    network = tape.plan.network
    options = {field.name: getattr(network, field.name) for field in fields(network) if field.name != "weights"}
    return {
        "format": FORMAT,
        "versions": {"rnn-tui": _version(), "numpy": np.__version__, "python": platform.python_version()},
        "options": {**options, "cell": network.table.name},
        "updates_before": tape.updates_before,
        "equations": _equations(tape),
        "matrix_library": _matrix_library(),
    }


def _plain(value: Any) -> Any:
    """The same as JSON can say it: NaN and infinities as strings, tuples as lists, NumPy's numbers as Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, np.generic):
        return _plain(cast("object", value.item()))
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _equations(tape: Tape) -> list[dict[str, object]]:
    constants = {name: name for name in tape.plan.network.hyperparameters}
    writer = Writer(tape.plan.program, tape.plan.axes, constants)
    return [
        {"phase": block.phase, "loop": block.loop.value, "lines": [writer.line(line) for line in block.lines]}
        for block in tape.plan.program.blocks
    ]


def _version() -> str:
    from importlib import metadata  # nothing else waits for it

    try:
        return metadata.version("rnn-tui")
    except metadata.PackageNotFoundError:
        return "not installed"


def _matrix_library() -> dict[str, object]:
    """Equal bits need an equal library and equally many threads. Its folders, which NumPy also knows, are nobody's business."""
    # NumPy's annotations say None; with mode="dicts" it returns what the mode says.
    show: Any = np.show_config
    blas: dict[str, Any] = show(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    known = {name: str(blas[name]) for name in ("name", "version") if name in blas}
    return {**known, "processors": os.cpu_count(), "threads": dict(asked())}


# Reading


def is_trace(path: Path) -> bool:
    """Whether a file is an NPZ archive with a member `meta`, as only traces have; False for what cannot be read at all."""
    return f"{META}.npy" in member_names(path)


def read_trace(path: Path, *, limit: int = MEMORY_LIMIT) -> Trace:
    """The trace at `path`; InputError when it is none, damaged, or larger than `limit` bytes."""
    read_npz(path, (), limit=limit)  # refuses in a sentence what is no archive at all
    text, names = _read_meta(path)
    arrays = read_npz(path, names, limit=limit)
    for array in arrays.values():
        array.flags.writeable = False
    return Trace(shown(path), MappingProxyType(arrays), MappingProxyType(_parsed(path, text)))


def _read_meta(path: Path) -> tuple[str, list[str]]:
    """The text of `meta`, and the names of all other arrays."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
        if META not in members:
            raise InputError(
                f"{shown(path)} has no array named {META}, so it is no trace; write one with rnn-tui trace"
            )
        try:
            text = _text(archive, archive.getinfo(members[META]))
        except Exception as error:  # damaged bytes fail in many ways inside zipfile, zlib and numpy
            raise _damaged(path) from error
    return text, [name for name in members if name != META]


def _text(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    """The one string in a member; its header is checked before anything else is unpacked. ValueError for all else."""
    with archive.open(info) as member:
        header = npy.read_array_header_1_0 if npy.read_magic(member) == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = header(member)
        if shape or dtype.kind != "U" or dtype.itemsize > META_LIMIT:
            raise ValueError("not one text of a sensible length")
        if member.tell() + dtype.itemsize != info.file_size:
            raise ValueError("cut off")
    with archive.open(info) as member:
        text = str(npy.read_array(member, allow_pickle=False))
        member.read(1)  # reaches the end, where the checksum is compared
        return text


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(meta, dict):
        raise _damaged(path)
    meta = cast("dict[str, Any]", meta)
    if meta.get("format") != FORMAT:
        format_name = clean(str(meta.get("format")), 20)
        raise InputError(f"{shown(path)} is a trace of format {format_name}, this version reads format {FORMAT}")
    return meta


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{shown(path)}: {META} does not hold the description of a trace; write it again with rnn-tui trace"
    )


# Back to a network


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
    """The initial states (B, H) by name; empty when they are all zero, as they are when none were given."""
    options = _options(trace)
    table, samples = _cell(trace, str(options["cell"]), cell), _array(trace, "x").shape[1:2]
    units = _units(options)
    layers = layers_of(table, len(units), **_kind(options))
    lengths = sizes(layers, options["inputs"], units, options["outputs"], options["embedding"])
    states: dict[str, Array] = {}
    if options["learn_initial"]:
        return states
    places = {name: layer for layer in layers for name in layer.table.states}
    for name, layer in places.items():
        hidden = lengths[layer.units]
        state = _array(trace, name)
        if state.ndim != 3 or state.shape[1:] != (*samples, hidden):
            raise InputError(f"{trace.file}: {name} has shape {state.shape}; it needs one row a sample, {hidden} wide")
        states[name] = state[-1 if layer.reverse else 0]
    return states if any(state.any() for state in states.values()) else {}


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
    if forward != [block for block in _equations(tape) if block["phase"] == "forward"]:
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
        "residual": residual_layers(_units(options)) if options["residual"] else (),
    }


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
    lengths = sizes(layers, options["inputs"], units, options["outputs"], options["embedding"])
    weights: dict[str, Array] = {}
    for name, letters in parameter_axes(layers).items():
        weights[name] = _array(trace, name)
        needed = tuple(lengths[axis] for axis in letters)
        if weights[name].shape != needed:
            raise InputError(f"{trace.file}: {name} has shape {weights[name].shape}, its network needs {needed}")
    return weights
