"""Checks a cell's table of equations, above all that of a cell written by a user: what is wrong is said in one sentence."""

from __future__ import annotations

import builtins
import contextlib
import keyword
import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any, cast

from engine.language.derive import SUFFIXES, gradient
from engine.language.equation import Equation, TableError, contributions, equation, infer
from engine.language.expression import Call, Name, Transpose, walk
from engine.language.functions import ACTIVATIONS, FUNCTIONS, PROJECTED, Axes
from engine.tables.cells import BY_NAME, Cell
from engine.tables.heads import READ_OUT
from engine.tables.optimizers import OPTIMIZERS, named, update_equations
from engine.text import clean

_DIMENSIONS = "BTDHC"
_WORDS = (  # names that the program, printed programs or files already use
    "x y t loss logits p mask N cut flow cut_off gnorm count W dW lr clip_norm clip_value start forward backward update "
    "X np rng bound data table classes trace weights gradients name value iteration load_file lengths meta"
)
_USED_ELSEWHERE = frozenset({*_WORDS.split(), *_DIMENSIONS, *dir(builtins), *keyword.kwlist, *FUNCTIONS})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ELEMENTWISE = tuple(name for name, function in FUNCTIONS.items() if function.elementwise)
_OF_UNITS = tuple(name for name, function in FUNCTIONS.items() if function.summand is not None)
_ACTIVATION = "{activation}"
_STACKED = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


class CellError(TableError):
    """What is wrong with a cell; `equation` is the equation at fault as it was written, if one is."""

    def __init__(self, message: str, equation: str = "") -> None:
        super().__init__(message)
        self.equation = equation


def check(cell: Cell) -> None:
    """Raises CellError unless the table can be run forward, differentiated, shown and printed."""
    _check_fields(cell)
    lines: list[tuple[str, Equation]] = []
    for source in cell.equations:
        with _at(source):
            lines.append((source, equation(source.replace(_ACTIVATION, next(iter(ACTIVATIONS))))))
    _check_names(cell, [line.target for _, line in lines])
    known = _checked_axes(cell, lines)
    _check_use(cell, [line for _, line in lines])
    needed = _needed(cell, [line for _, line in lines])
    for source, line in lines:
        if line.target in needed:
            with _at(source):
                adjoint = gradient(line.target)
                list(contributions(line.expression, Name(adjoint), {**known, adjoint: known[line.target]}))
    _check_torch(cell)


@contextlib.contextmanager
def _at(source: str) -> Generator[None]:
    """Turns errors about equations into a `CellError` about this one."""
    try:
        yield
    except TableError as error:
        raise CellError(clean(str(error)), source) from None


# Fields and names


def _check_fields(cell: Cell) -> None:
    """The types of the fields, which Python itself does not check."""
    if not _is_text(cell.name) or clean(cell.name, 40) != cell.name or cell.name in BY_NAME:
        raise CellError(f"the cell's name cannot be {clean(repr(cell.name), 40)}; give it one of its own")
    for field in ("equations", "states"):
        value: Any = getattr(cell, field)
        if not isinstance(value, tuple) or not value or not all(map(_is_text, cast("tuple[Any, ...]", value))):
            raise CellError(f'{field} must be a tuple of texts: {field}=("...",)')
    for name, width in _pairs(cell, "widths"):
        if name not in cell.states or width != PROJECTED:
            raise CellError(
                f'widths may say that a state is as wide as a projection: {{"{cell.output}": "{PROJECTED}"}}'
            )
    letters = "DHP" if cell.has_projection else "DH"
    for name, axes in _pairs(cell, "parameters"):
        if not isinstance(axes, tuple) or axes not in (
            (),
            *((a,) for a in letters),
            *((a, b) for a in letters for b in letters),
        ):
            listed = " and ".join(f'"{letter}"' for letter in letters)
            raise CellError(f'the axes of {clean(name, 40)} must be a tuple of {listed}: ("D", "H"), ("H",) or ()')
    for name, stacked in _pairs(cell, "torch"):
        if not isinstance(stacked, tuple):
            raise CellError(f"{clean(name, 40)} in torch must be a tuple of parameters")
    for name, start in _pairs(cell, "start"):
        _check_start(cell, name, start)
    for notation, names in _pairs(cell, "names"):
        if not isinstance(names, Mapping) or not all(map(_is_name, cast("Mapping[Any, Any]", names).values())):
            raise CellError(f'the names in {clean(notation, 40)} must be a dictionary of names by name: {{"h": "s"}}')
    if not all(_is_text(text) for _, text in _pairs(cell, "meanings")):
        raise CellError("meanings must be texts by name")
    if cell.output not in cell.states:
        raise CellError(f"the output {clean(str(cell.output), 40)} must be one of the states: {', '.join(cell.states)}")
    if cell.has_activation != any(_ACTIVATION in source for source in cell.equations):
        raise CellError(f"has_activation must be True exactly when an equation reads {_ACTIVATION}")


