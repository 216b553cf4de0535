"""The user's program and the reference side by side: every line that ran, the value that it computed, and the reference's value for it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.doctor.judge.expecting import expected, operands
from engine.doctor.judge.timeline import SAME_SCALE, Compared, ComparedValue
from engine.doctor.judge.upstream import GradientAt, blamed
from engine.doctor.reference.layout_of_value import laid_out
from engine.doctor.reference.problem import Problem
from engine.doctor.reference.values import SINGLE, TOLERANCE, Entry, Match
from engine.doctor.report.report import Report
from engine.doctor.run.events import Event
from engine.doctor.run.instrument import Site
from engine.doctor.vocabulary import roles
from engine.doctor.vocabulary.targets import grad_param, read_names
from engine.explain.why import CellAddress
from engine.language.derive import gradient
from engine.language.functions import Array

State = Literal["right", "wrong", "own"]
"""Of a value: equal to the reference's, different from it, or an intermediate value that the reference does not have."""
NEARBY = 40
"""Values before a wrong one in which the sample is looked for."""
MADE = ("assign", "increment", "after", "append", "return")
LOOKED_AT = 24
"""Values of one line that are looked at to say what it makes and whether that is right."""


@dataclass(frozen=True, eq=False)
class LineValue:
    """The value that a line computed: `theirs` in the layout of the user's code, and `ours`, the reference's in that layout and scale.

    `entry` says which value of the reference that is; `cells` where each of its numbers is found in the reference's recorded array
    (all steps, time first) as a flat index. The three are None where the reference has nothing of the kind.
    """

    target: str
    theirs: Array
    state: State
    entry: Entry | None = None
    ours: Array | None = None
    cells: NDArray[np.int64] | None = None
    scale: float = 1.0
    """How many times the reference's number `ours` is: a division by the number of samples may come later in the user's code."""

    @property
    def pictures(self) -> tuple[Array, ...]:
        """theirs, ours and theirs − ours (0 where only rounding differs) as rows and columns; theirs alone where nothing is beside it."""
        theirs = as_matrix(np.asarray(self.theirs, dtype=np.float64))
        if self.ours is None:
            return (theirs,)
        ours = as_matrix(np.asarray(self.ours, dtype=np.float64))
        difference = theirs - ours
        rounding = (SINGLE if self.theirs.dtype == np.float32 else TOLERANCE) * float(np.abs(ours).max(initial=0.0))
        return theirs, ours, np.where(np.abs(difference) <= rounding, 0.0, difference)


@dataclass(frozen=True)
class Operand:
    """A name that a line reads: whether its value is right, which value of the reference it is, and the line that computed it.

    `entry` is the name of a weight where that is what is read; None where the reference has nothing of the kind.
    """

    name: str
    state: State
    entry: Entry | str | None = None
    line: int | None = None


@dataclass(frozen=True, eq=False)
class Execution:
    """One execution of a line of the user's program: its events, in order."""

    events: tuple[Event, ...]

    @property
    def line(self) -> int:
        """Its number."""
        return self.events[0].site.line

    @property
    def end(self) -> int:
        """The number of the last line of its text."""
        return max(event.site.end for event in self.events)

    @property
    def function(self) -> str:
        """The function it is in ("": the module itself)."""
        return self.events[0].site.function

    @property
    def sample(self) -> int | None:
        """The sample of the call, where the program was called for one sample after the other."""
        return self.events[0].sample


