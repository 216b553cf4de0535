"""The layer-normalised LSTM: pre-activations, and the cell state on its way out, have mean 0 and variance 1 over the units."""

from __future__ import annotations

from dataclasses import replace

from engine.tables.cells.lstm import LSTM

_GATES = "ifgo"


def _normalised(target: str, of: str, mean: str, scale: str, shift: str) -> str:
    return f"{target} = {scale} * ({of} - {mean}) / sqrt(variance({of}) + 1e-5) + {shift}"


LAYER_NORM = replace(
    LSTM,
    name="layernorm",
    source="layer-normalised LSTM, gate by gate: Ba, Kiros and Hinton 2016, Layer Normalization",
    equations=(
        *(f"u{gate} = x @ Wx{gate} + h_prev @ Wh{gate}" for gate in _GATES),
        *(f"m{gate} = mean(u{gate})" for gate in _GATES),
        *(_normalised(f"z{gate}", f"u{gate}", f"m{gate}", f"s{gate}", f"b{gate}") for gate in _GATES),
        *LSTM.equations[4:9],
        "mc = mean(c)",
        _normalised("zc", "c", "mc", "sc", "bc"),
        "tanh_c = tanh(zc)",
        "h = o * tanh_c",
    ),
    parameters={**LSTM.parameters, **{f"s{gate}": ("H",) for gate in _GATES}, "sc": ("H",), "bc": ("H",)},
    start={**{f"s{gate}": 1.0 for gate in (*_GATES, "c")}, **{f"b{gate}": 0.0 for gate in (*_GATES, "c")}},
    meanings={**LSTM.meanings, "zc": "normalised cell state", **{f"m{gate}": f"mean of u{gate}" for gate in _GATES}},
    torch={},
)
