"""A changed program, run again: whether all its gradients are right."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice

import numpy as np

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.stepped import SteppedRows
from engine.doctor.lineage.record.matching import same
from engine.doctor.lineage.record.reading import Record, UserLine
from engine.doctor.lineage.record.running import Runs, Trials
from engine.doctor.lineage.record.updates import ArrayNames, found
from engine.doctor.lineage.record.windows import ends, window
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of, forward_of
from engine.doctor.lineage.verdict.given_back import is_by_scale
from engine.doctor.lineage.verdict.other_weights import is_odd
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.naming import names
from engine.doctor.mending.naming.correction import Correction
from engine.doctor.mending.trials.places import EditPlace
from engine.doctor.mending.trials.proposal import Blamed, Proposal

TRIALS = 16
WORK = 400_000_000
"""So much is recorded in all trials together, in numbers."""
ATTEMPT, OPERATION, ROW, JUDGED = 1_000_000, 300, 60, 5
"""What a trial costs at least, what an operation on arrays and one on single numbers cost beside their numbers, and how many times as much
it costs to judge them."""


@dataclass(frozen=True, eq=False)
class Partial:
    """A change by which some of the gradients become right, `repaired`, and none that was right becomes wrong."""

    repaired: frozenset[str]
    proposal: Proposal
    told: list[Blamed]
    texts: dict[str, str]
    verdict: RunVerdict
    record: Record


@dataclass(eq=False)
class Trial:
    """A program that is run again with one statement replaced. `texts` are those of its files that made wrong gradients, by their names in
    the record."""

    runs: Runs
    texts: dict[str, str]
    verdict: RunVerdict
    record: Record
    trials: Trials
    returned: Callable[[RunVerdict], RunVerdict]
    """A verdict by what called functions give back."""
    after: Record | None = None
    """The record of what was run last."""
    corrected: RunVerdict | None = None
    """The verdict on it."""
    repaired: frozenset[str] = frozenset()
    """The gradients that are right by what was tried last and were not before, where it makes no other one wrong."""
    partial: Partial | None = None
    """The change that made most gradients right, of those that did not make all right."""
    rest: Trial | None = None
    """The trials of the program with that change, in which the rest was looked for."""
    suspected: list[EditPlace] = field(default_factory=list[EditPlace])
    """The lines of which one is wrong, as far as that is known."""
    spent: int = 0
    tried: int = 0

    def first(self, proposals: Iterable[Proposal], most: int = TRIALS) -> Proposal | None:
        """The first of so many changes after which all gradients are right; None also when enough was recorded."""
        for proposal in islice(proposals, most):
            if self.is_over:
                return None
            texts = proposal.applied(self.texts)
            right = self.makes_right(texts)
            if self._makes_a_number(proposal) or (self._has_another_loss() and not proposal.forward):
                continue
            if right:
                return proposal
            best = len(self.partial.repaired) if self.partial is not None else 0
            if len(self.repaired) > best and self.corrected is not None and self.after is not None:
                self.partial = Partial(
                    self.repaired, proposal, self._told_in_part(proposal), texts, self.corrected, self.after
                )
        return None

    def _makes_a_number(self, proposal: Proposal) -> bool:
        """Whether an assignment made arrays and makes a single number now: a gradient that is gone is not right."""
        at = proposal.file, proposal.part.lineno

        def has_arrays(record: Record | None) -> bool:
            events = record.events if record is not None else ()
            return any(e.value.size > 1 for e in events if (e.site.file, e.site.line) == at)

        assigns = isinstance(proposal.part, ast.Assign) and proposal.made != "pass"
        return assigns and has_arrays(self.record) and not has_arrays(self.after)

    def _has_another_loss(self) -> bool:
        """Whether the run that was judged last computes another loss before its first update: then something else was changed than what
        goes back."""
        one, other = (v.rounds[0].loss if v and v.rounds else None for v in (self.verdict, self.corrected))
        return one is not None and other is not None and not np.isclose(one.value, other.value, 1e-9, 0, equal_nan=True)

    def told(self, proposal: Proposal) -> list[Blamed]:
        """The lines of a change, which was run last, under the mistake's name."""
        each, line = proposal, UserLine(proposal.file, proposal.statement.lineno)
        correction = Correction(each.kind, each.old, each.mended, line, self.verdict, self.after)
        id = each.id or names.name_of(correction)
        number, old, mended = each.on_its_line(self.texts[each.file])
        made = [Blamed(each.file, number, id, old, mended, True, self.corrected, begins=line.number)]
        for other, text in each.others if each.all_wrong else ():
            made.append(Blamed(line.file, other.lineno, id, text_of(other), text, True, self.corrected))
        return made

    def _told_in_part(self, proposal: Proposal) -> list[Blamed]:
        """The same of a change with which not all gradients are right."""
        rows = self.corrected.compared if self.corrected is not None else ()
        still = tuple(dict.fromkeys(r.name for r in rows if r.status in ("wrong", "zero")))
        return [
            replace(b, verified=False, mends=tuple(sorted(self.repaired)), leaves=still) for b in self.told(proposal)
        ]

    def on(self, partial: Partial) -> Trial:
        """The trials of the program with a change, in which the rest is looked for."""
        self.rest = replace(
            self,
            texts=partial.texts,
            verdict=partial.verdict,
            record=partial.record,
            partial=None,
            rest=None,
            suspected=[],
        )
        return self.rest

    @property
    def is_over(self) -> bool:
        """Whether enough was recorded."""
        return self.spent > WORK

    def makes_right(self, texts: dict[str, str]) -> bool:
        """Whether the program with these texts has gradients that are all right, where the verdict was wrong."""
        self.tried += 1
        self.repaired = frozenset()
        self.runs.says(f"wrong; looking for the line: {self.tried} corrections run (Ctrl+C ends it)")
        verdict, seconds = self.verdict, 2.0 + 5 * float(self.record.outcome.get("seconds", 1.0))
        numbers = 2 * len(self.record.pool) + 100_000
        record = self.trials.recorded(texts, seconds, rounds=verdict.round + 1, numbers=numbers)
        self.after = record
        recorded = 0 if record is None else _cost(record)
        self.spent += ATTEMPT + (recorded or numbers)
        if record is None or verdict.loss is None or self._is_stopped(record) or self._known.rejects(record):
            return False
        self.spent += JUDGED * recorded
        taken = verdict.loss.name if self.runs.wishes.loss else ""
        # without a cut: what is right only as a cut would be right by another reading
        again = self.returned(judged(record, verdict.loss, taken, cut=False))
        self.corrected = again
        if again.loss is None or again.loss.name != verdict.loss.name:
            return False
        if set(again.conventions) - set(verdict.conventions):
            return False  # right only by another reading
        if is_by_scale(verdict) and not all(_is_once(row) for row in again.compared if row.status == "right"):
            return False  # another multiple
        if not _keeps_scale(again.compared, verdict):
            return False  # a multiple in the place of what is right
        if not any(row.status == "right" and len(row.own) > 2 for row in verdict.compared) and is_odd(again):
            return False  # a multiple that nothing explains
        if verdict.round and verdict.round >= len(again.rounds):
            return False  # the round in which they were not right was not reached
        rows = again.rounds[verdict.round].compared if verdict.round else again.compared
        self.repaired = _repaired(rows, verdict)
        return again.verdict != "wrong" and _settles(rows, verdict)

    def _is_stopped(self, record: Record) -> bool:
        """Whether the change makes a program stop that did not stop before."""
        return record.outcome.get("ended") == "error" != self.record.outcome.get("ended")

    @cached_property
    def _known(self) -> KnownRight:
        return KnownRight(self.verdict)


