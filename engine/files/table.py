"""CSV files as rows of text cells: which delimiter, which header, which column is what.

Rows and columns are counted from 1 as a person sees them in an editor; blank lines are skipped but counted.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.files.raw import read_text, shown
from engine.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE_LIMIT = 512 << 20
TARGET_NAMES = ("label", "target", "y")  # in order of preference
_CELL_LIMIT = 1000
_QUOTED = 40  # characters of a cell that a message repeats
_DELIMITERS = ("\t", ";", ",")  # where two are equally frequent the comma is likely a decimal mark
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_STEP_TARGET = re.compile(r"y([1-9]\d{0,8})", re.ASCII | re.IGNORECASE)
_QUOTES = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Row:
    """One sample's cells, stripped of surrounding blanks; `number` is its first line in the file."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A CSV file's rows (without the header) and what its columns are for."""

    file: str
    delimiter: str
    header: tuple[str, ...]  # () when there is none
    skip: int  # lines before the first row of data
    rows: tuple[Row, ...]
    targets: tuple[int, ...]  # one column, or one a time step
    per_step: bool  # whether the targets are named y1..yT
    features: tuple[int, ...]

    def place(self, row: Row, column: int) -> str:
        """Where a cell is, for messages: 'x.csv: row 4, column 3 (t3)'."""
        name = self.header[column] if self.header else ""
        return f"{self.file}: row {row.number}, column {column + 1}" + (f" ({clean(name, _QUOTED)})" if name else "")


def is_number(cell: str) -> bool:
    """Whether NumPy and Python both read the cell as a number (nan and inf count)."""
    return _NUMBER.fullmatch(cell) is not None


def quoted(cell: str) -> str:
    """A cell's contents as messages repeat them."""
    return f"'{clean(cell, _QUOTED)}'"


def read_table(path: Path) -> Table:
    """The table in the CSV file at `path`; refused unless every row is as long as the first one."""
    file, text = shown(path), read_text(path, SIZE_LIMIT)
    delimiter = _delimiter(text)
    rows = tuple(_rows(file, text, delimiter))
    if not rows:
        raise InputError(f"{file} is empty; give one sample a row, its values first and its target last")
    first = rows[0]
    header: tuple[str, ...] = first.cells if _is_header(first.cells) else ()
    skip = rows[1].number - 1 if header and len(rows) > 1 else 0
    rows = rows[1:] if header else rows
    if not rows:
        raise InputError(f"{file} has a header and nothing below it; give one sample a row")
    if len(first.cells) < 2:
        raise InputError(
            f"{file} has one column only; a row needs values and a target, separated by commas, semicolons or tabs"
        )
    _check_lengths(file, first, rows)
    targets, per_step = _targets(file, header, len(first.cells))
    features = tuple(column for column in range(len(first.cells)) if column not in set(targets))
    return Table(file, delimiter, header, skip, rows, targets, per_step, features)


def _delimiter(text: str) -> str:
    """The most frequent one in the first line that is not blank, quoted parts left out."""
    first = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    line = _QUOTES.sub("", first)
    return max(_DELIMITERS, key=line.count) if any(mark in line for mark in _DELIMITERS) else ","


def _rows(file: str, text: str, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 1
    try:
        for cells in reader:
            stripped = tuple(map(str.strip, cells))
            if max(map(len, stripped), default=0) > _CELL_LIMIT:
                raise _long_cell(file, Row(number, stripped))
            if len(stripped) > 1 or any(stripped):
                yield Row(number, stripped)
            number = reader.line_num + 1
    except csv.Error as error:
        reason = clean(str(error))
        raise InputError(f"{file}: row {number} cannot be split into cells ({reason}); check its quotes") from error


def _long_cell(file: str, row: Row) -> InputError:
    column = next(column for column, cell in enumerate(row.cells, start=1) if len(cell) > _CELL_LIMIT)
    place = f"{file}: row {row.number}, column {column}"
    return InputError(f"{place} has more than {_CELL_LIMIT} characters; shorten it, or close an open quote")


def _is_header(cells: tuple[str, ...]) -> bool:
    """A named target column, or a cell other than the last that holds something else than a number.

    Empty cells prove nothing: the first sample may be a short one.
    """
    named = any(cell.lower() in TARGET_NAMES for cell in cells)
    return named or any(cell and not is_number(cell) for cell in cells[:-1])


def _check_lengths(file: str, first: Row, rows: tuple[Row, ...]) -> None:
    expected = len(first.cells)
    for row in rows:
        if len(row.cells) != expected:
            cells = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
            raise InputError(
                f"{file}: row {row.number} has {cells}, the first has {expected}; "
                "give all rows the same number, and leave cells empty where a sample is shorter"
            )


def _targets(file: str, header: tuple[str, ...], width: int) -> tuple[tuple[int, ...], bool]:
    """The column named label, target or y, else those named y1..yT (then also True), else the last."""
    names = [name.lower() for name in header]
    for wanted in TARGET_NAMES:
        if names.count(wanted) > 1:
            raise InputError(f"{file}: two columns are named {wanted}; leave that name to the one that is the target")
        if wanted in names:
            return (names.index(wanted),), False
    steps = _step_targets(file, names)
    return (steps, True) if steps else ((width - 1,), False)


def _step_targets(file: str, names: list[str]) -> tuple[int, ...]:
    columns: dict[int, int] = {}
    for column, name in enumerate(names):
        if match := _STEP_TARGET.fullmatch(name):
            step = int(match[1])
            if step in columns:
                raise InputError(
                    f"{file}: two columns are named y{step}; name the targets of the steps y1, y2, y3, ..."
                )
            columns[step] = column
    if not columns or len(columns) == len(names):  # y1, y2, ... alone are a series of values
        return ()
    if missing := next((step for step in range(1, len(columns) + 1) if step not in columns), None):
        raise InputError(f"{file}: a column y{missing} is missing; name the targets of the steps y1, y2, y3, ...")
    return tuple(columns[step] for step in sorted(columns))
