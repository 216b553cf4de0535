"""A correction that was run, and what its line reads instead."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.reading import Record, RecordedArray, RecordedOperation, UserLine
from engine.doctor.lineage.record.windows import ends, window
from engine.doctor.lineage.roles import Roles, Weight
from engine.doctor.lineage.verdict.run_verdict import RunVerdict


@dataclass(frozen=True, eq=False)
class Correction:
    """A statement, `old`, and what it should be. `rerun` is the record of the corrected program, where there is one."""

    kind: str
    old: str
    mended: str
    line: UserLine
    verdict: RunVerdict | None = None
    rerun: Record | None = None

    @cached_property
    def roles(self) -> Roles | None:
        """The roles of arrays in the run that is wrong, None where its numbers are not those of the corrected one up to this line."""
        verdict = self.verdict
        if verdict is None or verdict.record is None or verdict.loss is None or verdict.round or self.rerun is None:
            return None
        return Roles(verdict.record, verdict.loss, [row.own for row in verdict.compared])

    @cached_property
    def after(self) -> Record | None:
        """The first round of the corrected run."""
        return None if self.rerun is None else window(self.rerun, 0, next(iter(ends(self.rerun))))

    @cached_property
    def before(self) -> list[RecordedOperation]:
        """The line's operations as it stands."""
        record = self.verdict.record if self.verdict is not None else None
        return [] if record is None else _on(record, self.line, self.old)

    @cached_property
    def corrected(self) -> list[RecordedOperation]:
        """The operations of the corrected line."""
        return [] if self.after is None else _on(self.after, self.line, self.mended)

    @cached_property
    def removed(self) -> list[RecordedArray]:
        """What only the wrong line reads, those of the first execution first."""
        return [r for r, _ in self._differences[0]]

    @cached_property
    def added(self) -> list[RecordedArray]:
        """What only the corrected line reads; what came before the line ran has the same numbers in both records."""
        return [r for r, _ in self._differences[1]]

    @cached_property
    def _differences(self) -> tuple[list[_Keyed], list[_Keyed]]:
        old, new = self._keyed(self.before, False), self._keyed(self.corrected, True)
        if [o.name for o in self.before] == [o.name for o in self.corrected] and len(old) == len(new):
            pairs = [(a, b) for a, b in zip(old, new, strict=True) if a[1] != b[1]]
            return [a for a, _ in pairs], [b for _, b in pairs]
        known, others = {key for _, key in old}, {key for _, key in new}
        return [a for a in old if a[1] not in others], [b for b in new if b[1] not in known]

    def _keyed(self, operations: Sequence[RecordedOperation], corrected: bool) -> list[_Keyed]:
        """What operations read: forward values and what came from outside by their numbers, others by the line that made them."""
        record = self.after if corrected else self.verdict.record if self.verdict is not None else None
        roles = self.roles
        if record is None or roles is None:
            return []
        made: list[_Keyed] = []
        for r in read_by(operations):
            k = record.maker(r.first)
            known = r.first < self.first and (k < 0 or roles.forward[r.first])
            made.append((r, ("number", r.first, r.size) if known or k < 0 else ("line", record.operations[k].line, 0)))
        return made

    @cached_property
    def first(self) -> int:
        """The number up to which both runs are the same."""
        starts = [operations[0].start for operations in (self.before, self.corrected) if operations]
        return min(starts, default=0)

    @cached_property
    def row(self) -> ComparedGradient | None:
        """The gradient that the line itself makes, if it makes one."""
        record = self.verdict.record if self.verdict is not None else None
        if record is None or self.verdict is None:
            return None
        line = self.line
        put = {e.value.first for e in record.events if (e.site.file, e.site.line) == (line.file, line.number)}
        for row in self.verdict.compared:
            k = record.maker(int(row.gradient[-1])) if row.gradient.size else -1
            if k >= 0 and (record.lines[record.operations[k].line] == line or int(row.gradient[0]) in put):
                return row
        return next((row for row in self.verdict.compared if self.line in _summed_on(record, row)), None)

    @property
    def weight(self) -> Weight | None:
        """The parameter whose gradient the line itself makes."""
        if self.row is None or self.roles is None:
            return None
        return next((w for w in self.roles.weights if int(self.row.own.flat[0]) in w.own), None)

    @property
    def weights(self) -> list[Weight]:
        """The parameters that the line reads."""
        roles = self.roles
        return [] if roles is None else [w for r in read_by(self.before) if (w := roles.weight(r)) is not None]


_Keyed = tuple[RecordedArray, tuple[str, int, int]]
SMALL = 6
"""So many operations at most are those of a small function."""
_SUMS = ("add", "subtract", "sum", "mean", "minimum", "maximum", "multiply", "divide")
_PRODUCTS = ("matmul", "dot", "outer", "einsum", "tensordot")


def _summed_on(record: Record, row: ComparedGradient) -> set[UserLine]:
    """The lines on which stand the products that a gradient is a sum of, and those that add what another function multiplied."""
    found: set[UserLine] = set()
    waiting, seen = [(int(row.gradient[-1]), 0)] if row.gradient.size else [], set[int]()
    while waiting:
        number, sum_on = waiting.pop()
        k = record.maker(number)
        if k < 0 or k in seen:
            continue
        seen.add(k)
        operation = record.operations[k]
        if operation.name in _PRODUCTS:
            found |= {record.lines[n] for n in (operation.line, sum_on) if n}
        elif operation.name in _SUMS and sum(r.size > 1 for r in operation.operands) <= 1 + (operation.name == "add"):
            on = operation.line if operation.name == "add" else sum_on
            waiting += [(r.first, on) for r in operation.operands if r.size > 1]
    return found


def _on(record: Record, line: UserLine, text: str) -> list[RecordedOperation]:
    """The operations of a line; where its `text` leaves its work to a small function of the program, that one's."""
    own = [o for o in record.operations if record.lines[o.line] == line]
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    if not calls or any(o.name not in _SUMS[:2] for o in own):
        return own
    made: list[RecordedOperation] = []
    before: dict[str, int] = {}
    for event in record.events:
        site = event.site
        if (site.file, site.line) == (line.file, line.number) and event.time > before.get(site.function, event.time):
            first, last = (int(record.starts.searchsorted(n)) for n in (before[site.function], event.time))
            made += record.operations[first:last] if last - first <= SMALL else ()
        before[site.function] = event.time
    return made or own


def read_by(operations: Sequence[RecordedOperation]) -> Iterator[RecordedArray]:
    """The arrays that some operations read and none of them made."""
    made = [(o.start, o.stop) for o in operations]
    for operation in operations:
        for r in operation.operands:
            if r.size > 1 and not any(low <= r.first < high for low, high in made):
                yield r
