"""What steps, or samples, add to a sum: the largest by name, the others together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len

from engine.explain.ledger import Ledger
from engine.explain.terms import exact_sum
from engine.language.functions import Array
from rnn_tui.render.canvas import shortened
from rnn_tui.render.numbers import number
from rnn_tui.shown.frame import Frame

SUBTOTALS = 4
"""The largest steps and samples that are named."""


def subtotals(frame: Frame, entries: Ledger, room: int) -> list[str]:
    """What steps and, where there are several, samples add to a gradient, a line each."""
    numbers = [frame.number_of(row) for row in range(len(entries.of_samples))]
    by_step = _largest(room, "by step", entries.steps, entries.of_steps, "t = ")
    return [by_step, *([_largest(room, "by sample", numbers, entries.of_samples)] if len(numbers) > 1 else [])]


def _largest(room: int, kind: str, places: Sequence[int], sums: Array, before: str = "") -> str:
    """The largest subtotals with what they are of, as many as fit, and what the others add up to."""
    order = np.argsort(-np.abs(sums), kind="stable").tolist()
    told = [f"{before}{places[i]} {number(float(sums[i]), 9, 3, trim=True)}" for i in order[:SUBTOTALS] if sums[i]]
    told = told or [f"{before}{places[order[0]]} 0"]
    for count in range(len(told), 0, -1):
        others = order[count:]
        rest = (
            f" · the other {len(others)}: {number(exact_sum(sums[others].tolist()), 9, 3, trim=True)}" if others else ""
        )
        text = f"{kind}: {' · '.join(told[:count])}{rest}"
        if cell_len(text) <= room:
            return text
    return shortened(f"{kind}: {told[0]} …", room)
