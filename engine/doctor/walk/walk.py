"""The user's own run as lines that can be walked through, both ways: what each made, dL/d(it), what it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from engine.doctor.lineage.carry_back import carried_back, reached
from engine.doctor.lineage.comparison import ComparedGradient
from engine.doctor.lineage.gradients import common
from engine.doctor.lineage.loss import ChosenLoss
from engine.doctor.lineage.reading import Floats, Record, RecordedEvent
from engine.doctor.read.source import SourceFile
from engine.doctor.report.report import Report
from engine.doctor.walk.executed import ExecutedLine, executed
from engine.doctor.walk.places import Places
from engine.doctor.walk.terms import RecordedNumber, Terms

WalkPhase = Literal["forward", "loss", "backward", "update"]
Holds = Callable[[int], bool]
"""Whether an executed line, by its place in the run, is one to stop at."""


@dataclass(frozen=True, eq=False)
class LineMeaning:
    """What an array that a line made is, in words: `dL/d(h) through line 18`."""

    text: str
    of_line: int | None = None


class ProgramWalk:
    """One round of a program's run, with its loss carried back. `lines` are the lines that ran, in order; moves are by their places."""

    def __init__(
        self,
        source: SourceFile,
        record: Record,
        loss: ChosenLoss,
        report: Report,
        compared: Sequence[ComparedGradient] = (),
        meanings: Mapping[int, LineMeaning] | None = None,
    ) -> None:
        """`meanings` are by the place of an event in the record's `events`."""
        self.source, self.record, self.loss, self.report = source, record, loss, report
        steps = [k for row in compared if row.update is not None for k in row.update.made]
        steps = [record.operations[k] for k in steps if k < len(record.operations)]
        end = max((operation.stop for operation in steps), default=len(record.pool))
        self.lines = executed([event for event in record.events if event.time <= end])
        self.adjoint = carried_back(record, loss.seeds)
        self.forward = reached(record, [reference for reference, _ in loss.seeds])
        self._compared = {(int(row.gradient.flat[0]), row.gradient.size): row for row in compared if row.gradient.size}
        rights = [f.factor for r in compared if r.status == "right" and (f := r.bare or r.match) is not None]
        self.factor = common(rights) or 1.0
        """All gradients of the program are so many times dL/d(it): a convention."""
        self._meanings = {id(record.events[k]): meaning for k, meaning in (meanings or {}).items()}
        seeds = {int(n): float(s) for r, seed in loss.seeds for n, s in zip(r.ids().flat, np.ravel(seed), strict=True)}
        self.places = Places(record, self.lines)
        self.terms = Terms(self.places, self.adjoint, seeds)
        lines = [record.lines[operation.line] for operation in steps]
        self._seeds, self._updates = seeds, frozenset((line.file, line.number) for line in lines)

    def __len__(self) -> int:
        return len(self.lines)

    # What a line made

    def value(self, event: RecordedEvent) -> Floats:
        """The array."""
        return event.value.of(self.record.pool)

    def gradient(self, event: RecordedEvent) -> Floats | None:
        """dL/d(array); None where the loss was made from none of it."""
        return event.value.of(self.adjoint) if event.value.of(self.forward).any() else None

    def compared(self, event: RecordedEvent) -> ComparedGradient | None:
        """The comparison, where the array is one of the gradients that were compared."""
        return self._compared.get((event.value.first, event.value.size)) if event.value.size else None

    def should_be(self, event: RecordedEvent) -> Floats | None:
        """What the array should be, where it is a gradient that is wrong."""
        row = self.compared(event)
        if row is None or row.status not in ("wrong", "zero") or row.right.size != event.value.size:
            return None
        return (self.factor * row.right).reshape(event.value.shape)

    def meaning(self, event: RecordedEvent) -> LineMeaning | None:
        """What the array is, where that is known."""
        return self._meanings.get(id(event))

    def differs(self, at: int) -> bool:
        """Whether a line made something that should be something else."""
        return any(self.should_be(event) is not None for event in self.lines[at].made)

    def number(self, event: RecordedEvent, index: tuple[int, ...], *, gradient: bool = False) -> RecordedNumber:
        """One number of an array that a line made, or dL/d(it)."""
        return RecordedNumber(int(event.value.ids()[index]), gradient)

    # Where one is

    def phase(self, at: int) -> WalkPhase:
        """Forward up to the loss, backward after it; lines that step the weights are the update."""
        return self._phases[at]

    @cached_property
    def _phases(self) -> tuple[WalkPhase, ...]:
        first = min(self._seeds)
        losses = np.array(sorted(self._seeds))
        return tuple(self._phase(line, first, losses) for line in self.lines)

    def _phase(self, line: ExecutedLine, first: int, losses: np.ndarray) -> WalkPhase:
        arrays = [event.value for event in line.made]
        if any(a.size <= len(losses) and np.isin(a.ids(), losses).any() for a in arrays):
            return "loss"
        if line.made[-1].time <= first + 1 or any(
            a.of(self.forward).any() for a in arrays if a.base > 0 or a.kept is not None
        ):
            return "forward"
        return "update" if line.place in self._updates else "backward"

    def times(self, at: int) -> int:
        """How often the line runs in all."""
        return sum(line.place == self.lines[at].place for line in self.lines)

    @property
    def start(self) -> int:
        """Where to begin: at the first line that makes what should be something else, else where the loss is."""
        wrong = self.next_where(-1, 1, self.differs)
        return self._phases.index("loss") if wrong is None and "loss" in self._phases else wrong or 0

    # Moves; each gives the place to go to, None where there is none

    def same_line(self, at: int, direction: int) -> int | None:
        """Where this line ran the time after, or before."""
        return self.next_where(at, direction, lambda k: self.lines[k].place == self.lines[at].place)

    def next_where(self, at: int, direction: int, holds: Holds) -> int | None:
        """The next line, or the one before, of which something holds."""
        places = range(at + 1, len(self.lines)) if direction > 0 else range(at - 1, -1, -1)
        return next((k for k in places if holds(k)), None)

    def end_of_phase(self, at: int, direction: int) -> int | None:
        """The last line of this phase, or the first; beyond it the next phase's."""
        further = at + direction
        if not 0 <= further < len(self.lines):
            return None
        phase = self.phase(further)
        end = self.next_where(further, direction, lambda k: self.phase(k) != phase)
        return (len(self.lines) - 1 if direction > 0 else 0) if end is None else end - direction

    def to_line(self, at: int, line: int, file: str = "") -> int | None:
        """Where a line runs next; round again at the end."""
        place = (file or self.source.path.name, line)
        found = self.next_where(at, 1, lambda k: self.lines[k].place == place)
        return self.next_where(-1, 1, lambda k: self.lines[k].place == place) if found is None else found

    def made_at(self, number: int) -> int | None:
        """The line that made a number, by its place in the run."""
        place = self.places.named(number)
        return place.at if place is not None else None
