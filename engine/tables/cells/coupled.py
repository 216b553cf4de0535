"""The LSTM with coupled gates: what is forgotten is what is written."""

from __future__ import annotations

from dataclasses import replace

from engine.tables.cells.lstm import LSTM

COUPLED = replace(
    LSTM,
    name="coupled",
    source="LSTM with coupled input and forget gate: Greff et al. 2017, LSTM: A Search Space Odyssey",
    equations=tuple(
        line.replace("i = sigmoid(zi)", "i = 1 - f")
        for line in (LSTM.equations[k] for k in (1, 2, 3, 5, 4, 6, 7, 8, 9, 10))
    ),
    parameters={name: axes for name, axes in LSTM.parameters.items() if not name.endswith("i")},
    meanings={name: text for name, text in LSTM.meanings.items() if name != "zi"},
    torch={},
)
