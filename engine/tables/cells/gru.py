"""The gated recurrent unit (Cho et al. 2014) in PyTorch's variant: the reset gate acts on hn, after the product with Whn.

`VARIANTS` are other cells that are called GRU: with the reset gate before the product, as in the paper, and with what
the update gate keeps and replaces exchanged (Chung et al. 2014).
"""

from __future__ import annotations

from dataclasses import replace

from engine.tables.cells.base import Cell

KEPT, REPLACED = "h = (1 - z) * n + z * h_prev", "h = z * n + (1 - z) * h_prev"

GRU = Cell(
    name="gru",
    source="gated recurrent unit: Cho et al. 2014, in PyTorch's variant with the reset gate after the product",
    equations=(
        "zr = x @ Wxr + h_prev @ Whr + br",
        "zz = x @ Wxz + h_prev @ Whz + bz",
        "r = sigmoid(zr)",
        "z = sigmoid(zz)",
        "hn = h_prev @ Whn + bhn",
        "zn = x @ Wxn + bn + r * hn",
        "n = tanh(zn)",
        KEPT,
    ),
    parameters={
        "Wxr": ("D", "H"),
        "Whr": ("H", "H"),
        "br": ("H",),
        "Wxz": ("D", "H"),
        "Whz": ("H", "H"),
        "bz": ("H",),
        "Wxn": ("D", "H"),
        "Whn": ("H", "H"),
        "bn": ("H",),
        "bhn": ("H",),
    },
    states=("h",),
    output="h",
    meanings={
        "r": "reset gate",
        "z": "update gate",
        "n": "candidate",
        "hn": "the candidate's share of the state",
        "h": "hidden state",
        "zr": "pre-activation of r",
        "zz": "pre-activation of z",
        "zn": "pre-activation of n",
    },
    names={
        "pytorch": {f"Wx{gate}": f"W_i{gate}" for gate in "rzn"}
        | {f"Wh{gate}": f"W_h{gate}" for gate in "rzn"}
        | {"br": "b_r", "bz": "b_z", "bn": "b_in", "bhn": "b_hn"},
        "wildml": {"h": "s", "n": "h", "zn": "zh", "hn": "sh", "bn": "bh", "bhn": "bsh"}
        | {"Wxr": "Ur", "Wxz": "Uz", "Wxn": "Uh", "Whr": "Wr", "Whz": "Wz", "Whn": "Wh"},
        # The book leaves the candidate without a name: its weights are U and W, its bias b.
        "goodfellow": {"z": "u", "zr": "ar", "zz": "au", "zn": "a", "bz": "bu", "bn": "b"}
        | {"Wxr": "Ur", "Wxz": "Uu", "Wxn": "U", "Whr": "Wr", "Whz": "Wu", "Whn": "W"},
    },
    torch={
        "weight_ih": ("Wxr", "Wxz", "Wxn"),
        "weight_hh": ("Whr", "Whz", "Whn"),
        "bias_ih": ("br", "bz", "bn"),
        "bias_hh": ("br", "bz", "bhn"),
    },
)


def _variant(*, before: bool, exchanged: bool) -> Cell:
    where = "before the product" if before else "after the product"
    equations = (*GRU.equations[:-1], REPLACED if exchanged else KEPT)
    parameters, torch = GRU.parameters, GRU.torch
    if before:
        equations = (*GRU.equations[:4], "rh = r * h_prev", "zn = x @ Wxn + rh @ Whn + bn", *equations[-2:])
        parameters = {name: axes for name, axes in parameters.items() if name != "bhn"}
        torch = {name: held for name, held in torch.items() if name != "bias_hh"}
    name = f"gru with the reset gate {where} and {equations[-1]}"
    return replace(GRU, name=name, equations=equations, parameters=parameters, torch=torch)


VARIANTS = (
    _variant(before=True, exchanged=False),
    _variant(before=True, exchanged=True),
    _variant(before=False, exchanged=True),
)
