"""Explains a cell of any iteration, and follows its factors from number to number, for the command line's JSON and the screen.

why(debugger, "dWa", 0, None, (2, 3))      the cell, the line that wrote it, the terms that add up to it
zero_reason(debugger, found)               why a number is 0, in words
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.debug.debugger import Debugger
from engine.debug.whatif import Branch, edit_of
from engine.errors import InputError
from engine.explain.address import CellAddress
from engine.explain.line_parts import writer_for
from engine.explain.term_reader import Factor, Term
from engine.explain.terms import Explanation, check_step, explain, explain_update
from engine.language.derive import NEXT, OUT, whole
from engine.language.expression import Binary, Call, Derivative, Expression, Name, rewrite, walk
from engine.language.functions import CARRIED, FUNCTIONS, Array, of_units
from engine.notation import Writer, assignment, parse_cell
from engine.recording.tape import Tape
from engine.tables.given import MASK
from engine.text import clean, listed


def parse_place(text: str, debugger: Debugger, iteration: int, spelt: Callable[[str], str] = str) -> CellAddress:
    """The cell that people write as `da@3[0,5]` or `dWa[2,3]`; InputError, with names as they are `spelt`, when there is none."""
    name, t, index = parse_cell(text)
    tape = debugger.tape(iteration)
    if name not in tape:
        program = tape.plan.program
        known = listed(map(spelt, (*program.quantities, *program.parameters, *program.updates)))
        raise InputError(f"there is no quantity {clean(name, 40)}; there are {known}")
    accumulates = any(line.equation.accumulate for line in tape.plan.program.writers(name))
    quantity = tape.plan.program.quantities.get(name)
    in_time = bool(quantity and quantity.rows) or (quantity is None and tape[name].ndim == 3)
    if in_time and t is None:
        place = f"{spelt(name)}@3[{','.join('0' * (tape[name].ndim - 1))}]"
        raise InputError(f"{spelt(name)} is in time; name the step too: {place}")
    if not in_time and t is not None and not accumulates:
        raise InputError(f"{spelt(name)} is not in time; leave @{t} away")
    return CellAddress(name, iteration, t, index, one_step=accumulates and t is not None)


def why(debugger: Debugger, cell: CellAddress) -> Explanation:
    """The arithmetic behind a cell; InputError when there is no such cell. An input or a first weight has no terms."""
    if cell.name in debugger.network.parameter_axes:
        # A weight was written by the update of the iteration before.
        before = debugger.tape(max(0, cell.iteration - 1))
        _check_index(before, cell)
        if cell.iteration == 0:
            return Explanation(cell.name, None, cell.index, float(before[cell.name][cell.index]), None, np.zeros(0))
        return explain_update(before, cell.name, cell.index, iteration=cell.iteration - 1)
    tape = debugger.tape(cell.iteration)
    source = derived_flow(tape, cell)
    if source is not None:
        check_step(tape, cell.name, cell.t)
        _check_index(tape, cell)
        value = float(tape.at(cell.name, cell.t)[cell.index])
        explanation = explain(tape, source, cell.t, cell.index, iteration=cell.iteration)
        # The one flow there is at this step is the whole gradient; the other is 0.
        return replace(explanation, name=cell.name) if value or not explanation.value else _nothing(cell)
    return explain(
        tape,
        cell.name,
        cell.t,
        cell.index,
        reached=cell.reached,
        one_step=cell.one_step,
        sample=cell.sample,
        iteration=cell.iteration,
    )


def put_in(debugger: Debugger, cell: CellAddress) -> str | None:
    """A sentence that a cell holds an edited value, where it does; its arithmetic is then what its line computed."""
    if not isinstance(debugger, Branch) or cell.one_step or cell.reached is not None:
        return None
    plan = debugger.tape(cell.iteration).plan
    edit = edit_of(debugger.edits, plan, cell.name, cell.iteration, cell.t, cell.index)
    return None if edit is None else f"put in, what if {edit.text}; without it the line makes what is below"


def derived_flow(tape: Tape, cell: CellAddress) -> str | None:
    """For a flow that no line writes (da_out, da_next): the gradient that it is all of, or no part of; None for everything else."""
    if cell.name in tape.arrays or cell.name in tape.plan.program.updates or cell.name not in tape:
        return None
    return next((cell.name.removesuffix(s) for s in (OUT, NEXT) if cell.name.endswith(s)), None)


def origin(tape: Tape, name: str) -> str:
    """Where a number comes from that no line made."""
    quantity = tape.plan.program.quantities.get(name)
    if name in tape.parameters:
        return "a weight as it was at the start: nothing made it"
    if name in tape.plan.program.updates:
        return "0 before the first update: nothing made it"
    if name.endswith(NEXT) and quantity is not None:
        return "what flows into the last state from elsewhere than the steps after it: nothing made it"
    if quantity is None or whole(name) != name:  # a flow that is not there
        return "0 because nothing flows this way at this time step"
    if name in tape.plan.network.masks:
        return "drawn for dropout, anew in each iteration: nothing made it"
    return f"{'given with the data' if quantity.given else 'the state before the first step'}: nothing made it"


def _nothing(cell: CellAddress) -> Explanation:
    return Explanation(cell.name, cell.t, cell.index, 0.0, None, np.zeros(0))


def _check_index(tape: Tape, cell: CellAddress) -> None:
    shape = tape[cell.name].shape[1 if tape.plan.program.steps_of(cell.name) else 0 :]
    if len(cell.index) != len(shape) or any(not 0 <= i < n for i, n in zip(cell.index, shape, strict=True)):
        raise InputError(f"{cell.name} has the shape {shape}; {list(cell.index)} is not a cell of it")


def equation_text(writer: Writer, cell: CellAddress, explanation: Explanation) -> str:
    """The line that wrote the cell, its time step or parameter put in; empty for inputs and first weights."""
    if explanation.line is None or explanation.equation is None:
        return ""
    block = writer.program.blocks[explanation.line.block]
    if explanation.line.phase == "update":
        whole = explanation.line.equation if block.lines[0].name == "gnorm_squared" else explanation.equation
        target = writer.spelling.name(explanation.equation.target)
        return f"{target} {assignment(explanation.line)} {writer.expression(whole.expression, block)}"
    if cell.t is None or (explanation.line.equation.accumulate and not cell.one_step):
        return writer.line(explanation.line)
    return writer.line(explanation.line, cell.t - explanation.line.equation.step)


# JSON


def to_json(debugger: Debugger, cell: CellAddress, *, top: int | None = None) -> dict[str, object]:
    """What `rnn-tui explain --json` prints; with `top` only the largest terms and the sum of the rest."""
    explanation = why(debugger, cell)
    if top is None or len(explanation.values) <= top:
        terms: list[dict[str, object]] = (
            [_term(term) for term in explanation.terms] if explanation.line is not None else []
        )
    else:
        largest, rest, count = explanation.largest(top)
        terms = [*(_term(term) for term in largest), {"value": plain(rest), "rest": count, "factors": []}]
    return {
        "quantity": cell.name,
        "iteration": cell.iteration,
        "t": cell.t,
        "index": list(cell.index),
        "value": plain(explanation.value),
        "equation": equation_text(writer_for(debugger.plan), cell, explanation),
        "terms": terms,
    }


def _term(term: Term) -> dict[str, object]:
    return {"value": plain(term.value), "factors": [_factor(factor) for factor in term.factors]}


def _factor(factor: Factor) -> dict[str, object]:
    if factor.of:
        return {
            "function": factor.name,
            "of": [_factor(argument) for argument in factor.of],
            "value": plain(factor.value),
        }
    if factor.index is None:
        return {"constant": factor.name, "value": plain(factor.value)}
    place = {"iteration": factor.iteration, "t": factor.t, "index": list(factor.index)}
    return {"quantity": factor.name, **place, "value": plain(factor.value)}


def plain(value: float) -> float | str:
    """A number for JSON: NaN and infinities as strings."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


