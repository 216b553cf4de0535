"""The references that a file's arrays may belong to: from the weights and data in the file, in every way to read them,
or from those of the options."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.doctor.compare import states
from engine.doctor.compare.conventions import conventions, gradients_by_name, initial_states, network_of, own_weights
from engine.doctor.compare.targets import with_targets
from engine.doctor.compare.ways import Known, readings_of, ways
from engine.doctor.reference.layouts import ArrayLayout
from engine.doctor.reference.problem import Problem
from engine.doctor.vocabulary.packing import OWN, SECOND, axes_of, held, is_matrix, is_role
from engine.doctor.vocabulary.readings import SIMPLE, Names, has_weights, readings
from engine.errors import InputError
from engine.files.arrays import array_names
from engine.files.raw import shown
from engine.files.trace import META
from engine.language.functions import Array
from engine.model.initial_states import INITIAL_STATE
from engine.model.network import Network
from engine.model.weights_recipe import WeightsRecipe
from engine.recording.plan import Plan, plan
from engine.recording.record import record, record_with
from engine.recording.tape import Tape
from engine.session import open_session
from engine.tables.cells import CELLS
from engine.text import clean

CONVENTIONS_TRIED = 100
"""Ways to read a framework's arrays that are tried, before those of any program."""
_DATA = ("X", "y", "a0", "c0", "lengths", "mask")
_CHOSEN = ("activation", "loss", "predict", "reduction")


@dataclass(frozen=True, eq=False)
class FileReading:
    """A reference for a file: `used` are the names of the arrays it is made from, `words` say what was used.

    `conventions` are those that it needs and the file's framework does not have; `gradients` are by names of the file; with `states_only`
    the file says nothing of a loss, so that the states alone can be compared.
    """

    tape: Tape
    meaning: Names
    layout: ArrayLayout
    used: frozenset[str]
    words: str
    conventions: tuple[str, ...] = ()
    gradients: Mapping[str, Array] = field(default_factory=dict[str, Array])
    states_only: bool = False


def readings_in(
    path: Path, mine: Mapping[str, Array], data: str | None, options: Mapping[str, Any]
) -> Iterator[FileReading]:
    """The references that a file's arrays may belong to, the likeliest first. Raises InputError for weights that are not all there."""
    found = own_weights(mine, options)
    some = False
    for reading in itertools.islice(_by_convention(found, mine, data, options) if found else (), CONVENTIONS_TRIED):
        some = True
        yield reading
    if found and len(found[0].layers) > 1:
        if not some:
            D = found[0].sizes["D"]
            raise InputError(
                f"{shown(path)}: its weights are of {len(found[0].units)} layers that read {D} values a step, and it has no X of so many; "
                "save X (samples, steps, values) and y with them, or give the data"
            )
        return
    if found and some and found[0].cell.name not in CELLS:
        return  # no other cell is asked for
    own_data = data is None and {"X", "y"} <= {SIMPLE.role(name) for name in mine}
    lacking = misfit = ""
    some = False
    for meaning in _meanings(mine):
        known = _known(path, mine, meaning)
        weights = {role: own for role, own in known.items() if is_role(role, meaning.cell)}
        if not weights:
            continue
        if not has_weights(meaning, weights) or "Wy" not in weights:
            lacking = lacking or next(
                (n for n in (*meaning.cell.parameters, "Wy") if is_matrix(n, meaning.cell) and n not in weights), "Wy"
            )
            continue
        if options.get("cell", meaning.cell.name) != meaning.cell.name:
            misfit = (
                misfit or f"its weights are those of the cell {meaning.cell.name}, and --cell says {options['cell']}"
            )
            continue
        given = None if own_data else _given(data, {"cell": meaning.cell.name, **options})
        before = some
        for reading in _with_weights(known, meaning, given, options):
            some = True
            yield reading
        misfit = misfit if some > before else misfit or _misfit(known, given)
    if some:
        return
    if misfit:
        raise InputError(f"{shown(path)}: {misfit}")
    if lacking:
        raise InputError(f"{shown(path)}: of the weights {lacking} is missing; save all of them, or none")
    session = open_session(data, options)
    tape = session.debugger.tape(session.options["iteration"])
    cell = tape.plan.network.table
    meaning = next((m for m in readings(frozenset(mine)) if m.cell.name == cell.name), Names((cell,)))
    again = record(tape.plan.network, *_arrays(tape), parameters=tape.parameters, lengths=tape.lengths)
    used = frozenset(name for own in _known(path, mine, meaning).values() for _, _, name in own)
    turned = _are_turned(mine, meaning, tape)
    layout = ArrayLayout(wx=turned, wa=turned, wy=turned)
    yield FileReading(again, meaning, layout, used, "the file has no weights; the options' own were used")


