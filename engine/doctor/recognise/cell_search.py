"""Which cell a program computes, with which activation and its gates in which order: told by the states among recorded values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.doctor.reference.forward import forward
from engine.doctor.reference.problem import Problem
from engine.doctor.vocabulary.packing import Order, is_role, orders, pack, unpack
from engine.language.expression import Name
from engine.language.functions import ACTIVATIONS, Array
from engine.tables.cells import Cell


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


class StateFinder:
    """Finds states of several readings among recorded values, quickly: by the sum of their magnitudes."""

    def __init__(self, problem: Problem, readings: Sequence[CellReading]) -> None:
        self.steps = problem.X.shape[1]
        self.readings = readings
        sums: list[float] = []
        self.labels: list[tuple[int, int]] = []
        for k, (whole, start) in enumerate(_states(problem, readings)):
            for t, states in enumerate(whole[1:]):
                sums += [float(np.abs(part).sum()) for part in (states, states[0])]
                self.labels += [(k, t)] * 2
            parts = [whole[1:], whole[1:, 0]]
            if start:
                parts += [whole, whole[:, 0]]
            sums += [float(np.abs(part).sum()) for part in parts]
            self.labels += [(k, -1)] * len(parts)
        order = np.argsort(sums)
        self.sums = np.array(sums)[order]
        self.labels = [self.labels[int(k)] for k in order]

    def found(self, values: Sequence[Array | None]) -> tuple[CellReading, float]:
        """The reading whose states are among the values, and the share of time steps at which they are."""
        seen: dict[int, set[int]] = {}
        times: dict[int, int] = {}
        totals = [float(np.abs(v).sum()) for v in values if v is not None]
        near = np.searchsorted(self.sums, np.array(totals) * (1 - 1e-6))
        for total, start in zip(totals, near.tolist(), strict=True):
            k = int(start)
            while k < len(self.sums) and self.sums[k] <= total * (1 + 1e-6):
                reading, t = self.labels[k]
                seen.setdefault(reading, set()).update(range(self.steps) if t < 0 else (t,))
                times[reading] = times.get(reading, 0) + 1  # among many values, some are the same by chance
                k += 1
        best = max(sorted(seen), key=lambda reading: (len(seen[reading]), times[reading]), default=0)
        return self.readings[best], len(seen.get(best, ())) / self.steps


def _states(problem: Problem, readings: Sequence[CellReading]) -> list[tuple[Array, bool]]:
    """The output's rows (T+1, B, H) in each reading, and whether the initial one is given."""
    found: dict[int, tuple[Array, bool]] = {}
    groups: dict[tuple[Cell, str], list[int]] = {}
    for k, reading in enumerate(readings):
        groups.setdefault((reading.cell, reading.activation), []).append(k)
    for (cell, activation), members in groups.items():
        own = [readings[k].parameters for k in members]
        stacked = {
            name: np.stack([np.atleast_2d(parameters.get(name, np.zeros(1))) for parameters in own])
            for name in cell.parameters
        }
        rows = _outputs(problem, cell, activation, stacked, len(own))
        for k, whole in zip(members, rows, strict=True):
            found[k] = whole, cell.output in problem.initial
    return [found[k] for k in range(len(readings))]


def _outputs(problem: Problem, cell: Cell, activation: str, parameters: Mapping[str, Array], count: int) -> Array:
    """The output at every step, the initial one first, for several sets of parameters at once: (sets, T+1, B, H)."""
    zero = np.zeros((len(problem.X), problem.network.units[0]))
    states = {name: np.asarray(problem.initial.get(name, zero))[None].repeat(count, axis=0) for name in cell.states}
    rows = [states[cell.output]]
    steps = forward(cell, activation, parameters, problem.X, states, problem.lengths)
    return np.stack([*rows, *(look_up(Name(cell.output)) for look_up in steps)], axis=1)
