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

import json
import math
import platform
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.lib import format as npy

from engine.errors import InputError
from engine.files.arrays import MEMORY_LIMIT, array_names, read_npz
from engine.files.raw import shown
from engine.files.writing import write_npz
from engine.language.derive import NEXT, OUT, gradient
from engine.language.functions import Array
from engine.model.program import carried_over
from engine.notation import Writer
from engine.recording.threads import asked, processors
from engine.text import clean

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Mapping

    from engine.recording.tape import Tape

FORMAT = 1
META = "meta"
BEFORE = "_before"
META_LIMIT = 16 << 20  # bytes of the text


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
        "equations": equations_of(tape),
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


def equations_of(tape: Tape) -> list[dict[str, object]]:
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
    return {**known, "processors": processors(), "threads": dict(asked())}


# Reading


def is_trace(path: Path) -> bool:
    """Whether a file is an NPZ archive with a member `meta`, as only traces have; False for what cannot be read at all."""
    return META in array_names(path)


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
