"""The user's program and the reference side by side: every line that ran, the value that it computed, and the reference's value for it.

What is right and what is wrong is the verdict on the program's own run; the reference only says what a right value is among ours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients.gradient_names import last_of, meant
from engine.doctor.lineage.record.matching import SINGLE, tolerance
from engine.doctor.lineage.record.reading import RecordedEvent
from engine.doctor.recognise.network import Recognised
from engine.doctor.reference.layout_of_value import laid_out
from engine.doctor.reference.results import NamedMistake
from engine.doctor.reference.values import SINGLE as NEAR_SINGLE
from engine.doctor.reference.values import TOLERANCE, Entry, Match, Reference
from engine.doctor.vocabulary.targets import base_name, read_names
from engine.doctor.walk.executed import ExecutedLine
from engine.doctor.walk.walk import ProgramWalk
from engine.explain.address import CellAddress
from engine.language.derive import gradient, whole
from engine.language.functions import Array
from engine.tables.cells import Cell
from engine.text import clean

State = Literal["right", "wrong", "own"]
"""Of a value: equal to the reference's and not found wrong, different from what it should be, or one that the reference does not have."""
ORDER: Sequence[State] = ("wrong", "right", "own")
"""What is said of several values at once, the first that is so of any."""
LOOKED_AT = 24
"""Values of one line that are looked at to say what it makes and whether that is right."""
SAME_SCALE = 1e-6
OTHER_LOSS = "its loss is another than the reference's, whose targets are made so that dL/dlogits is the program's"


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
    meaning: str = ""
    """What it is in the program's own names, where that is known and the reference has nothing of the kind."""

    @property
    def is_scaled(self) -> bool:
        """Whether it is a multiple of the reference's number."""
        return abs(self.scale - 1) >= SAME_SCALE

    @property
    def pictures(self) -> tuple[Array, ...]:
        """theirs, ours and theirs − ours (0 where only rounding differs) as rows and columns; theirs alone where nothing is beside it."""
        theirs = as_matrix(np.asarray(self.theirs, dtype=np.float64))
        if self.ours is None:
            return (theirs,)
        ours = as_matrix(np.asarray(self.ours, dtype=np.float64))
        difference = theirs - ours
        rounding = (NEAR_SINGLE if self.theirs.dtype == np.float32 else TOLERANCE) * float(
            np.abs(ours).max(initial=0.0)
        )
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
    """One execution of a line of the user's program: where it stands in the walk, what it made, and the number of its text's last line."""

    at: int
    ran: ExecutedLine
    end: int

    @property
    def line(self) -> int:
        """Its number."""
        return self.ran.line

    @property
    def function(self) -> str:
        """The function it is in ("": the module itself)."""
        return self.ran.function

    @property
    def arrays(self) -> tuple[RecordedEvent, ...]:
        """What it made that is no single number."""
        return tuple(event for event in self.ran.made if event.value.shape)


