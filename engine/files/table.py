"""A table's file as rows with a header, all of one length, and what its columns are for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.files.cells import QUOTED, Row, TableKind, TableRows, is_date, is_number, read_cells
from engine.files.columns import TARGET_NAMES, ColumnRoles, columns_of
from engine.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from engine.files.samples import Wanted


@dataclass(frozen=True)
class Table:
    """A file's rows (without the header) and what its columns are for."""

    file: str
    kind: TableKind
    delimiter: str
    header: tuple[str, ...]  # () when there is none
    skip: int  # lines before the first row of data
    rows: tuple[Row, ...]
    columns: ColumnRoles
    commas: bool = False  # numbers have a decimal comma in the file

    @property
    def said(self) -> tuple[str, ...]:
        """What was decided without being asked."""
        commas = ("a comma in a number is its decimal point",) if self.commas else ()
        return (*commas, *self.columns.said)

    def place(self, row: Row, column: int) -> str:
        """Where a cell is, for messages: 'x.csv: row 4, column 3 (t3)'."""
        name = self.header[column] if self.header else ""
        return f"{self.file}: row {row.number}, column {column + 1}" + (f" ({clean(name, QUOTED)})" if name else "")


def read_table(path: Path, wanted: Wanted) -> Table:
    """The table in the file at `path`; refused unless every row is as long as the first one."""
    cells = read_cells(path)
    header, skip, rows = _parted(cells)
    _check_lengths(cells.file, len(header or rows[0].cells), rows)
    columns = columns_of(cells.file, header, rows, wanted.target, wanted.drop, series=wanted.series)
    return Table(cells.file, cells.kind, cells.delimiter, header, skip, rows, columns, cells.commas)


def _parted(cells: TableRows) -> tuple[tuple[str, ...], int, tuple[Row, ...]]:
    """The header, the lines before the first row of data, and the rows."""
    file, rows = cells.file, cells.rows
    if not rows:
        raise InputError(f"{file} is empty; give one sample a row, its values first and its target last")
    if cells.names or cells.kind == "npy" or not _is_header(rows[0].cells):
        return cells.names, 0, rows
    if len(rows) == 1:
        raise InputError(f"{file} has a header and nothing below it; give one sample a row")
    return rows[0].cells, rows[1].number - 1, rows[1:]


def _is_header(cells: tuple[str, ...]) -> bool:
    """A named target column, or a cell other than the last that holds something else than a number or a date.

    Empty cells prove nothing: the first sample may be a short one. A single cell is a name when it is no number.
    """
    named = any(cell.lower() in TARGET_NAMES for cell in cells)
    return named or any(cell and not is_number(cell) and not is_date(cell) for cell in cells[:-1] or cells)


def _check_lengths(file: str, expected: int, rows: tuple[Row, ...]) -> None:
    for row in rows:
        if len(row.cells) != expected:
            cells = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
            raise InputError(
                f"{file}: row {row.number} has {cells}, the first has {expected}; "
                "give all rows the same number, and leave cells empty where a sample is shorter"
            )
