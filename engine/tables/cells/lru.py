"""The diagonal linear recurrence: each unit forgets at its own rate lam, below 1 by construction; gamma keeps its size the same."""

from __future__ import annotations

from engine.tables.cells.base import Cell

LRU = Cell(
    name="lru",
    source="diagonal linear recurrence, with real lam: Orvieto et al. 2023, Resurrecting Recurrent Neural Networks",
    equations=(
        "lam = exp(-exp(nu))",
        "gamma = sqrt(1 - lam ** 2)",
        "u = x @ Wx",
        "h = lam * h_prev + gamma * u",
    ),
    parameters={"Wx": ("D", "H"), "nu": ("H",)},
    start={"nu": (-5.0, -0.5)},
    states=("h",),
    output="h",
    meanings={"lam": "what a step keeps of the state", "gamma": "what it takes of the input", "h": "state"},
)
