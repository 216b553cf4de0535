"""Targets: text and integers are classes, other numbers are for regression, unless the loss decides otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files.cells import is_number, quoted
from engine.tables.heads import HEADS, Head, usual_head
from engine.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Array = NDArray[Any]

_DIGITS = 18  # longer runs of digits do not fit an int64


@dataclass(frozen=True, eq=False)
class Targets:
    """y as class indices (int64) with the classes' names, or as float64 with none."""

    y: Array
    classes: tuple[str, ...]
    numeric: bool


def from_cells(cells: Sequence[str], place: Callable[[int], str], head: Head | None) -> Targets:
    """Targets from a file's cells; `place(i)` says where cell i stands. Without a head the cells decide whether they are classes."""
    integer = [_is_integer(cell) for cell in cells]
    text = [not is_number(cell) for cell in cells]
    numeric = not any(text)
    classes = head.classes if head else all(done or word for done, word in zip(integer, text, strict=True))
    if not classes:
        if not numeric:
            raise _not_a_number(cells, text, place, head)
        return Targets(np.array([float(cell) for cell in cells]), (), True)
    if not numeric:
        values, y = np.unique(np.array(cells, dtype=object), return_inverse=True)
        names = [str(value) for value in values.tolist()]
        return of_classes(names, y, numeric=False, head=head, where=place(0))
    dtype = np.int64 if all(integer) else np.float64
    kind = int if all(integer) else float
    return _from_numbers(np.array([kind(cell) for cell in cells], dtype=dtype), head, place(0))


def from_array(y: Array, where: str, head: Head | None) -> Targets:
    """Targets from an array of any shape: integers and booleans are classes, floats are for regression."""
    classes = head.classes if head else y.dtype.kind != "f"
    if not classes:
        return Targets(y.astype(np.float64), (), True)
    if y.dtype.kind == "b":
        y = y.astype(np.int64)
    return _from_numbers(y, head, where)


def _from_numbers(numbers: Array, head: Head | None, where: str) -> Targets:
    values, y = np.unique(numbers, return_inverse=True)
    y = y.reshape(numbers.shape)  # NumPy 2.0 flattened it
    if head and head.two_classes and set(values.tolist()) <= {0, 1}:
        return Targets(numbers.astype(np.int64), ("0", "1"), True)
    return of_classes([_name(value) for value in values.tolist()], y, numeric=True, head=head, where=where)


def of_classes(names: list[str], y: Array, *, numeric: bool, head: Head | None, where: str) -> Targets:
    """Targets that are indices into `names`; InputError where the head is for two classes and there are not two."""
    shown = tuple(clean(name) for name in names)
    if head and head.two_classes and len(shown) != 2:
        listed = ", ".join(clean(name, 20) for name in shown[:5]) + (", ..." if len(shown) > 5 else "")
        raise InputError(
            f"{where}: --loss {head.name} needs two classes, or 0 and 1, and the targets have {len(shown)} ({listed}); "
            f"choose --loss {_or(other.name for other in HEADS.values() if not other.two_classes)}"
        )
    return Targets(y.astype(np.int64), shown, numeric)


def _is_integer(cell: str) -> bool:
    digits = cell.lstrip("+-")
    return len(digits) <= _DIGITS and digits.isascii() and digits.isdigit() and is_number(cell)


def _or(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _name(value: float) -> str:
    return repr(value).removesuffix(".0")


def _not_a_number(cells: Sequence[str], text: list[bool], place: Callable[[int], str], head: Head | None) -> InputError:
    at = text.index(True)
    if head is not None:
        return InputError(
            f"{place(at)}: {quoted(cells[at])} is not a number, and --loss {head.name} needs numbers as targets"
        )
    return InputError(
        f"{place(at)}: {quoted(cells[at])} is not a number while other targets are decimal numbers; "
        f"correct it, or make every target a class with --loss {usual_head(classes=True).name}"
    )
