"""Explains a number by its arithmetic: the products that add up to it, each factor a number of the tape.

This file finds the line that wrote a cell and the steps at which its terms are read; `term_reader` reads them off the
equation's tree. A gradient that accumulates has the terms of every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.explain.term_reader import Index, Term, TermReader
from engine.language.derive import NEXT
from engine.language.equation import Equation
from engine.language.expression import (
    Binary,
    Expression,
    Name,
    Sum,
    Transpose,
)
from engine.language.functions import Array
from engine.model.blocks import Line
from engine.recording.tape import Tape
from engine.text import clean, listed


def exact_sum(values: list[float]) -> float:
    """The sum of numbers, rounded once; infinite or NaN where it is no finite number."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # a partial sum beyond the largest number; infinities of both signs
        return (
            math.fsum(value / _LARGE for value in values) * _LARGE if all(map(math.isfinite, values)) else sum(values)
        )


_LARGE = 2.0**64
"""A power of two: dividing by it does not round, and so many numbers do not overflow any more."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """A cell, its value, the line that wrote it and the terms that add up to it (none for an input or a weight).

    `values` are the terms' values, in the order of `terms`; of long sums use `largest`, which builds only the terms asked for.
    """

    name: str
    t: int | None
    index: Index
    value: float
    line: Line | None
    values: Array
    equation: Equation | None = None
    """The line's equation, in the update with the parameter's name put in."""
    _readers: tuple[tuple[TermReader, int], ...] = ()
    """For each step the reader of its terms, and their number."""

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Every term."""
        return tuple(term for reader, _ in self._readers for term in reader.products(self._expression, self.index))

    def largest(self, count: int) -> tuple[tuple[Term, ...], float, int]:
        """The `count` terms of largest magnitude (NaN first), the sum of the rest, and how many those are."""
        return tuple(self._term(int(i)) for i in self._order[:count]), *self.rest(count)

    def rest(self, count: int) -> tuple[float, int]:
        """The sum of all but the `count` terms of largest magnitude, and how many those are."""
        rest = self.values[self._order[count:]]
        return exact_sum(rest.tolist()), len(rest)

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """The numbers of the terms, the largest first."""
        return np.argsort(-np.where(np.isnan(self.values), np.inf, np.abs(self.values)), kind="stable")

    @cached_property
    def total(self) -> float:
        """The sum of the terms, rounded once."""
        return exact_sum(self.values.tolist())

    @property
    def steps(self) -> tuple[int, ...]:
        """Of a sum over time, the steps that are summed; none of another number."""
        steps = [reader.t for reader, _ in self._readers if reader.t is not None]
        return tuple(steps) if len(steps) == len(self._readers) > 1 else ()

    @property
    def _expression(self) -> Expression:
        assert self.equation is not None
        return self.equation.expression

    def _term(self, number: int) -> Term:
        for reader, count in self._readers:
            if number < count:
                factors = reader.nth(self._expression, self.index, number)
                return Term(tuple(factors), math.prod(factor.value for factor in factors))
            number -= count
        raise IndexError(number)


def explain(
    tape: Tape,
    name: str,
    t: int | None,
    index: Index,
    *,
    reached: int | None = None,
    one_step: bool = False,
    sample: int | None = None,
    iteration: int = 0,
) -> Explanation:
    """The arithmetic behind a cell of a quantity at step t.

    For a gradient that accumulates, the sum over the steps up to `reached` as they run, or with `one_step` only the term of step t;
    with `sample` only what that sample adds to a sum over the batch. `iteration` is the tape's number; factors carry
    it. Raises InputError when there is no such cell.
    """
    program = tape.plan.program
    check_step(tape, name, t)
    if name in program.updates:
        return explain_update(tape, name, index, iteration=iteration)
    line = writer(tape, name, t)
    if line is None and name + NEXT in tape.arrays and t == program.quantities[name].initial(program.steps):
        flow = explain(tape, name + NEXT, t, index, iteration=iteration)  # an initial state has this flow alone
        return replace(flow, name=name)
    if line is None:
        return Explanation(name, t, index, _cell(tape.at(name, t), index, name), None, np.zeros(0))
    if "B" in program.quantities[name].axes:
        sample = None  # it has a row of its own
    summed = line.equation.accumulate
    once = program.blocks[line.block].step(0, program.steps) if not program.blocks[line.block].in_time else None
    at = once if once is not None else t if t is None else t - line.equation.step
    steps = list(program.summed(line, reached)) if summed and not one_step else [at]
    if sample is not None or (summed and one_step):
        array = sum(tape.term(line, step, sample) for step in steps)
    elif summed and reached is not None:
        array = tape.partial(name, reached)
    else:
        array = tape.at(name, t)
    value = _cell(array, index, name)
    return _explained(
        name, t, index, value, line, line.equation, [TermReader(tape, step, sample, iteration) for step in steps]
    )


