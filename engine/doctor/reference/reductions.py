"""Losses that people use: reductions (mean or sum) over samples, steps and outputs, and a penalty on the weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.doctor.reference.problem import Problem
from engine.language.functions import Array


def scales(problem: Problem, single: bool) -> dict[float, str]:
    """The reductions that people use, by their factor to the mean over all entries, the usual ones first."""
    B, C = len(problem.X), problem.network.outputs
    T = problem.X.shape[1] if problem.lengths is None else float(np.mean(problem.lengths))
    every = problem.network.predict == "every"
    found: dict[float, str] = {}

    def add(factor: float, words: str) -> None:
        if not any(abs(factor / known - 1) < 1e-9 for known in found):
            found[factor] = words

    over_steps = [(1.0, "mean over the steps"), (float(T), "sum over the steps")] if every else [(1.0, "")]
    over_batch = (
        [(1.0, "one sample at a time")] if single else [(1.0, "mean over the batch"), (float(B), "sum over the batch")]
    )
    over_outputs = [(1.0, "")]
    if problem.network.head.over_outputs:
        over_outputs = [(1.0, "mean over the outputs"), (0.5, "half of the mean over the outputs")]
        over_outputs += [(float(C), "sum over the outputs"), (C / 2, "half of the sum over the outputs")]
    for s, steps in over_steps:
        for b, batch in over_batch:
            for o, outputs in over_outputs:
                add(s * b * o, ", ".join(words for words in (batch, steps, outputs) if words))
    return found


@dataclass(frozen=True)
class Penalty:
    """`rate` times half of the sum of squares of some parameters, divided by the number of samples with `averaged`."""

    names: tuple[str, ...]
    rate: float
    averaged: bool = False

    def gradient(self, problem: Problem, name: str) -> Array | float:
        """What it adds to a gradient."""
        rate = self.rate / (len(problem.X) if self.averaged else 1)
        return rate * np.asarray(problem.parameters[name]) if name in self.names else 0.0

    def loss(self, problem: Problem) -> float:
        """What it adds to the loss."""
        return sum(0.5 * float(np.vdot(self.gradient(problem, n), problem.parameters[n])) for n in self.names)