class Lockstep:
    """All lines that ran of one file, that with the backward pass, in order; details of a line are computed when they are asked for."""

    def __init__(
        self, walk: ProgramWalk, recognised: Recognised, cells: Sequence[Cell] = (), file: str | None = None
    ) -> None:
        """`cells` are further cells that the program was held against, to do so again."""
        self.walk, self.recognised, self.cells = walk, recognised, cells
        self.report, self.problem, self.file = walk.report, recognised.problem, file or _file_of(walk)
        self.source = walk.source_of(self.file) or walk.source
        self._tape = self.problem.tape
        self._reference = Reference(self.problem, recognised.arrays)
        ends = walk.ends(self.file)
        ran = [(at, line) for at, line in enumerate(walk.lines) if line.file == self.file]
        self.executions = tuple(Execution(at, line, ends.get(line.line, line.line)) for at, line in ran)
        self.value = lru_cache(maxsize=512)(self._value)
        self.operands = lru_cache(maxsize=512)(self._operands)
        self._matches = lru_cache(maxsize=None)(self._matches_of)

    def __len__(self) -> int:
        return len(self.executions)

    @property
    def remarks(self) -> dict[str, str]:
        """The program's conventions, and how its loss differs from the reference's where it does."""
        told, network, factor = dict(self.report.conventions), self.problem.network, self.recognised.factor
        if self.recognised.made_targets:
            return {**told, "reference": OTHER_LOSS}
        if abs(factor - 1) < SAME_SCALE:
            return told
        loss = f"its loss is the {network.reduction} of {network.head.text}: this program's is {factor:.4g} times that"
        return {**told, "reference": loss}

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.report.file if self.file == self.walk.main else clean(self.file, 60)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The program's files that ran, its own first, as far as their text is there."""
        ran = sorted(dict.fromkeys(line.file for line in self.walk.lines), key=lambda file: file != self.walk.main)
        return tuple(file for file in ran if self.walk.source_of(file) is not None)

    def beside(self) -> Lockstep:
        """The same run in the program's next file, the first after the last one."""
        following = self.files[(self.files.index(self.file) + 1) % len(self.files)] if self.file in self.files else ""
        return Lockstep(self.walk, self.recognised, self.cells, following)

    def nearest(self, at: int) -> int:
        """The execution that a place of the walk is at or behind; the first where there is none."""
        return next((i for i in reversed(range(len(self))) if self.executions[i].at <= at), 0)

    @property
    def mistakes(self) -> tuple[NamedMistake, ...]:
        """Those in the file."""
        places = [(finding, finding.place) for finding in self.report.diagnoses]
        return tuple(one for one, place in places if place and (place.file or self.walk.main) == self.file)

    # Where to look

    @cached_property
    def first(self) -> int:
        """The execution to begin with: where the first mistake is, else where the walk begins."""
        for finding in self.mistakes:
            line = finding.place.line if finding.place is not None else 0
            of_line = [i for i, execution in enumerate(self.executions) if execution.line <= line <= execution.end]
            if of_line:
                return next((i for i in of_line if self.is_wrong(i)), of_line[0])
        start = self.walk.start
        return next((i for i, execution in enumerate(self.executions) if execution.at >= start), 0)

    def is_wrong(self, i: int) -> bool:
        """Whether anything that an execution made is wrong."""
        return self.walk.differs(self.executions[i].at)

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
        """The last execution of the pass that `i` is in, forward or backward, or (direction −1) its first; from there that of the next."""
        further = i + direction
        if not 0 <= further < len(self):
            return i
        while 0 <= further + direction < len(self) and self._is_back(further + direction) == self._is_back(further):
            further += direction
        return further

    def _is_back(self, i: int) -> bool:
        return self.walk.phase(self.executions[i].at) in ("backward", "update")

    def at(self, position: int) -> int:
        """The execution at which the reference is at a position: the last that does not come after it."""
        known = [(place, i) for i, place in enumerate(self._places) if place is not None and place <= position]
        latest = max((place for place, _ in known), default=0)
        return next((i for place, i in known if place == latest), 0)

    @cached_property
    def _places(self) -> list[int | None]:
        """The position of each execution."""
        return [self.position(i) for i in range(len(self))]

    @cached_property
    def blamed(self) -> frozenset[int]:
        """The lines at which the mistakes are."""
        return frozenset(finding.place.line for finding in self.mistakes if finding.place is not None)

    @cached_property
    def states(self) -> dict[int, State]:
        """By line: wrong where anything it made is, right where something is right and nothing wrong, else own."""
        by_line: dict[int, list[State]] = defaultdict(list)
        for execution in self.executions:
            looked_at = by_line[execution.line]
            if len(looked_at) < LOOKED_AT:
                looked_at += [self._state(execution, event) for event in execution.arrays]
        return {line: next(s for s in ORDER if s in found) for line, found in by_line.items() if found}

    # What an execution made

    def _state(self, execution: Execution, event: RecordedEvent) -> State:
        if self.walk.should_be(execution.at, event) is not None:
            return "wrong"
        return "own" if self._match(execution, event) is None else "right"

    def _value(self, i: int) -> LineValue | None:
        """The array that an execution made last, wrong ones first, then right ones; None where it made none."""
        execution = self.executions[i]
        by_state: dict[State, list[RecordedEvent]] = defaultdict(list)
        for event in execution.arrays:
            by_state[self._state(execution, event)].append(event)
        state: State | None = next((one for one in ORDER if by_state[one]), None)
        if state is None:
            return None
        event = by_state[state][0 if state == "wrong" else -1]
        target, theirs = event.name or "result", self._array(event)
        right, match = self.walk.should_be(execution.at, event), self._meant(execution, event)
        if match is None:
            return LineValue(target, theirs, state, None, right, meaning=next(iter(self.walk.meaning(event)), ""))
        layout = right if right is not None else theirs
        ours, cells = laid_out(self._tape, match.entry, layout, turned=None)
        scaled = None if ours is None else match.scale * ours
        return LineValue(target, theirs, state, match.entry, right if right is not None else scaled, cells, match.scale)

    def _array(self, event: RecordedEvent) -> Array:
        values = self.walk.value(event)
        return values.astype(np.float32) if tolerance(np.ravel(values)) == SINGLE else values

    def _match(self, execution: Execution, event: RecordedEvent) -> Match | None:
        """What a value is of the reference."""
        return self._best(execution, event, self._matches(event))

    def _meant(self, execution: Execution, event: RecordedEvent) -> Match | None:
        """What a value is of the reference, or would be were it right."""
        right = self.walk.should_be(execution.at, event)
        return (
            self._match(execution, event) if right is None else self._best(execution, event, self._matches_with(right))
        )

    def _matches_of(self, event: RecordedEvent) -> list[Match]:
        return self._matches_with(self._array(event))

    def _matches_with(self, values: Array) -> list[Match]:
        return self._reference.matches(values)

    def _best(self, execution: Execution, event: RecordedEvent, matches: Sequence[Match]) -> Match | None:
        """Of several the one that its name says, in the program's scale, that its line most often makes. In the forward pass only what is
        computed there counts, as it is."""
        phase = self.walk.phase(execution.at)
        base = self.walk.factor * self.recognised.factor
        called = {f"d{p}" for name in meant(event.name) for p in self._parameters.get(name, ())}

        def counts(match: Match) -> bool:
            if not _is_carried(match.entry):
                return abs(match.scale - 1) < SAME_SCALE or match.entry.name == "onehot"
            is_meant = match.entry.name[1:] not in self._tape.parameters or not called or match.entry.name in called
            is_whole = match.entry.t is None and match.entry.sample is None  # which an update takes, times a rate
            is_usual = is_whole if phase == "update" else phase == "backward" and self._is_usual(match.scale / base)
            return is_meant and is_usual

        def rank(match: Match) -> tuple[bool, bool, bool, int]:
            fits = abs(match.scale - (base if _is_carried(match.entry) else 1.0)) < SAME_SCALE * abs(base)
            known = self._often(event)[match.entry.name, match.entry.kind]
            return match.entry.name in called, _is_carried(match.entry) == (phase == "backward"), fits, known

        return max((m for m in matches if counts(m)), key=rank, default=None)

    def _is_usual(self, factor: float) -> bool:
        """Whether a gradient may be so many times what the program makes of it in the end: that it takes the mean over samples or steps, or
        2 or the sign of an error, later. Any other multiple is no equality: of what has a single direction there always is one."""
        samples, steps = self.problem.X.shape[:2]
        counts = {a * b for a in (1, 2, samples, steps) for b in (1, 2, samples, steps)}
        return any(abs(abs(factor) * n / m - 1) < SAME_SCALE for n in counts for m in (1, n * n))

    def _often(self, event: RecordedEvent) -> Counter[tuple[str, str]]:
        """How often a place makes each quantity of the reference."""
        key = id(event.site), event.part
        if key not in self._made_often:
            some = self._of_site[key][:LOOKED_AT]
            self._made_often[key] = Counter(
                k for e in some for k in {(m.entry.name, m.entry.kind) for m in self._matches(e)}
            )
        return self._made_often[key]

    @cached_property
    def _made_often(self) -> dict[tuple[int, int], Counter[tuple[str, str]]]:
        return {}

    @cached_property
    def _of_site(self) -> dict[tuple[int, int], list[RecordedEvent]]:
        found: dict[tuple[int, int], list[RecordedEvent]] = defaultdict(list)
        for execution in self.executions:
            for event in execution.arrays:
                found[id(event.site), event.part].append(event)
        return found

    @cached_property
    def _parameters(self) -> dict[str, tuple[str, ...]]:
        """The reference's parameters that lie in the program's arrays, by the last part of their names."""
        owners = [(int(ids.min()), int(ids.max()), name) for name, ids in self.recognised.held.items()]
        found: dict[str, tuple[str, ...]] = {}
        for event in self.walk.record.events:
            if event.name and event.value.size > 1 and last_of(event.name) not in found:
                ids = event.value.ids()
                inside = tuple(name for low, high, name in owners if np.isin((low, high), ids).all())
                if inside and (self.walk.record.makers(ids) < 0).all():
                    found[last_of(event.name)] = inside
        return found

    @cached_property
    def meanings(self) -> dict[str, frozenset[str]]:
        """By each name of the program, the quantities of the reference that it stands for."""
        found: dict[str, set[str]] = defaultdict(set)
        for name, parameters in self._parameters.items():
            found[name].update(parameters)
        for (_, name), events in self._named.items():
            matches = (self._meant(execution, event) for execution, event in events[:LOOKED_AT])
            found[last_of(name)].update(whole(match.entry.name) for match in matches if match is not None)
        return {name: frozenset(quantities) for name, quantities in found.items() if quantities}

    @cached_property
    def samples(self) -> list[int | None]:
        """The sample that the program works on, or has worked on last, by execution; None before the first, and if it has all at once."""
        now, samples = None, list[int | None]()
        for execution in self.executions:
            matches = (self._match(execution, event) for event in execution.arrays)
            own = (match.entry.sample for match in matches if match is not None)
            now = next((sample for sample in own if sample is not None), now)
            samples.append(now)
        return samples

    # The reference at the same place

    def position(self, i: int) -> int | None:
        """Where the reference's program has just made what execution `i` makes; None where that is nothing of the reference's."""
        value = self.value(i)
        if value is not None and value.entry is not None:
            entry = value.entry
            of_derivative = entry.kind == "derivative" and f"{gradient('z')}" in self._tape.plan.program.quantities
            return self._written(gradient("z") if of_derivative else entry.name, entry.t)
        return self._written("loss") if self.walk.phase(self.executions[i].at) == "loss" else None

    def reached(self, i: int) -> int | None:
        """Where the reference's program is once execution `i` has run: after what that, or the last of some before it, makes of its own."""
        latest = range(i, max(-1, i - LOOKED_AT), -1)
        return next((position for k in latest if (position := self.position(k)) is not None), None)

    def _written(self, name: str, t: int | None = None) -> int:
        """The position after the line that writes a quantity, all of it where no step is named."""
        program = self._tape.plan.program
        if name not in program.quantities:
            return 0
        if t is not None:
            return 1 + program.written(name, t)
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

    # What an execution reads

    def _operands(self, i: int) -> tuple[Operand, ...]:
        """The names that a line reads: what was made under them before, and weights."""
        execution = self.executions[i]
        names = {name for event in execution.ran.made for name in read_names(event.site.value or event.site.text)}
        found = (self._operand(execution, name) for name in sorted(names))
        return tuple(operand for operand in found if operand is not None)

    def _operand(self, execution: Execution, name: str) -> Operand | None:
        if name in self._parameters:
            return Operand(name, "right", " ".join(self._parameters[name]))
        earlier = [e for e in self._named.get((execution.function, name), ()) if e[0].at < execution.at]
        if earlier:
            maker, event = earlier[-1]
            match = self._match(maker, event)
            entry = match.entry if match is not None else None
            if entry is not None and "[" in event.name:  # of a list or dict it is one element that was made last
                entry = replace(entry, t=None, sample=None)
            return Operand(name, self._state(maker, event), entry, maker.line)
        inside = [e for e in self._inside.get(name, ()) if e.at < execution.at]
        wrong = next((e for e in reversed(inside) if self.walk.differs(e.at)), None)
        return Operand(name, "wrong", None, wrong.line) if wrong is not None else None

    @cached_property
    def _named(self) -> dict[tuple[str, str], list[tuple[Execution, RecordedEvent]]]:
        """The arrays that have a name, by the function they were made in and the variable."""
        found: dict[tuple[str, str], list[tuple[Execution, RecordedEvent]]] = defaultdict(list)
        for execution in self.executions:
            for event in execution.arrays:
                if event.name and event.site.kind != "return":
                    found[execution.function, base_name(event.name)].append((execution, event))
        return found

    @cached_property
    def _inside(self) -> dict[str, list[Execution]]:
        """The executions in each function, by its name alone."""
        found: dict[str, list[Execution]] = defaultdict(list)
        for execution in self.executions:
            found[execution.function.rpartition(".")[2]].append(execution)
        return found


