"""Forward passes in many styles, put together from what people do differently: the cell, where states are kept, the layout, the output, and
whether it is a script, a function or a class."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

CELLS = {
    "tanh": (["W", "U", "b"], ["h = np.tanh({W:x} + {U:hp} + b)"]),
    "relu": (["W", "U"], ["z = {W:x} + {U:hp}", "h = np.maximum(0, z)"]),
    "gru": (
        ["Wz", "Uz", "bz", "Wr", "Ur", "Wn", "Un"],
        [
            "z = sigmoid({Wz:x} + {Uz:hp} + bz)",
            "r = 1 / (1 + np.exp(-({Wr:x} + {Ur:hp})))",
            "n = np.tanh({Wn:x} + r * ({Un:hp}))",
            "h = (1 - z) * n + z * hp",
        ],
    ),
    "lstm": (
        ["Wi", "Ui", "bi", "Wf", "Uf", "bf", "Wo", "Uo", "Wg", "Ug"],
        [
            "i = sigmoid({Wi:x} + {Ui:hp} + bi)",
            "f = sigmoid({Wf:x} + {Uf:hp} + bf)",
            "o = sigmoid({Wo:x} + {Uo:hp})",
            "g = np.tanh({Wg:x} + {Ug:hp})",
            "c = f * c + i * g",
            "h = o * np.tanh(c)",
        ],
    ),
}
KEPT = {
    "list": (["hs = [h0]"], "hs[-1]", ["hs.append(h)"], "hs[-1]"),
    "dictionary": (["hs = {}", "hs[-1] = h0"], "hs[t - 1]", ["hs[t] = h"], "hs[T - 1]"),
    "array": (["hs = np.zeros((T + 1,) + h0.shape)", "hs[0] = h0"], "hs[t]", ["hs[t + 1] = h"], "hs[T]"),
    "overwritten": (["h = h0"], "h", [], "h"),
    "previous": (["h_prev = h0"], "h_prev", ["h_prev = h"], "h"),
}
LAYOUTS = {
    "rows": ("{x} @ {W}", "(D, H)", "(H, H)", "(H,)", "(H, C)", "(C,)", "(B, D)", "(B, H)", "(B, C)", -1),
    "columns": ("np.dot({W}, {x})", "(H, D)", "(H, H)", "(H, 1)", "(C, H)", "(C, 1)", "(D, B)", "(H, B)", "(C, B)", -2),
    "vector": ("{W}.dot({x})", "(H, D)", "(H, H)", "(H,)", "(C, H)", "(C,)", "(D,)", "(H,)", "(C,)", -1),
}
OUTPUTS = {
    "softmax": (
        ["e = np.exp(y - y.max())", "p = e / e.sum(axis={axis}, keepdims=True)"],
        "-np.sum({target} * np.log(p))",
    ),
    "sigmoid": (["p = sigmoid(y)"], "-np.mean({target} * np.log(p) + (1 - {target}) * np.log(1 - p))"),
    "squared": (["p = y"], "0.5 * np.sum((p - {target}) ** 2)"),
}
FORMS = ("script", "function", "class")
HEAD = """import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


rng = np.random.RandomState({seed})
T, B, D, H, C = 4, 3, 2, 5, 3
"""


def programs() -> Iterator[tuple[str, str]]:
    """All of them, by their names."""
    for seed, one in enumerate(product(CELLS, KEPT, LAYOUTS, OUTPUTS, (False, True), FORMS)):
        yield (
            "-".join(part if isinstance(part, str) else "every" if part else "last" for part in one),
            _text(seed, *one),
        )


def _text(seed: int, cell: str, kept: str, layout: str, output: str, every: bool, form: str) -> str:
    weights, lines = CELLS[cell]
    before, previous, put, last = KEPT[kept]
    times, into, again, bias, out, out_bias, x, h, y, axis = LAYOUTS[layout]
    shapes = {"W": into, "U": again, "b": bias}
    made = [(w, shapes[w[0]]) for w in weights] + [("V", out), ("d", out_bias)]
    holder = "self." if form == "class" else ""

    def product_of(weight: str, operand: str) -> str:
        return times.format(W=holder + weight, x=operand)

    step = []
    for line in lines:
        for w in weights:
            line = line.replace(f"{{{w}:x}}", product_of(w, "X[t]")).replace(f"{{{w}:hp}}", product_of(w, "hp"))
            line = line.replace(f" + {w})", f" + {holder}{w})") if w[0] == "b" else line
        step.append(line.replace("hp", previous))
    target = "Y[t]" if every else "Y"
    head, loss = OUTPUTS[output]
    read = [f"y = {product_of('V', 'h' if every else last)} + {holder}d", *(one.format(axis=axis) for one in head)]
    loss = loss.format(target=target)
    body = [*before, *(["c = np.zeros_like(h0)"] if cell == "lstm" else []), *(["loss = 0"] if every else [])]
    body += ["for t in range(T):", *(f"    {one}" for one in [*step, *put])]
    body += [f"    {one}" for one in [*read, f"loss += {loss}"]] if every else [*read, f"loss = {loss}"]
    setup = [f"X, h0 = rng.randn(T, *{x}), np.zeros({h})", f"Y = rng.rand(*({y if not every else f'(T,) + {y}'}))"]
    if output == "softmax":
        setup += [f"Y /= Y.sum(axis={axis}, keepdims=True)"]
    if form == "class":
        return _in_a_class(seed, made, body, setup)
    drawn = [f"{w} = rng.randn(*{shape}) * 0.4" for w, shape in made]
    if form == "function":
        inside = ["def forward(X, Y, h0):", *(f"    {one}" for one in [*body, "return loss"])]
        return "\n".join(
            [
                HEAD.format(seed=seed),
                *drawn,
                *setup,
                "",
                "",
                *inside,
                "",
                "",
                "loss = forward(X, Y, h0)",
                "print(loss)",
                "",
            ]
        )
    return "\n".join([HEAD.format(seed=seed), *drawn, *setup, *body, "print(loss)", ""])


def _in_a_class(seed: int, made: list[tuple[str, str]], body: list[str], setup: list[str]) -> str:
    init = [f"        self.{w} = rng.randn(*{shape}) * 0.4" for w, shape in made]
    method = [f"        {one}" for one in [*body, "return loss"]]
    return "\n".join(
        [
            HEAD.format(seed=seed),
            "",
            "class Net:",
            "    def __init__(self):",
            *init,
            "",
            "    def forward(self, X, Y, h0):",
            *method,
            "",
            "",
            *setup,
            "net = Net()",
            "loss = net.forward(X, Y, h0)",
            "print(loss)",
            "",
        ]
    )
