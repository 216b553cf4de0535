"""Tables as rows of text cells, whatever keeps them: CSV (also compressed), a single NumPy array, Parquet.

Rows and columns are counted from 1 as a person sees them in an editor; blank lines are skipped but counted.
"""

from __future__ import annotations

import csv
import importlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.errors import InputError
from engine.files.arrays import read_npy
from engine.files.raw import opened, read_text, shown, too_large
from engine.text import clean

TableKind = Literal["csv", "npy", "parquet"]

SIZE_LIMIT = 64 << 20
CELLS_LIMIT = 2_000_000
"""Cells of a table, each a Python text of 60 bytes and more: what has more belongs into arrays."""
QUOTED = 40  # characters of a cell that a message repeats
_CELL_LIMIT = 1000
_BATCH = 1000
_DELIMITERS = ("\t", ";", ",")  # where two are equally frequent the comma is likely a decimal mark
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_DATE = re.compile(
    r"(\d{4}-\d{1,2}(-\d{1,2})?|\d{4}/\d{1,2}/\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4})"  # day, or month
    r"([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s?([ap]m|Z|[+-]\d{2}:?\d{2})?)?"
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?",
    re.ASCII | re.IGNORECASE,
)
_QUOTES = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Row:
    """One row's cells, stripped of surrounding blanks; `number` is its first line in the file."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class TableRows:
    """A file's rows; `names` are its columns' where the file keeps them apart from the rows."""

    file: str
    kind: TableKind
    rows: tuple[Row, ...]
    names: tuple[str, ...] = ()
    delimiter: str = ","
    commas: bool = False  # numbers had a decimal comma in the file; the cells here have a point


def is_number(cell: str) -> bool:
    """Whether NumPy and Python both read the cell as a number (nan and inf count)."""
    return _NUMBER.fullmatch(cell) is not None


def is_date(cell: str) -> bool:
    """Whether it is written as a day, a month or a time of day: 2021-03-01 12:00, 01.03.2021, 3/1/21, 12:30."""
    return _DATE.fullmatch(cell) is not None


def quoted(cell: str) -> str:
    """A cell's contents as messages repeat them."""
    return f"'{clean(cell, QUOTED)}'"


def read_cells(path: Path) -> TableRows:
    """The rows in a table's file; the ending says of which kind it is. InputError for what cannot be read."""
    if path.suffix.lower() == ".npy":
        return _of_array(path)
    return _of_parquet(path) if path.suffix.lower() == ".parquet" else _of_csv(path)


def _of_csv(path: Path) -> TableRows:
    file, text = shown(path), read_text(path, SIZE_LIMIT)
    delimiter = _delimiter(text)
    _refuse_too_many(file, text.count(delimiter) + text.count("\n"))
    rows = tuple(_rows(file, text, delimiter))
    commas = delimiter == ";" and _has_decimal_commas(rows)
    if commas:
        rows = tuple(Row(row.number, tuple(map(_with_point, row.cells))) for row in rows)
    return TableRows(file, "csv", rows, delimiter=delimiter, commas=commas)


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _has_decimal_commas(rows: Iterable[Row]) -> bool:
    """Whether each comma in the cells below the first row is that of a decimal number, and there is one."""
    cells = [cell for row in list(rows)[1:] for cell in row.cells if "," in cell]
    return bool(cells) and all(map(_DECIMAL_COMMA.fullmatch, cells))


def _refuse_too_many(file: str, cells: int) -> None:
    if cells > CELLS_LIMIT:
        raise InputError(
            f"{file} has about {cells:,} cells, more than the {CELLS_LIMIT:,} that a table may have; "
            "take fewer rows, or save X and y with np.savez"
        )


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


def _of_array(path: Path) -> TableRows:
    """A single array (rows, columns), or (rows,) of one column."""
    file, array = shown(path), read_npy(path)
    if array.ndim not in (1, 2) or not array.size:
        raise InputError(
            f"{file}: a single array of shape {clean(str(array.shape), QUOTED)} says no targets; "
            "save one sample or time step a row (rows, columns), or X and y with np.savez"
        )
    _refuse_too_many(file, array.size)
    table = array.astype("int64" if array.dtype.kind == "b" else array.dtype).reshape(len(array), -1)
    rows = (tuple(map(repr, row)) for row in table.tolist())
    return TableRows(file, "npy", tuple(Row(number, cells) for number, cells in enumerate(rows, 1)))


def _of_parquet(path: Path) -> TableRows:
    file = shown(path)
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(f"{file}: reading Parquet needs pyarrow; pip install 'rnn-tui[parquet]'") from error
    try:
        with opened(path) as content:
            table = parquet.ParquetFile(content)
            names = tuple(str(name) for name in table.schema_arrow.names)
            _refuse_too_many(file, table.metadata.num_rows * len(names))
            rows = tuple(_rows_of_batches(path, table.iter_batches(batch_size=_BATCH)))
    except InputError:
        raise
    except Exception as error:  # damaged bytes fail in many ways inside pyarrow
        raise InputError(f"{file} cannot be read as Parquet; write it again with DataFrame.to_parquet") from error
    return TableRows(file, "parquet", rows, names)


def _rows_of_batches(path: Path, batches: Iterable[Any]) -> Iterator[Row]:
    """The rows of pyarrow's batches; a small file may unpack to very much, so their bytes are counted on the way."""
    number = taken = 0
    for batch in batches:
        taken += batch.nbytes
        if taken > SIZE_LIMIT:
            raise too_large(path, taken, SIZE_LIMIT)
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            number += 1
            yield Row(number, tuple(map(_text, values)))


def _text(value: object) -> str:
    """A value as a CSV file would have it."""
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value)[: _CELL_LIMIT + 1].strip()
