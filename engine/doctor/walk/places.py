"""Where the numbers of a record stand: under which names, at which lines, and which operations read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.doctor.lineage.record.called_names import as_written
from engine.doctor.lineage.record.reading import Record, RecordedArray
from engine.doctor.walk.executed import ExecutedLine, called, is_name

SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "matmul": "@", "dot": "@"}
BLOCK = 10
"""Numbers are looked up in blocks of two to this power."""
DEEPEST = 3
"""How many operations inside one another are written out for a number that has no name."""


@dataclass(frozen=True)
class NamedPlace:
    """A number's place: `name` of its array, `index` in it, and the executed line (`at`, -1: none) that first showed it under a name."""

    name: str
    index: tuple[int, ...]
    at: int
    named: bool = True

    @property
    def text(self) -> str:
        """As it is written in the program, with the index: `self.h[t][0, 3]`."""
        base = self.name if self.named or is_name(self.name) else f"({self.name})"
        return f"{base}[{', '.join(map(str, self.index))}]" if self.index else self.name


class Places:
    """Names and readers of numbers. Nothing is kept for each number: a record may have millions."""

    def __init__(self, record: Record, lines: Iterable[tuple[int, ExecutedLine]]) -> None:
        """`lines` come with their places in the walk, -1 for those that it does not show."""
        self.record = record
        made = [(event, at) for at, line in lines for event in line.made if event.site.kind != "increment"]
        self._events = made
        self._spans = _Spans([event.value for event, _ in made])

    def named(self, number: int) -> NamedPlace | None:
        """Where a number first stood under a name of the program's; without one where it was first returned or added."""
        first: NamedPlace | None = None
        for k in self._spans.around(number):
            event, at = self._events[k]
            index = place_in(event.value, number)
            if index is None:
                continue
            name = as_written(called(event) if event.site.kind == "append" else event.name)
            if is_name(name) and event.site.kind != "argument":
                return NamedPlace(name, index, at)
            first = first or NamedPlace(called(event), index, at)
        return first

    def described(self, number: int) -> NamedPlace:
        """The same; for a number without a name the expression that made it."""
        named = self.named(number)
        if named is not None:
            return named
        k = self.record.maker(number)
        if k < 0:
            written = number in self.record.constants
            return NamedPlace(f"{self.record.pool[number]:.6g}" if written else "given", (), -1, named=False)
        operation = self.record.operations[k]
        index = tuple(int(i) for i in np.unravel_index(number - operation.start, operation.shape))
        return NamedPlace(self._expression(k, DEEPEST), index, -1, named=False)

    def line_of(self, number: int) -> tuple[str, int] | None:
        """File and line at which a number was made, or came in."""
        k = self.record.maker(number)
        leaf = self.record.leaf(number)
        line = self.record.operations[k].line if k >= 0 else int(self.record.leaves[leaf, 2]) if leaf >= 0 else -1
        if not 0 < line < len(self.record.lines):
            return None
        return self.record.lines[line].file, self.record.lines[line].number

    def _expression(self, k: int, deep: int) -> str:
        """An operation with the names of what it reads, as in the program: `X[t] @ self.Wf`."""
        operation = self.record.operations[k]
        texts = [self._array(reference, deep) for reference in operation.operands]
        if operation.name in SIGNS and len(texts) == 2:
            return f"{_within(texts[0])} {SIGNS[operation.name]} {_within(texts[1])}"
        if operation.name == "negative":
            return f"-{_within(texts[0])}"
        if operation.name == "gather":
            return texts[0]
        return f"{operation.name}({', '.join(texts)})"

    def _array(self, reference: RecordedArray, deep: int) -> str:
        if not reference.size:
            return "…"
        named = self.named(reference.first)
        if named is not None:
            return named.name
        k = self.record.maker(reference.first)
        if k < 0:
            return f"{self.record.pool[reference.first]:.4g}" if reference.size == 1 else "…"
        return self._expression(k, deep - 1) if deep > 1 else "…"

    def readers(self, number: int) -> list[tuple[int, int]]:
        """The operations that read a number, each with the place of the operand."""
        spans, where = self._operands
        made: list[tuple[int, int]] = []
        for at in spans.around(number):
            k, which = where[at]
            reference = self.record.operations[k].operands[which]
            whole = reference.kept is None and spans.is_whole(at, reference.size)
            if whole or place_in(reference, number) is not None:
                made.append((k, which))
        return made

    @cached_property
    def _operands(self) -> tuple[_Spans, list[tuple[int, int]]]:
        """The operands of all operations; of which operation each is, and which of its operands."""
        places = [
            (k, which)
            for k, operation in enumerate(self.record.operations)
            for which, reference in enumerate(operation.operands)
            if reference.size
        ]
        return _Spans([self.record.operations[k].operands[which] for k, which in places]), places


def _within(text: str) -> str:
    """An operand inside an operation: in brackets where it is one itself."""
    return f"({text})" if " " in text and not is_name(text) else text


class _Spans:
    """The lowest and the highest number of each array, and which arrays may hold a number of a block of numbers."""

    def __init__(self, arrays: Sequence[RecordedArray]) -> None:
        spans = np.array([_span(reference) for reference in arrays], np.int64).reshape(-1, 2)
        self.low, self.high = spans[:, 0], spans[:, 1]
        kept = {k: np.unique(r.kept >> BLOCK) for k, r in enumerate(arrays) if r.kept is not None}
        first = self.low >> BLOCK
        counts = (self.high >> BLOCK) - first + 1
        counts[list(kept)] = 0
        which = np.repeat(np.arange(len(arrays)), counts)
        blocks = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
        which = np.concatenate([which, *(np.full(len(some), k) for k, some in kept.items())])
        blocks = np.concatenate([blocks, *kept.values()])
        order = np.lexsort((which, blocks))
        self._which, self._blocks = which[order], blocks[order]

    def around(self, number: int) -> list[int]:
        """The arrays between whose lowest and highest number a number is, in order."""
        begin, end = np.searchsorted(self._blocks, (number >> BLOCK, (number >> BLOCK) + 1))
        some = self._which[begin:end]
        return some[(self.low[some] <= number) & (number <= self.high[some])].tolist()

    def is_whole(self, which: int, size: int) -> bool:
        """Whether an array of so many numbers holds all between its lowest and highest, if it holds none twice."""
        return int(self.high[which] - self.low[which]) + 1 == size


def _span(reference: RecordedArray) -> tuple[int, int]:
    if reference.kept is not None:
        return int(reference.kept.min()), int(reference.kept.max())
    steps = [(n - 1) * s for n, s in zip(reference.shape, reference.strides, strict=False)] if reference.shape else []
    return reference.base + sum(s for s in steps if s < 0), reference.base + sum(s for s in steps if s > 0)


def place_in(reference: RecordedArray, number: int) -> tuple[int, ...] | None:
    """Where a number stands in an array (first, where it stands several times)."""
    if reference.follows:
        place = number - reference.base
        if not 0 <= place < reference.size:
            return None
        return tuple(int(i) for i in np.unravel_index(place, reference.shape)) if reference.shape else ()
    found = np.argwhere(reference.ids() == number)
    return tuple(int(i) for i in found[0]) if len(found) else None
