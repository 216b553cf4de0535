"""The ledger of a weight gradient: dWa = Σ_t Σ_b dWa@t,b, all addends of one cell, and the gradient of each sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from engine.errors import InputError
from engine.explain.term_reader import Index, TermReader
from engine.explain.terms import over_time
from engine.language.evaluate import evaluate
from engine.language.expression import Binary, Expression, Sum, Transpose, addends
from engine.language.functions import Array
from engine.model.blocks import Line
from engine.recording.tape import Tape
from engine.text import clean, listed


@dataclass(frozen=True, eq=False)
class Ledger:
    """What adds up to one cell of a gradient: `addends` (S, B), one row a time step, in the order of `steps`; `value` is what is stored.

    `of_steps` (S,) are the terms `dWa@t`, `of_samples` (B,) what each sample adds over all steps.
    """

    name: str
    index: Index
    steps: tuple[int, ...]
    addends: Array
    value: float

    @cached_property
    def of_steps(self) -> Array:
        """The sums over the batch."""
        return np.asarray(self.addends.sum(axis=1))

    @cached_property
    def of_samples(self) -> Array:
        """The sums over time."""
        return np.asarray(self.addends.sum(axis=0))


def ledger(tape: Tape, name: str, index: Index, reached: int | None = None) -> Ledger:
    """The ledger of a cell of a parameter's gradient, as far as it is summed when step `reached` is; InputError when it is none.

    Of a sum that is not complete `value` is the sum of the addends.
    """
    if name not in gradients(tape):
        raise InputError(f"{clean(name, 40)} is no gradient of a parameter; there are {listed(gradients(tape))}")
    shape = tape[name].shape
    if len(index) != len(shape) or any(not 0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise InputError(f"{name} has the shape {shape}; {list(index)} is not a cell of it")
    line, steps = _written(tape, name)
    summed = steps if reached is None else [t for t in steps if t in tape.plan.program.summed(line, reached)]
    with np.errstate(all="ignore"):
        addends = over_time([TermReader(tape, t, None) for t in summed], line.equation.expression, index)
        addends = addends or [_addends(tape, line, t, index) for t in summed]
        rows = np.array(addends, dtype=tape.plan.network.dtype)
    complete = len(summed) == len(steps)
    return Ledger(name, index, tuple(summed), rows, float(tape[name][index] if complete else rows.sum()))


def gradients(tape: Tape) -> dict[str, str]:
    """The names of the parameters' gradients, each with its parameter."""
    return {f"d{parameter}": parameter for parameter in tape.parameters}


def by_sample(tape: Tape, name: str) -> Array:
    """The part of each sample in a parameter's gradient, (B, *shape); the parts add up to it."""
    line, steps = _written(tape, name)
    result = np.zeros((tape.plan.batch, *tape[name].shape), tape.plan.network.dtype)
    with np.errstate(all="ignore"):
        for t in steps:
            result += _by_sample(tape, line, t)
    return result


def _written(tape: Tape, name: str) -> tuple[Line, range]:
    """The line that writes a gradient, and the steps over which it sums."""
    (line,) = tape.plan.program.writers(name)
    steps = tape.plan.program.summed(line)
    return line, range(min(steps), max(steps) + 1)


def _addends(tape: Tape, line: Line, t: int, index: Index) -> Array:
    """(B,) what each sample adds at step t to one cell."""
    total = np.zeros(tape.plan.batch)
    for part in addends(line.equation.expression):
        sides = _sides(tape, part, t)
        if sides is None:
            return np.array([tape.term(line, t, b)[index] for b in range(tape.plan.batch)])
        left, right = sides
        total = total + (right[(slice(None), *index)] if left is None else left[:, index[0]] * right[:, index[1]])
    return total


def _by_sample(tape: Tape, line: Line, t: int) -> Array:
    """(B, *shape) what each sample adds at step t."""
    total: Array | float = 0.0
    for part in addends(line.equation.expression):
        sides = _sides(tape, part, t)
        if sides is None:
            return np.stack([tape.term(line, t, b) for b in range(tape.plan.batch)])
        left, right = sides
        total = total + (right if left is None else left[:, :, None] * right[:, None, :])
    return np.asarray(total)


def _sides(tape: Tape, part: Expression, t: int) -> tuple[Array | None, Array] | None:
    """The two sides of a product over the batch, or the operand of a sum over the batch; None for anything else."""
    value = partial(evaluate, lookup=lambda name: tape.lookup(name, t), axes=tape.plan.axes)
    match part:
        case Binary("@", Transpose(left), right):
            return np.asarray(value(left)), np.asarray(value(right))
        case Sum("B", operand):
            return None, np.asarray(value(operand))
        case _:
            return None
