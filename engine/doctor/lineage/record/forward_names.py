"""What forward values are called, and how often a line ran before one was made there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property

from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.called_names import as_written
from engine.doctor.lineage.record.derivatives import UNARY
from engine.doctor.lineage.record.reading import Record, RecordedEvent

_MADE = {
    "add": "a sum",
    "subtract": "a difference",
    "multiply": "a product",
    "divide": "a quotient",
    "matmul": "a product",
    "dot": "a product",
}


def _as_part(name: str, size: int, whole: int) -> str:
    """What an array of so many numbers is called, whose first is the first of one that has a name."""
    name = as_written(name)
    return name if size == whole else f"a part of {name}" if size < whole else f"{name} and others"


class ForwardNames:
    """Names of the values that a loss was made from: `forward` are their events, in the order in which they were seen."""

    def __init__(self, record: Record, forward: Sequence[RecordedEvent]) -> None:
        self.record = record
        self.names = ArrayNames(record)
        self.seen: dict[int, RecordedEvent] = {}
        for event in forward:
            if event.name:
                self.seen.setdefault(event.value.first, event)
        named = Counter(event.name for event in self.seen.values())
        self.alone = {name for name, count in named.items() if count == 1}
        """The names of one value each."""
        self._often = {(id(e.site), e.part) for e in forward if self.before(e)}
        """Sites that made several values of the forward pass."""

    def before(self, event: RecordedEvent) -> int:
        """How often its line ran before in the round."""
        return self.record.events.before(event)

    def of_event(self, event: RecordedEvent) -> tuple[str, str, int, int | None]:
        """Name, file and line of a value that was seen, and how often the line ran before: None where it ran once."""
        name = as_written(event.name or self.names.of(event.value.ids().ravel()))
        often = (id(event.site), event.part) in self._often
        return name, event.site.file, event.site.line, self.before(event) if often else None

    def of_operand(self, k: int, which: int) -> tuple[str, str, int, int | None]:
        """The same of an operand and the line of its operation; a value without a name is told by what made it, with its own line."""
        operation = self.record.operations[k]
        value = operation.operands[which]
        maker = self.record.maker(value.first)
        if maker < 0:
            whole = int(self.record.leaves[self.record.leaf(value.first), 1])
            return self._at(_as_part(self.names.of(value.ids().ravel()), value.size, whole), k)
        made = self.record.operations[maker]
        seen = self.seen.get(value.first) or self.seen.get(made.start)
        if seen is not None:
            return self._at(_as_part(seen.name, value.size, seen.value.size), k)
        if operation.name in UNARY and operation.line == made.line:
            return self._at(f"(what {operation.name} is taken of)", k)
        return self._at(f"({_MADE.get(made.name, f'the {made.name}')})", maker)

    def _at(self, name: str, k: int) -> tuple[str, str, int, int | None]:
        line = self.record.lines[self.record.operations[k].line]
        return name, line.file, line.number, self._run_of(k)

    def _run_of(self, k: int) -> int | None:
        """How often the line of an operation ran before: told from the last of its sites, or, where one run of the line does many, from
        its operations of one kind."""
        operation = self.record.operations[k]
        times = self._times.get(operation.line, [])
        if len(times) > 1:
            return bisect_right(times, operation.start)
        kinds = self._kinds[operation.line]
        runs = min(len(places) for places in kinds.values())
        own = kinds[operation.name, operation.shape]
        return None if runs == 1 else bisect_left(own, k) * runs // len(own)

    @cached_property
    def _times(self) -> dict[int, list[int]]:
        """By line, the times of the site that is seen last there."""
        lines = {(line.file, line.number): n for n, line in enumerate(self.record.lines)}
        made: dict[int, dict[tuple[int, int], list[int]]] = defaultdict(lambda: defaultdict(list))
        for event in self.record.events:
            line = lines.get((event.site.file, event.site.line))
            if line is not None:
                made[line][id(event.site), event.part].append(event.time)
        return {line: max(sites.values(), key=lambda times: times[0]) for line, sites in made.items()}

    @cached_property
    def _kinds(self) -> dict[int, dict[tuple[str, tuple[int, ...]], list[int]]]:
        """By line, the places of its operations of each kind."""
        made: dict[int, dict[tuple[str, tuple[int, ...]], list[int]]] = defaultdict(lambda: defaultdict(list))
        for k, operation in enumerate(self.record.operations):
            made[operation.line][operation.name, operation.shape].append(k)
        return made
