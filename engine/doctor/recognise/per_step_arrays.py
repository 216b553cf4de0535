"""What a script makes step by step, or without a name that says what it is: inputs and targets of one sample, unnamed matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from engine.doctor.read.kinds import is_array
from engine.doctor.run.events import Event
from engine.doctor.run.instrument import Site
from engine.doctor.vocabulary.readings import Names
from engine.doctor.vocabulary.targets import final_name
from engine.language.functions import Array


def unnamed_matrices(events: Sequence[Event]) -> list[tuple[int, Array, str]]:
    """What may be a weight though its name says nothing: matrices that are assigned and not zero."""
    first: dict[tuple[Site, str], tuple[int, Array, str]] = {}
    for e in events:
        if e.array is not None and e.array.ndim == 2 and e.site.kind == "assign" and e.target and e.array.any():
            first.setdefault((e.site, e.target), (e.number, e.array, final_name(e.target)))
    outermost = sorted(first, key=lambda place: bool(place[0].loops or place[0].function))
    return [first[place] for place in outermost]


def step_by_step(events: Sequence[Event], size: int, meaning: Names | None = None) -> Iterator[tuple[Array, str]]:
    """Arrays (T, size) of what is made anew in every round of a loop, or appended there, such as the inputs of one sample; with a meaning
    of names only what is called targets."""
    runs: dict[Any, list[Event]] = {}
    for event in events[:4000]:
        site = event.site
        if site.kind not in ("assign", "append") or not site.loops or not is_array(event.value):
            continue
        if event.value.size == size and (meaning is None or meaning.role(final_name(event.target)) == "y"):
            runs.setdefault((site, event.rounds[:-2]), []).append(event)
    seen: set[Site] = set()
    for (site, _), own in runs.items():
        whole = len(own) > 1 and [e.rounds[-2] for e in own] == list(range(len(own)))
        if whole and site not in seen and (size == 1 or any(e.value.any() for e in own)):
            seen.add(site)
            yield np.array([e.value.ravel() for e in own]), site.target
