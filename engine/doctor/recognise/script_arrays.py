"""A script's arrays recognised: by names and shapes, and of all ways to read them the one whose states it computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from engine.doctor.read.kinds import is_array
from engine.doctor.recognise.cell_search import StateFinder, readings_of
from engine.doctor.recognise.collected_lists import listed
from engine.doctor.recognise.per_step_arrays import step_by_step, unnamed_matrices
from engine.doctor.recognise.script_problem import CANDIDATES, DATA, Known, ScriptProblem, settled
from engine.doctor.reference import layouts
from engine.doctor.reference.layouts import ArrayLayout
from engine.doctor.reference.problem import Problem
from engine.doctor.reference.values import MOST_STEPS, Reference
from engine.doctor.run.events import Event
from engine.doctor.vocabulary.packing import Order, axes_of, is_matrix, is_role, shape_of, unstacked
from engine.doctor.vocabulary.readings import Names, has_weights, readings
from engine.doctor.vocabulary.targets import final_name
from engine.language.functions import Array
from engine.model.network import Network
from engine.tables.cells import CELLS, Cell

TRIED, FEW = 200, 4
"""Ways tried for one meaning of the names; readings of one way that are all followed to the end."""


def recognised(
    events: tuple[Event, ...], given: Mapping[str, Array], words: frozenset[str], own: Sequence[Cell] = ()
) -> ScriptProblem | None:
    """The problem that these events solve; None where no array could be it. `words` are those of the program's text,
    `own` cells of the user's own.

    Where no reading's states were all computed, it is the nearest one.
    """
    best: ScriptProblem | None = None
    named = frozenset(final_name(e.target) for e in events if e.target and is_array(e.value))
    said = {word for word in words if any(name in word.lower() for name in CELLS)}
    for meaning in readings(named | said, own):
        known = _by_role(events, meaning)
        for name, value in given.items():
            known[name] = [(-1, value, name), *known.get(name, [])]
        if not meaning.simple and not has_weights(meaning, known):
            continue
        found = _nearest(ways(known, events, meaning), events, meaning)
        if found is not None and (best is None or found.share > best.share):
            best = found
            if best.share > 0.5:
                return settled(best, known)
    return best


def _by_role(events: Sequence[Event], meaning: Names) -> dict[str, list[tuple[int, Array, str]]]:
    """Arrays by the role of what they are assigned to, in order."""
    found: dict[str, list[tuple[int, Array, str]]] = {}
    for event in events:
        value = event.value
        if event.site.kind in ("part", "increment", "return") or not is_array(value):
            continue
        name = final_name(event.target)
        meant = meaning.role(name) if name else None
        if meant is not None and (meant in DATA or is_role(meant, meaning.cell)):
            found.setdefault(meant, []).append((event.number, value, name))
    for number, target, value, lengths in listed(events, lambda target: _is_data(target, meaning)):
        name = final_name(target)
        found.setdefault(meaning.role(name) or "", []).append((number, value, name))
        if lengths is not None:
            found.setdefault("lengths", []).append((number, lengths, name))
    return {role: sorted(own, key=lambda entry: entry[0]) for role, own in found.items()}


def _is_data(target: str, meaning: Names) -> bool:
    return meaning.role(final_name(target)) in ("X", "y")


Way = tuple[Problem, dict[str, str], ArrayLayout]
"""A problem (targets aside), the user's names by role, and how the arrays lie."""


def _nearest(ways: Iterator[Way], events: tuple[Event, ...], meaning: Names) -> ScriptProblem | None:
    """Of all ways to read the arrays the one whose states were computed."""
    best: ScriptProblem | None = None
    values = [event.array for event in events]
    for tried, (problem, arrays, layout) in enumerate(ways):
        choice = readings_of(problem, frozenset(arrays), meaning.cells, layout.order)
        if len(choice) > FEW:  # the first steps tell them apart
            first = replace(problem, X=problem.X[:, :FEW], lengths=None)
            choice = [StateFinder(first, choice).found(values)[0]]
        reading, share = StateFinder(problem, choice).found(values)
        steps = problem.X.shape[1]
        if best is None or (share, steps > 1) > (best.share, best.problem.X.shape[1] > 1):
            weights = {**problem.parameters, **reading.parameters}
            weights = {n: w for n, w in weights.items() if n in axes_of(reading.cell)}
            network = replace(problem.network, cell=reading.cell, activation=reading.activation, weights=weights)
            own = replace(layout, order=reading.order)
            found = _checked(ScriptProblem(replace(problem, network=network), events, arrays, own, meaning, share))
            if best is None or (found.share, steps > 1) > (best.share, best.problem.X.shape[1] > 1):
                best = found
        if (best.share == 1.0 and best.problem.X.shape[1] > 1) or tried > TRIED:
            break
    return best


