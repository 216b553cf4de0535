"""What hands do to the app, as texts: `key n`, `click 0.5 0.3`, `size 80 24`, `type dz@3`; `there step 4` goes on and back."""

from __future__ import annotations

from random import Random

from rnn_tui.keys.bindings import COMMANDS, WITHOUT_KEY
from rnn_tui.keys.walk_bindings import WALK_COMMANDS

KEYS = tuple(
    dict.fromkeys(
        key
        for command in (*COMMANDS, *WALK_COMMANDS)
        for key in command.keys.split(",")
        if command.action not in ("quit", "app.palette")
    )
)
FURTHER = ("q", "ctrl+p", "delete", "home", "end", "pageup", "pagedown", "5", "2", "A", "ctrl+d", "f1", "é")
"""Keys that close a dialog, scroll, or mean nothing."""
MOVES = ("right", "left", "n", "p", "f", "F", "space", "c", "C", "enter", "t", "r", "escape", "escape", "escape")
"""What people press most."""
USUAL = ((79, 23), (80, 24), (100, 24), (120, 36))
SIZES = (*USUAL, (1, 1), (5, 2), (30, 9), (60, 18), (61, 40), (200, 50), (500, 200))
TEXTS = (
    "", "7", "backward 7", "dz@3", "da@2[0,1]", "z@1[0,0]", "dWa[1,2]", "Wx[0,0] = 3", "da@2 = 0", "z@1[0,0] = 1e300", "Wa[0,0] = nan",
    "Wa[0,0] *= 1e200", "flow@2 = 0", "activation = relu", "y[0] = flip", "x@1[0,0] = 5", "loss", "norm(da) < 0.1", "da if norm(da) < 1",
    "dz log t, norm(dz)", "watch Wa[0,0] sign", "@2", "dz hit 2", "z sample 1", "norm(dz)", "da[:]", "max(abs(dh)) > 5", "9999999999",
    "da@99[0,0]", "x" * 300, "1e999", "-1", "a.svg", "b.csv", "c.py", "d.npz", "e.html", "f.md",
    "/no/such/folder/a.svg", "adding", "gru.toml",
    "dark", "notation", "flip", "3", "12 if t == 1", "h", "iteration 3",
)  # fmt: skip
TYPED = "ghw19/@[]()<=.,-0z"


def drawn(random: Random) -> str:
    """One action."""
    match random.choices(range(9), (46, 18, 5, 2, 10, 4, 3, 5, 7))[0]:
        case 0:
            return f"key {random.choice(MOVES if random.random() < 0.5 else KEYS)}"
        case 1:
            return f"click {random.random():.3f} {random.random():.3f}"
        case 2:
            return f"wheel {random.random():.3f} {random.random():.3f} {random.choice((1, -1))}"
        case 3:
            width, height = random.choice(USUAL if random.random() < 0.8 else SIZES)
            return f"size {width} {height}"
        case 4:
            return f"type {random.choice(TEXTS)}"
        case 5:
            return f"choose {random.choice(WITHOUT_KEY)[0]}"
        case 6:
            return f"key {random.choice(FURTHER if random.random() < 0.7 else TYPED)}"
        case 7:
            return f"there {random.choice(('step', 'step', 'next'))} {random.randrange(1, 6)}"
        case _:
            return f"tick {random.randrange(1, 6)}"
