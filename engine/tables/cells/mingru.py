"""The minimal GRU whose gate and candidate see the input alone, so that the steps depend on one another by sums and products only."""

from __future__ import annotations

from engine.tables.cells.base import Cell

MINGRU = Cell(
    name="mingru",
    source="minGRU: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi 2024, Were RNNs All We Needed?",
    equations=(
        "zz = x @ Wxz + bz",
        "z = sigmoid(zz)",
        "n = x @ Wxn + bn",
        "h = (1 - z) * h_prev + z * n",
    ),
    parameters={"Wxz": ("D", "H"), "bz": ("H",), "Wxn": ("D", "H"), "bn": ("H",)},
    states=("h",),
    output="h",
    meanings={"z": "update gate", "n": "candidate", "h": "hidden state", "zz": "pre-activation of z"},
)
