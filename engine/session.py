"""From data and options to a debugger ready to step: every command and the app start here."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.debug.debugger import Debugger
from engine.debug.whatif import what_if
from engine.errors import InputError
from engine.files.cell import read_cell
from engine.files.data import READING, Data, load, one_hot
from engine.files.locate import resolve
from engine.files.options import DEFAULTS
from engine.files.raw import shown
from engine.files.trace import is_trace, read_trace
from engine.files.trace_model import check_equations, initial_of, lengths_of, network_of, start_of, what_if_of
from engine.files.weights import Weights, read_weights
from engine.language.functions import PROJECTED, Array, axis_kind
from engine.model.initial_states import initial_names, initial_places
from engine.model.network import Network, choose
from engine.tables.cells import BY_NAME, FURTHER, Cell
from engine.tables.heads import HEADS, Head, usual_head
from engine.text import clean


@dataclass(frozen=True, eq=False)
class Session:
    """Data, the options in force, and the debugger on them."""

    data: Data
    options: Mapping[str, Any]
    debugger: Debugger
    from_trace: bool = False
    weights: Weights | None = None
    """The file whose weights it starts from."""

    def __repr__(self) -> str:
        return f"<Session: {self.description}>"

    @property
    def description(self) -> str:
        """The model in a few words: `rnn relu 1→8→2 · 10 samples · float64`."""
        network = self.debugger.network
        count = len(self.data.X)
        return f"{network.description} · {count} sample{'s' if count != 1 else ''} · {network.dtype}"


def open_session(source: str | Path | None, given: Mapping[str, Any]) -> Session:
    """The session for a data file or a trace (None: the built-in example) and options under their command-line names.

    Given options come before those of a project, these before the defaults; a trace brings its own options. Raises InputError.
    """
    path = resolve(source)
    if is_trace(path):
        return _from_trace(path, given)
    data = load(source, **{name.replace("-", "_"): given[name] for name in READING if name in given})
    options: dict[str, Any] = {**DEFAULTS, **data.options, **given}
    head, user_cell = _head(data, options["loss"]), _user_cell(options)
    weights = _weights(data, options, given, user_cell)
    if options["embedding"] or (weights and weights.recipe.embedded):
        data = one_hot(data, weights.sizes["D"] if weights and weights.recipe.embedded else 0)
    if weights is not None:
        _check_sizes(weights, data, _outputs(data, options["predict"], head, None), at_least=head.output_a_class)
        options |= _decided(weights)
    _refuse_one_class(data, head, options["outputs"])
    cell = weights.cell if weights else user_cell or BY_NAME[options["cell"]]
    if "activation" in given and not cell.has_activation:
        raise InputError(f"the cell {cell.name} has its own activations; leave --activation away")
    network = _network(data, options, cell, head, weights)
    return Session(data, options, _debugger(data, options, network), weights=weights)


_OF_NETWORK = (
    *(
        "activation",
        "predict",
        "reduction",
        "dtype",
        "seed",
        "init-scale",
        "optimizer",
        "lr",
        "clip-norm",
        "clip-value",
    ),
    *("truncate", "truncate-by", "bidirectional", "learn-initial", "embedding", "dropout", "residual", "projection"),
)
_OF_DEBUGGER = ("batch-size", "stateful", "checkpoints", "memory-limit")
"""Options that are fields of the same name."""


def _chosen(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name.replace("-", "_"): options[name] for name in names}


def _network(data: Data, options: Mapping[str, Any], cell: Cell, head: Head, weights: Weights | None) -> Network:
    return Network(
        inputs=data.X.shape[2],
        outputs=_outputs(data, options["predict"], head, options["outputs"]),
        hidden=_units(options),
        cell=cell,
        loss=head.name,
        weights=weights.parameters if weights else {},
        **_chosen(options, _OF_NETWORK),
    )


def _debugger(data: Data, options: Mapping[str, Any], network: Network) -> Debugger:
    """The debugger on the data, with the breakpoints and watches of a project."""
    initial, further = _initial(data, network), _chosen(options, _OF_DEBUGGER)
    debugger = Debugger(network, data.X, data.y, initial=initial, lengths=data.lengths, **further)
    with _of_project(data):
        for text in data.breakpoints:
            debugger.add(text)
        for text in data.watches:
            debugger.watch(text)
    return debugger


def _user_cell(options: Mapping[str, Any]) -> Cell | None:
    """The user's cell that the command line names, read from its file; a project cannot name one."""
    return read_cell(options["cell"]) if isinstance(options.get("cell"), Path) else None


