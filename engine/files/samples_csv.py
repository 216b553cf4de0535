"""A CSV table as arrays: one sample a row, values folded into time steps, short samples by empty trailing cells."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InputError
from engine.files.samples import Samples, time_steps
from engine.files.table import Row, Table, is_number, quoted, read_table
from engine.files.targets import Array, from_cells

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = re.compile(r"[0-9+\-.eE]*")  # of these, float() accepts what is_number does


@dataclass(frozen=True)
class CsvLayout:
    """What is needed to read the file again in a few lines of NumPy."""

    header: bool
    skip: int  # lines before the first row of data, the header and blank lines included
    target: int  # its column, counted from 0; the first of `targets`
    targets: tuple[int, ...]  # one column, or y1..yT
    features: tuple[int, ...]
    numeric_target: bool
    delimiter: str


def read_csv(path: Path, timesteps: int | None, loss: str | None, allow_nan: bool) -> Samples:
    """The samples in the CSV file at `path`."""
    table = read_table(path)
    T = timesteps or (len(table.targets) if table.per_step else len(table.features))
    D = time_steps(table.file, len(table.features), T)
    named = len(table.targets)
    if table.per_step and named != T:
        raise InputError(
            f"{table.file}: the header names {named} targets (y1..y{named}) for {T} time steps; "
            f"give one a step, or --timesteps {named}"
        )
    values, counts = _values(table, allow_nan)
    lengths = _lengths(table, counts, D)
    y, classes, numeric = _targets(table, lengths if table.per_step else None, loss, allow_nan)
    layout = CsvLayout(
        bool(table.header), table.skip, table.targets[0], table.targets, table.features, numeric, table.delimiter
    )
    short = bool((lengths < T).any())
    return Samples(values.reshape(len(values), T, D), y, classes, lengths if short else None, layout=layout)


def _values(table: Table, allow_nan: bool) -> tuple[Array, Array]:
    """The values (N, T·D), zero where a sample has ended, and how many each sample has."""
    values = np.zeros((len(table.rows), len(table.features)))
    counts = np.zeros(len(table.rows), dtype=np.int64)
    for index, row in enumerate(table.rows):
        cells = [row.cells[column] for column in table.features]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            raise InputError(
                f"{table.file}: row {row.number} has no values; delete it or give it at least one time step"
            )
        counts[index] = len(cells)
        values[index, : len(cells)] = _numbers(table, row, cells, allow_nan)
    return values, counts


def _numbers(table: Table, row: Row, cells: list[str], allow_nan: bool) -> Array:
    if not _PLAIN.fullmatch("".join(cells)):  # one look at the whole row settles nearly every file
        _check_numbers(table, row, cells)
    try:
        numbers = np.array([float(cell) for cell in cells])
    except ValueError:
        _check_numbers(table, row, cells)
        raise
    if not allow_nan and not np.isfinite(numbers).all():
        for column, number in zip(table.features, numbers.tolist(), strict=False):
            _check_finite(table, row, column, number)
    return numbers


def _check_numbers(table: Table, row: Row, cells: list[str]) -> None:
    for column, cell in zip(table.features, cells, strict=False):
        if not is_number(cell):
            raise InputError(f"{table.place(row, column)} {_why_not(table, row, column, cell)}")


def _why_not(table: Table, row: Row, column: int, cell: str) -> str:
    if not cell:
        return "is empty; only the last cells of a sample may be empty, write a number"
    if is_number(cell.replace(",", ".", 1)):
        return f"holds {quoted(cell)}; write decimal numbers with a point"
    remedy = "write a number there"
    if not table.header and column == 0:
        remedy = "a target that is not in the last column needs a header that names it label"
    elif table.header and all(not is_number(other.cells[column]) for other in table.rows[:20]):
        remedy = "name the column label if it is the target, else delete it"
    return f"holds {quoted(cell)}, which is not a number; {remedy}"


def _check_finite(table: Table, row: Row, column: int, number: float) -> None:
    if not math.isfinite(number):
        raise InputError(
            f"{table.place(row, column)} is {number}; write a finite number, or let it in with --allow-nan"
        )


def _lengths(table: Table, counts: Array, D: int) -> Array:
    partial = np.flatnonzero(counts % D)
    if partial.size:
        at = int(partial[0])
        raise InputError(
            f"{table.file}: row {table.rows[at].number} has {counts[at]} values, not a whole number of time steps "
            f"of {D} values each; complete its last step or empty it"
        )
    return counts // D


def _targets(
    table: Table, lengths: Array | None, loss: str | None, allow_nan: bool
) -> tuple[Array, tuple[str, ...], bool]:
    """y (N,), or (N, T) with `lengths`: what lies beyond a sample's end is 0 and is no target."""
    N, T = len(table.rows), len(table.targets)
    valid = np.ones((N, 1), dtype=bool) if lengths is None else np.arange(T) < lengths[:, None]
    places = [(table.rows[i], table.targets[j]) for i, j in np.argwhere(valid).tolist()]
    cells = [row.cells[column] for row, column in places]

    def place(index: int) -> str:
        return table.place(*places[index])

    if "" in cells:
        raise InputError(f"{place(cells.index(''))}: the target is empty; write a class or a number")
    found = from_cells(cells, place, loss)
    if not found.classes and not allow_nan:
        for (row, column), number in zip(places, found.y.tolist(), strict=True):
            _check_finite(table, row, column, number)
    y = np.zeros(valid.shape, dtype=found.y.dtype)
    y[valid] = found.y
    return (y[:, 0] if lengths is None else y), found.classes, found.numeric
