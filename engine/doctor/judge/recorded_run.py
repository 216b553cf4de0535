"""The recorded values of one run: which of them is a value looked for, and which lines of the program do what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.doctor.judge.timeline import ComparedValue, Timeline
from engine.doctor.mistakes.variants.edited_backward import BACK
from engine.doctor.mistakes.variants.edited_trace import TracedLine
from engine.doctor.read.kinds import is_array
from engine.doctor.reference.values import Entry, Match, same
from engine.doctor.run.events import Event
from engine.doctor.run.instrument import Site
from engine.doctor.vocabulary.targets import base_name, grad_param
from engine.language.functions import Array

CLOSE = 1e-6
_GRADIENTS = ("dWx", "dWa", "dba", "dWy", "dby")
FLOW = ("dlogits", "da_out", "da", "dz", BACK)
"""The lines through which the gradient goes, in that order."""


@dataclass(frozen=True, eq=False)
class Hit:
    """A recorded value that is the one looked for, `scale` times."""

    event: Event
    scale: float


class RecordedRun:
    """What was recorded of the examined function, and what is told from it alone, whatever the mistake.

    `flow_size` is how many numbers a step hands to the step before.
    """

    def __init__(
        self,
        line_up: Timeline,
        loops: Sequence[tuple[int, str]],
        sites: Sequence[Site],
        main: str,
        flow_size: int,
    ) -> None:
        self.base, self.loops, self.sites, self.main = line_up.base, loops, sites, main
        self.events = [event for event in line_up.events if event.site.kind != "passed"]
        first = line_up.seen[line_up.start].event.number if line_up.start < len(line_up.seen) else 0
        self.helpers = frozenset(
            site
            for site, own in line_up.by_site.items()
            if site.kind == "return"
            and any(
                (s.right and (s.of(*_GRADIENTS, *FLOW) or (s.of("a", "z") and s.event.number < first))) or _is_slope(s)
                for s in own
            )
        )
        """What functions return that is right elsewhere: if it is wrong here, they were given something wrong."""
        outputs = (
            s.event.number
            for s in line_up.seen
            if s.of("p") and s.event.site.kind not in ("part", "return") and is_computed(s.event)
        )
        self.first_output = next(outputs, -1)
        self.backward = [event for event in self.events if event.number >= first]
        self.flow_size = flow_size

    # Values

    def hits(self, step: TracedLine, events: Iterable[Event], *, exact: bool = True, parts: bool = False) -> list[Hit]:
        """The recorded values that are a step's, or one of its samples': to the user's scale if `exact`, else to any positive one."""
        return self.hits_of((step.value, *step.rows), events, self.base if exact else None, parts=parts)

    def hits_of(
        self, wanted: Sequence[Array], events: Iterable[Event], scale: float | None, *, parts: bool = False
    ) -> list[Hit]:
        """The recorded values that are one of some arrays `scale` times, up to the order of axes; None: any positive scale."""
        entries = [Entry("", None, None, "value", np.asarray(w)) for w in wanted if np.any(w)]
        sizes = {entry.value.size for entry in entries}
        found: list[Hit] = []
        for event in events:
            value = event.array if event.array is not None or scale is None else _as_array(event.value)
            if value is None or value.size not in sizes or value.dtype.kind in "iub" or event.site in self.helpers:
                continue
            if event.site.kind == "part" and not parts:
                continue
            matches = (same(value.astype(np.float64), entry) for entry in entries if entry.value.size == value.size)
            match = next((m for m in matches if m is not None and _fits(m, scale)), None)
            if match is not None:
                found.append(Hit(event, match.scale))
        return found

    # Lines by what they are for

    def added_to(self, stage: str) -> int | None:
        """Where a gradient is added to, or assigned, inside a loop."""
        own = [e for e in self.backward if gradient_of(e) == stage.removeprefix("d") and e.site.kind != "part"]
        looped = [e for e in own if e.site.loops]
        filled = [e for e in own if e.array is not None and e.array.any()]  # in a function that the loop calls
        return (looped or filled or own)[0].site.line if own else None

    def first_assigned(self, names: Iterable[str]) -> int | None:
        """Where the gradients' arrays come from."""
        wanted = set(names)
        own = sorted(
            site.line
            for site in self.sites
            if site.kind == "assign"
            and not site.loops
            and site.function in ("", self.main)
            and (
                grad_param(site.target) in wanted
                or ("grad" in base_name(site.target).lower() and "[" not in site.target)
            )
        )
        return own[0] if own else None

    def returned(self) -> int | None:
        """The line that returns the result."""
        returned = [site.line for site in self.sites if site.kind == "return" and site.function == self.main]
        return returned[-1] if returned else None

    def loop(self) -> int | None:
        """The line of the loop over time of the backward pass: the innermost one round most of what is done there."""
        votes: dict[int, int] = {}
        looped = [event for event in self.backward if event.site.loops]
        for event in [event for event in looped if self.in_main(event.site)] or looped:
            if event.site.kind != "part":
                number = event.site.loops[-1]
                own = gradient_of(event) in ("Wx", "Wa", "ba") or np.size(event.value) == self.flow_size
                votes[number] = votes.get(number, 0) + 1 + 10 * own
        return self.loops[max(votes, key=lambda n: votes[n])][0] if votes else None

    def in_main(self, site: Site) -> bool:
        """Whether a place is in the function that is examined, and not in one that it calls."""
        return site.function.rpartition(".")[2] == self.main.rpartition(".")[2]

    def in_loop(self) -> list[Event]:
        """What is done in that loop."""
        around = self.loop()
        numbers = {k for k, (line, _) in enumerate(self.loops) if line == around}
        return [event for event in self.backward if numbers & set(event.site.loops)]

    def call_of(self, site: Site) -> int | None:
        """Where the function that is examined calls the one that a place is in: what was handed to it is wrong."""
        name = site.function.rpartition(".")[2]
        calls = [s.line for s in self.sites if self.in_main(s) and f"{name}(" in s.source]
        return calls[-1] if calls and not self.in_main(site) else None


def _as_array(value: Any) -> Array | None:
    """One number as an array."""
    return np.atleast_1d(value) if isinstance(value, float) or is_array(value) else None


def gradient_of(event: Event) -> str | None:
    """The parameter whose gradient an event's target is called."""
    return grad_param(event.target) if event.target else None


def _is_slope(seen: ComparedValue) -> bool:
    return seen.right and any(m.entry.kind == "derivative" for m in seen.matches)


def is_computed(event: Event) -> bool:
    """Whether a value belongs to its line: not one that a call made and the line only unpacks."""
    return not event.site.names


def _fits(match: Match, scale: float | None) -> bool:
    return match.scale > 0 if scale is None else abs(match.scale / scale - 1) < CLOSE