def _weights(
    data: Data, options: Mapping[str, Any], given: Mapping[str, Any], user_cell: Cell | None
) -> Weights | None:
    """The weights to start from; they decide the cell, H and C, and options that say otherwise are refused."""
    if options["weights"] is None:
        return None
    further = FURTHER.get(given["cell"]) if isinstance(given.get("cell"), str) else None
    weights = read_weights(
        options["weights"], cell=user_cell or further, notation=options["notation"], allow_nan=options["allow-nan"]
    )
    file = shown(weights.path)
    said = {**({} if "weights" in given else data.options), **given, **({"cell": user_cell.name} if user_cell else {})}
    for name, value in _decided(weights).items():
        if said.get(name, value) != value:
            raise InputError(f"{file}: its weights are of {name} {value}, not {said[name]}; leave --{name} away")
    return weights


def _check_sizes(weights: Weights, data: Data, outputs: int, *, at_least: bool) -> None:
    """Refuses weights that do not fit the data: another D, or another C than the targets need."""
    inputs, given = weights.sizes["D"], weights.sizes.get("C", outputs)
    if inputs != data.X.shape[2]:
        raise InputError(
            f"{shown(weights.path)}: its weights are for {inputs} values a step, {data.file} has {data.X.shape[2]}; "
            "take other data or fold them with --timesteps"
        )
    if given < outputs or (given > outputs and not at_least):
        raise InputError(
            f"{shown(weights.path)}: its weights are for {given} outputs, the targets of {data.file} need {outputs}; "
            "take weights and data that belong together"
        )


def _decided(weights: Weights) -> dict[str, Any]:
    """The options that weights decide."""
    outputs = {"outputs": weights.sizes["C"]} if "C" in weights.sizes else {}
    units = weights.recipe.units
    hidden = units[0] if len(units) == 1 else units
    kind = {
        "bidirectional": weights.recipe.bidirectional,
        **({"learn-initial": True} if weights.recipe.learn_initial else {}),
        **({"embedding": weights.sizes["E"]} if weights.recipe.embedded else {}),
        **({} if weights.recipe.projection is None else {"projection": weights.recipe.projection}),
    }
    return {"cell": weights.cell.name, "hidden": hidden, "layers": len(units), **kind, **outputs}


def _units(options: Mapping[str, Any]) -> tuple[int, ...]:
    """H of each layer."""
    hidden, layers = options["hidden"], options["layers"]
    if isinstance(hidden, int):
        return (hidden,) * (layers or 1)
    if layers not in (None, len(hidden)):
        text = ",".join(map(str, hidden))
        raise InputError(f"--hidden {text} makes {len(hidden)} layers, not {layers}; leave --layers away")
    return tuple(hidden)