def _checked(found: ScriptProblem) -> ScriptProblem:
    """Numbers of the same sum need not be the states: those of other samples, or of the same ones in another order."""
    short = found.share > 0.0 and found.problem.X.shape[1] <= MOST_STEPS
    return replace(found, share=0.0) if short and _share(found.problem, found.events) == 0.0 else found


def _share(problem: Problem, events: Sequence[Event]) -> float:
    """The share of time steps whose state was computed."""
    output = problem.network.table.output
    reference = Reference(problem, only=(output,))
    sizes, steps = {problem.network.units[0], len(problem.X) * problem.network.units[0]}, problem.X.shape[1]
    seen: set[int] = set()
    for event in events:
        if event.array is not None and event.array.size in sizes:
            seen |= {m.entry.t for m in reference.matches(event.array) if m.entry.name == output and m.entry.t}
            if len(seen) == steps:
                break
    return len(seen) / steps


def ways(known: dict[str, list[tuple[int, Array, str]]], events: Sequence[Event], meaning: Names) -> Iterator[Way]:
    """The ways to read the arrays as a problem, the plainest first."""
    cell = meaning.cell
    weights = {role: own for role, own in known.items() if is_role(role, cell)}
    for role in weights:
        if is_matrix(role, cell):
            weights[role] = [entry for entry in weights[role] if entry[1].ndim == 2]
    if meaning.simple:
        weights |= _with_unnamed(weights, unnamed_matrices(events))
    if not has_weights(meaning, (role for role, own in weights.items() if own)) or not weights.get("Wy"):
        return
    matrices = [role for role in weights if is_matrix(role, cell)]
    most = CANDIDATES if len(matrices) <= 3 else 1
    for values in itertools.product(*(weights[role][:most] for role in matrices)):
        chosen = dict(zip(matrices, values, strict=True))
        if len({name for _, _, name in values}) < len(values):
            continue
        for features, hidden, outputs, layout in _fitting({role: v[1] for role, v in chosen.items()}, meaning):
            network = Network(features, outputs, hidden, cell=cell)
            own = dict(chosen)
            for role, vectors in weights.items():
                size = shape_of(role, cell, network.sizes, layout.order)[-1]
                fits = [] if role in chosen else [entry for entry in vectors if entry[1].size == size]
                own |= {role: fits[0]} if fits else {}
            zero = Problem(network, np.zeros((1, 1, features)), np.zeros(1, int))
            parameters = {name: np.zeros_like(value) for name, value in network.weights.items()}
            for role, (_, array, _) in own.items():
                parameters |= layouts.weight_back(role, array.astype(float), zero, layout)
            network = replace(network, weights=parameters)
            names = {role: name for role, (_, _, name) in own.items()}
            for X, axes, name in _inputs(known, events, features):
                nothing = Problem(network, X, np.zeros(len(X), int))
                for lengths, initial in itertools.product(_lengths(known, nothing), _initial(known, nothing)):
                    problem = replace(nothing, lengths=lengths, initial=initial)
                    yield problem, {**names, "X": name}, replace(layout, x=axes)


def _with_unnamed(weights: Known, others: list[tuple[int, Array, str]]) -> Known:
    """A simple RNN's weights, other matrices in place of those that no name says."""
    found = {role: weights.get(role, []) for role in ("Wx", "Wa", "Wy")}
    found["Wa"] = found["Wa"] or [w for w in others if w[1].shape[0] == w[1].shape[1]]
    units = {w[1].shape[0] for w in found["Wa"]}
    named = {role: [w for w in found[role] if units & set(w[1].shape)] for role in ("Wx", "Wy")}
    taken = {w[2] for role in ("Wx", "Wa", "Wy") for w in named.get(role, found[role])}
    unnamed = [w for w in others if w[2] not in taken and units & set(w[1].shape)]
    return {**found, **{role: own or unnamed for role, own in named.items()}}