class _Prepared:
    """Plans that are used again: the same network with its weights read otherwise."""

    def __init__(self) -> None:
        self._plans: dict[tuple[object, ...], Plan] = {}

    def record(self, problem: Problem, lengths: Array | None) -> Tape:
        """The tape of a problem."""
        network = problem.network
        key = (
            network.table.name,
            network.activation,
            network.loss,
            network.predict,
            network.reduction,
            lengths is None,
        )
        if key not in self._plans:
            self._plans[key] = plan(network, *problem.X.shape[:2], masked=lengths is not None)
        return record_with(
            self._plans[key],
            problem.X,
            problem.y,
            parameters=network.weights,
            initial=problem.initial,
            lengths=lengths,
        )


def _by_convention(
    found: tuple[WeightsRecipe, dict[str, Array]],
    mine: Mapping[str, Array],
    data: str | None,
    options: Mapping[str, Any],
) -> Iterator[FileReading]:
    """The references for a file in a framework's names: as the framework has it, then with the conventions of others."""
    x = next((mine[name] for name in ("X", "x") if name in mine), None)
    if data is None and x is None:
        return
    recipe, arrays = found
    # The file says what network it is.
    kind: dict[str, Any] = {
        "cell": recipe.cell.name,
        "hidden": recipe.units,
        "projection": recipe.projection,
        "layers": None,
        "bidirectional": recipe.bidirectional,
    }
    kind |= {"embedding": recipe.sizes["E"]} if recipe.embedded else {}
    given = _given(data, {**options, **kind}) if data is not None else None
    in_trace = not recipe.words and given is None and "X" not in mine  # under our own names time comes first
    own_x = x.swapaxes(0, 1) if in_trace and x is not None and x.ndim == 3 else x
    if recipe.embedded and own_x is not None and own_x.ndim == 2:
        own_x = (own_x[..., None] == np.arange(recipe.sizes["D"])).astype(float)  # the numbers of classes
    X = _arrays(given)[0] if given is not None else own_x
    if X is None or X.ndim != 3 or X.shape[2] != recipe.sizes["D"]:
        return
    own_lengths = mine["mask"].sum(axis=0).astype(int) if in_trace and "mask" in mine else mine.get("lengths")
    lengths = given.lengths if given is not None else own_lengths
    short = lengths if lengths is not None and lengths.shape == (len(X),) and lengths.min() < X.shape[1] else None
    used = frozenset({*arrays, *(n for n in mine if n in (*_DATA, "x") or INITIAL_STATE.fullmatch(n))})
    meaning = next((m for m in _meanings(mine) if m.cell.name == recipe.cell.name), Names((recipe.cell,)))
    alone, prepared = "C" not in recipe.sizes or (given is None and "y" not in mine), _Prepared()
    for way in conventions(recipe, lengths=short is not None):
        network = network_of(way, arrays, **{k: options[k] for k in _CHOSEN if k in options})
        initial = initial_states(mine, recipe, len(X)) or (states.initial_of(given) if given is not None else {})
        initial = {name: value for name, value in initial.items() if name in network.table.states}
        start = Problem(network, X, np.zeros(len(X), int), initial=initial)
        if alone:
            zeros = np.zeros((len(X), network.outputs))
            problems = iter([replace(start, network=replace(network, loss="squared", predict="last"), y=zeros)])
        elif given is not None:
            problems = _given_problem(start, given)
        else:
            known = {"y": [(0, mine["y"], "y")]}
            problems = _own(start, known, options)
        for whole in problems:
            ends = None if way.without_lengths else short
            tape = prepared.record(whole, ends)
            by_name = {} if alone else gradients_by_name(way.recipe, arrays, tape.gradients)
            words = (
                "the states were compared; the file says nothing of a loss"
                if alone
                else _words(whole.network, own_data=given is None)
            )
            read = f"its weights were read as {recipe.words or 'our own names'}; {words}"
            yield FileReading(tape, meaning, ArrayLayout(), used, read, way.words, by_name, alone)


def arrays_of_trace(path: Path) -> frozenset[str]:
    """The names in a trace, but for its description, which is text."""
    return frozenset(array_names(path)) - {META}


def _meanings(mine: Mapping[str, Array]) -> Iterator[Names]:
    """The readings of the names; beside PyTorch's recurrent layer `weight` and `bias` are those of the linear one."""
    linear = {
        name: "Wy" if name.rpartition(".")[2] == "weight" else "by"
        for name in {re.sub(r"[._]grad$", "", name) for name in mine}
        if name.rpartition(".")[2] in ("weight", "bias")
    }
    is_torch = any("weight_ih" in name for name in mine)
    words = {*mine, *(name.rpartition(".")[2] for name in mine), *CELLS} if is_torch else set(mine)
    for meaning in readings(frozenset(words)):
        yield replace(meaning, words={**meaning.words, **linear}) if is_torch else meaning


def _misfit(known: Known, given: Tape | None) -> str:
    """Why weights and data make no reference."""
    weights = ", ".join(
        f"{name} {array.shape}" for role in ("Wx", "Wxi", "Wxr", "Wy") for _, array, name in known.get(role, [])[:1]
    )
    if given is not None:
        network = given.plan.network
        return (
            f"its weights ({weights}) do not fit the data, which have {network.inputs} features and {network.outputs} outputs; "
            "give the data and the options with which its arrays were made"
        )
    (_, x, x_name), (_, y, y_name) = known["X"][0], known["y"][0]
    return (
        f"{x_name} {x.shape}, {y_name} {y.shape} and the weights ({weights}) do not fit together; "
        "X is (samples, steps, features), y one class or number a sample, or one a step"
    )


