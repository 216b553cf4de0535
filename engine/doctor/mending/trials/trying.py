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
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.matching import same
from engine.doctor.lineage.record.reading import Floats, Record, UserLine
from engine.doctor.lineage.record.running import Runs, Trials
from engine.doctor.lineage.record.updates import found
from engine.doctor.lineage.record.windows import ends, window
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of, forward_of
from engine.doctor.lineage.the_loss.terms import carried_apart
from engine.doctor.lineage.verdict.factors import OF_UPDATES
from engine.doctor.lineage.verdict.given_back import is_by_scale
from engine.doctor.lineage.verdict.other_weights import is_odd
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import is_cut, judged
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.naming import names
from engine.doctor.mending.naming.correction import Correction
from engine.doctor.mending.trials.places import EditPlace
from engine.doctor.mending.trials.proposal import Blamed, Proposal

TRIALS = 16
WEIGHED, LARGE, DIGITS = 1_000, 20_000, 12
"""So many values of a run, of so many numbers each, are looked up to see how much is right; two are one where so many digits are alike."""
WORK = 400_000_000
"""So much is recorded in all trials together, in numbers."""
ATTEMPT, OPERATION, ROW, JUDGED = 1_000_000, 300, 60, 5
"""What a trial costs at least, what an operation on arrays and one on single numbers cost beside their numbers, and how many times as much
it costs to judge them."""


@dataclass(frozen=True, eq=False)
class Partial:
    """A change by which some of the gradients become right, `repaired`, and none that was right becomes wrong; or none, where it is known
    by what its line makes."""

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
    step: Partial | None = None
    """The change with which the rest was looked for."""
    rest: Trial | None = None
    """The trials in which it was."""
    is_total: Callable[[Floats], bool] = field(default=lambda _: False)
    """Whether an array is dL/d(something), and no share of it."""
    best: Proposal | None = None
    """The change with which most of what the way back makes is so, and more than without."""
    totals: int = -1
    """How much that is; -1: it was not counted yet."""
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
            cuts = proposal.cuts or self._is_apart
            right = self.makes_right(texts, wholly=cuts, cut=cuts)
            if self._makes_a_number(proposal) or (self._has_another_loss() and not proposal.forward):
                continue
            if right:
                return proposal
            best = len(self.partial.repaired) if self.partial is not None else 0
            if len(self.repaired) > best:
                self.partial = self._with(proposal, texts) or self.partial
            self._weighs(proposal)
        return None

    def _with(self, proposal: Proposal, texts: dict[str, str]) -> Partial | None:
        """A change that was run last, for what else is to be changed."""
        if self.corrected is None or self.after is None:
            return None
        return Partial(self.repaired, proposal, self._told_in_part(proposal), texts, self.corrected, self.after)

    def by_values(self) -> Partial | None:
        """The change, of those that were tried, with which most of what the way back makes is what it should be, and more than without,
        run once more; None where there is none, or what was right is not."""
        if self.best is None:
            return None
        texts = self.best.applied(self.texts)
        self.corrected = None
        self.makes_right(texts, wholly=True)
        rows = self.corrected.compared if self.corrected is not None else ()
        settled, now = ({r.name for r in some if r.status == "right"} for some in (self.verdict.compared, rows))
        return self._with(self.best, texts) if settled <= now else None

    def _weighs(self, proposal: Proposal) -> None:
        """Keeps a change that was run last, if with it more of what the way back makes is what it should be than with any other."""
        loss, after = self.verdict.loss, self.after
        if after is None or loss is None or self.verdict.round or not _begin_alike(self.record, after, loss):
            return
        if self.totals < 0:
            self.totals = self._totals(self.record)
        count = self._totals(after)
        if count > self.totals:
            self.best, self.totals = proposal, count

    def _totals(self, record: Record) -> int:
        assert self.verdict.loss is not None
        after = int(self.verdict.loss.ids.max())
        some = (e.value for e in record.events if e.value.first > after and 1 < e.value.size < LARGE)
        values = (record.pool[value.ids()] for value in islice(some, WEIGHED))
        return len({np.round(v, DIGITS).tobytes() for v in values if self.is_total(v)})  # what is handed on is no more

    def _makes_a_number(self, proposal: Proposal) -> bool:
        """Whether an assignment made arrays and makes a single number now: a gradient that is gone is not right."""
        at = proposal.file, proposal.part.lineno

        def has_arrays(record: Record | None) -> bool:
            if record is None:
                return False
            there = record.events.where(lambda kind: (kind.site.file, kind.site.line) == at)
            return bool((record.events.sizes[there] > 1).any())

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
        for n, (other, text) in enumerate(each.others if each.all_wrong else ()):
            says = each.says[n] if each.says else text
            if says:
                made.append(Blamed(line.file, other.lineno, id, text_of(other), says, True, self.corrected))
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
            best=None,
            totals=-1,
            step=None,
            rest=None,
            suspected=[],
        )
        self.step = partial
        return self.rest

    @property
    def is_over(self) -> bool:
        """Whether enough was recorded."""
        return self.spent > WORK

    def makes_right(self, texts: dict[str, str], *, wholly: bool = False, cut: bool = False) -> bool:
        """Whether the program with these texts has gradients that are all right, where the verdict was wrong. `wholly` judges it also where
        they surely are not; `cut` is whether errors may go back some steps and no further."""
        self.tried += 1
        self.repaired = frozenset()
        self.runs.says(f"wrong; looking for the line: correction {self.tried} is run")
        verdict, seconds = self.verdict, 2.0 + 5 * float(self.record.outcome.get("seconds", 1.0))
        numbers = 2 * len(self.record.pool) + 100_000
        record = self.trials.recorded(texts, seconds, rounds=verdict.round + 1, numbers=numbers)
        self.after = record
        recorded = 0 if record is None else _cost(record)
        self.spent += ATTEMPT + (recorded or numbers)
        if record is None or verdict.loss is None or self._is_stopped(record):
            return False
        if not wholly and self._known.rejects(record):
            return False
        self.spent += JUDGED * recorded
        taken = verdict.loss.name if self.runs.wishes.loss else ""
        conventions = {said for each in (verdict, *verdict.rounds) for said in each.conventions}
        # else without a cut: what is right only as a cut would be right by another reading
        again = self.returned(judged(record, verdict.loss, taken, cut=cut or is_cut(conventions)))
        self.corrected = again
        if again.loss is None or again.loss.name != verdict.loss.name:
            return False
        if set(again.conventions) - conventions - OF_UPDATES and not cut:
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
    def _is_apart(self) -> bool:
        """Whether each output's error goes back on its own: how many steps it goes is the program's choice."""
        part, loss = self.verdict.record, self.verdict.loss
        return part is not None and loss is not None and carried_apart(part, loss) is not None

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
