"""The ways to read a file's arrays as a problem of ours: which array holds which weights, and how their axes and those of the data lie."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.doctor.reference import layouts
from engine.doctor.reference.layouts import ArrayLayout
from engine.doctor.reference.problem import Problem
from engine.doctor.vocabulary.packing import Order, is_matrix, is_role, orders, pack, shape_of, unpack, unstacked
from engine.doctor.vocabulary.readings import Names, has_weights
from engine.language.functions import ACTIVATIONS, Array
from engine.model.network import Network
from engine.tables.cells import Cell

CANDIDATES = 4
"""Values tried for one role."""
Known = Mapping[str, list[tuple[int, Array, str]]]
"""Arrays by role: a number, the value, the name."""
Way = tuple[Problem, dict[str, str], ArrayLayout]
"""A problem (targets aside), the file's names by role, and how the arrays lie."""


def ways(known: Known, meaning: Names) -> Iterator[Way]:
    """The ways to read the arrays as a problem, the plainest first."""
    cell = meaning.cell
    weights = {role: own for role, own in known.items() if is_role(role, cell)}
    for role in weights:
        if is_matrix(role, cell):
            weights[role] = [entry for entry in weights[role] if entry[1].ndim == 2]
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
            for X, axes, name in _inputs(known, features):
                nothing = Problem(network, X, np.zeros(len(X), int))
                for lengths, initial in itertools.product(_lengths(known, nothing), _initial(known, nothing)):
                    problem = replace(nothing, lengths=lengths, initial=initial)
                    yield problem, {**names, "X": name}, replace(layout, x=axes)


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


def _inputs(known: Known, features: int) -> Iterator[tuple[Array, str, str]]:
    """Arrays that may be X, as (B, T, D): the last ones called so first, since data are often reshaped before they are used."""
    named = known.get("X", [])
    distinct: list[tuple[int, Array, str]] = []
    for entry in [*named[:1], *reversed(named[1 : 4 * CANDIDATES])]:
        if not any(d[1].shape == entry[1].shape and np.array_equal(d[1], entry[1]) for d in distinct):
            distinct.append(entry)
    distinct.sort(key=lambda e: (-e[1].ndim, e[0]))
    for _, value, name in distinct:
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
    for name, (_, axis) in network.state_axes.items():
        wanted = (len(problem.X), network.sizes[axis])
        for _, value, _ in known.get("a0" if name == network.table.output else f"{name}0", [])[:1]:
            own = value.T if value.shape == wanted[::-1] else value
            if own.shape == wanted and own.any():
                found[name] = own.astype(float)
    if found:
        yield found


@dataclass(frozen=True, eq=False)
class CellReading:
    """What arrays may mean: of which cell, with which activation, they are, in which order they hold its parameters, and these."""

    cell: Cell
    activation: str
    order: Order
    parameters: Mapping[str, Array]


def readings_of(problem: Problem, roles: frozenset[str], cells: Sequence[Cell], order: Order) -> list[CellReading]:
    """The readings of the problem's arrays, which hold its parameters in `order`."""
    network = problem.network
    own = [role for role in roles if is_role(role, network.table)]
    arrays = {role: pack(role, problem.parameters, network.table, order) for role in own}
    found: list[CellReading] = []
    for cell in cells:
        if not all(is_role(role, cell) for role in own):
            continue
        rest = {name: problem.parameters[name] for name in cell.parameters if name in problem.parameters}
        for other in orders(cell, roles, order.joined):
            parameters: dict[str, Array] = dict(rest)
            for role, array in arrays.items():
                parameters |= unpack(role, array, network.sizes, cell, other)
            for activation in ACTIVATIONS if cell.has_activation else (next(iter(ACTIVATIONS)),):
                found.append(CellReading(cell, activation, other, parameters))
    return found
