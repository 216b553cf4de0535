"""All that the screen of a walk through the user's own run shows, as one immutable value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.reading import Floats, RecordedEvent
from engine.doctor.read.source import SourceFile
from engine.doctor.walk.executed import ExecutedLine, called
from engine.doctor.walk.terms import NumberTerm, RecordedNumber
from engine.doctor.walk.walk import ProgramWalk
from rnn_tui.keys.bindings import COMMANDS, with_keys
from rnn_tui.keys.command import Command
from rnn_tui.shown.card import LessonCard
from rnn_tui.shown.look import Look

ACROSS = 8
"""Numbers of a vector in a row of its picture."""
SHOWN_TERMS = 60
"""The largest terms that are shown and can be followed; the rest stands as one sum."""
PictureRole = Literal["value", "gradient", "right", "difference"]


@dataclass(frozen=True, eq=False)
class WalkPicture:
    """An array as rows and columns: a vector is wrapped into rows of `ACROSS`, an array of more than two axes has its last one across."""

    role: PictureRole
    label: str
    values: Floats

    @cached_property
    def table(self) -> Floats:
        """(rows, columns); where a vector's last row is not full, NaN, see `there`."""
        values = np.asarray(self.values, np.float64)
        if values.ndim < 2 or (values.ndim == 2 and 1 in values.shape):
            flat = values.ravel()
            if len(flat) <= ACROSS:
                return flat.reshape(1, -1)
            filled = np.full(-(-len(flat) // ACROSS) * ACROSS, np.nan)
            filled[: len(flat)] = flat
            return filled.reshape(-1, ACROSS)
        return values.reshape(-1, values.shape[-1])

    @property
    def matrix(self) -> Floats:
        """The numbers as rows and columns, a vector as one column."""
        return self.values.reshape(-1, self.values.shape[-1] if self.values.ndim > 1 else 1)

    @cached_property
    def there(self) -> NDArray[np.bool_]:
        """Which cells of the table hold a number of the array."""
        rows, columns = self.table.shape
        return np.arange(rows * columns).reshape(rows, columns) < self.values.size

    def index(self, row: int, column: int) -> tuple[int, ...]:
        """Where a cell of the table is in the array."""
        flat = min(row * self.table.shape[1] + column, self.values.size - 1)
        return tuple(int(i) for i in np.unravel_index(flat, self.values.shape)) if self.values.shape else ()


@dataclass(frozen=True)
class WalkChoice:
    """Choices that stay: the place in the run, the cursor in the source (None: it follows), which value of the line is shown (None: the
    last) and in which of its pictures the cell cursor is, the numbers that were asked about, and which number of the last one's terms is
    chosen; how near the picture is (`Selection.zoom`); whether the derived backward pass is shown."""

    at: int = 0
    source: int | None = None
    made: int | None = None
    picture: int = 0
    row: int = 0
    column: int = 0
    log: bool = False
    zoom: int = 0
    derived: bool = False
    asked: tuple[RecordedNumber, ...] = ()
    follow: int = 0


@dataclass(frozen=True, eq=False)
class WalkFrame:
    """Everything a pane of the walk needs to draw itself."""

    walk: ProgramWalk
    choice: WalkChoice
    look: Look
    keys: tuple[tuple[str, str, str], ...] = ()
    stops: frozenset[int] = frozenset()
    stopped: str = ""
    """The condition for which it stopped here."""
    below: Mapping[int, Sequence[str]] = field(default_factory=dict[int, Sequence[str]])
    """The derived backward pass, by the lines of the listed file below which it is shown."""
    lesson: LessonCard | None = None
    """The step of a lesson."""
    commands: tuple[Command, ...] = COMMANDS
    """What can be done, with the user's keys."""

    marked: bool = True
    """Whether the lines that make something wrong are marked: not while a learner is to find them."""

    def named(self, text: str) -> str:
        """A text with the user's keys in the place of those that it names."""
        return with_keys(text, self.commands)

    @property
    def line(self) -> ExecutedLine:
        """The line that ran last."""
        return self.walk.lines[self.choice.at]

    @property
    def is_own(self) -> bool:
        """Whether that line is in the file that was opened."""
        return self.line.file == self.walk.main

    @property
    def file(self) -> str:
        """The file that is listed: the one of that line, else the program's own."""
        return self.line.file if self.walk.source_of(self.line.file) is not None else self.walk.main

    @property
    def source(self) -> SourceFile:
        """Its text."""
        return self.walk.source_of(self.file) or self.walk.source

    @property
    def made(self) -> int:
        """Which of the line's values is shown: the chosen one, else the last that should be another, else the last."""
        last = len(self.line.made) - 1
        if self.choice.made is not None:
            return min(self.choice.made, last)
        at = self.choice.at
        wrong = [
            k for k, e in enumerate(self.line.made) if self.walk.differs(at) and self.walk.should_be(at, e) is not None
        ]
        return wrong[-1] if wrong else last

    @property
    def event(self) -> RecordedEvent:
        """That value, where it was seen."""
        return self.line.made[self.made]

    @cached_property
    def pictures(self) -> tuple[WalkPicture, ...]:
        """The value; beside it what it should be, or dL/d(value)."""
        return pictures_of(self.walk, self.choice.at, self.event)

    @property
    def picture(self) -> int:
        """In which of them the cursor is."""
        return min(self.choice.picture, len(self.pictures) - 1)

    @property
    def cell(self) -> tuple[int, int]:
        """The cursor, inside the picture."""
        rows, columns = self.pictures[self.picture].table.shape
        row = min(self.choice.row, rows - 1)
        last = self.pictures[self.picture].values.size - 1 - row * columns
        return row, min(self.choice.column, columns - 1, max(last, 0))

    @property
    def index(self) -> tuple[int, ...]:
        """The place in the array under the cursor."""
        return self.pictures[self.picture].index(*self.cell)

    @cached_property
    def terms(self) -> list[NumberTerm]:
        """The terms of the number that was asked about last."""
        return self.walk.terms.of(self.choice.asked[-1]) if self.choice.asked else []

    @property
    def numbers(self) -> list[RecordedNumber]:
        """The numbers of the terms that are shown: those that can be followed, in their order."""
        return [factor for term in self.terms[:SHOWN_TERMS] for factor in term.factors]

    @property
    def followed(self) -> int:
        """Which of them is chosen."""
        return max(0, min(self.choice.follow, len(self.numbers) - 1))


def pictures_of(walk: ProgramWalk, at: int, event: RecordedEvent) -> tuple[WalkPicture, ...]:
    """The pictures of one value of a line."""
    value, name = walk.value(event), called(event)
    made = [WalkPicture("value", name, value)]
    right = walk.should_be(at, event)
    gradient = walk.gradient(event)
    if right is not None:
        made += [WalkPicture("right", "should be", right), WalkPicture("difference", "difference", value - right)]
    elif gradient is not None:
        made.append(WalkPicture("gradient", f"dL/d {name}", gradient))
    return tuple(made)
