"""From what was asked for (data and options) to a debugger ready to step: what every command and the app start with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.cells import CELLS
from engine.debugger import Debugger
from engine.errors import InputError
from engine.files.data import Data, load
from engine.files.locate import resolve
from engine.files.options import DEFAULTS
from engine.files.raw import shown
from engine.files.trace import initial_of, is_trace, network_of, read_trace
from engine.functions import Array
from engine.network import Network
from engine.notation import parse_cell
from engine.text import clean


@dataclass(frozen=True, eq=False)
class Session:
    """Data, the options in force, and the debugger on them."""

    data: Data
    options: Mapping[str, Any]
    debugger: Debugger
    from_trace: bool = False

    @property
    def description(self) -> str:
        """The model in a few words: `rnn relu 1→8→2 · 10 samples · float64`."""
        network = self.debugger.network
        kind = f"{network.table.name} {network.activation}" if network.table.has_activation else network.table.name
        sizes = f"{network.inputs}→{network.hidden}→{network.outputs}"
        return f"{kind} {sizes} · {len(self.data.X)} samples · {network.dtype}"


def open_session(source: str | Path | None, given: Mapping[str, Any]) -> Session:
    """The session for a data file or a trace (None: the built-in example) and options under their command-line names.

    What is given comes before a project's own options, these before the defaults; a trace brings its own. Raises InputError.
    """
    path = resolve(source)
    if is_trace(path):
        return _from_trace(path, given)
    data = load(
        source, timesteps=given.get("timesteps"), loss=given.get("loss"), allow_nan=given.get("allow-nan", False)
    )
    options: dict[str, Any] = {**DEFAULTS, **data.options, **given}
    _refuse_unsupported(data)
    if "activation" in given and not CELLS[options["cell"]].has_activation:
        raise InputError(f"the cell {options['cell']} has its own activations; leave --activation away")
    network = Network(
        inputs=data.X.shape[2],
        outputs=_outputs(data, options["outputs"]),
        hidden=options["hidden"],
        cell=options["cell"],
        activation=options["activation"],
        predict=options["predict"],
        loss=options["loss"] or "cross-entropy",
        reduction=options["reduction"],
        dtype=options["dtype"],
        seed=options["seed"],
        init_scale=options["init-scale"],
        optimizer=options["optimizer"],
        lr=options["lr"],
    )
    initial = _initial(data, network)
    debugger = Debugger(network, data.X, data.y, initial=initial)
    for text in data.breakpoints:
        _set_breakpoint(debugger, data, text)
    if data.watches:
        raise InputError(f"{data.name}: watches cannot be shown yet; leave them out of the project")
    return Session(data, options, debugger)


def _set_breakpoint(debugger: Debugger, data: Data, text: str) -> None:
    """Sets a project's breakpoint: the name of a line, with @t for one time step."""
    name, t, index = parse_cell(text)
    lines = list(debugger.program.writers(name))
    if not lines or index:
        known = ", ".join(dict.fromkeys(line.name for line in debugger.program.lines))
        raise InputError(
            f"{data.name}: the breakpoint {text} names no line; write one of {known}, with @t for one time step"
        )
    for line in lines:
        if t is None or debugger.program.runs_at(line, t):
            debugger.toggle(line, t)


def _initial(data: Data, network: Network) -> dict[str, Array]:
    """The initial states that the file gives, by the cell's names: its output first, c0 for a cell state."""
    given = {network.table.output: data.initial_state, "c": data.initial_cell}
    states = {name: value for name, value in given.items() if value is not None}
    for name, value in states.items():
        if name not in network.table.states:
            raise InputError(
                f"{shown(data.path)}: it holds an initial {name}, which the cell {network.table.name} does not have"
            )
        if value.shape[1] != network.hidden:
            raise InputError(
                f"{shown(data.path)}: the initial {name} is for {value.shape[1]} hidden units, the network has {network.hidden}; "
                f"use --hidden {value.shape[1]}"
            )
    return states


def _from_trace(path: Path, given: Mapping[str, Any]) -> Session:
    """A trace opens as the iteration it recorded, numbered 0; its options are part of it."""
    if given:
        raise InputError(f"{shown(path)} is a trace, which has its own options; leave --{next(iter(given))} away")
    trace = read_trace(path)
    network, X, y = network_of(trace)
    classes = trace.meta.get("classes")
    names = tuple(clean(str(name)) for name in classes) if isinstance(classes, list) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    data = Data(name=clean(path.stem), path=path, X=X, y=y, classes=names, csv=None, lengths=None)
    options = {**DEFAULTS, "seed": network.seed, "init-scale": network.init_scale}
    return Session(data, options, Debugger(network, X, y, initial=initial_of(trace)), from_trace=True)


def _outputs(data: Data, wanted: int | None) -> int:
    if wanted is None:
        return len(data.classes)
    if wanted < len(data.classes):
        raise InputError(f"{data.name} has {len(data.classes)} classes; --outputs must be at least that, not {wanted}")
    return wanted


def _refuse_unsupported(data: Data) -> None:
    """What the files can say but the equations do not carry yet, by name."""
    if data.lengths is not None:
        short = int((data.lengths < data.X.shape[1]).argmax())
        raise InputError(
            f"{data.name}: sample {short} is shorter than the others; all samples must have the same length"
        )
    if data.y.ndim != 1:
        raise InputError(f"{data.name}: there is a target at every step; this network predicts at the last step only")
    if len(data.classes) == 0:
        raise InputError(
            f"{data.name}: the targets are numbers, not classes; "
            "with --loss cross-entropy every distinct number becomes a class"
        )
    if len(data.classes) == 1:
        raise InputError(f"{data.name}: every sample is of class {data.classes[0]}, so there is nothing to tell apart")
