"""Weights that are stepped while the state runs on: a loss was made from all their versions, and what a round steps by zeros is stepped
later by what the losses since then add up to.

The loss is carried back through the rounds before, and handed to no step: what was added to the weights is held as it is. Then
dL/d(a weight) is the sum over its versions, as real-time recurrent learning computes it: Williams and Zipser, A learning algorithm for
continually running fully recurrent neural networks (1989).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients.stepped import SteppedRows, always
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.carry_back import carried_back, reached
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, with_rounds
from engine.doctor.lineage.record.updates import Step, found
from engine.doctor.lineage.record.windows import window
from engine.doctor.lineage.the_loss import loss
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss
from engine.doctor.lineage.verdict.run_verdict import RunVerdict, verdict_of
from engine.doctor.recording.tracing.updates import ROUNDS

RUNS_ON = "the state runs on through updates: each gradient is the sum over all versions of its weights"
SINCE = "what is stepped by zeros in between is stepped by the gradient of all losses since its last step"
NOT_YET = "it is stepped by zeros, and no later round shows by what the losses since then add up to"
OF_THE_NEWEST = "errors go back through the newest weights, also where older ones made the states"
BACK = "errors are carried back {} updates and no further"
MOST_NUMBERS = 100_000_000
FEWEST = 2
"""An array that is stepped so often in one line may be a sum of something."""


@dataclass(frozen=True, eq=False)
class RunRound:
    """A round of a run: its `part` of the record, where the numbers of the round begin and end, what arrays of earlier rounds are called,
    and its loss, None where it is not known."""

    record: Record
    begin: int
    end: int
    known: Mapping[int, str]
    loss: ChosenLoss | None

    @cached_property
    def part(self) -> Record:
        return window(self.record, self.begin, self.end)

    @cached_property
    def names(self) -> ArrayNames:
        """What its arrays are called."""
        return ArrayNames(self.part, self.known)

    @cached_property
    def every(self) -> list[list[Step]]:
        """The steps of each array that may be stepped."""
        return found(self.part, self.names)

    @cached_property
    def steps(self) -> list[list[Step]]:
        """Those of each array that surely is, and is no state that is added to: the loss was made from none of them."""
        groups = [sure for group in self.every if (sure := [s for s in group if s.sure])]
        if self.loss is None:
            return groups
        forward = loss.forward_of(self.part, self.loss)
        return [g for g in groups if not any(forward[s.made.start : s.made.stop].any() for s in g)]


class Versions:
    """The rounds of a run up to one, whose weights are versions of one another."""

    def __init__(self, rounds: Sequence[RunRound]) -> None:
        self.rounds, self.last = rounds, rounds[-1]
        self.ends = [*(each.begin for each in rounds[1:]), rounds[-1].end]
        pool = self.last.part.pool
        self.origin = np.arange(len(pool), dtype=np.int32)
        """By a number of a weight: the one that it was in the first of the rounds."""
        self.made: list[list[Ids]] = []
        """What the updates of each round made of whole arrays."""
        self.moved: list[set[int]] = []
        """The weights that a round steps by other numbers than zeros, by their first number in the first of the rounds."""
        for each in rounds:
            made, moved = list[Ids](), set[int]()
            for step in (s for group in each.steps for s in group):
                own = step.levels[-1]
                for level in step.levels:
                    self.origin[level] = self.origin[own]
                if any(pool[by].any() for by in (step.by, *(f.by for f in step.further))):
                    moved.add(int(self.origin[own[0]]))
                last = step.every[-1]
                if last.size == len(own):
                    made.append(np.arange(last.start, last.stop, dtype=np.int32))
                    self.origin[made[-1]] = self.origin[own]
            self.made.append(made)
            self.moved.append(moved)

    def since(self, ids: Ids) -> int:
        """The round after the last one before this that stepped a weight by other numbers than zeros."""
        own = int(self.origin[ids[0]])
        return max((k + 1 for k, moved in enumerate(self.moved[:-1]) if own in moved), default=0)

    @cached_property
    def newest(self) -> Record:
        """The record with the weights of the last round in the place of all their versions."""
        pool, latest = self.last.record.pool.copy(), np.arange(len(self.origin), dtype=np.int32)
        for ids in (ids for made in self.made[:-1] for ids in made):
            latest[self.origin[ids]] = ids
        return replace(self.last.record, pool=pool[latest[self.origin]])

    def carried(self, losses: Sequence[ChosenLoss], begin: int, record: Record) -> tuple[Floats, NDArray[np.bool_]]:
        """dL/d(every number), of the sum of these losses, carried back to where a round begins, and which numbers they were made from. At
        the weights of the last round the sums over their versions."""
        size = len(self.last.part.pool)
        total, sums, marked, were = np.zeros(size), np.zeros(size), np.zeros(size, bool), np.zeros(size, bool)
        for reference, seed in (pair for chosen in losses for pair in chosen.seeds):
            np.add.at(total, reference.ids(), seed)
            marked[reference.ids()] = True

        def gathered(ids: Ids) -> None:
            sums[self.origin[ids]] += total[ids]
            were[self.origin[ids]] |= marked[ids]

        for k in range(len(self.rounds) - 1, begin - 1, -1):
            first, end = self.rounds[k].begin, self.ends[k]
            for ids in self.made[k]:
                gathered(ids)
                total[ids], marked[ids] = 0.0, False
            part, ids = window(record, first, end), np.arange(first, end, dtype=np.int32)
            adjoint = carried_back(part, [(RecordedArray(ids.shape, kept=ids), total[ids])])
            total[:first] += adjoint[:first]
            total[ids] = adjoint[ids]
            marked |= reached(
                part, [RecordedArray((count,), kept=of) for of in [ids[marked[ids]]] if (count := len(of))]
            )
        for step in (s for group in self.rounds[begin].steps for s in group):
            gathered(next((ids for ids in step.levels if marked[ids].any()), step.levels[-1]))
        for ids in (ids for group in self.last.steps for s in group for ids in s.levels):
            total[ids], marked[ids] = sums[self.origin[ids]], were[self.origin[ids]]
        return total, marked

    def told(
        self, chosen: ChosenLoss, losses: Sequence[ChosenLoss | None], begin: int, record: Record
    ) -> RunVerdict | None:
        """The verdict on the last round, with the sums over all versions from a round on, at least those since a weight was stepped last;
        None where nothing can be compared."""
        by_since: dict[int, list[Ids]] = {}
        for step in (s for group in self.last.steps for s in group):
            by_since.setdefault(self.since(step.levels[-1]), []).extend(step.levels)
        last = len(self.rounds) - 1
        right, forward = self.carried([chosen], begin, record)
        conventions = list[str]()
        for since, several in by_since.items():
            some = [*losses[since:last], chosen]
            if since == last or any(each is None for each in some):
                continue
            other, marked = self.carried([each for each in some if each is not None], min(begin, since), record)
            if any(not np.array_equal(right[ids], other[ids]) for ids in several):
                conventions = [SINCE]
            for ids in several:
                right[ids], forward[ids] = other[ids], marked[ids]
        rows = SteppedRows(self.last.part, self.last.every, self.last.names)(chosen, lambda: right, forward, always)
        if not rows:
            return None
        rows = [replace(row, status="not compared", reason=NOT_YET) if row.status == "zero" else row for row in rows]
        if begin == last and not conventions and not any(row.reason == NOT_YET for row in rows):
            return None  # no other than without versions
        said = verdict_of(chosen, rows, True)
        if begin < last:
            conventions.append(RUNS_ON)
            conventions += [OF_THE_NEWEST] if record is not self.last.record else []
            conventions += [BACK.format(last - begin)] if begin else []
        return replace(said, conventions=(*said.conventions, *conventions))

    def runs_on(self, losses: Sequence[ChosenLoss]) -> bool:
        """Whether what earlier rounds computed, other than weights, has a part in the losses of the last."""
        marked = self.carried(losses, len(self.rounds) - 1, self.last.record)[1]
        for ids in (ids for made in self.made for ids in made):
            marked[ids] = False
        return any(self.last.part.is_earlier(number) for number in np.flatnonzero(marked[: self.last.begin]).tolist())


def over_versions(
    rounds: Sequence[RunRound], chosen: ChosenLoss | None, same_as: ChosenLoss | None = None
) -> RunVerdict | None:
    """The verdict on the last of these rounds, if it is not wrong with several versions of the weights that were stepped; None else. Where
    its loss is not known, that is one that was made from earlier versions alone: if it is the same as in the rounds before, which were
    right so (`same_as`), it may be wrong, too."""
    last = len(rounds) - 1
    if len(rounds) * len(rounds[-1].record.pool) > MOST_NUMBERS:
        return None
    versions, losses = Versions(rounds), [each.loss for each in rounds]
    others = list[RunVerdict]()
    for each in (chosen,) if chosen is not None else _of_earlier_versions(rounds, same_as):
        begins = (last, 0, *range(last - 1, 0, -1)) if versions.runs_on([each]) else (last,)
        for begin in begins:
            for record in (rounds[-1].record, versions.newest) if begin < last else (rounds[-1].record,):
                found = versions.told(each, losses, begin, record)
                if found is None:
                    continue
                if found.verdict != "wrong" and any(r.status == "right" and len(r.own) > 2 for r in found.compared):
                    return found
                others += [found] if chosen is None and same_as is not None and begin == 0 else []
    return others[0] if others else None


def _of_earlier_versions(rounds: Sequence[RunRound], same_as: ChosenLoss | None) -> Iterator[ChosenLoss]:
    """What is called a loss, was computed in the last round, and was made from weights of rounds before."""
    last = rounds[-1]
    weights = [s.levels[-1] for each in rounds for group in each.steps for s in group]
    whole = window(last.record, rounds[0].begin, last.end)
    for each in loss.candidates(whole, weights, same_as) if weights else ():
        if NAMED.search(each.name) and each.ids.min() >= last.begin:
            yield each


def each_step(record: Record) -> Iterator[tuple[Record, dict[int, str]]]:
    """The record with rounds that end with each step of an array that one line steps again and again, as the only weights of a network are,
    and what its versions are called by their first numbers: one for each such array. What begins as one number throughout is a sum."""
    operations, names = record.operations, ArrayNames(record)
    sums = operations.sums_on_arrays
    for step in (s for group in found(record, names) for s in group if s.sure and np.ptp(record.pool[s.levels[-1]])):
        made = [step.made]
        for operation in operations.at(sums[operations.lines[sums] == step.made.line]):
            if any(r.first == made[-1].start and r.size == operation.size == len(step.by) for r in operation.operands):
                made.append(operation)
        if len(step.by) > 1 and len(made) > FEWEST:
            again = record.again.union(operation.start for operation in made)
            rounds = tuple((operation.stop, operation.start) for operation in made[:ROUNDS])
            known = dict.fromkeys((operation.start for operation in made), names.of(step.levels[-1]))
            yield replace(with_rounds(record, rounds, again), outcome={**record.outcome, "ended": "update"}), known
