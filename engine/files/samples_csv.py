"""A CSV table as arrays: one sample a row, values folded into time steps, short samples by empty trailing cells."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InputError
from engine.files.samples import CsvLayout, Samples, Wanted, time_steps, within
from engine.files.table import Row, Table, is_number, quoted, read_table
from engine.files.targets import Array, Targets, from_cells

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = re.compile(r"[0-9+\-.eE]*")  # of these, float() accepts what is_number does


def read_csv(path: Path, wanted: Wanted) -> Samples:
    """The samples in the CSV file at `path`."""
    table = read_table(path)
    T = wanted.timesteps or (len(table.targets) if table.per_step else len(table.features))
    D = time_steps(table.file, len(table.features), T)
    predict = _predict(table, T, wanted.predict)
    values, counts = _values(table, wanted.allow_nan)
    lengths = _lengths(table, counts, D)
    y, parsed = _targets(table, within(lengths, len(lengths), T)[:, : len(table.targets)], wanted)
    layout = CsvLayout(
        bool(table.header), table.skip, table.targets[0], table.targets, table.features, parsed.numeric, table.delimiter
    )
    X = values.reshape(len(values), T, D)
    return Samples(X, y if table.per_step else y[:, 0], parsed.classes, predict, lengths, layout=layout)


def _predict(table: Table, T: int, wanted: str | None) -> str:
    """Every when the header names a target a step, else last; refused when that is not what is wanted."""
    named = len(table.targets)
    if table.per_step and wanted == "last":
        raise InputError(
            f"{table.file}: the header names a target a step (y1..y{named}), and --predict last needs one a sample; "
            "name that column label, or choose --predict every"
        )
    if not table.per_step and wanted == "every":
        raise InputError(
            f"{table.file} has one target a sample, and --predict every needs one a step; "
            f"name them y1..y{T} in the header, or choose --predict last"
        )
    if table.per_step and named != T:
        raise InputError(
            f"{table.file}: the header names {named} targets (y1..y{named}) for {T} time steps; "
            f"give one a step, or --timesteps {named}"
        )
    return "every" if table.per_step else "last"


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


def _targets(table: Table, valid: Array, wanted: Wanted) -> tuple[Array, Targets]:
    """y where the sample has not ended, 0 beyond; `valid` (N, 1 or T) says where that is."""
    beyond = next((at for at in np.argwhere(~valid).tolist() if table.rows[at[0]].cells[table.targets[at[1]]]), None)
    if beyond is not None:
        place = table.place(table.rows[beyond[0]], table.targets[beyond[1]])
        raise InputError(f"{place} is a target after the sample's last step; empty it, or give its step values")
    places = [(table.rows[i], table.targets[j]) for i, j in np.argwhere(valid).tolist()]
    cells = [row.cells[column] for row, column in places]

    def place_of(index: int) -> str:
        return table.place(*places[index])

    if "" in cells:
        raise InputError(f"{place_of(cells.index(''))}: the target is empty; write a class or a number")
    if not wanted.allow_nan and all(is_number(cell) for cell in cells):
        for (row, column), cell in zip(places, cells, strict=True):
            _check_finite(table, row, column, float(cell))
    parsed = from_cells(cells, place_of, wanted.head)
    y = np.zeros(valid.shape, dtype=parsed.y.dtype)
    y[valid] = parsed.y
    return y, parsed
