"""The simple recurrent network (Elman 1990; Goodfellow, Bengio, Courville: Deep Learning, equations 10.8 and 10.9)."""

from __future__ import annotations

from engine.tables.cells.base import Cell

RNN = Cell(
    name="rnn",
    source="simple recurrent network: Elman 1990, Finding Structure in Time",
    equations=(
        "z = x @ Wx + a_prev @ Wa + ba",
        "a = {activation}(z)",
    ),
    parameters={"Wx": ("D", "H"), "Wa": ("H", "H"), "ba": ("H",)},
    states=("a",),
    output="a",
    has_activation=True,
    meanings={
        "z": "pre-activation",
        "a": "state",
        "Wx": "input weights",
        "Wa": "recurrent weights",
        "ba": "bias of the state",
    },
    names={
        "pytorch": {"a": "h", "Wx": "W_ih", "Wa": "W_hh", "ba": "b"},
        "karpathy": {"z": "hraw", "a": "h", "da_next": "dhnext", "Wx": "Wxh", "Wa": "Whh", "ba": "bh"},
        "wildml": {"a": "s", "dz": "delta", "Wx": "U", "Wa": "W", "ba": "b"},
        "goodfellow": {"z": "a", "a": "h", "Wx": "U", "Wa": "W", "ba": "b"},
    },
    torch={"weight_ih": ("Wx",), "weight_hh": ("Wa",), "bias_ih": ("ba",), "bias_hh": ("ba",)},
)