# Zero, in words


def zero_reason(debugger: Debugger, cell: CellAddress, explanation: Explanation) -> str | None:
    """Why a cell is 0, None when it is not, or when nothing more can be said than its terms show."""
    if explanation.value != 0 or explanation.line is None or not len(explanation.values):
        return None
    tape = debugger.tape(cell.iteration)
    if explanation.values.any():
        return f"0 because its {len(explanation.values)} terms cancel"
    if explanation.line.equation.accumulate or len(explanation.values) > 1:
        whole = _whole_unit(tape, cell, explanation)
        if whole:
            return f"0 because {whole}"
    (first, *_), _, _ = explanation.largest(1)
    return next((f"0 because {reason}" for factor in first.factors if (reason := _factor_zero(tape, factor))), None)


def _factor_zero(tape: Tape, factor: Factor) -> str | None:
    """Why one factor is 0."""
    if factor.value != 0:
        return None
    if factor.name == MASK and factor.index is not None:
        return f"step {factor.t} is padding: sample {factor.index[0]} has ended"
    if factor.name == CARRIED and not factor.of:
        return f"no loss is {(tape.plan.network.truncate or 0) + 1} steps away"
    if factor.of:
        inner = factor.of[0]
        function = FUNCTIONS.get(factor.derivative)
        if function is not None and function.off:
            return f"{_text(inner)} ≤ 0 ({function.label} off)"
        return f"{factor.name} of {_text(inner)} is 0"
    return f"{_text(factor)} is 0" if factor.index is not None else None


