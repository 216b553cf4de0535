"""The user's own run as lines that can be walked through, both ways: what each made, dL/d(it), what it should be."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.meanings import Meanings
from engine.doctor.lineage.record.carry_back import reached
from engine.doctor.lineage.record.matching import common, tolerance
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, RecordedEvent
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of, forward_of
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.read.source import SourceFile, Unreadable, read_source
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.walk.executed import ExecutedLine, executed
from engine.doctor.walk.places import Places
from engine.doctor.walk.terms import RecordedNumber, Terms
from engine.errors import InputError

WalkPhase = Literal["forward", "loss", "backward", "update"]
_ValueKey = tuple[str, int, int, str, int, str]
HIGHEST = 5
"""So many folders are looked into for a module of the program: its own, and those above."""
Holds = Callable[[int], bool]
"""Whether an executed line, by its place in the run, is one to stop at."""


class ProgramWalk:
    """One round of a program's run, with its loss carried back. `lines` are the lines that ran, in order; moves are by their places."""

    def __init__(
        self,
        source: SourceFile,
        record: Record,
        loss: ChosenLoss,
        report: Report,
        compared: Sequence[ComparedGradient] = (),
        meanings: Meanings | None = None,
        corrected: RunVerdict | None = None,
    ) -> None:
        """`compared` are the gradients that were compared, `corrected` is what was found of the corrected program."""
        self.source, self.record, self.loss, self.report = source, record, loss, report
        steps = [o for row in compared if row.update is not None for o in row.update.made]
        end = max((o.stop for o in steps if record.maker(o.start) >= 0), default=len(record.pool))
        self._modules: dict[str, SourceFile | None] = {}
        self._ends: dict[str, dict[int, int]] = {}
        self.wishes = Wishes()
        """How the program was run, to run it again."""
        self.function: str | None = None
        """The backward pass that was named, if one was."""
        ran = executed([event for event in record.events if event.time <= end])
        shown = [line for line in ran if line.file != self.main or line.line <= len(source.lines)]
        self.lines = tuple(shown)
        """What calls functions from below the file's last line is not the user's."""
        self.adjoint = adjoint_of(record, loss)
        self.forward = forward_of(record, loss)
        self._compared = {(int(row.gradient.flat[0]), row.gradient.size): row for row in compared if row.gradient.size}
        rights = [f.factor for r in compared if r.status == "right" and (f := r.bare or r.match) is not None]
        self.factor = common(rights) or 1.0
        """All gradients of the program are so many times dL/d(it): a convention."""
        self._meanings = meanings
        same_round = corrected is not None and corrected.loss is not None and corrected.loss.value == loss.value
        self._corrected = corrected if same_round else None
        seeds = {int(n): float(s) for r, seed in loss.seeds for n, s in zip(r.ids().flat, np.ravel(seed), strict=True)}
        places = {id(line): at for at, line in enumerate(shown)}
        self.places = Places(record, [(places.get(id(line), -1), line) for line in ran])
        self.terms = Terms(self.places, self.adjoint, seeds)
        lines = [record.lines[operation.line] for operation in steps]
        self._losses = {n for seed in seeds for n in _same_scalar(record, seed)}
        self._updates = frozenset((line.file, line.number) for line in lines)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def weights(self) -> list[Ids]:
        """The arrays of which a gradient was compared, as they were first."""
        return [row.own for row in self._compared.values()]

    # What a line made

    def value(self, event: RecordedEvent) -> Floats:
        """The array."""
        return event.value.of(self.record.pool)

    def gradient(self, event: RecordedEvent) -> Floats | None:
        """dL/d(array); None where the loss was made from none of it."""
        return event.value.of(self.adjoint) if event.value.of(self.forward).any() else None

    def compared(self, event: RecordedEvent) -> ComparedGradient | None:
        """The comparison, where the array is one of the gradients that were compared."""
        return self._compared.get((event.value.first, event.value.size)) if event.value.size else None

    def should_be(self, at: int, event: RecordedEvent) -> Floats | None:
        """What an array of a line should be, where it is another: what the corrected program makes there, else the right gradient."""
        other = self._right.get(self._key(at, event)) if self._right else None
        if other is not None and self._corrected is not None and self._corrected.record is not None:
            made, right = self.value(event), other.value.of(self._corrected.record.pool)
            if right.shape == made.shape:
                return None if _are_equal(made, right) else right
        row = self.compared(event)
        if row is None or row.status not in ("wrong", "zero") or row.right.size != event.value.size:
            return None
        return (self.factor * row.right).reshape(event.value.shape)

    def meaning(self, event: RecordedEvent) -> tuple[str, ...]:
        """What the array is, where that is known; then what it equals as well."""
        return tuple(map(str, self._meanings.of(event))) if self._meanings is not None else ()

    def should_mean(self, at: int, event: RecordedEvent) -> tuple[str, ...]:
        """What the array is in the corrected program, where that is known."""
        other = self._right.get(self._key(at, event))
        if other is None or self._corrected_meanings is None:
            return ()
        return tuple(map(str, self._corrected_meanings.of(other)))

    def _key(self, at: int, event: RecordedEvent) -> _ValueKey:
        return _key_of(self.lines[at], event)

    @cached_property
    def _right(self) -> dict[_ValueKey, RecordedEvent]:
        """What each line of the corrected program makes."""
        record = self._corrected.record if self._corrected is not None else None
        return {
            _key_of(line, event): event
            for line in (executed(record.events) if record is not None else ())
            for event in line.made
        }

    @cached_property
    def _corrected_meanings(self) -> Meanings | None:
        return Meanings(self._corrected) if self._corrected is not None else None

    def differs(self, at: int) -> bool:
        """Whether a line made something that should be something else."""
        return at in self.differing

    @cached_property
    def differing(self) -> frozenset[int]:
        """Every line that did, by its place in the run."""
        return frozenset(
            at for at, line in enumerate(self.lines) if any(self.should_be(at, e) is not None for e in line.made)
        )

    @cached_property
    def magnitudes(self) -> Floats:
        """How large the error is at each line: the largest |dL/d(number)| where the loss was made from it, else the largest number."""
        return np.array([self._magnitude(at) for at in range(len(self))])

    def _magnitude(self, at: int) -> float:
        event = self.lines[at].made[-1]
        back = self.phase(at) in ("backward", "update") and self.gradient(event) is None
        numbers = np.abs(event.value.of(self.record.pool if back else self.adjoint))
        return float(numbers[np.isfinite(numbers)].max(initial=0.0))

    def number(self, event: RecordedEvent, index: tuple[int, ...], *, gradient: bool = False) -> RecordedNumber:
        """One number of an array that a line made, or dL/d(it)."""
        return RecordedNumber(int(event.value.ids()[index]), gradient)

    # Where one is

    def phase(self, at: int) -> WalkPhase:
        """Forward up to the loss, backward after it; lines that step the weights are the update."""
        return self._phases[at]

    @cached_property
    def _way_back(self) -> NDArray[np.bool_]:
        """The numbers that gradients were made from, and the loss was not."""
        gradients = [RecordedArray(r.gradient.shape, kept=r.gradient) for r in self._compared.values()]
        return reached(self.record, gradients) & ~self.forward

    @cached_property
    def _phases(self) -> tuple[WalkPhase, ...]:
        first, losses = min(self._losses), np.array(sorted(self._losses))
        return tuple(self._phase(line, first, losses) for line in self.lines)

    def _phase(self, line: ExecutedLine, first: int, losses: np.ndarray) -> WalkPhase:
        """What is only read again after the loss belongs to the way back, also where the loss was made from it; what a gradient was made
        from and the loss was not does, too, before the loss of all samples."""
        arrays = [event.value for event in line.made]
        if any(a.size <= len(losses) and np.isin(a.ids(), losses).any() for a in arrays):
            return "loss"
        if any(a.of(self._way_back).any() for a in arrays):
            return "update" if line.place in self._updates else "backward"
        if line.made[-1].time <= first + 1 or any(
            self.forward[ids[ids > first]].any() for ids in (a.ids() for a in arrays)
        ):
            return "forward"
        return "update" if line.place in self._updates else "backward"

    @property
    def main(self) -> str:
        """What the run calls the program's own file."""
        return self.source.path.name

    def source_of(self, file: str) -> SourceFile | None:
        """The text of a file of the run: the program's, or a module's beside it or in its project; None where it is not there."""
        if file == self.main:
            return self.source
        if file not in self._modules:
            inside = not Path(file).is_absolute() and ".." not in Path(file).parts
            folders = self.source.path.absolute().parents[:HIGHEST] if inside else ()
            found = next((folder / file for folder in folders if (folder / file).is_file()), None)
            try:
                self._modules[file] = None if found is None else read_source(found)
            except (Unreadable, InputError):
                self._modules[file] = None
        return self._modules[file]

    def ends(self, file: str) -> dict[int, int]:
        """On which line each statement of a file ends that begins on a line."""
        if file not in self._ends:
            source = self.source_of(file)
            self._ends[file] = _ends_of(source) if source is not None else {}
        return self._ends[file]

    def times(self, at: int) -> int:
        """How often the line runs in all."""
        return self._times[self.lines[at].place]

    @cached_property
    def _times(self) -> dict[tuple[str, int], int]:
        return {line.place: line.before + 1 for line in self.lines}

    @property
    def start(self) -> int:
        """Where to begin: at the first line that makes what should be something else, else where the loss is, or the way back."""
        wrong = self.next_where(-1, 1, self.differs)
        return self.turn if wrong is None else wrong

    @property
    def turn(self) -> int:
        """Where the loss is, else where the way back begins, else the first line."""
        return next((self._phases.index(phase) for phase in ("loss", "backward") if phase in self._phases), 0)

    def at_every_time(self, at: int, made: int) -> list[tuple[int, RecordedEvent]]:
        """One of a line's values each time that the line runs, with the place in the run."""
        event = self.lines[at].made[made]
        return [(k, e) for k in self._runs[self.lines[at].place] for e in self.lines[k].made if _is_alike(e, event)]

    @cached_property
    def _runs(self) -> dict[tuple[str, int], list[int]]:
        """Where each line runs."""
        runs: dict[tuple[str, int], list[int]] = {}
        for at, line in enumerate(self.lines):
            runs.setdefault(line.place, []).append(at)
        return runs

    # Moves; each gives the place to go to, None where there is none

    def same_line(self, at: int, direction: int) -> int | None:
        """Where this line ran the time after, or before."""
        return self.next_where(at, direction, lambda k: self.lines[k].place == self.lines[at].place)

    def next_where(self, at: int, direction: int, holds: Holds) -> int | None:
        """The next line, or the one before, of which something holds."""
        places = range(at + 1, len(self.lines)) if direction > 0 else range(at - 1, -1, -1)
        return next((k for k in places if holds(k)), None)

    def end_of_phase(self, at: int, direction: int) -> int | None:
        """The last line of this phase, or the first; beyond it the next phase's."""
        further = at + direction
        if not 0 <= further < len(self.lines):
            return None
        phase = self.phase(further)
        end = self.next_where(further, direction, lambda k: self.phase(k) != phase)
        return (len(self.lines) - 1 if direction > 0 else 0) if end is None else end - direction

    def to_line(self, at: int, line: int, file: str = "") -> int | None:
        """Where a line runs next; round again at the end."""
        place = (file or self.main, line)
        found = self.next_where(at, 1, lambda k: self.lines[k].place == place)
        return self.next_where(-1, 1, lambda k: self.lines[k].place == place) if found is None else found


