"""What the values of a backward pass are: dL/d(a forward value), or the share of it that comes through one line.

While the loss is carried back, every share, every running sum of shares and every finished derivative is looked up among the values that
the program itself made on its way back. A hit is confirmed number by number. Zeros, and arrays that are the same number throughout,
are told from nothing and have no meaning.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients.gradient_names import last_of, meant
from engine.doctor.lineage.record.carry_back import carried_back
from engine.doctor.lineage.record.forward_names import ForwardNames
from engine.doctor.lineage.record.looked_up import SMALL, Equality, Lookup
from engine.doctor.lineage.record.matching import DOUBLE, SINGLE, same, tolerance
from engine.doctor.lineage.record.reading import Floats, Record, RecordedArray, RecordedEvent
from engine.doctor.lineage.the_loss.loss import forward_of
from engine.doctor.lineage.verdict.run_verdict import RunVerdict

MOST_OPERATIONS = 100_000
"""The values of a round of more operations have no meanings: it takes too long."""
WHOLE, SUM, SHARE, REST = "whole", "sum", "share", "rest"
FEW_SHARES = range(3, 9)
"""Of a value with so many shares it is asked whether all but one were added up; of two the other one is a share itself."""
_HANDS_ON = ("add", "subtract", "gather", "sum", "negative")
"""Operations whose operand gets the very numbers that the result has, or their opposites."""

Key = tuple[int, ...]


@dataclass(frozen=True)
class Meaning:
    """`factor` times dL/d(`name`): all of it (`kind` whole), the share through a line (share), the shares from the end of the forward
    pass back to that one (sum), or all shares but that one (rest). `line` is where it was first seen, or the line of the share; `t` how
    often that line ran before in the round, None where it ran once. A name in brackets is of a value that has none, and says what made it;
    `alone` says whether no other value has the name."""

    kind: str
    name: str
    file: str
    line: int
    t: int | None
    factor: float = 1.0
    alone: bool = True

    @property
    def is_named(self) -> bool:
        """Whether the forward value has a name in the program."""
        return not self.name.startswith("(")

    def __str__(self) -> str:
        head = "" if same(self.factor, 1.0) else "-" if same(self.factor, -1.0) else f"{self.factor:.4g} × "
        when = "" if self.t is None else f", t = {self.t}"
        if not self.is_named:
            return f"{head}dL/d {self.name[:-1]} in line {self.line}){when}"
        if self.kind == WHOLE:
            return f"{head}dL/d {self.name}" + (f" of line {self.line}{when}" if when or not self.alone else "")
        if self.kind == REST:
            return f"{head}dL/d {self.name} without what comes through line {self.line}{when}"
        later = " and later" if self.kind == SUM else ""
        return f"{head}dL/d {self.name} through line {self.line}{when}{later}"


@dataclass(frozen=True, eq=False)
class Meant:
    """A value of the backward pass: where it was seen, how often its line ran before in the round, what it is, and what it equals
    as well."""

    event: RecordedEvent
    before: int
    is_: Meaning
    coincides: tuple[Meaning, ...] = ()


def key_of(value: RecordedArray) -> Key:
    """What tells an array of a record from others."""
    if value.kept is None:
        return (value.base, *value.shape, -1, *value.strides)
    return (value.first, *value.shape, -2, hash(value.kept.tobytes()))


class Meanings:
    """What the values are that a round of a verdict made on its way back. `left` says why there are none, where that has a reason."""

    def __init__(self, verdict: RunVerdict) -> None:
        self.verdict = verdict
        self.left = ""
        self.forward: list[RecordedEvent] = []
        self.backward: list[RecordedEvent] = []
        self._places: dict[Key, int] = {}
        self._hits: list[list[Equality]] = []
        record, loss = verdict.record, verdict.loss
        if record is None or loss is None:
            return
        self.record: Record = record
        if len(record.operations) > MOST_OPERATIONS:
            self.left = f"what its lines make was not looked up: {len(record.operations):,} operations are too many"
            return
        self._sort(forward_of(record, loss))
        self._look_up()

    def of(self, event: RecordedEvent) -> tuple[Meaning, ...]:
        """What a value is, the likeliest first: of all that it equals what its name speaks of, then whole derivatives. () where it is not
        known."""
        place = self._places.get(key_of(event.value))
        if place is None or not self._hits:
            return ()
        hits = [hit for hit in self._hits[place] if self._known or same(hit.factor, self._factor)]
        named = meant(event.name) | {last_of(event.name)}
        ranked = sorted(
            ((self._rank(hit, m := self._meaning(hit), named), m) for hit in hits), key=lambda pair: pair[0]
        )
        found = [meaning for _, meaning in ranked]
        others = {m.name: m for m in found[:0:-1] if m.is_named and m.name != found[0].name}
        return (*found[:1], *list(others.values())[::-1])

    def all(self) -> Iterator[Meant]:
        """The values of the backward pass that have a meaning, in the order in which they were made."""
        for event in self.backward:
            found = self.of(event)
            if found:
                yield Meant(event, self.names.before(event), found[0], found[1:])

    @cached_property
    def names(self) -> ForwardNames:
        """What the forward values are called."""
        return ForwardNames(self.record, self.forward)

    def _sort(self, made_from: NDArray[np.bool_]) -> None:
        """Which values the loss was made from, and which were computed beside it and are not what a weight became."""
        record = self.record
        beside, operations = np.zeros(len(record.pool), bool), record.operations
        beside[operations.starts[operations.codes > 0]] = True
        beside &= ~made_from
        for operation in operations.on_arrays():
            beside[operation.start : operation.stop] = not made_from[operation.start : operation.stop].any()
        for row in self.verdict.compared:
            for operation in row.update.made if row.update is not None else ():
                beside[operation.start : operation.stop] = False
        for event in record.events:
            if event.value.size:
                if event.value.of(made_from).any():
                    self.forward.append(event)
                if event.value.of(beside).any():
                    self.backward.append(event)

    def _look_up(self) -> None:
        record, loss = self.record, self.verdict.loss
        assert loss is not None
        values: list[Floats] = []
        for event in self.backward:
            key = key_of(event.value)
            if key not in self._places:
                self._places[key] = len(values)
                values.append(event.value.of(record.pool))
        lookup = Lookup(values, self._known, self._allowed())
        uses: dict[tuple[int, int], int] = defaultdict(int)
        shares: dict[tuple[int, int], list[tuple[int, int, Floats]]] = defaultdict(list)

        def visit(k: int, which: int, g: Floats, part: Floats, total: Floats) -> None:
            del g
            if part.size not in lookup.sought:
                return
            reference = record.operations[k].operands[which]
            lookup.add(part, SHARE, k, which)
            uses[reference.first, reference.size] += 1
            if uses[reference.first, reference.size] < FEW_SHARES.stop and total.shape == part.shape:
                shares[reference.first, reference.size].append((k, which, part))
            if uses[reference.first, reference.size] > 1 and total.shape == part.shape:
                lookup.add(np.array(total), SUM, k, which)  # it goes on

        adjoint = carried_back(record, loss.seeds, visit)
        for key, some in shares.items():
            for k, which, part in some if uses[key] == len(some) in FEW_SHARES else ():
                lookup.add(record.operations[k].operands[which].of(adjoint) - part, REST, k, which)
        seen: set[Key] = set()
        for k, event in enumerate(self.forward):
            key = key_of(event.value)
            if key not in seen:
                seen.add(key)
                lookup.add(event.value.of(adjoint), WHOLE, k, 0)
        lookup.finish()
        self._hits = lookup.hits
        if lookup.left <= 0:
            self.left = "what its lines make was not looked up to the end: too many values are alike"

    @cached_property
    def _known(self) -> list[float]:
        """By what a value may be multiplied: as the gradients that are right are, and the steps made of them; [] where it is not known."""
        made: list[float] = []
        for row in self.verdict.compared:
            if row.status == "right" and len(row.own) > SMALL:
                bare = [row.bare.factor] if row.bare is not None else []
                step = [row.match.factor, -row.match.factor] if row.match is not None else []
                made += [f for f in (*bare, *step) if not any(same(f, other) for other in made)]
        return made[:8]

    @cached_property
    def _factor(self) -> float:
        """By what dL/d(it) is multiplied in this program: as the gradients that are right are, else the factor that most values share."""
        if self._known:
            return self._known[0]
        counts = Counter(factor for hits in self._hits for factor in {round(hit.factor, 6) for hit in hits})
        return max(counts, key=lambda f: (counts[f], abs(f) == 1.0, f), default=1.0)

    def _allowed(self) -> float:
        rows = self.verdict.compared
        return SINGLE if rows and tolerance(self.record.pool[rows[0].gradient]) == SINGLE else DOUBLE

    def _rank(self, hit: Equality, meaning: Meaning, named: set[str]) -> tuple[bool, bool, int]:
        kind = (WHOLE, SUM, SHARE, REST).index(hit.kind)
        if hit.kind == SHARE:
            kind += self.record.operations[hit.k].name in _HANDS_ON
        return not same(hit.factor, self._factor), last_of(meaning.name) not in named, kind

    def _meaning(self, hit: Equality) -> Meaning:
        if hit.kind == WHOLE:
            name, file, line, t = self.names.of_event(self.forward[hit.k])
            return Meaning(WHOLE, name, file, line, t, hit.factor, name in self.names.alone)
        return Meaning(hit.kind, *self.names.of_operand(hit.k, hit.which), hit.factor)
