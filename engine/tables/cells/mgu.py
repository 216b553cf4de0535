"""The minimal gated unit, which has one gate where the GRU has two."""

from __future__ import annotations

from engine.tables.cells.base import Cell

MGU = Cell(
    name="mgu",
    source="minimal gated unit: Zhou, Wu, Zhang and Zhou 2016, Minimal Gated Unit for Recurrent Neural Networks",
    equations=(
        "zf = x @ Wxf + h_prev @ Whf + bf",
        "f = sigmoid(zf)",
        "fh = f * h_prev",
        "zn = x @ Wxn + fh @ Whn + bn",
        "n = tanh(zn)",
        "h = (1 - f) * h_prev + f * n",
    ),
    parameters={
        "Wxf": ("D", "H"),
        "Whf": ("H", "H"),
        "bf": ("H",),
        "Wxn": ("D", "H"),
        "Whn": ("H", "H"),
        "bn": ("H",),
    },
    states=("h",),
    output="h",
    meanings={"f": "forget gate", "n": "candidate", "h": "hidden state", "fh": "what the gate leaves of h"},
)