class Lockstep:
    """All lines that ran, in order; details of a line are computed when they are asked for."""

    def __init__(self, report: Report, compared: Compared) -> None:
        self.report = report
        self.compared = compared
        self._tape = compared.reference.problem.tape
        self.problem = _in_scale(compared.reference.problem, compared.scales.base)
        self._unit = 1.0 if self.problem is compared.reference.problem else compared.scales.base
        self.source = compared.source
        self.executions = tuple(_executions(compared.events))
        self.value = lru_cache(maxsize=512)(self._value)
        self.operands = lru_cache(maxsize=512)(self._operands)
        self._state = lru_cache(maxsize=None)(self._state_of)
        self._often = lru_cache(maxsize=None)(self._often_made)

    def __len__(self) -> int:
        return len(self.executions)

    @cached_property
    def _seen(self) -> dict[int, int]:
        """The place in the timeline of each event that was compared, by the event's number."""
        return {seen.event.number: k for k, seen in enumerate(self.compared.timeline.seen)}

    @cached_property
    def _first(self) -> ComparedValue | None:
        """Where it goes wrong; None where nothing is wrong but that it fails in the end."""
        differs = self.report.verdict == "wrong" and not self.report.reason
        return self.compared.timeline.first_wrong() if differs else None

    @cached_property
    def _blamed(self) -> tuple[ComparedValue, GradientAt] | None:
        """What that is to be blamed on, where no mistake has a name: a value that is right as something else, and what it should be."""
        if self._first is None or self.report.diagnoses:
            return None
        return blamed(self.compared.timeline, self._first)

    # Where to look

    @cached_property
    def first(self) -> int:
        """The execution to begin with: where the first mistake is, else where the backward pass begins; the last one before it fails."""
        if self.report.reason:
            return len(self) - 1
        lines = [finding.place.line for finding in self.report.diagnoses if finding.place is not None]
        divergence = self.report.first_divergence
        for line in (*lines[:1], *([divergence.line] if divergence else [])):
            of_line = [i for i, execution in enumerate(self.executions) if execution.line <= line <= execution.end]
            wrong = [i for i in of_line if self.is_wrong(i)]
            if of_line:
                return (wrong or of_line[-1:])[0]
        if self._first is not None:
            return self._execution_of[self._first.event.number]
        return next((i for i in range(len(self)) if self._is_backward(i)), 0)

    def _is_backward(self, i: int) -> bool:
        value = self.value(i)
        return value is not None and value.entry is not None and value.entry.is_gradient

    @cached_property
    def _execution_of(self) -> dict[int, int]:
        return {event.number: i for i, execution in enumerate(self.executions) for event in execution.events}

    def is_wrong(self, i: int) -> bool:
        """Whether anything that an execution made is wrong."""
        return any(
            self._state(self._seen[e.number]) == "wrong" for e in self.executions[i].events if e.number in self._seen
        )

    def next_wrong(self, i: int, direction: int) -> int | None:
        """The next (direction 1) or previous (−1) execution at which something is wrong."""
        rest = range(i + direction, len(self) if direction > 0 else -1, direction)
        return next((k for k in rest if self.is_wrong(k)), None)

    def same_line(self, i: int, direction: int) -> int | None:
        """The next or previous time that the same line ran: another time step, or another sample."""
        line, rest = self.executions[i].line, range(i + direction, len(self) if direction > 0 else -1, direction)
        return next((k for k in rest if self.executions[k].line == line), None)

    def runs(self, line: int, after: int) -> int | None:
        """Where a line runs next after an execution, from the start again at the end; None where it is not among the executions."""
        numbers = [i for i, execution in enumerate(self.executions) if execution.line <= line <= execution.end]
        return next((i for i in numbers if i > after), next(iter(numbers), None))

    def phase(self, i: int, direction: int) -> int:
        """The last execution of the pass that `i` is in, forward or backward, or (direction −1) its first."""
        border = self.compared.timeline.start
        seen = self.compared.timeline.seen
        turn = self._execution_of[seen[border].event.number] if border < len(seen) else len(self)
        if direction > 0:
            return turn - 1 if i < turn - 1 else len(self) - 1
        return turn if i > turn else 0

    def at(self, position: int) -> int:
        """The execution at which the reference is at a position: the last that does not come after it."""
        known = [(place, i) for i, place in enumerate(self._places) if place is not None and place <= position]
        latest = max((place for place, _ in known), default=0)
        return next((i for place, i in known if place == latest), 0)

    @cached_property
    def _places(self) -> list[int | None]:
        """The position of each execution; of one that only made what differs it would take long to say, and it is not needed here."""
        seen = self.compared.timeline.seen
        places = [
            [self._seen[e.number] for e in execution.events if e.number in self._seen] for execution in self.executions
        ]
        right = [[k for k in places_here if seen[k].right and seen[k].matches] for places_here in places]
        return [self._place(places_here[0]) if places_here else None for places_here in right]

    def _place(self, k: int) -> int | None:
        match = self._right_match(self.compared.timeline.seen[k])
        return None if match is None else self._position(match.entry)

    @cached_property
    def blamed(self) -> frozenset[int]:
        """The lines at which the mistakes are."""
        lines = {finding.place.line for finding in self.report.diagnoses if finding.place is not None}
        divergence = self.report.first_divergence
        return frozenset(lines or ({divergence.line} if divergence is not None else ()))

    @cached_property
    def states(self) -> dict[int, State]:
        """By line: wrong where anything it made is, right where something is right and nothing wrong, else own."""
        by_line: dict[int, list[State]] = {}
        for k, seen in enumerate(self.compared.timeline.seen):
            states_here = by_line.setdefault(seen.line, [])
            if seen.event.site.kind in MADE and len(states_here) < LOOKED_AT:
                states_here.append(self._state(k))
        order: tuple[State, ...] = ("wrong", "right", "own")
        return {
            line: next(s for s in order if s in states_here) for line, states_here in by_line.items() if states_here
        }

    # What an execution made

    def _value(self, i: int) -> LineValue | None:
        """The array that an execution made last, wrong ones first; None where it made none."""
        events = [event for event in self.executions[i].events if event.array is not None]
        if not events:
            return None
        compared = [event for event in events if event.number in self._seen]
        wrong = [event for event in compared if self._state(self._seen[event.number]) == "wrong"]
        known = [event for event in compared if self._state(self._seen[event.number]) == "right"]
        last = [event for event in known or events if event.site is (known or events)[-1].site]
        event = (wrong or last)[0]
        assert event.array is not None
        theirs, target = np.asarray(event.array), event.target or "result"
        if event.number not in self._seen:
            return LineValue(target, theirs, "own")
        k = self._seen[event.number]
        state, seen = self._state(k), self.compared.timeline.seen[k]
        match self._right_match(seen) if state == "right" else None:
            case None if state == "wrong":
                entry, scale = self._meant(k), self._scale_before(k)
            case None:
                entry, scale = None, 1.0
            case Match(entry=entry, scale=scale):
                pass
        if entry is None:
            return LineValue(target, theirs, state)
        own_scale = scale if state == "right" or (entry.is_gradient and entry.kind != "derivative") else 1.0
        ours, cells = laid_out(
            self._tape, entry, theirs, turned=None if state == "right" else self.compared.scales.turned
        )
        shown = own_scale / self._unit if entry.is_gradient and entry.kind != "derivative" else own_scale
        return LineValue(target, theirs, state, entry, None if ours is None else own_scale * ours, cells, shown)

    def _state_of(self, k: int) -> State:
        """Of a compared value."""
        line_up, first = self.compared.timeline, self._first
        seen = line_up.seen[k]
        strict = first is not None and first.right
        if first is seen or (self._blamed is not None and self._blamed[0] is seen):
            return "wrong"
        if first is None or k < line_up.index(first):
            return "right" if seen.right and seen.matches else "own"
        if (seen.strictly if strict else seen.right) and seen.matches:
            return "right"
        return "own" if seen.is_part or line_up.is_harmless(k, strict=strict) else "wrong"

    def _right_match(self, seen: ComparedValue) -> Match | None:
        """What a value is of the reference, of several: what its name says, in the right scale, what its line most often makes."""
        base, meant = self.compared.scales.base, grad_param(seen.event.target) if seen.event.target else None
        often = self._often(seen.event.site)

        def rank(match: Match) -> tuple[bool, bool, int]:
            scale = base if match.entry.is_gradient else 1.0
            fits = abs(match.scale - scale) < SAME_SCALE * abs(scale)
            return match.entry.name == f"d{meant}", fits, often[match.entry.name, match.entry.kind]

        return max(seen.matches, key=rank, default=None)

    def _often_made(self, site: Site) -> Counter[tuple[str, str]]:
        """How often a place makes each quantity of the reference."""
        values = self.compared.timeline.by_site[site][:LOOKED_AT]
        return Counter(kind for seen in values for kind in {(m.entry.name, m.entry.kind) for m in seen.matches})

    def _scale_before(self, k: int) -> float:
        """The scale of the gradients so far: the division by the number of samples may come last."""
        if self._first is not None and self._first.right:
            return self.compared.scales.base
        for earlier in reversed(self.compared.timeline.seen[:k]):
            match = self._right_match(earlier) if earlier.right else None
            if match is not None and match.entry.is_gradient and match.entry.kind != "derivative":
                return match.scale
        return self.compared.scales.base

    def _meant(self, k: int) -> Entry | None:
        """The reference's value that a wrong one should be."""
        seen = self.compared.timeline.seen[k]
        blamed = self._blamed if self._blamed is not None and self._blamed[0] is seen else None
        name, t = blamed[1] if blamed is not None else expected(self.compared.timeline, seen)
        kinds = (
            ("term", "partial", "value")
            if seen.event.site.kind in ("increment", "append")
            else ("partial", "value", "term")
        )
        size, sample = np.asarray(seen.event.value).size, self._sample(k)
        known = self.compared.reference
        candidates = [
            entry
            for kind, when, b in itertools.product(kinds, dict.fromkeys((t, None, 0)), dict.fromkeys((sample, None)))
            if (entry := known.find(name, when, b, kind)) is not None
        ]
        return next((entry for entry in candidates if entry.value.size == size), next(iter(candidates), None))

    def _sample(self, k: int) -> int | None:
        """The sample that the program works on at a value: that of the call, or of what was computed just before."""
        seen = self.compared.timeline.seen
        if seen[k].event.sample is not None:
            return seen[k].event.sample
        for earlier in reversed(seen[max(0, k - NEARBY) : k]):
            match = self._right_match(earlier) if earlier.right else None
            if match is not None and match.entry.t is not None:
                return match.entry.sample
        return None

    @cached_property
    def samples(self) -> list[int | None]:
        """The sample that the program works on, or has worked on last, by execution; None before the first, and if it has all at once."""
        seen, now, samples = self.compared.timeline.seen, None, list[int | None]()
        for execution in self.executions:
            here = [seen[self._seen[e.number]] for e in execution.events if e.number in self._seen]
            matches = [self._right_match(value) for value in here if value.right]
            own = (match.entry.sample for match in matches if match is not None)
            now = next((sample for sample in (execution.sample, *own) if sample is not None), now)
            samples.append(now)
        return samples

    # The reference at the same place

    def position(self, i: int) -> int | None:
        """Where the reference's program has just made what execution `i` makes; None where that is nothing of the reference's."""
        value = self.value(i)
        return self._position(value.entry) if value is not None and value.entry is not None else None

    def _position(self, entry: Entry) -> int:
        program, name = self._tape.plan.program, entry.name
        if entry.kind == "derivative" and f"{gradient('z')}" in program.quantities:
            name = gradient("z")
        if name not in program.quantities:
            return 0
        if entry.t is not None:
            return 1 + program.written(name, entry.t)
        if program.quantities[name].rows:
            return 1 + max(program.written(name, t) for t in range(1, program.steps + 1))
        return 1 + max(program.written(name, t) for t in (None, 1))

    def asked(self, i: int, row: int, column: int) -> CellAddress | None:
        """The reference's number at a cell of an execution's value, as a place to ask why."""
        value = self.value(i)
        if value is None or value.entry is None or value.cells is None:
            return None
        entry, tape = value.entry, self._tape
        flat = int(as_matrix(value.cells)[row, column])
        index = tuple(int(k) for k in np.unravel_index(flat, np.asarray(tape[entry.name]).shape))
        quantity = tape.plan.program.quantities.get(entry.name)
        if quantity is not None and quantity.rows:
            return CellAddress(entry.name, 0, index[0] + (quantity.rows != "T+1"), index[1:])
        if entry.kind == "term":
            return CellAddress(entry.name, 0, entry.t, index, one_step=True, sample=entry.sample)
        reached = entry.t if entry.kind == "partial" and entry.sample is None and entry.t != 1 else None
        return CellAddress(entry.name, 0, None, index, reached=reached)

    def _wrong_in(self, function: str, caller: ComparedValue) -> int | None:
        """The first wrong line of a function of the user's in the call from which a value comes."""
        line: int | None = None
        for k in reversed(range(self._seen[caller.event.number])):
            site = self.compared.timeline.seen[k].event.site
            if site.function.rpartition(".")[2] != function:
                if site.function == caller.event.site.function and site.kind != "part":
                    break
            elif site.kind != "part" and self._state(k) == "wrong":
                line = site.line
        return line

    def _operands(self, i: int) -> tuple[Operand, ...]:
        """What an execution reads: names that were made earlier in the same function and call, and weights."""
        seen = [
            self.compared.timeline.seen[k]
            for e in self.executions[i].events
            if (k := self._seen.get(e.number)) is not None
        ]
        operands_read: dict[str, Operand] = {}
        for value in seen:
            for name, earlier in operands(self.compared.timeline, value):
                match, event = self._right_match(earlier), earlier.event
                entry = match.entry if match is not None else None
                if entry is not None and "[" in event.target:  # of a list or dict it is one element that was made last
                    entry = replace(entry, t=None, sample=None)
                operands_read[name] = Operand(name, self._state(self._seen[event.number]), entry, event.site.line)
            for name in read_names(value.event.site.source) - operands_read.keys():
                if (wrong := self._wrong_in(name, value)) is not None:
                    operands_read[name] = Operand(name, "wrong", None, wrong)
                elif (meant := roles.parameter(name)) is not None:
                    operands_read[name] = Operand(name, "right", meant)
        return tuple(operands_read[name] for name in sorted(operands_read))


