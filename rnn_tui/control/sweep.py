"""A sweep: the time steps pass by in a second, and what has just been passed shines for a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from engine.debug.view import View
from rnn_tui.shown.frame import Frame

TRAIL = 6
"""Pictures in which what has been passed fades."""


def sweep(frame: Frame, views: Sequence[View]) -> list[Frame]:
    """The pictures before the last one, which is `frame` itself: each view with the trail behind it, then the trail fading."""
    passed, shades = _passed([view.row for view in views]), TRAIL if frame.look.shaded else 0
    none = [range(0)] * shades
    around = [*none, *passed, *none]
    trails = [tuple(around[k + shades : k : -1]) for k in range(len(passed) + shades - 1)]
    return [replace(frame, view=views[min(k, len(views) - 1)], trail=trail) for k, trail in enumerate(trails)]


def _passed(rows: Sequence[int | None]) -> list[range]:
    """For each picture its time step and those that were left out since the one before; nothing where a line writes none."""
    first = range(0) if rows[0] is None else range(rows[0], rows[0] + 1)
    return [first] + [
        range(0) if before is None or now is None else range(now, before, 1 if now < before else -1)
        for before, now in pairwise(rows)
    ]