@contextlib.contextmanager
def _of_project(data: Data) -> Generator[None]:
    """Puts the project file's name before errors in its breakpoints, watches and edits."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{data.file}: {error}") from None


def _initial(data: Data, network: Network) -> dict[str, Array]:
    """The initial states that the file gives, for each layer and direction from the input up."""
    cell = network.cell
    assert isinstance(cell, Cell)
    file, layers = shown(data.path), network.layers
    places = initial_places(data.initial, layers, cell)
    for name in sorted({*data.initial} - {array for array, _ in places.values()}):
        if name[0] not in (*cell.states, "a", "h"):
            raise InputError(f"{file}: it holds an initial {name[0]}, which the cell {cell.name} does not have")
        known = ", ".join(own[0] for own in initial_names(layers, cell).values() if own)
        raise InputError(f"{file}: {name} is the initial state of a layer that is not there; this network has {known}")
    states: dict[str, Array] = {}
    for state, (name, number) in places.items():
        value = data.initial[name]
        stacked = value if value.ndim == 3 else value[None]
        if number is not None and len(stacked) != len(layers):
            raise InputError(
                f"{file}: {name} has shape {value.shape}, this network needs one for each layer and direction; "
                f"save {(len(layers), *value.shape[-2:])}, or leave it out of the file"
            )
        states[state] = stacked[number or 0]
    for layer in layers:
        for place, (state, (_, axis)) in enumerate(layer.table.state_axes.items()):
            hidden = network.sizes[axis]
            units = states[state].shape[1] if state in states else hidden
            if units == hidden:
                continue
            widths = {states[each].shape[1] for each in layer.table.states if each in states}
            remedy = f"use --hidden {units}"
            if axis_kind(axis) == PROJECTED:
                remedy = f"use --projection {units}"
            elif len(widths) > 1 and not cell.has_projection:
                remedy = f"give {' and '.join(layer.table.states)} the same"
            elif places[state][1] is None:
                given = (states.get(each.table.states[place]) for each in layers if not each.reverse)
                wanted = [u if rows is None else rows.shape[1] for u, rows in zip(network.units, given, strict=True)]
                remedy = f"use --hidden {','.join(map(str, wanted))}"
            elif len({*network.units}) > 1:
                remedy = f"save one array for each layer, {initial_names(layers, cell)[state][0]} of this one"
            raise InputError(
                f"{file}: the initial {state} is for {units} hidden units, the network has {hidden}; {remedy}"
            )
    return states


def _from_trace(path: Path, given: Mapping[str, Any]) -> Session:
    """A trace opens as the iteration it recorded, numbered 0, with its own options; a user's cell and the notation are given."""
    user_cell = _user_cell(given)
    further = [name for name in given if name != "notation" and (name != "cell" or user_cell is None)]
    if further:
        raise InputError(f"{shown(path)} is a trace, which has its own options; leave --{further[0]} away")
    trace = read_trace(path)
    network, X, y = network_of(trace, cell=user_cell)
    lengths = lengths_of(trace)
    classes = trace.meta.get("classes")
    names = tuple(clean(str(name)) for name in classes) if isinstance(classes, list) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    data = Data(
        name=clean(path.stem), path=path, file=shown(path), X=X, y=y, classes=names, table=None, lengths=lengths
    )
    notation = {"notation": given["notation"]} if "notation" in given else {}
    options = {**DEFAULTS, "seed": network.seed, "init-scale": network.init_scale, **notation}
    debugger = Debugger(
        network, X, y, initial=initial_of(trace, cell=user_cell), lengths=lengths, start=start_of(trace, network)
    )
    if user_cell is not None:
        check_equations(trace, debugger.tape(0))
    if edits := what_if_of(trace, network, debugger.program):
        with _of_project(data):
            debugger = what_if(debugger, *edits)
    return Session(data, options, debugger, from_trace=True)


def _head(data: Data, wanted: str | None) -> Head:
    return choose("loss", wanted, HEADS) if wanted else usual_head(classes=bool(data.classes))


def _outputs(data: Data, predict: str, head: Head, wanted: int | None) -> int:
    """C: of a loss with an output for each class what is wanted or the classes; else what the loss or the targets' numbers say."""
    if head.output_a_class:
        if wanted is not None and wanted < len(data.classes):
            raise InputError(
                f"{data.file} has {len(data.classes)} classes; --outputs must be at least that, not {wanted}"
            )
        return wanted or len(data.classes)
    single = data.y.ndim == (2 if predict == "every" else 1)
    outputs = head.outputs or (1 if single else data.y.shape[-1])
    if wanted not in (None, outputs):
        raise InputError(f"{data.file}: the loss {head.name} on these targets needs --outputs {outputs}, not {wanted}")
    return outputs


def _refuse_one_class(data: Data, head: Head, outputs: int | None) -> None:
    if head.output_a_class and len(data.classes) == 1 and outputs is None:
        raise InputError(
            f"{data.file}: every sample is of class {data.classes[0]}, so there is nothing to tell apart; "
            "say how many classes there are with --outputs"
        )
