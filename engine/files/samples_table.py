"""A table as arrays: one sample a row, values folded into time steps, short samples by empty trailing cells; or one step a row."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InputError
from engine.files.cells import Row, is_number, quoted
from engine.files.samples import Samples, TableLayout, Wanted, time_steps, within
from engine.files.series import series_of
from engine.files.table import Table, read_table
from engine.files.targets import Array, Targets, from_cells

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = re.compile(r"[0-9+\-.eE]*")  # of these, float() accepts what is_number does


def read_rows(path: Path, wanted: Wanted) -> Samples:
    """The samples in the table's file at `path`."""
    table = read_table(path, wanted)
    return _series(table, wanted) if wanted.series else _samples(table, wanted)


def _samples(table: Table, wanted: Wanted) -> Samples:
    """A sample a row."""
    columns = table.columns
    T = wanted.timesteps or len(columns.targets if columns.per_step else columns.features)
    D = time_steps(table.file, len(columns.features), T)
    predict = _predict(table, T, wanted.predict)
    values, counts = _values(table, columns.features, wanted.allow_nan)
    lengths = _lengths(table, counts, D)
    y, parsed = _targets(table, within(lengths, len(lengths), T)[:, : len(columns.targets)], wanted)
    said = table.said
    if columns.dated:
        said += ("each row is a sample; where dated rows are the steps of a series, say --series",)
    return Samples(
        values.reshape(len(values), T, D),
        y if columns.per_step else y[:, 0],
        parsed.classes,
        predict,
        lengths,
        layout=_layout(table, columns.features, parsed),
        said=said,
    )


def _series(table: Table, wanted: Wanted) -> Samples:
    """A time step a row. What is to be predicted of later rows is a value of the rows before, too, where it is a number."""
    columns, target = table.columns, table.columns.targets[0]
    numeric = all(is_number(row.cells[target]) for row in table.rows)
    ahead = int(numeric) if wanted.ahead is None else wanted.ahead
    features = tuple(sorted((*columns.features, target))) if numeric and ahead else columns.features
    if not features:
        raise InputError(f"{table.file}: no column of values is left; --ahead 1 predicts the target from its own past")
    _refuse_gaps(table, features)
    values, _ = _values(table, features, wanted.allow_nan)
    y, parsed = _targets(table, np.ones((len(values), 1), dtype=bool), wanted)
    predict = wanted.predict or "last"
    series = series_of(
        table.file,
        *values.shape,
        window=wanted.window or wanted.timesteps,
        ahead=ahead,
        every=predict == "every",
        apart=wanted.stateful,
    )
    X, y = series.cut(values, y[:, 0])
    said = (*table.said, series.said)
    layout = _layout(table, features, parsed)
    return Samples(X, y, parsed.classes, predict, layout=layout, series=series, said=said)


def _refuse_gaps(table: Table, features: tuple[int, ...]) -> None:
    for row in table.rows:
        for column in features:
            if not row.cells[column]:
                place = table.place(row, column)
                raise InputError(f"{place} is empty; a series needs a number there: fill it, or delete the row")


def _layout(table: Table, features: tuple[int, ...], parsed: Targets) -> TableLayout:
    targets = table.columns.targets
    return TableLayout(
        table.kind,
        bool(table.header),
        table.skip,
        targets[0],
        targets,
        features,
        parsed.numeric,
        table.delimiter,
        table.commas,
    )


def _predict(table: Table, T: int, wanted: str | None) -> str:
    """Every when the header names a target a step, else last; refused when that is not what is wanted."""
    named, per_step = len(table.columns.targets), table.columns.per_step
    if per_step and wanted == "last":
        raise InputError(
            f"{table.file}: the header names a target a step (y1..y{named}), and --predict last needs one a sample; "
            "name that column label, or choose --predict every"
        )
    if not per_step and wanted == "every":
        raise InputError(
            f"{table.file} has one target a sample, and --predict every needs one a step; "
            f"name them y1..y{T} in the header, or choose --predict last; where each row is a time step, --series"
        )
    if per_step and named != T:
        raise InputError(
            f"{table.file}: the header names {named} targets (y1..y{named}) for {T} time steps; "
            f"give one a step, or --timesteps {named}"
        )
    return "every" if per_step else "last"


def _values(table: Table, features: tuple[int, ...], allow_nan: bool) -> tuple[Array, Array]:
    """The values (N, T·D), zero where a sample has ended, and how many each sample has."""
    values = np.zeros((len(table.rows), len(features)))
    counts = np.zeros(len(table.rows), dtype=np.int64)
    for index, row in enumerate(table.rows):
        cells = [row.cells[column] for column in features]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            raise InputError(
                f"{table.file}: row {row.number} has no values; delete it or give it at least one time step"
            )
        counts[index] = len(cells)
        values[index, : len(cells)] = _numbers(table, features, row, cells, allow_nan)
    return values, counts


def _numbers(table: Table, features: tuple[int, ...], row: Row, cells: list[str], allow_nan: bool) -> Array:
    if not _PLAIN.fullmatch("".join(cells)):  # one look at the whole row settles nearly every file
        _check_numbers(table, features, row, cells)
    try:
        numbers = np.array([float(cell) for cell in cells])
    except ValueError:
        _check_numbers(table, features, row, cells)
        raise
    if not allow_nan and not np.isfinite(numbers).all():
        for column, number in zip(features, numbers.tolist(), strict=False):
            _check_finite(table, row, column, number)
    return numbers


def _check_numbers(table: Table, features: tuple[int, ...], row: Row, cells: list[str]) -> None:
    for column, cell in zip(features, cells, strict=False):
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
        remedy = "name the column label if it is the target, else leave it out with --drop"
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
    beyond = next(
        (at for at in np.argwhere(~valid).tolist() if table.rows[at[0]].cells[table.columns.targets[at[1]]]), None
    )
    if beyond is not None:
        place = table.place(table.rows[beyond[0]], table.columns.targets[beyond[1]])
        raise InputError(f"{place} is a target after the sample's last step; empty it, or give its step values")
    places = [(table.rows[i], table.columns.targets[j]) for i, j in np.argwhere(valid).tolist()]
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
