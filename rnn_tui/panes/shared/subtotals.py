"""What steps, or samples, add to a sum: the largest by name, the others together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len

from engine.explain.terms import exact_sum
from engine.language.functions import Array
from rnn_tui.render.canvas import shortened
from rnn_tui.render.numbers import number

SUBTOTALS = 4
"""The largest steps and samples that are named."""


def subtotals(room: int, kind: str, places: Sequence[int], sums: Array, before: str = "") -> str:
    """The largest subtotals with what they are of, as many as fit, and what the others add up to."""
    order = np.argsort(-np.abs(sums), kind="stable").tolist()
    told = [f"{before}{places[i]} {number(float(sums[i]), 9, 3, trim=True)}" for i in order[:SUBTOTALS]]
    for count in range(len(told), 0, -1):
        others = order[count:]
        rest = (
            f" · the other {len(others)} {number(exact_sum(sums[others].tolist()), 9, 3, trim=True)}" if others else ""
        )
        text = f"{kind}: {' · '.join(told[:count])}{rest}"
        if cell_len(text) <= room:
            return text
    return shortened(f"{kind}: {told[0]} …", room)
