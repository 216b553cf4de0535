"""The long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), in PyTorch's equations.

`VARIANTS` are other cells that are called LSTM: in many programs written by hand the output is o ⊙ c, without tanh.
"""

from __future__ import annotations

from dataclasses import replace

from engine.tables.cells.base import Cell

LSTM = Cell(
    name="lstm",
    source="long short-term memory: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000",
    equations=(
        "zi = x @ Wxi + h_prev @ Whi + bi",
        "zf = x @ Wxf + h_prev @ Whf + bf",
        "zg = x @ Wxg + h_prev @ Whg + bg",
        "zo = x @ Wxo + h_prev @ Who + bo",
        "i = sigmoid(zi)",
        "f = sigmoid(zf)",
        "g = tanh(zg)",
        "o = sigmoid(zo)",
        "c = f * c_prev + i * g",
        "tanh_c = tanh(c)",
        "h = o * tanh_c",
    ),
    parameters={
        **{f"Wx{gate}": ("D", "H") for gate in "ifgo"},
        **{f"Wh{gate}": ("H", "H") for gate in "ifgo"},
        **{f"b{gate}": ("H",) for gate in "ifgo"},
    },
    states=("h", "c"),
    output="h",
    meanings={
        "i": "input gate",
        "f": "forget gate",
        "g": "candidate",
        "o": "output gate",
        "c": "cell state",
        "tanh_c": "tanh of the cell state",
        "h": "hidden state",
        **{f"z{gate}": f"pre-activation of {gate}" for gate in "ifgo"},
    },
    names={
        "pytorch": {f"Wx{gate}": f"W_i{gate}" for gate in "ifgo"}
        | {f"Wh{gate}": f"W_h{gate}" for gate in "ifgo"}
        | {f"b{gate}": f"b_{gate}" for gate in "ifgo"},
        "wildml": {"h": "s"}
        | {f"Wx{gate}": f"U{gate}" for gate in "ifgo"}
        | {f"Wh{gate}": f"W{gate}" for gate in "ifgo"},
        # The book leaves the candidate without a name: its weights are U and W, its bias b.
        "goodfellow": {"i": "g", "g": "n", "o": "q", "c": "s", "tanh_c": "tanh_s"}
        | {"zi": "ag", "zf": "af", "zg": "a", "zo": "aq", "bi": "bg", "bg": "b"}
        | {"Wxi": "Ug", "Wxf": "Uf", "Wxg": "U", "Wxo": "Uo", "Whi": "Wg", "Whf": "Wf", "Whg": "W", "Who": "Wo"},
    },
    torch={
        "weight_ih": tuple(f"Wx{gate}" for gate in "ifgo"),
        "weight_hh": tuple(f"Wh{gate}" for gate in "ifgo"),
        "bias_ih": tuple(f"b{gate}" for gate in "ifgo"),
        "bias_hh": tuple(f"b{gate}" for gate in "ifgo"),
    },
)

VARIANTS = (
    replace(
        LSTM,
        name="lstm with h = o * c, without tanh",
        equations=(*LSTM.equations[:-2], "h = o * c"),
        meanings={name: text for name, text in LSTM.meanings.items() if name != "tanh_c"},
    ),
)
