"""The forward pass of a cell alone, without a recording: its equations, evaluated step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import numpy as np

from engine.language.equation import Equation, equation
from engine.language.evaluate import evaluate
from engine.language.expression import Name
from engine.language.functions import Array
from engine.tables.cells import Cell


def forward(
    cell: Cell,
    activation: str,
    parameters: Mapping[str, Array],
    X: Array,
    states: Mapping[str, Array],
    lengths: Array | None = None,
) -> Iterator[Callable[[Name], Array]]:
    """For each time step of X (B, T, D) what looks up the quantities of that step, and by `_prev` the states of the one before.

    `states` are the initial ones, each (B, H); beyond a sample's length states stay what they were. Parameters and states may have one
    more axis in front: several networks at once.
    """
    for t in range(X.shape[1]):
        values = {**parameters, "x": X[:, t]}

        def look_up(name: Name, values: Mapping[str, Array] = values, states: Mapping[str, Array] = states) -> Array:
            return states[name.name] if name.step < 0 else values[name.name]

        for line in equations_of(cell, activation):
            value = evaluate(line.expression, look_up)
            if lengths is not None and line.target in cell.states:
                within = (t < np.asarray(lengths))[:, None]
                value = np.where(within, value, states[line.target])
            values[line.target] = value
        yield look_up
        states = {name: values[name] for name in cell.states}


@lru_cache(maxsize=64)
def equations_of(cell: Cell, activation: str) -> tuple[Equation, ...]:
    """The equations of a step."""
    return tuple(equation(source.format(activation=activation)) for source in cell.equations)