def described(entry: Entry, spell: Callable[[str], str] = str) -> str:
    """A value of the reference in words, its quantity's name spelt in a notation: `da@4`, `dWa@4, this step's term`."""
    time = "" if entry.t is None else f"@{entry.t}"
    if entry.kind == "derivative":
        return f"the activation's derivative{time}"
    kind = {"term": ", this step's term", "partial": ", the sum so far"}.get(entry.kind, "")
    return f"{spell(entry.name)}{time}{kind}"


def as_matrix(values: Array) -> Array:
    """An array as rows and columns: (B, H) as it is, a vector as one row, what has more axes with its first ones joined."""
    return values.reshape(1, -1) if values.ndim < 2 else values.reshape(-1, values.shape[-1])


def _in_scale(problem: Problem, scale: float) -> Problem:
    """The problem with the sum over all entries as its loss where that is what the user's code takes: then equal numbers are equal."""
    network, tape = problem.network, problem.tape
    entries = float(np.asarray(tape["N"])) if "N" in tape else float(len(problem.X))
    is_sum = network.reduction == "mean" and abs(scale / entries - 1) < SAME_SCALE
    return replace(problem, network=replace(network, reduction="sum")) if is_sum else problem


def _executions(events: Sequence[Event]) -> Iterator[Execution]:
    """Events one after the other are one execution as long as they are of the same line in the same round of its loops."""
    group: list[Event] = []
    for event in events:
        if event.site.kind not in MADE or (not event.target and event.site.kind != "return" and not event.site.names):
            continue
        if group and _run_of(event) != _run_of(group[-1]):
            yield Execution(tuple(group))
            group = []
        group.append(event)
    if group:
        yield Execution(tuple(group))


def _run_of(event: Event) -> tuple[object, ...]:
    return event.site.line, event.site.function, event.rounds, event.sample