def _file_of(walk: ProgramWalk) -> str:
    """The file to show: that of the first mistake, else the one of which most lines run on the way back."""
    mistakes = [finding.place.file or walk.main for finding in walk.report.diagnoses if finding.place is not None]
    back = Counter(
        file for file, _ in {line.place for at, line in enumerate(walk.lines) if walk.phase(at) == "backward"}
    )
    wanted = [*mistakes[:1], *sorted(back, key=lambda file: (back[file], file == walk.main), reverse=True)]
    return next((file for file in wanted if walk.source_of(file) is not None), walk.main)


def _is_carried(entry: Entry) -> bool:
    """Whether it is a gradient, in the program's scale, and no derivative of a function."""
    return entry.is_gradient and entry.kind != "derivative"


def described(entry: Entry, spell: Callable[[str], str] = str) -> str:
    """A value of the reference in words, its quantity's name spelt in a notation: `da@4`, `dWa@4, this step's term`."""
    time = "" if entry.t is None else f"@{entry.t}"
    if entry.kind == "derivative":
        return f"the activation's derivative{time}"
    if entry.kind == "partial":  # dWa@4 is one step's term everywhere
        return f"{spell(entry.name)}, the sum so far{'' if entry.t is None else f' at t = {entry.t}'}"
    return f"{spell(entry.name)}{time}" + (", this step's term" if entry.kind == "term" else "")


def as_matrix(values: Array) -> Array:
    """An array as rows and columns: (B, H) as it is, a vector as one row, what has more axes with its first ones joined."""
    return values.reshape(1, -1) if values.ndim < 2 else values.reshape(-1, values.shape[-1])
