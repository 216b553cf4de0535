"""What a run of the user's program recorded: its values in the order in which they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.doctor.read.kinds import is_array
from engine.doctor.run.instrument import Site
from engine.language.functions import Array


@dataclass(frozen=True, eq=False)
class Event:
    """A recorded value: its place in the text, the target it was assigned to, and the iteration numbers of the loops around it."""

    site: Site
    value: Any
    target: str
    rounds: tuple[int, ...]
    number: int
    sample: int | None = None

    @property
    def array(self) -> Array | None:
        """The value where it is an array of more than one number."""
        return self.value if is_array(self.value) and self.value.size > 1 else None


def events_of(
    sites: Sequence[Site], answer: Mapping[str, Any], *, first: int = 0, sample: int | None = None
) -> list[Event]:
    """The events in a worker's answer, numbered from `first`."""
    recorded: list[tuple[int, Any, str, tuple[int, ...]]] = answer.get("events", [])
    return [
        Event(sites[number], value, target, tuple(rounds), first + k, sample)
        for k, (number, value, target, rounds) in enumerate(recorded)
    ]


@dataclass(frozen=True, eq=False)
class Run:
    """One call (or one for each sample): what it returned, what was recorded, what went wrong."""

    values: tuple[Any, ...]
    fields: tuple[Mapping[str, Any], ...]
    events: tuple[Event, ...]
    error: Mapping[str, Any] | None = None

    @property
    def is_single(self) -> bool:
        """Whether it computed in float32 anywhere."""
        return any(is_array(e.value) and e.value.dtype.kind == "f" and e.value.dtype.itemsize < 8 for e in self.events)
