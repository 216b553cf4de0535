"""What the columns of a table are for: targets, values, and what is left out (a table's index, dates, what is dropped)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.errors import InputError
from engine.files.cells import QUOTED, Row, is_date, is_number
from engine.text import clean, whole_number

TARGET_NAMES = ("label", "target", "y")  # in order of preference
_STEP_TARGET = re.compile(r"y([1-9]\d{0,8})", re.ASCII | re.IGNORECASE)
_UNNAMED = ("", "unnamed: 0", "__index_level_0__")  # what pandas leaves of an index


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of a table by what they are for, counted from 0; `said` is what was decided without being asked."""

    targets: tuple[int, ...]  # one column, or one a time step
    per_step: bool  # whether the targets are named y1..yT
    features: tuple[int, ...]  # all others that are not left out
    dated: bool = False
    said: tuple[str, ...] = ()


def columns_of(
    file: str, header: tuple[str, ...], rows: Sequence[Row], target: str | None, drop: Collection[str], *, series: bool
) -> ColumnRoles:
    """Which column is what; `target` and `drop` are names, or numbers from 1. InputError where that cannot be."""
    width = len(rows[0].cells)
    chosen = None if target is None else _find(file, header, width, "target", target)
    dropped = {_find(file, header, width, "drop", name) for name in drop}
    if chosen in dropped:
        raise InputError(
            f"{file}: --target and --drop name the same column, {clean(target or '', QUOTED)}; leave one away"
        )
    index = {0} if chosen != 0 and 0 not in dropped and _is_index(header, rows) else set[int]()
    left = [column for column in range(width) if column not in dropped | index]
    dates = {column for column in left if column != chosen and all(is_date(row.cells[column]) for row in rows)}
    left = [column for column in left if column not in dates]
    _refuse_too_few(file, width, len(left), series=series)
    targets, per_step = ((chosen,), False) if chosen is not None else _targets(file, header, left, series=series)
    said = [_index_said(rows)] if index else []
    for column in sorted(dates):
        said.append(f"{_named(header, column)} holds dates: left out")
        said += _out_of_order(rows, column) if series else ()
    if chosen is None and not per_step:
        said += _last_said(header, rows, targets[0])
    features = tuple(column for column in left if column not in set(targets))
    return ColumnRoles(targets, per_step, features, bool(dates), tuple(said))


def _refuse_too_few(file: str, width: int, left: int, *, series: bool) -> None:
    if left >= (1 if series else 2):
        return
    if width < 2:
        raise InputError(
            f"{file} has one column only; a row needs values and a target, separated by commas, semicolons or tabs; "
            "where each row is a time step, --series"
        )
    raise InputError(f"{file}: of its {width} columns {left or 'none'} is left; a row needs values and a target")


def _index_said(rows: Sequence[Row]) -> str:
    first = int(rows[0].cells[0])
    return f"column 1 has no name and counts {first}, {first + 1}, {first + 2}, …: left out, as an index"


def _last_said(header: tuple[str, ...], rows: Sequence[Row], target: int) -> list[str]:
    """That numbers in the last column are taken as targets, where its name does not say so."""
    if (
        not header
        or header[target].lower() in TARGET_NAMES
        or not all(is_number(row.cells[target]) for row in rows[:20])
    ):
        return []
    return [f"the last column ({clean(header[target], QUOTED)}) is the target; --target NAME takes another"]


def _named(header: tuple[str, ...], column: int) -> str:
    name = f" ({clean(header[column], QUOTED)})" if header and header[column] else ""
    return f"column {column + 1}{name}"


def _find(file: str, header: tuple[str, ...], width: int, option: str, name: str) -> int:
    """The column of that name, or else number."""
    lower = [other.lower() for other in header]
    for names, wanted in ((header, name.strip()), (lower, name.strip().lower())):
        if wanted in names:
            return names.index(wanted)
    if (number := whole_number(name, 1, width)) is not None:
        return number - 1
    close = difflib.get_close_matches(name.lower(), lower, 1)
    meant = f"did you mean {clean(header[lower.index(close[0])], QUOTED)}?" if close else (
        f"it has {', '.join(clean(other, 20) or 'one without a name' for other in header[:8])}{', …' if width > 8 else ''}"
        if header
        else f"it has no header; columns count from 1 to {width}"
    )  # fmt: skip
    raise InputError(f"{file} has no column {clean(name, QUOTED) or 'without a name'} (--{option}); {meant}")


def _is_index(header: tuple[str, ...], rows: Sequence[Row]) -> bool:
    """Whether the first column has no name and counts 0, 1, 2, …"""
    first = whole_number(rows[0].cells[0], 0, 10**15)
    if first is None or not header or header[0].lower() not in _UNNAMED:
        return False
    return all(row.cells[0] == str(number) for number, row in enumerate(rows, first))


def _out_of_order(rows: Sequence[Row], column: int) -> list[str]:
    """Where dates that begin with the year go back."""
    cells = [row.cells[column] for row in rows]
    if len({len(cell) for cell in cells}) > 1 or not cells[0][:4].isdigit():
        return []
    back = next(
        (row.number for row, before, cell in zip(rows[1:], cells, cells[1:], strict=False) if cell < before), None
    )
    if back is None:
        return []
    return [f"row {back} is dated before the row above it; rows are taken in the order of the file"]


def _targets(file: str, header: tuple[str, ...], left: list[int], *, series: bool) -> tuple[tuple[int, ...], bool]:
    """The column named label, target or y, else those named y1..yT (then also True), else the last of those `left`."""
    names = {column: header[column].lower() for column in left} if header else {}
    for wanted in TARGET_NAMES:
        of_name = [column for column, name in names.items() if name == wanted]
        if len(of_name) > 1:
            raise InputError(f"{file}: two columns are named {wanted}; leave that name to the one that is the target")
        if of_name:
            return (of_name[0],), False
    steps = () if series else _step_targets(file, names)
    return (steps, True) if steps else ((left[-1],), False)


def _step_targets(file: str, names: dict[int, str]) -> tuple[int, ...]:
    columns: dict[int, int] = {}
    for column, name in names.items():
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
