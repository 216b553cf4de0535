"""The reference's quantities as a program holds them that keeps several in one array: all gates' pre-activations side by side, state and
input in one, and what the gradients of such arrays of weights are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np

from engine.doctor.reference.problem import Problem
from engine.doctor.vocabulary.packing import ALL, JOINED, OWN, SECOND, Grid, Order, gates, held, is_role, pack
from engine.language.equation import Equation, equation
from engine.language.expression import Binary, Call, Expression, Name, walk
from engine.language.functions import Array
from engine.tables.cells import Cell


@dataclass(frozen=True)
class Arrays:
    """Which arrays of parameters a program has, and in which order they hold them."""

    roles: frozenset[str] = frozenset()
    order: Order = OWN


def together(problem: Problem, arrays: Arrays) -> Iterator[tuple[str, Array]]:
    """Quantities of each step that lie side by side, as (T, B, n), and what they are: their names with spaces between."""
    cell, tape = problem.network.table, problem.tape
    if arrays.roles & {*ALL, JOINED} and len(gates(cell)) > 1:
        for names in _runs(cell, arrays.order):
            for own in (names, tuple(f"d{name}" for name in names)):
                if all(name in tape for name in own):
                    yield " ".join(own), np.concatenate([np.asarray(tape[name]) for name in own], axis=-1)
    if any(role.partition(".")[0] == JOINED for role in arrays.roles):
        yield from _inputs(problem, arrays.order)


def parameters(problem: Problem, arrays: Arrays) -> Iterator[Grid]:
    """The parameters in each array that holds several."""
    cell = problem.network.table
    for role in sorted(arrays.roles):
        if is_role(role, cell) and role not in problem.parameters:
            grid = held(role, cell, arrays.order)
            if role == SECOND:  # whose gradient is that of the first bias, where one would do
                names = dict(zip(gates(cell), cell.torch["bias_hh"], strict=True))
                grid = (tuple(names[gate] for gate in arrays.order.gates or gates(cell)),)
            yield grid


def block(grid: Grid, values: Mapping[str, Array]) -> Array:
    """The array that parts make; biases as rows where there is something above or below them."""
    rows = [np.concatenate([np.atleast_2d(values[name]) for name in row], axis=-1) for row in grid]
    is_vector = all(np.ndim(values[name]) == 1 for row in grid for name in row)
    return rows[0][0] if is_vector else np.concatenate(rows, axis=0)


def _runs(cell: Cell, order: Order) -> Iterator[tuple[str, ...]]:
    """The gates' pre-activations and the gates in their order, all of them and those in a row that have one function."""
    lines = _equations(cell)
    for weights in ("weight_ih", "weight_hh"):
        if weights not in cell.torch:
            continue
        reads = dict(zip(gates(cell), cell.torch[weights], strict=True))
        before = [next(e.target for e in lines if _reads(e, reads[g])) for g in order.gates or gates(cell)]
        after = [next((e for e in lines if e.expression == _applied(e, name)), None) for name in before]
        yield tuple(before)
        found = [(e.expression.function, e.target) for e in after if e is not None and isinstance(e.expression, Call)]
        if len(found) == len(before):
            yield tuple(name for _, name in found)
            for _, run in groupby(zip(found, before, strict=True), key=lambda pair: pair[0][0]):
                pairs = list(run)
                if len(pairs) > 1:
                    yield tuple(name for (_, name), _ in pairs)
                    yield tuple(name for _, name in pairs)


def _applied(line: Equation, name: str) -> Expression | None:
    """The line's expression where it is a function of that quantity alone."""
    alone = isinstance(line.expression, Call) and line.expression.arguments == (Name(name),)
    return line.expression if alone else None


def _inputs(problem: Problem, order: Order) -> Iterator[tuple[str, Array]]:
    """State and input in one array, and its gradient, for each state that weights multiply: h, or the r ⊙ h of a GRU."""
    cell, tape = problem.network.table, problem.tape
    T, B = problem.X.shape[1], len(problem.X)
    by_state: dict[Name, list[str]] = {}
    for gate, name in zip(gates(cell), cell.torch["weight_hh"], strict=True):
        by_state.setdefault(_operand(cell, name), []).append(gate)
    for state, own in by_state.items():
        value = np.asarray(tape[state.name])
        value = value[:-1] if len(value) == T + 1 and state.step < 0 else value[-T:]
        parts = {"h": value, "x": np.moveaxis(problem.X, 1, 0), "1": np.ones((T, B, 1))}
        yield f"{state.name} x", np.concatenate([parts[letter] for letter in order.joined], axis=-1)
        back: list[Array] = []
        for gate in own:
            before = next(
                e.target for e in _equations(cell) if _reads(e, cell.torch["weight_hh"][gates(cell).index(gate)])
            )
            back.append(np.asarray(tape[f"d{before}"]) @ pack(f"{JOINED}.{gate}", problem.parameters, cell, order).T)
        yield f"d{state.name} dx", np.sum(back, axis=0)


def _operand(cell: Cell, parameter: str) -> Name:
    """What a weight multiplies."""
    for line in _equations(cell):
        for node in walk(line.expression):
            if isinstance(node, Binary) and node.right == Name(parameter) and isinstance(node.left, Name):
                return node.left
    raise AssertionError(parameter)


def _reads(line: Equation, parameter: str) -> bool:
    return any(name.name == parameter for name in line.reads)


@lru_cache(maxsize=16)
def _equations(cell: Cell) -> tuple[Equation, ...]:
    return tuple(equation(source.format(activation="tanh")) for source in cell.equations)
