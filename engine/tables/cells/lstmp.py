"""The LSTM with a projection: what it hands on to the next step and the next layer is made of its H units, and narrower, P values."""

from __future__ import annotations

from dataclasses import replace

from engine.tables.cells.lstm import LSTM

LSTMP = replace(
    LSTM,
    name="lstmp",
    source="LSTM with a recurrent projection: Sak, Senior and Beaufays 2014, without peepholes (PyTorch: proj_size)",
    equations=(*LSTM.equations[:-1], "m = o * tanh_c", "h = m @ Wr"),
    parameters={
        **{name: ("P", "H") if name.startswith("Wh") else axes for name, axes in LSTM.parameters.items()},
        "Wr": ("H", "P"),
    },
    widths={"h": "P"},
    meanings={**LSTM.meanings, "m": "what the output gate leaves of the cell state", "h": "hidden state, m projected"},
    names={**LSTM.names, "pytorch": {**LSTM.names["pytorch"], "Wr": "W_hr"}},
    torch={**LSTM.torch, "weight_hr": ("Wr",)},
)