def _fitting(arrays: Mapping[str, Array], meaning: Names) -> Iterator[tuple[int, int, int, ArrayLayout]]:
    """D, H, C and the way round of weights with which all arrays have the shapes they should have, all alike first."""
    cell, gates = meaning.cell, len(meaning.cell.torch.get("weight_ih", ())) or 1
    dimensions = {size for array in arrays.values() for size in array.shape}
    for hidden in sorted({size // k for size in dimensions for k in (1, gates) if size % k == 0}):
        features = sorted({size - extra for size in dimensions for extra in (0, hidden, hidden + 1) if size > extra})
        for wx, wa, wy in sorted(itertools.product((False, True), repeat=3), key=lambda flags: len(set(flags))):
            outputs = arrays["Wy"].shape[0 if wy else 1]
            for joined, inputs in itertools.product(unstacked(frozenset(arrays)), features):
                layout = ArrayLayout(wx=wx, wa=wa, wy=wy, order=Order(joined=joined))
                sizes = {"D": inputs, "H": hidden, "C": outputs}
                if all(array.shape == layouts.shape_in(role, cell, sizes, layout) for role, array in arrays.items()):
                    yield inputs, hidden, outputs, layout


def _inputs(known: Known, events: Sequence[Event], features: int) -> Iterator[tuple[Array, str, str]]:
    """Arrays that may be X, as (B, T, D): the last ones called so first, since data are often reshaped before they are used."""
    named = known.get("X", [])
    distinct: list[tuple[int, Array, str]] = []
    for entry in [*named[:1], *reversed(named[1 : 4 * CANDIDATES])]:
        if not any(d[1].shape == entry[1].shape and np.array_equal(d[1], entry[1]) for d in distinct):
            distinct.append(entry)
    distinct.sort(key=lambda e: (-e[1].ndim, e[0]))
    others = [
        (e.number, e.array, e.target)
        for e in events[:400]
        if e.array is not None and e.array.ndim == 3 and e.site.kind == "assign"
    ]
    for _, value, name in (*distinct, *others[:CANDIDATES]):
        X = value.astype(float)
        if X.ndim == 3:
            for letters in layouts.BATCHES:
                if X.shape[letters.index("D")] == features:
                    order = [letters.index(axis) for axis in "BTD"]
                    yield X.transpose(order), letters, name
        elif X.ndim == 2:
            if features == 1:
                if X.shape[1] == 1:  # one long sequence, more likely than many of one step
                    yield X[None], "TD", name
                yield X[:, :, None], "BT", name
                yield X.T[:, :, None], "TB", name
            elif value.dtype.kind in "iu" and value.min() >= 0 and value.max() < features:
                yield np.eye(features)[value], "bt", name
            if X.shape[1] == features:
                yield X[None], "TD", name
            if X.shape[0] == features:
                yield X.T[None], "DT", name
        elif X.ndim == 1:
            if features == 1:
                yield X[None, :, None], "T", name
            elif value.dtype.kind in "iu" and value.min() >= 0 and value.max() < features:
                yield np.eye(features)[value][None], "t", name
    for rows, name in step_by_step(events, features):
        yield rows[None].astype(float), "TD", name


def _lengths(known: Known, problem: Problem) -> Iterator[Array | None]:
    """How many steps of each sample count, where something says it: all of them, or so many."""
    yield None
    B, T = problem.X.shape[:2]
    for _, value, _ in known.get("lengths", [])[:CANDIDATES]:
        if value.shape == (B,) and value.dtype.kind in "iu" and 0 < value.min() < T == value.max():
            yield value
    for _, value, _ in known.get("mask", [])[:CANDIDATES]:
        own = value.T if value.shape == (T, B) else value
        if own.shape == (B, T) and not own.all():
            yield own.sum(axis=1).astype(int)


def _initial(known: Known, problem: Problem) -> Iterator[Mapping[str, Array]]:
    """Initial states: none but zeros, or those that are called so."""
    yield {}
    network, found = problem.network, dict[str, Array]()
    for name in network.table.states:
        for _, value, _ in known.get("a0" if name == network.table.output else f"{name}0", [])[:1]:
            own = value.T if value.shape == (network.units[0], len(problem.X)) else value
            if own.shape == (len(problem.X), network.units[0]) and own.any():
                found[name] = own.astype(float)
    if found:
        yield found
