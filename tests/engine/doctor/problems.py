"""Problems on which nothing hides: float64, weights about 0.5, all dimensions different, no unit dead, none near a ReLU's kink."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.doctor.reference.forward import equations_of, forward
from engine.doctor.reference.problem import Problem
from engine.language.evaluate import evaluate
from engine.language.expression import Call, walk
from engine.language.functions import ACTIVATIONS, Array
from engine.model.network import Network
from engine.tables.cells import Cell

DRAWS = 400
KINK = 0.01
"""How far from 0 every pre-activation must be, so that a derivative by differences is one."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the user's code returned for a problem: gradients in our names, layout and scale (conventions undone).

    `missing` are parameters for which it returned nothing; `error` says in one sentence why there are no gradients, else None.
    """

    loss: float | None
    gradients: Mapping[str, Array]
    missing: frozenset[str] = frozenset()
    error: str | None = None


def make_problem(
    *,
    batch: int = 3,
    steps: int = 5,
    inputs: int = 2,
    hidden: int = 7,
    outputs: int = 4,
    activation: str = "tanh",
    predict: str = "last",
    loss: str = "cross-entropy",
    reduction: str = "mean",
    cell: Cell | str = "rnn",
    initial: bool = True,
    seed: int = 0,
) -> Problem:
    """A problem on which no mistake can hide; `initial` gives it initial states that are not zero.

    Draws from `seed` on are tried until every unit is on somewhere and off somewhere, and no ReLU near its kink; the best is taken.
    """
    network = Network(
        inputs, outputs, hidden, cell=cell, activation=activation, predict=predict, loss=loss, reduction=reduction
    )
    best, best_score = _draw(network, batch, steps, initial, (seed, 0)), -1.0
    for attempt in range(DRAWS if _has_kink(network) else 1):
        problem = _draw(network, batch, steps, initial, (seed, attempt))
        score = _openness(problem)
        if score > best_score:
            best, best_score = problem, score
        if score >= 1.0:
            break
    return best


def _has_kink(network: Network) -> bool:
    """Whether the network's activation has one."""
    return network.table.has_activation and ACTIVATIONS[network.activation].kink


def _draw(network: Network, batch: int, steps: int, initial: bool, seed: tuple[int, int]) -> Problem:
    rng = np.random.default_rng(seed)
    hidden = network.units[0]
    weights: dict[str, Array] = {}
    for name, value in network.weights.items():
        weights[name] = rng.uniform(0.25, 0.75, value.shape) * rng.choice((-1.0, 1.0), value.shape)
        if value.shape == (hidden, hidden):  # the flow neither dies within the few steps nor grows
            weights[name] *= min(1.0, 2.2 / np.sqrt(hidden))
    X = rng.normal(size=(batch, steps, network.inputs))
    shape = (batch, steps) if network.predict == "every" else (batch,)
    if network.head.classes:
        y = (rng.permutation(int(np.prod(shape))) % max(network.outputs, 2)).reshape(shape)
    else:
        y = rng.normal(size=(*shape, network.outputs))
    states = {name: 0.5 * rng.normal(size=(batch, hidden)) for name in network.table.states} if initial else {}
    return Problem(replace(network, weights=weights), X, y, states)


def _openness(problem: Problem) -> float:
    """1 when the problem hides nothing; below, how near it comes. The forward pass alone: recording is for the one that is taken."""
    network, cell = problem.network, problem.network.table
    if not _has_kink(network):
        return 1.0
    lines = equations_of(cell, network.activation)
    calls = [node for line in lines for node in walk(line.expression) if isinstance(node, Call)]
    arguments = [node.arguments[0] for node in calls if node.function == network.activation]
    states = {name: problem.initial.get(name, np.zeros((len(problem.X), network.units[0]))) for name in cell.states}
    steps = forward(cell, network.activation, problem.parameters, problem.X, states)
    z = np.array([evaluate(argument, look_up) for look_up in steps for argument in arguments])
    on = z > 0
    last = on[-1].any() and on[-1].sum(axis=1).min() > 0
    shares = (on.any(axis=(0, 1)).mean(), (~on).any(axis=(0, 1)).mean(), min(float(np.abs(z).min()) / KINK, 1.0), last)
    return float(np.mean(shares))
