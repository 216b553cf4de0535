"""A changed program, run again: whether all its gradients are right."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.stepped import SteppedRows
from engine.doctor.lineage.record.matching import same
from engine.doctor.lineage.record.reading import Record, UserLine
from engine.doctor.lineage.record.running import Runs, Trials
from engine.doctor.lineage.record.updates import ArrayNames, found
from engine.doctor.lineage.record.windows import ends, window
from engine.doctor.lineage.the_loss.loss import adjoint_of, forward_of
from engine.doctor.lineage.verdict.given_back import is_by_scale
from engine.doctor.lineage.verdict.verdict import RunVerdict, judged
from engine.doctor.mending.edits.atoms import text_of
from engine.doctor.mending.edits.edits import StatementEdit
from engine.doctor.mending.naming import names
from engine.doctor.mending.naming.correction import Correction
from engine.doctor.mending.trials.places import EditPlace, replaced

TRIALS = 16
WORK = 400_000_000
"""So much is recorded in all trials together, in numbers."""
ATTEMPT, OPERATION, JUDGED = 1_000_000, 300, 5
"""What a trial costs at least, what an operation costs beside its numbers, and how many times as much it costs to judge them."""


@dataclass(frozen=True)
class Blamed:
    """A line to blame: what it says, what it should say ("" where that is not known) and the kind of the edit."""

    file: str
    line: int
    id: str
    old: str
    mended: str = ""
    verified: bool = False
    corrected: RunVerdict | None = None
    """The verdict on the program with that correction."""
    more: bool = False
    """Whether corrections were left untried: there were too many, or the search was ended."""


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
    left: int = TRIALS
    after: Record | None = None
    """The record of what was run last."""
    corrected: RunVerdict | None = None
    """The verdict on it."""
    repaired: frozenset[str] = frozenset()
    """The gradients that are right by what was tried last and were not before, where it makes no other one wrong."""
    partly: list[tuple[frozenset[str], EditPlace, StatementEdit]] = field(
        default_factory=list[tuple[frozenset[str], EditPlace, StatementEdit]]
    )
    """Edits that made some gradients right, with those."""
    suspected: list[EditPlace] = field(default_factory=list[EditPlace])
    """The lines of which one is wrong, as far as that is known."""
    spent: int = 0
    tried: int = 0

    def blames(
        self, file: str, statement: ast.stmt, kind: str, made: str, other: tuple[ast.stmt, str] | None = None
    ) -> Blamed | None:
        """The line, where this text in its place makes all gradients right; `other` is a statement on another line, and its text then."""
        if not self.holds(file, statement, made, other):
            return None
        return self.named(file, statement, kind, text_of(statement), made)

    def holds(self, file: str, part: ast.stmt | ast.expr, made: str, other: tuple[ast.stmt, str] | None = None) -> bool:
        """Whether all gradients are right with this text in the place of a part of a file; False when enough was tried."""
        if self.left <= 0 or self.is_over:
            return False
        self.left -= 1
        text = self.texts[file] if other is None else replaced(self.texts[file], *other)
        texts = {**self.texts, file: replaced(text, part, made)}
        return self.makes_right(texts) and (made == "pass" or not self._makes_a_number(file, part))

    def _makes_a_number(self, file: str, part: ast.stmt | ast.expr) -> bool:
        """Whether an assignment made arrays and makes a single number now: a gradient that is gone is not right."""

        def has_arrays(record: Record | None) -> bool:
            events = record.events if record is not None else ()
            return any(e.value.size > 1 for e in events if (e.site.file, e.site.line) == (file, part.lineno))

        return isinstance(part, ast.Assign) and has_arrays(self.record) and not has_arrays(self.after)

    def named(self, file: str, statement: ast.stmt, kind: str, old: str, made: str) -> Blamed:
        """The line with its correction, which was run last, under the mistake's name."""
        correction = Correction(kind, old, made, UserLine(file, statement.lineno), self.verdict, self.after)
        return Blamed(file, statement.lineno, names.name_of(correction), old, made, True, self.corrected)

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
        recorded = 0 if record is None else len(record.pool) + OPERATION * len(record.operations)
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
        self.repaired = _repaired(again.compared, verdict)
        return again.verdict != "wrong" and _settles(again.compared, verdict)

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


def _is_once(row: ComparedGradient) -> bool:
    """Whether a gradient is dL/d(it), and not a multiple of it."""
    return row.match is not None and same(abs(row.match.factor), 1.0)


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
        """Whether an update of this run is surely wrong: it is cheaper than to judge the run."""
        if not self.usable or not self._is_same(record):
            return False
        part = window(record, 0, next(iter(ends(record))))
        names = ArrayNames(part, {})
        forward, adjoint = np.zeros(len(part.pool), bool), np.zeros(len(part.pool))
        forward[: self.size], adjoint[: self.size] = self.forward, self.adjoint
        rows = SteppedRows(part, found(part, names), names)(self.loss, lambda: adjoint, forward, _none_wrong)
        return rows is None or any(row.status in ("wrong", "zero") for row in rows) or not _settles(rows, self.verdict)

    def _is_same(self, record: Record) -> bool:
        """Whether the forward pass made the same numbers."""
        if len(record.pool) < self.size:
            return False
        old, new = (r.starts[: int(r.starts.searchsorted(self.size))] for r in (self.record, record))
        return np.array_equal(old, new) and np.array_equal(
            self.record.pool[: self.size], record.pool[: self.size], equal_nan=True
        )


def _none_wrong(right: int, bad: int, most: int) -> bool:
    del right, most
    return not bad