def _are_turned(mine: Mapping[str, Array], meaning: Names, tape: Tape) -> bool:
    """Whether gradients lie as for weights that are transposed: told by those that are not square."""
    for name, array in mine.items():
        role = meaning.gradient(name)
        ours = tape.gradients.get(role or "")
        if ours is not None and ours.ndim == 2 and ours.shape[0] != ours.shape[1] and array.ndim == 2:
            return array.shape == ours.shape[::-1]
    return False


def _known(path: Path, mine: Mapping[str, Array], meaning: Names) -> dict[str, list[tuple[int, Array, str]]]:
    """The file's arrays by role: data and parameters, the second of two biases added to the first where one would do."""
    by_role: dict[str, list[tuple[int, Array, str]]] = {}
    for number, (name, array) in enumerate(mine.items()):
        role = meaning.role(name)
        if role is not None and (role in _DATA or is_role(role, meaning.cell)):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise InputError(
                    f"{shown(path)}: {clean(name, 60)} holds NaN or infinite numbers; a reference needs all of it"
                )
            by_role.setdefault(role, []).append((number, array, name))
    if {"ba", SECOND} <= by_role.keys():
        (number, first, called), (_, second, _) = by_role["ba"][0], by_role[SECOND][0]
        first_biases = held(SECOND, meaning.cell, OWN)[0]
        if first.size == second.size and first.size % len(first_biases) == 0:
            parts = zip(first_biases, np.split(second.ravel(), len(first_biases)), strict=True)
            blocks = np.array([0 * block if name else block for name, block in parts])
            by_role["ba"][0] = number, first + blocks.reshape(first.shape), called
    return by_role


def _arrays(tape: Tape) -> tuple[Array, Array]:
    """X (B, T, D) and y, samples first."""
    y = np.asarray(tape["y"])
    return np.moveaxis(tape["x"], 0, 1), np.moveaxis(y, 0, 1) if tape.plan.network.predict == "every" else y


def _given(data: str | None, options: Mapping[str, Any]) -> Tape:
    session = open_session(data, options)
    return session.debugger.tape(session.options["iteration"])


def _with_weights(
    known: Known, meaning: Names, given: Tape | None, options: Mapping[str, Any]
) -> Iterator[FileReading]:
    """The references on the file's own weights, and on its own data or, with `given`, on those."""
    if given is not None:
        known = {
            **{r: arrays for r, arrays in known.items() if r not in _DATA},
            "X": [(0, _arrays(given)[0], "X")],
        }
    for problem, arrays, layout in ways(known, meaning):
        if given is not None and layout.x != "BTD":
            continue
        for reading in readings_of(problem, frozenset(arrays), meaning.cells, layout.order):
            weights = {**problem.parameters, **reading.parameters}
            weights = {name: value for name, value in weights.items() if name in axes_of(reading.cell)}
            network = replace(problem.network, cell=reading.cell, activation=reading.activation, weights=weights)
            with_weights = replace(problem, network=network)
            used = frozenset(name for entries in known.values() for _, _, name in entries)
            for whole in (
                _given_problem(with_weights, given) if given is not None else _own(with_weights, known, options)
            ):
                tape = record(whole.network, whole.X, whole.y, initial=whole.initial, lengths=whole.lengths)
                yield FileReading(
                    tape,
                    meaning,
                    replace(layout, order=reading.order),
                    used,
                    _words(whole.network, own_data=given is None),
                )


def _given_problem(problem: Problem, given: Tape) -> Iterator[Problem]:
    network, wanted = problem.network, given.plan.network
    if network.table.name != wanted.table.name:
        return
    if network.table.has_activation and network.activation != wanted.activation:
        return
    names = ("loss", "predict", "reduction", "dtype", "truncate", "truncate_by", "clip_norm", "clip_value")
    network = replace(network, **{name: getattr(wanted, name) for name in names})
    X, y = _arrays(given)
    yield replace(problem, network=network, X=X, y=y, lengths=given.lengths)


def _own(problem: Problem, known: Known, options: Mapping[str, Any]) -> Iterator[Problem]:
    """The problem with the file's own targets, as the options have it."""
    for whole in with_targets(problem, known):
        for reduction in ("mean", "sum"):
            network = replace(whole.network, reduction=reduction)
            wanted = {name: options[name] for name in _CHOSEN if name in options}
            if all(getattr(network, name) == value for name, value in wanted.items()):
                yield replace(whole, network=network)


def _words(network: Network, *, own_data: bool) -> str:
    if not own_data:
        return "the file's own weights were used"
    kind = f"{network.activation}, " if network.table.has_activation else ""
    every = "every step" if network.predict == "every" else "the last step"
    return (
        f"the file's own weights and data were used, as {network.table.name} "
        f"({kind}{network.loss}, {every}, {network.reduction} over the batch)"
    )
