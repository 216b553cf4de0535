"""The leaky network: a continuous-time network (CTRNN) in steps of one; each unit learns its time constant tau, at least 1 step."""

from __future__ import annotations

from engine.tables.cells.base import Cell

LEAKY = Cell(
    name="leaky",
    source="leaky RNN, a CTRNN in steps of 1/tau: Jaeger et al. 2007; Song, Yang and Wang 2016",
    equations=(
        "tau = 1 + softplus(k)",
        "z = x @ Wx + a_prev @ Wa + ba",
        "a = (1 - 1 / tau) * a_prev + {activation}(z) / tau",
    ),
    parameters={"Wx": ("D", "H"), "Wa": ("H", "H"), "ba": ("H",), "k": ("H",)},
    start={"k": (0.0, 4.0)},
    states=("a",),
    output="a",
    has_activation=True,
    meanings={"tau": "time constant in steps", "z": "pre-activation", "a": "state"},
)
