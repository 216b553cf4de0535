"""The LSTM with peephole connections: its gates see the cell state too, each unit its own."""

from __future__ import annotations

from dataclasses import replace

from engine.tables.cells.lstm import LSTM

_SEEN = {"i": " + pi * c_prev", "f": " + pf * c_prev", "o": " + po * c"}
_GATES = {gate: f"z{gate} = x @ Wx{gate} + h_prev @ Wh{gate}{_SEEN.get(gate, '')} + b{gate}" for gate in "ifgo"}

PEEPHOLE = replace(
    LSTM,
    name="peephole",
    source="peephole LSTM: Gers and Schmidhuber 2000, Recurrent Nets that Time and Count",
    equations=(
        *(_GATES[gate] for gate in "ifg"),
        "i = sigmoid(zi)",
        "f = sigmoid(zf)",
        "g = tanh(zg)",
        "c = f * c_prev + i * g",
        _GATES["o"],  # it sees the new cell state
        "o = sigmoid(zo)",
        "tanh_c = tanh(c)",
        "h = o * tanh_c",
    ),
    parameters={**LSTM.parameters, "pi": ("H",), "pf": ("H",), "po": ("H",)},
    meanings={**LSTM.meanings, **{f"p{gate}": f"what the cell state adds to z{gate}" for gate in "ifo"}},
    torch={},
)