def _text(factor: Factor) -> str:
    when = "" if factor.t is None else f"@{factor.t}"
    return f"{factor.name}{when}[{','.join(map(str, factor.index or ()))}]"


def _whole_unit(tape: Tape, cell: CellAddress, explanation: Explanation) -> str | None:
    """Why a sum is 0 in which one unit of a quantity is 0 at every step and sample: its function was off, or its values are just 0."""
    assert explanation.equation is not None
    for name in _summed_names(explanation.equation.expression):
        quantity = tape.plan.program.quantities.get(name.name)
        if quantity is None or not of_units(quantity.axes) or not quantity.rows or not cell.index:
            continue
        values = _rows(tape, name, cell, explanation)
        for unit in dict.fromkeys((cell.index[-1], cell.index[0])):
            if unit >= values.shape[2] or values[:, :, unit].any():
                continue
            argument, label = _switch(tape, name.name)
            where = "at every t" if len(values) > 1 else f"at t = {cell.t}"
            if argument and (_rows(tape, Name(argument, name.step), cell, explanation)[:, :, unit] <= 0).all():
                return f"unit {unit} was off {where} for every sample ({label})"
            return f"{name.name}[·,{unit}] is 0 {where} for every sample"
    return None


def _summed_names(expression: Expression) -> list[Name]:
    return [node for node in walk(expression) if isinstance(node, Name)]


def _rows(tape: Tape, name: Name, cell: CellAddress, explanation: Explanation) -> Array:
    """The rows of a quantity that a sum reads, (steps, B, H)."""
    quantity = tape.plan.program.quantities[name.name]
    assert explanation.line is not None
    steps = tape.plan.program.summed(explanation.line, cell.reached)
    if not explanation.line.equation.accumulate or cell.one_step:
        at = (
            tape.plan.steps
            if cell.t is None
            else cell.t - (0 if explanation.line.equation.accumulate else explanation.line.equation.step)
        )
        steps = range(at, at + 1)
    return tape[name.name][[quantity.row(t + name.step) for t in steps]]


def _switch(tape: Tape, name: str) -> tuple[str | None, str]:
    """The argument whose sign decides whether a quantity is 0, and the function: of a state, or of a gradient that passed through it."""
    for line in tape.plan.program.writers(name):
        for node in walk(rewrite(line.equation.expression, _as_call)):
            if isinstance(node, Call) and FUNCTIONS[node.function].off:
                argument = node.arguments[0]
                if isinstance(argument, Name):
                    return argument.name, FUNCTIONS[node.function].label
            if isinstance(node, Binary) and node.operator == ">" and isinstance(node.left, Name):
                return node.left.name, f"{node.left.name} > 0"
    return None, ""


def _as_call(node: Expression) -> Expression | None:
    """f'(u) as f(u), which is off at the same places."""
    return Call(node.function, node.arguments) if isinstance(node, Derivative) else None


def cell_of(factor: Factor) -> CellAddress | None:
    """The address of a factor's cell, to follow it; None for constants and functions."""
    if factor.index is None or factor.of or factor.iteration is None:
        return None
    return CellAddress(factor.name, factor.iteration, factor.t, factor.index)


def operands(term: Term) -> list[CellAddress]:
    """The cells in a term, those inside functions too."""
    cells: list[CellAddress] = []
    for factor in term.factors:
        for inner in (factor, *factor.of):
            cell = cell_of(inner)
            if cell is not None and cell not in cells:
                cells.append(cell)
    return cells