def _ends_of(source: SourceFile) -> dict[int, int]:
    try:
        tree = source.tree()
    except Unreadable:  # Python 2: it ran after a conversion
        return {}
    simple = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return)
    return {n.lineno: n.end_lineno or n.lineno for n in ast.walk(tree) if isinstance(n, simple)}


def _same_scalar(record: Record, number: int) -> Iterator[int]:
    """A number and those that it is, scaled or added to what was given: `epoch_loss += loss / n` is later than the backward pass."""
    while True:
        yield number
        k = record.maker(number)
        if k < 0 or not all(r.size == 1 for r in record.operations[k].operands):
            return
        computed = [r.first for r in record.operations[k].operands if not _is_given(record, r.first)]
        if len(computed) != 1:
            return
        number = computed[0]


def _is_given(record: Record, number: int, deep: int = 4) -> bool:
    """Whether a number was computed from none, or from such alone."""
    k = record.maker(number)
    if k < 0:
        return True
    operands = record.operations[k].operands
    return deep > 0 and all(r.size == 1 and _is_given(record, r.first, deep - 1) for r in operands)


def _key_of(line: ExecutedLine, event: RecordedEvent) -> _ValueKey:
    """File, line, how often it ran before, and which of its values it is."""
    return line.file, line.line, line.before, event.site.kind, event.part, event.name


def _are_equal(made: Floats, right: Floats) -> bool:
    """Whether two arrays are one up to rounding."""
    largest = float(np.abs(right).max(initial=0))
    with np.errstate(all="ignore"):
        return bool(np.allclose(made, right, rtol=0, atol=tolerance(made.ravel()) * largest, equal_nan=True))


def _is_alike(one: RecordedEvent, other: RecordedEvent) -> bool:
    """Whether two values were seen at one site, as the same of its parts, in one shape."""
    return one.site is other.site and one.part == other.part and one.value.shape == other.value.shape