def _check_start(cell: Cell, name: str, start: object) -> None:
    axes = cell.parameters.get(name)
    if axes is None:
        raise CellError(f"start says how {clean(name, 40)} begins, which is no parameter")
    numbers: tuple[Any, ...] = start if isinstance(start, tuple) else (start,)  # pyright: ignore[reportUnknownVariableType]
    fits = len(numbers) == 1 or (len(numbers) == 2 and len(axes) == 1)
    if start == "identity":
        numbers, fits = (), len(axes) == 2 and axes[0] == axes[1]
    if not fits or not all(isinstance(number, int | float) and abs(number) < float("inf") for number in numbers):
        wanted = 'a number, for a vector two (from, to), for a square matrix "identity"'
        raise CellError(f"the start of {name} must be {wanted}")


def _pairs(cell: Cell, field: str) -> Iterator[tuple[str, Any]]:
    value: Any = getattr(cell, field)
    if not isinstance(value, Mapping) or not all(map(_is_text, cast("Mapping[Any, Any]", value))):
        raise CellError(f'{field} must be a dictionary by name: {field}={{"...": ...}}')
    return iter(cast("Mapping[str, Any]", value).items())


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(_NAME.fullmatch(value))


def _check_names(cell: Cell, targets: list[str]) -> None:
    names = [*cell.parameters, *targets]
    taken = _USED_ELSEWHERE | _derived_names(cell, names) | ({PROJECTED} if cell.has_projection else set[str]())
    for name in names:
        if not _NAME.fullmatch(name) or name.endswith("_prev"):
            raise CellError(f"{clean(name, 40)} cannot be a name; use letters, digits and underscores, without _prev")
        if name in taken:
            raise CellError(f"the name {name} means something else in the program or in Python; rename it")
        if names.count(name) > 1:
            raise CellError(f"two things are called {name}; each parameter and each equation needs a name of its own")


def _derived_names(cell: Cell, names: list[str]) -> set[str]:
    """Names made from others: gradients and flows, what clipping and optimizers write, their constants, the read-out's parameters."""
    derived = {gradient(name) + suffix for name in (*names, *READ_OUT, "x") for suffix in ("", *SUFFIXES)} | {*READ_OUT}
    for rule in OPTIMIZERS.values():
        targets = [line.target for line in update_equations(rule, 1.0, 1.0) if line.target != "W"]
        derived |= {named(target, parameter) for target in targets for parameter in cell.parameters}
        derived |= set(rule.constants)
    return derived


# Equations


