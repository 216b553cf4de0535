"""Narrows down a mistake without a name: problems that leave one part of the computation out, on which it may not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from engine.doctor.reference.problem import Problem
from engine.language.functions import ACTIVATIONS
from engine.tables.heads import READ_OUT

LITTLE = 1e-4
"""How small states are where tanh is as good as linear: its slope is 1 to within 1e-8."""
_NEAR_ZERO = np.array([-LITTLE, LITTLE])
LINEAR = "a linear activation"
MEANING: Mapping[str, str] = {
    "T = 1": "what goes from one time step to another",
    "B = 1": "what is summed or averaged over the samples",
    "H = 1": "a transpose, or the order of a product",
    "a0 = 0": "what becomes of the initial state",
    LINEAR: "the activation's derivative",
}
"""Where to look when the gradients are right on such a problem."""


def linear(problem: Problem) -> Problem | None:
    """The same problem where the activation changes nothing: a ReLU's pre-activations all positive, a tanh's near 0; else None."""
    network = problem.network
    activation = ACTIVATIONS[network.activation]
    own = {name: value for name, value in network.weights.items() if name not in READ_OUT}
    if activation.off:
        weights = {name: np.abs(value) for name, value in own.items()}
        initial = {name: np.abs(value) for name, value in problem.initial.items()}
        changed = replace(problem, X=np.abs(problem.X), initial=initial)
    elif not activation.linear and np.allclose(activation.compute(_NEAR_ZERO), _NEAR_ZERO, rtol=LITTLE, atol=0):
        square = (network.units[0], network.units[0])
        weights = {name: value if value.shape == square else LITTLE * value for name, value in own.items()}
        changed = replace(problem, initial={name: LITTLE * value for name, value in problem.initial.items()})
    else:
        return None
    return replace(changed, network=replace(network, weights={**network.weights, **weights}))


def words(pattern: Mapping[str, bool]) -> list[str]:
    """The conclusions, one sentence per line."""
    lines = [f"right at {name}: look at {MEANING[name]}" for name, ok in pattern.items() if ok]
    wrong = [name for name, ok in pattern.items() if not ok]
    return (
        [*lines, f"wrong at {', '.join(wrong)} too"]
        if lines and wrong
        else lines or [f"wrong even at {', '.join(wrong)}"]
    )
