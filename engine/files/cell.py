"""A user's cell: a Python file that defines one `engine.cells.Cell`. The file is run, so only the command line may name it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

from engine.errors import InputError
from engine.files.raw import read_text, shown
from engine.files.running import run, told
from engine.tables.cells import BY_NAME, Cell
from engine.tables.check import CellError, check
from engine.text import clean

_SIZE_LIMIT = 1 << 20


def read_cell(path: Path) -> Cell:
    """The one cell that the file at `path` defines at its top level, checked.

    The file is run for it; what it prints goes to standard error. Raises InputError, one sentence with the line or the equation.
    """
    text = read_text(path, _SIZE_LIMIT)
    cells = _cells(_run(path, text))
    if len(cells) != 1:
        names = f" ({', '.join(cells)})" if cells else ""
        raise InputError(f"{shown(path)} defines {len(cells)} cells{names}; it needs one Cell(...) at its top level")
    (cell,) = cells.values()
    try:
        check(cell)
        return replace(cell, meanings={name: clean(meaning) for name, meaning in cell.meanings.items()})
    except CellError as error:
        raise InputError(f"{_place(path, text, error.equation)}: {clean(str(error), 400)}") from None
    except Exception as error:  # what it is made of may be anything
        raise InputError(
            f"{shown(path)}: the Cell is made of other things than texts and tuples ({told(error)})"
        ) from None


def _run(path: Path, text: str) -> ModuleType:
    try:
        code = compile(text, str(path), "exec")
    except SyntaxError as error:
        raise InputError(f"{shown(path)}, line {error.lineno}: {clean(error.msg)}; correct the Python there") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{shown(path)} cannot be compiled: {clean(str(error))}; write it as plain Python") from error
    return run(path, code)


def _cells(module: ModuleType) -> dict[str, Cell]:
    """The module's own cells by the first of their names."""
    built_in = {id(cell) for cell in BY_NAME.values()}
    cells: dict[int, str] = {}
    for name, value in vars(module).items():
        if issubclass(type(value), Cell) and id(value) not in built_in:
            cells.setdefault(id(value), name)
    return {name: vars(module)[name] for name in cells.values()}


def _place(path: Path, text: str, equation: str) -> str:
    """Where in the file an equation is: its line when it stands there as it is, else its text."""
    if not equation:
        return shown(path)
    lines = [number for number, line in enumerate(text.splitlines(), start=1) if equation in line]
    return f"{shown(path)}, line {lines[0]}" if lines else f"{shown(path)}, equation {clean(equation, 80)}"