def _checked_axes(cell: Cell, lines: list[tuple[str, Equation]]) -> dict[str, Axes]:
    """The axes of every name; each line must read only what was computed before it. A state has a row for each sample."""
    states = cell.state_axes
    sizes = (*_DIMENSIONS, PROJECTED) if cell.has_projection else _DIMENSIONS
    known: dict[str, Axes] = {**dict.fromkeys(sizes, ()), **cell.parameters, "x": ("B", "D")}
    for source, line in lines:
        with _at(source):
            _check_reads(cell, line, known)
            axes = infer(line.expression, {**states, **known})
            _check_nodes(line, {**states, **known})
            if axes != (wanted := states.get(line.target, axes)):
                raise TableError(
                    f"{line.target} has the axes ({', '.join(axes)}), it needs ({', '.join(wanted)}), as states are"
                )
            known[line.target] = axes
    for state in cell.states:
        if state not in known:
            raise CellError(f"no equation writes the state {state}; add one, or take it out of states")
    return known


def _check_reads(cell: Cell, line: Equation, known: Mapping[str, Axes]) -> None:
    for name in line.reads:
        if name.step < 0 and name.name not in cell.states:
            raise TableError(f"{name.name}_prev is read, but {name.name} is not among the states")
        if name.step == 0 and name.name not in known:
            later = (
                " before it is written"
                if name.name in cell.states
                else ", which is no parameter and not written before"
            )
            raise TableError(f"{name.name} is read{later}")


def _check_nodes(line: Equation, known: Mapping[str, Axes]) -> None:
    """Allows functions of one argument that keep samples apart, and no transposed batch: samples must not mix."""
    for node in walk(line.expression):
        if isinstance(node, Call):
            if node.function not in (*_ELEMENTWISE, *_OF_UNITS) or len(node.arguments) != 1:
                raise TableError(
                    f"{node.function} is no function of one argument that cells can use: "
                    f"{', '.join((*_ELEMENTWISE, *_OF_UNITS))}"
                )
            axes = infer(node.arguments[0], known)
            if node.function in _OF_UNITS and (len(axes) != 2 or axes[0] != "B"):
                has = f"its argument has the axes ({', '.join(axes)})"
                raise TableError(f"{node.function} is taken over the units of a sample, (B, H); {has}")
        if isinstance(node, Transpose) and "B" in infer(node.operand, known):
            raise TableError("only parameters can be transposed, for samples must not mix")


def _check_use(cell: Cell, lines: list[Equation]) -> None:
    needed = _needed(cell, lines)
    handed_on = {name.name for line in lines if line.target in needed for name in line.reads if name.step < 0}
    for state in cell.states:
        if state not in handed_on:
            raise CellError(f"the output {cell.output} depends on no {state}_prev; without it {state} is no state")
    for parameter in cell.parameters:
        if parameter not in needed:
            raise CellError(
                f"the output {cell.output} does not depend on the parameter {parameter}; use it or leave it out"
            )


def _needed(cell: Cell, lines: list[Equation]) -> set[str]:
    """Everything that the output depends on, at the same step or at earlier ones."""
    needed = {cell.output}
    while True:
        more = {name.name for line in lines if line.target in needed for name in line.reads}
        if more <= needed:
            return needed
        needed |= more


def _check_torch(cell: Cell) -> None:
    for kind, stacked in cell.torch.items():
        if kind not in _STACKED:
            raise CellError(f"torch knows {', '.join(_STACKED)}, not {clean(kind, 40)}")
        for parameter in stacked:
            if cell.parameters.get(parameter) != (needed := _stacked_axes(cell, kind)):
                raise CellError(
                    f"torch: {kind} holds {clean(str(parameter), 40)}, which is no parameter of axes ({', '.join(needed)})"
                )
    if cell.torch and len({len(cell.torch.get(kind, ())) for kind in ("weight_ih", "weight_hh")}) != 1:
        raise CellError("torch: weight_ih and weight_hh must hold equally many parameters")


def _stacked_axes(cell: Cell, kind: str) -> Axes:
    """The axes of the parameters that one of PyTorch's arrays holds."""
    read = cell.state_axes[cell.output][1]
    return {"weight_ih": ("D", "H"), "weight_hh": (read, "H"), "weight_hr": ("H", read)}.get(kind, ("H",))
