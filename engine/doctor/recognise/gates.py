"""The pre-activations of a run's recurrent cell: which weights, biases and gates lie in which of its arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.doctor.lineage.record.reading import Floats, Ids
from engine.doctor.recognise.products import ForwardProducts, UsedWeight
from engine.doctor.reference.forward import equations_of
from engine.doctor.reference.packed_values import Arrays
from engine.doctor.vocabulary.packing import Order, gates
from engine.language.functions import Array
from engine.tables.cells import Cell

MOST_GATES = 4


@dataclass(frozen=True, eq=False)
class Gate:
    """What goes into one pre-activation: the weights of the input and of the state, and biases, apart where the program adds them to
    different sums. `x_ids` and so on are their numbers in the record. `place` is where the gate lies in arrays of several, `joined` what
    lies in one array with the state's weights, as the letters of an `Order` say."""

    x: Floats
    a: Floats
    bias: Floats
    second: Floats
    x_ids: Ids
    a_ids: Ids
    bias_ids: Sequence[Ids]
    second_ids: Sequence[Ids]
    place: int
    several: bool
    turned: bool
    joined: str


@dataclass(frozen=True, eq=False)
class _Half:
    """The share of a pre-activation that one array of weights makes."""

    end: int
    place: int
    several: bool
    turned: bool
    x_ids: Ids | None
    a_ids: Ids | None
    bias_ids: Sequence[Ids]
    joined: str


def pre_activations(products: ForwardProducts) -> list[Gate] | None:
    """The gates of the cell, in the order in which they are computed; None where the weights make no such cell."""
    states = products.states
    if not states:
        return None
    units = int(states[0].computed.sum())
    halves: list[_Half] = []
    for weight in (*states, *products.of_data):
        if weight.ids.shape[1] % units or (weight.computed.any() and weight.computed.sum() != units):
            return None
        halves += _halves(products, weight, units)
    wholes = [h for h in halves if h.x_ids is not None and h.a_ids is not None]
    of_x = [h for h in halves if h.a_ids is None]
    of_a = [h for h in halves if h.x_ids is None]
    pairs = [(h, h) for h in wholes]
    for half in of_a:
        one = [h for h in of_x if (h.end, h.place) == (half.end, half.place)]
        left = one or [h for h in of_x if not any((o.end, o.place) == (h.end, h.place) for o in of_a)]
        if len(left) != 1:
            return None
        pairs.append((left[0], half))
    if len(pairs) != len(wholes) + len(of_x) or len(pairs) > MOST_GATES:
        return None
    made = [_gate(products, x, a, units) for x, a in pairs]
    return None if any(g.x.shape != made[0].x.shape for g in made) else made


def _halves(products: ForwardProducts, weight: UsedWeight, units: int) -> list[_Half]:
    """What one array of weights adds to each of its gates."""
    use = weight.uses[0]
    total = products.sum_of(use)
    ones = weight.ones if weight.computed.any() else np.zeros(len(weight.ids), bool)
    data = ~weight.computed & ~ones
    biases = products.biases(total.added, weight.ids.shape[1])
    made: list[_Half] = []
    for place in range(weight.ids.shape[1] // units):
        own = weight.ids[:, place * units : (place + 1) * units]
        added = [bias[place * units : (place + 1) * units] for bias in biases] + list(own[ones])
        made.append(
            _Half(
                total.end,
                place,
                weight.ids.shape[1] > units,
                products.is_turned(weight),
                own[data] if data.any() else None,
                own[weight.computed] if weight.computed.any() else None,
                added,
                weight.joined,
            )
        )
    return made


def _gate(products: ForwardProducts, x: _Half, a: _Half, units: int) -> Gate:
    assert x.x_ids is not None and a.a_ids is not None
    pool = products.record.pool
    first = {int(ids[0]) for ids in x.bias_ids}
    second = [ids for ids in a.bias_ids if int(ids[0]) not in first] if a is not x else []
    return Gate(
        pool[x.x_ids],
        pool[a.a_ids],
        np.sum([np.zeros(units), *(pool[ids] for ids in x.bias_ids)], axis=0),
        np.sum([np.zeros(units), *(pool[ids] for ids in second)], axis=0),
        x.x_ids,
        a.a_ids,
        x.bias_ids,
        second,
        a.place,
        a.several,
        a.turned,
        a.joined if x is a else "",
    )


@dataclass(frozen=True)
class PreActivation:
    """The parameters of one pre-activation of a cell's table: what multiplies the input and the state, and the biases of their sums, the
    second's apart where its sum is a line of its own."""

    x: str
    a: str
    biases: tuple[str, ...]
    seconds: tuple[str, ...]


@lru_cache(maxsize=64)
def pre_activations_of(cell: Cell) -> tuple[PreActivation, ...]:
    """The pre-activations of a cell, by its equations; () where they are no sums of an input's and a state's product."""
    lines: list[tuple[list[str], list[str], tuple[str, ...]]] = []
    for line in equations_of(cell, "tanh"):
        axes = {name.name: cell.parameters[name.name] for name in line.reads if name.name in cell.parameters}
        lines.append(
            (
                [name for name, of in axes.items() if of == ("D", "H")],
                [name for name, of in axes.items() if of == ("H", "H")],
                tuple(name for name, of in axes.items() if of == ("H",)),
            )
        )
    if any(len(x) > 1 or len(a) > 1 for x, a, _ in lines):
        return ()
    whole = [PreActivation(x[0], a[0], biases, ()) for x, a, biases in lines if x and a]
    of_x = [(x[0], biases) for x, a, biases in lines if x and not a]
    of_a = [(a[0], biases) for x, a, biases in lines if a and not x]
    if len(of_x) != len(of_a):
        return ()
    return (*whole, *(PreActivation(x, a, b, second) for (x, b), (a, second) in zip(of_x, of_a, strict=True)))


def weights_of(order: Sequence[Gate], cell: Cell) -> tuple[dict[str, Array], dict[str, Ids]]:
    """The cell's parameters, where its gates are those, and their numbers in the record. A bias that the program does not have is zero."""
    weights: dict[str, Array] = {}
    held: dict[str, Ids] = {}
    for row, gate in zip(pre_activations_of(cell), order, strict=True):
        weights |= {row.x: gate.x, row.a: gate.a}
        held |= {row.x: gate.x_ids, row.a: gate.a_ids}
        if row.seconds:
            sums = [(row.biases, gate.bias, gate.bias_ids), (row.seconds, gate.second, gate.second_ids)]
        else:
            sums = [(row.biases, gate.bias + gate.second, [*gate.bias_ids, *gate.second_ids])]
        for names, value, ids in sums:
            for k, name in enumerate(names):
                weights[name] = value if k == 0 else 0 * value
            if names and ids:
                held[names[0]] = ids[0]
    return weights, held


def order_of(order: Sequence[Gate], cell: Cell) -> Arrays:
    """How the program holds the parameters of these gates."""
    letters = gates(cell)
    if not letters:
        return Arrays()
    first = order[0]
    placed = tuple(letter for _, letter in sorted(zip([g.place for g in order], letters, strict=True)))
    several = first.several and len(letters) > 1
    roles = ("W", *(f"W.{letter}" for letter in letters)) if first.joined else ("Wx", "Wa")
    held = roles[:1] if first.joined and several else roles[1:] if first.joined else roles if several else ()
    biases = ("ba",) if several and "1" not in first.joined else ()
    return Arrays(frozenset((*held, *biases)), Order(placed if several else (), first.joined or "hx"))