def _settles(rows: Sequence[ComparedGradient], verdict: RunVerdict) -> bool:
    """Whether all that could be compared before is right now."""
    settled = [r.name for r in rows if r.status == "right"]
    wanted = [r.name for r in verdict.compared if r.status != "not compared"]
    return all(settled.count(n) >= wanted.count(n) for n in wanted)


def _cost(record: Record) -> int:
    """What it cost to record a run, in numbers."""
    wide = len(record.operations.wide)
    return len(record.pool) + OPERATION * wide + ROW * (len(record.operations) - wide)


def _is_once(row: ComparedGradient) -> bool:
    """Whether a gradient is dL/d(it), and not a multiple of it."""
    match = row.bare if row.bare is not None and row.bare.right else row.match
    return match is not None and same(abs(match.factor), 1.0)


def _keeps_scale(rows: Sequence[ComparedGradient], verdict: RunVerdict) -> bool:
    """Whether gradients that are dL/d(it) stay so, where no more of them are multiples of it: the factor is the mistake then."""
    right = [row for row in verdict.compared if row.status == "right"]
    once, still = (Counter(row.name for row in some if _is_once(row)) for some in (right, rows))
    return once.total() < len(right) - once.total() or once <= still


def _repaired(rows: Sequence[ComparedGradient], verdict: RunVerdict) -> frozenset[str]:
    """The gradients that were wrong and are right, if none that was right is not."""
    before, now = ({r.name for r in some if r.status == "right"} for some in (verdict.compared, rows))
    wrong = {r.name for r in verdict.compared if r.status in ("wrong", "zero")}
    return frozenset(now & wrong - before) if before <= now else frozenset()


class KnownRight:
    """What the gradients of a changed program should be, where its forward pass is that of the run that was judged: the same numbers."""

    def __init__(self, verdict: RunVerdict) -> None:
        record, loss = verdict.record, verdict.loss
        assert record is not None and loss is not None
        self.verdict, self.loss, self.record = verdict, loss, record
        self.usable = not verdict.round and all(row.update is not None for row in verdict.compared)
        self.size = 1 + max(int(r.ids().max(initial=0)) for r, _ in loss.seeds)
        self.forward = forward_of(record, loss)[: self.size]
        self.adjoint = adjoint_of(record, loss)[: self.size]

    def rejects(self, record: Record) -> bool:
        """Whether an update of this run is surely wrong, and no more right than before: it is cheaper than to judge the run."""
        if not self.usable or not _begin_alike(self.record, record, self.loss):
            return False
        part = window(record, 0, next(iter(ends(record))))
        names = ArrayNames(part, {})
        forward, adjoint = np.zeros(len(part.pool), bool), np.zeros(len(part.pool))
        forward[: self.size], adjoint[: self.size] = self.forward, self.adjoint
        before = sum(row.status == "right" and len(row.own) > 2 for row in self.verdict.compared)
        rows = SteppedRows(part, found(part, names), names)(
            self.loss, lambda: adjoint, forward, lambda right, bad, _: not bad or right > before
        )
        if rows is None:
            return True
        all_right = not any(row.status in ("wrong", "zero") for row in rows) and _settles(rows, self.verdict)
        return not all_right and not _repaired(rows, self.verdict)


def _begin_alike(one: Record, other: Record, loss: ChosenLoss) -> bool:
    """Whether two runs made the same numbers until a loss of the first one."""
    size = 1 + int(loss.ids.max(initial=0))
    if len(other.pool) < size:
        return False
    old, new = (record.starts[: int(record.starts.searchsorted(size))] for record in (one, other))
    return np.array_equal(old, new) and np.array_equal(one.pool[:size], other.pool[:size], equal_nan=True)
