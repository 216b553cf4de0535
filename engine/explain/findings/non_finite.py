"""The first number of an iteration that is NaN or infinite, and the operation that made it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite, isinf, isnan

import numpy as np

from engine.errors import InputError
from engine.explain.address import CellAddress
from engine.explain.findings.base import Finding, Scene, cell_text, short
from engine.explain.term_reader import Factor, Term
from engine.explain.terms import Explanation, writer
from engine.explain.why import operands, why
from engine.language.functions import Array
from engine.model.program import Program, when_written
from engine.text import clean

LONGEST = 10_000
"""Steps back along the arithmetic, at most."""
SHOWN = 3
"""Terms that are looked into, of those that are not finite."""


def non_finite(scene: Scene) -> Iterator[Finding]:
    """The first cell that a line made NaN or infinite; where the weights were so from the start, that of the iteration they come from."""
    began = _began(scene)
    source = Scene(scene.debugger, began, scene.spell)
    first = _first(source)
    if first is None:
        return
    cell, explanation = _origin(source, first)
    since = "" if began == scene.iteration else f"since iteration {began}: "
    value = f"{since}{_text(scene, cell)} is {short(explanation.value)}"
    if explanation.line is None:
        text = f"{value} in the {_given(source, cell)}; {_text(scene, first)} is the first number that it spoils"
    else:
        text = f"{value}{_reason(source, cell, explanation)}"
    at = first if explanation.line is None else cell
    yield Finding("non-finite", text, "serious", _position(source, at), cell.name, cell.t, cell.index)


def _began(scene: Scene) -> int:
    """The iteration itself, or the one whose update made weights NaN or infinite. They stay so, so a binary search finds it."""
    if scene.iteration == 0 or _finite_start(scene, scene.iteration):
        return scene.iteration
    return max(0, bisect_left(range(scene.iteration + 1), True, key=lambda i: not _finite_start(scene, i)) - 1)


def _finite_start(scene: Scene, iteration: int) -> bool:
    return all(np.isfinite(array).all() for array in scene.debugger.start(iteration).parameters.values())


def _first(scene: Scene) -> CellAddress | None:
    """The cell that is the first to be written and not finite."""
    tape, program = scene.tape, scene.program
    best: tuple[int, str, int] | None = None
    for name, quantity in program.quantities.items():
        if quantity.given or (rows := ~np.atleast_1d(tape.finite(name))).sum() == 0:
            continue
        offsets = np.atleast_1d(when_written(program, name)).copy()
        if any(line.equation.accumulate for line in program.writers(name)):
            (line,) = program.writers(name)
            offsets[:] = program.offset(line, program.summed(line)[-1])  # at the point where all terms are added
        offsets = np.where(rows & (offsets >= 0), offsets, np.iinfo(np.int64).max)
        row = int(offsets.argmin())
        if offsets[row] < (best[0] if best else np.iinfo(np.int64).max):
            best = int(offsets[row]), name, row
    if best is None:
        return _first_of_update(scene)
    _, name, row = best
    quantity = program.quantities[name]
    if not quantity.rows:
        return CellAddress(name, scene.iteration, None, _cell(tape[name]))
    return CellAddress(name, scene.iteration, row + quantity.first, _cell(tape[name][row]))


def _first_of_update(scene: Scene) -> CellAddress | None:
    updates = scene.tape.updates
    bad = [name for name, array in updates.items() if not np.isfinite(array).all()]
    if not bad:
        return None
    name = min(bad, key=scene.program.update_offset)
    if name in scene.program.parameters:  # explain a parameter as the next iteration starts from it
        return CellAddress(name, scene.iteration + 1, None, _cell(updates[name]))
    return CellAddress(name, scene.iteration, None, _cell(updates[name]))


def _cell(array: Array) -> tuple[int, ...]:
    """The first cell that is not finite."""
    return tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])


def _origin(scene: Scene, cell: CellAddress) -> tuple[CellAddress, Explanation]:
    """Back along the arithmetic, from operand to operand, while there is one that is not finite."""
    for _ in range(LONGEST):
        explanation = why(scene.debugger, cell)
        if explanation.line is None:
            return cell, explanation
        terms, _, _ = explanation.largest(SHOWN)
        behind = [operand for term in terms for operand in operands(term) if not isfinite(_value(scene, operand))]
        if not behind:
            return cell, explanation
        cell = behind[0]
    return cell, why(scene.debugger, cell)


def _value(scene: Scene, cell: CellAddress) -> float:
    tape = scene.debugger.tape(cell.iteration)
    return float(np.asarray(tape.at(cell.name, cell.t))[cell.index])


def _reason(scene: Scene, cell: CellAddress, explanation: Explanation) -> str:
    """What the operation did with finite numbers: overflowed, or took one infinity from another."""
    dtype = np.dtype(scene.tape.plan.network.dtype)
    largest = float(np.finfo(dtype).max)
    terms, _, _ = explanation.largest(SHOWN)
    where = f", in {_line_text(scene, cell)}"
    if terms and not isfinite(terms[0].value):
        if any(isinf(v) and v > 0 for v in explanation.values) and any(isinf(v) and v < 0 for v in explanation.values):
            return f": ∞ − ∞{where}"
        return f": {_term_reason(scene, terms[0])}{where}"
    if terms and abs(terms[0].value) > largest:
        return f": {_product(scene, terms[0])} is more than the largest {dtype.name}, {short(largest)}{where}"
    return (
        f": the sum of {len(explanation.values)} terms is more than the largest {dtype.name}, {short(largest)}{where}"
    )


def _term_reason(scene: Scene, term: Term) -> str:
    """Why a product of finite numbers is not finite."""
    for factor in term.factors:
        if not isfinite(factor.value) and factor.of:
            inside = ", ".join(_factor(scene, argument) for argument in factor.of[:SHOWN])
            if factor.name.startswith("1/"):
                spoiled = isnan(factor.value)  # a function of what is told, as a square root of it
                return f"what it divides by, made of {inside}, is NaN" if spoiled else f"division by {inside}"
            return f"{factor.name} of {inside} {'is NaN' if isnan(factor.value) else 'overflowed'}"
    return f"{_product(scene, term)} overflowed"


def _product(scene: Scene, term: Term) -> str:
    return " × ".join(_factor(scene, factor) for factor in term.factors)


def _factor(scene: Scene, factor: Factor) -> str:
    if factor.index is None:
        return (
            factor.name
            if not factor.of
            else f"{factor.name}({', '.join(_factor(scene, argument) for argument in factor.of)})"
        )
    return f"{cell_text(scene.spell(factor.name), factor.t, factor.index)} = {short(factor.value)}"


def _line_text(scene: Scene, cell: CellAddress) -> str:
    name = cell.name if cell.name in scene.program.updates or cell.name in scene.program.parameters else None
    if name is not None:
        return f"the update's line {scene.spell(name)}"
    line = writer(scene.tape, cell.name, cell.t)
    assert line is not None
    return f"the {line.phase} line {scene.spell(line.name)}"


def _text(scene: Scene, cell: CellAddress) -> str:
    return cell_text(scene.spell(cell.name), cell.t, cell.index)


def _given(scene: Scene, cell: CellAddress) -> str:
    if cell.name in scene.program.parameters:
        return "weights"
    return "data" if scene.program.quantities[cell.name].given else "initial state"


def _position(scene: Scene, cell: CellAddress) -> int:
    """The point at which a cell is written; of a sum over time, where it is complete."""
    program = scene.program
    if cell.name in program.updates or cell.name in program.parameters:
        address = replace(cell, iteration=cell.iteration - (cell.name in program.parameters))
        return Scene(scene.debugger, address.iteration).position(program.update_offset(cell.name))
    return scene.position(_offset(program, cell))


def _offset(program: Program, cell: CellAddress) -> int:
    summed = any(line.equation.accumulate for line in program.writers(cell.name))
    if cell.name not in program.quantities:
        raise InputError(f"there is no quantity {clean(cell.name, 40)}")
    return program.written(cell.name, 1 if summed and cell.t is None else cell.t)
