"""One thing the user can do, and the key for it: what key maps, the footer, the help screen and the palette are made from."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One thing the user can do: `keys` as Textual names them, `shown` as people write them.

    `help` is its sentence in the palette. `pair` are the keys of it and its opposites, `line` the sentence for both in the help
    screen, where a command with `back` has no line of its own. `footer` is the label there (empty: not in the footer).
    """

    action: str
    keys: str
    shown: str
    group: str
    help: str
    footer: str = ""
    pair: str = ""
    line: str = ""
    back: bool = False

    @property
    def name(self) -> str:
        """What settings call it."""
        return NAMES.get(self.action) or re.sub(r"\W+", "_", self.action.removeprefix("app.")).strip("_")

    @property
    def footer_keys(self) -> str:
        """The keys as the footer and the help screen show them."""
        return self.pair or self.shown


NAMES = {
    "step(1)": "step",
    "step(-1)": "step_back",
    "cell(0,-1)": "cell_left",
    "cell(1,0)": "cell_down",
    "cell(-1,0)": "cell_up",
    "cell(0,1)": "cell_right",
    "operand(1)": "picture",
    "operand(-1)": "picture_back",
    "sample(1)": "sample",
    "iteration(1)": "iteration",
    "iteration(-1)": "iteration_back",
    "sample(-1)": "sample_back",
}
"""What settings call commands whose action has signed numbers."""
_SHOWN = {
    "left": "←", "right": "→", "up": "↑", "down": "↓", "slash": "/", "question_mark": "?", "full_stop": ".", "plus": "+", "minus": "−",
    "left_square_bracket": "[", "right_square_bracket": "]", "comma": ",", "semicolon": ";", "colon": ":", "equals_sign": "=",
    "less_than_sign": "<", "greater_than_sign": ">", "escape": "esc",
}  # fmt: skip


def key_name(keys: str) -> str:
    """How the first of some keys is written for people."""
    *held, key = keys.split(",")[0].split("+")
    return "+".join([*held, _SHOWN.get(key, key)])