def _explained(
    name: str, t: int | None, index: Index, value: float, line: Line, equation: Equation, readers: list[TermReader]
) -> Explanation:
    with np.errstate(all="ignore"):
        values = over_time(readers, equation.expression, index) if len(readers) > 1 else None
        if values is None:
            values = [reader.values(equation.expression, index) for reader in readers]
    counted = tuple((reader, len(of_reader)) for reader, of_reader in zip(readers, values, strict=True))
    return Explanation(name, t, index, value, line, np.concatenate(values), equation, counted)


def check_step(tape: Tape, name: str, t: int | None) -> None:
    """InputError for a quantity that there is not, and for a step that it does not have."""
    program = tape.plan.program
    if name not in tape:
        raise InputError(
            f"there is no quantity '{clean(name, 40)}'; "
            f"there are {listed((*program.quantities, *program.parameters, *program.updates))}"
        )
    steps = program.steps_of(name) or range(1, program.steps + 1)
    if t is not None and t not in steps:
        raise InputError(f"{name} has the time steps {steps[0]} to {steps[-1]}, not {t}")


def over_time(readers: list[TermReader], expression: Expression, index: Index) -> list[Array] | None:
    """`TermReader.values` of a sum over many steps, all in one operation, where every step's terms are plain products over the batch."""
    tape, samples = readers[0].tape, list(readers[0].samples)

    def cells(name: Name, place: int) -> Array:
        quantity = tape.plan.program.quantities[name.name]
        rows = [quantity.row((reader.t or 0) + name.step) for reader in (readers[0], readers[-1])]
        return tape[name.name][min(rows) : max(rows) + 1, :, place][:: 1 if rows[0] < rows[1] else -1, samples]

    match expression:
        case Binary("@", Transpose(Name() as left), Name() as right) if _in_time(tape, left, right):
            return list(cells(left, index[0]) * cells(right, index[1]))
        case Sum("B", Name() as only) if _in_time(tape, only):
            return list(cells(only, index[0]))
        case _:
            return None


def _in_time(tape: Tape, *names: Name) -> bool:
    quantities = tape.plan.program.quantities
    return all(n.name in quantities and quantities[n.name].rows and len(quantities[n.name].axes) == 2 for n in names)


def explain_update(tape: Tape, name: str, index: Index, *, iteration: int = 0) -> Explanation:
    """The arithmetic of an update's line for one cell: of a parameter's new value, or of a quantity of the update."""
    line, parameter = tape.plan.program.update_line(name)
    equation = tape.plan.program.at_parameter(line, parameter)
    value = _cell(tape.updates[name], index, name)
    return _explained(name, None, index, value, line, equation, [TermReader(tape, None, None, iteration, update=True)])


def writer(tape: Tape, name: str, t: int | None) -> Line | None:
    """The line that writes a quantity's row of step t; None for inputs, weights and initial states."""
    program = tape.plan.program
    for line in program.writers(name):
        if program.blocks[line.block].in_time:
            if t is None or line.equation.accumulate or 1 <= t - line.equation.step <= program.steps:
                return line
        elif t in (None, program.summed(line)[0] + line.equation.step) or not program.quantities[name].rows:
            return line
    return None


def _cell(array: Any, index: Index, name: str) -> float:
    if len(index) != array.ndim or any(not 0 <= i < n for i, n in zip(index, array.shape, strict=True)):
        raise InputError(f"{name} has the shape {array.shape}; {list(index)} is not a cell of it")
    return float(array[index])
