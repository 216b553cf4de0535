"""Points as people name them: `7`, `step 7`, `backward 7`, `dz@7`, `da@3[2,4]`, `p[5]`, `sample 5`, `loss`, `iteration 3`, `start`.

`q@k` is row k of q, here as everywhere; a step without a name is a step of the loop. With fewer indices than q has axes, the first
number of that row is meant; `dWa@3,2[1,3]` is what row 2 of the batch adds at step 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from engine.debug.breakpoints import Breakpoint, check_fit, condition_of, hits, of_sample, row_of_sample
from engine.debug.debugger import Debugger
from engine.debug.predicates import FUNCTIONS
from engine.errors import InputError
from engine.language.derive import CUT, FULL, NEXT, OUT, gradient
from engine.model.blocks import PHASES, START, Line
from engine.model.program import Program, when_written
from engine.notation.layout import Layout
from engine.text import clean, listed_near

FURTHEST = 1000
"""Iterations to train for one move at most; more would look like a frozen screen."""

LOOKED_THROUGH = 5
"""Iterations, the present one among them, that are looked through for a condition."""

ROWS = Layout()

NUMBER = (3, 2, 4)
"""Step, row and column of the number that is an example."""

NUMBERED = ("iteration", "sample", "step", "t")
"""Words that say nothing without a number."""

_WORD = re.compile(
    r"iteration\s*=?\s*(?P<iteration>\d{1,9})(?!\d)|sample\s*=?\s*(?P<sample>\d{1,9})(?!\d)"
    r"|(?:t|step)?\s*=?\s*@?(?P<t>\d{1,9})(?!\d)(?:\s*,\s*(?P<row>\d{1,9})(?!\d))?|(?P<word>[A-Za-z_]\w{0,39})"
    r"|\[\s*(?P<index>\d{1,9}(\s*,\s*\d{1,9}){0,2})(\s*,\s*:)*\s*\]",
    re.ASCII,
)


@dataclass(frozen=True)
class Destination:
    """Where a name leads: a position, and the quantity, its row and the cell (in the engine's order) that were named; the sample's row
    in the batch; what holds there."""

    position: int
    name: str | None = None
    t: int | None = None
    index: tuple[int, ...] = ()
    sample: int | None = None
    holds: Breakpoint | None = None


@dataclass
class _Typed:
    iteration: int | None = None
    t: int | None = None
    sample: int | None = None
    row: int | None = None
    index: tuple[int, ...] = ()
    words: list[str] = field(default_factory=list[str])


def number_named(debugger: Debugger, layout: Layout = ROWS, spelt: Callable[[str], str] = str) -> str:
    """The name of a number that there is: `da@3[2,4]`, or nearer the beginning where this model is smaller."""
    name = gradient(debugger.program.output)
    sizes = layout.sizes(debugger.program.quantities[name].axes, debugger.plan.sizes)
    t, *index = map(min, NUMBER, (debugger.program.steps, *(size - 1 for size in sizes)))
    return f"{spelt(name)}@{t}[{','.join(map(str, index))}]"


def sought(text: str, debugger: Debugger, spelt: Callable[[str], str] = str, sample: int | None = None) -> Breakpoint:
    """What stops where a condition holds, for a sample of the data where that makes a difference; InputError, with names as they are
    `spelt`, when the text is none, or gives no truth value."""
    iteration = max(0, debugger.position - 1) // debugger.program.length
    tape = debugger.tape(iteration)
    stop = of_sample(Breakpoint(condition=condition_of(text, debugger.program, spelt)), sample, tape)
    check_fit(stop, tape, iteration, debugger.lines)
    return stop


def first_where(
    text: str, debugger: Debugger, spelt: Callable[[str], str] = str, sample: int | None = None
) -> Destination:
    """The first point after the present one at which a breakpoint with this condition would stop, in this iteration or the next: where
    what it reads is computed and it holds, for a sample of the data where that makes a difference. InputError, with names as they are
    `spelt`, when there is none."""
    stop, program = sought(text, debugger, spelt, sample), debugger.program
    here = debugger.position
    first = max(0, here - 1) // program.length
    for iteration in range(first, first + LOOKED_THROUGH):
        positions = 1 + iteration * program.length + hits(stop, debugger.tape(iteration), iteration, debugger.lines)
        if (after := positions[positions > here]).size:
            return Destination(int(after[0]), holds=stop, sample=row_of_sample(stop.sample, debugger.tape(iteration)))
    whose = "" if stop.sample is None else f" for sample {stop.sample}"
    raise InputError(f"{clean(text, 60)} holds nowhere after this point in the next {LOOKED_THROUGH} iterations{whose}")


def parse_place(text: str, debugger: Debugger, layout: Layout = ROWS, spelt: Callable[[str], str] = str) -> Destination:
    """The place that `text` names, what it leaves open being taken from the present point; InputError, with names as they are `spelt`,
    when there is none.

    The cell is written as the array lies in `layout`.

    A time step alone goes to where that step is computed in the present pass, to the last line that writes a row of it: what it hands on
    to the next step has the number of that one. A quantity with a step goes to the line that writes that row,
    or to the first line that reads what no line writes.
    """
    number = number_named(debugger, layout, spelt)
    typed = _words(text, number)
    if START in typed.words:
        return Destination(0)
    program, point = debugger.program, debugger.program.point(debugger.position)
    phase = next((word for word in typed.words if word in PHASES), None)
    name = next((word for word in typed.words if word not in PHASES), "loss" if phase == "loss" else None)
    _check_step(program, name, typed.t, spelt)
    if typed.iteration is not None and typed.iteration > point.iteration + FURTHEST:
        raise InputError(
            f"iteration {typed.iteration} is far away: every one before it must be trained; go at most {FURTHEST} on at a time"
        )
    iteration = point.iteration if typed.iteration is None else typed.iteration
    base = 1 + iteration * program.length
    sample = _row_of_sample(debugger, iteration, typed)
    if name is None and typed.index:
        raise InputError(f"{clean(text, 40)} names a cell but no quantity; write for example: {number}")
    if name is None and phase is None and typed.t is None:
        if sample is not None and typed.iteration is None:
            return Destination(debugger.position, sample=sample)
        if typed.iteration is None:
            raise InputError(f"name a number, a time step, a phase, a line or an iteration; {_for_example(number)}")
        return Destination(base, sample=sample)
    if name is not None:
        axes = debugger.plan.axes.get(name, ())
        row = typed.index + (0,) * (len(axes) - len(typed.index)) if typed.index else ()
        typed.index = layout.engine_index(row, axes)
        if not _known(program, name) and name not in program.updates:
            raise InputError(_unknown(name, typed.words, debugger, spelt))
        _check_index(debugger, name, typed, layout, spelt)
        offsets = _of_quantity(program, name, typed.t, phase, whole=bool(typed.index))
        fitting = offsets[:1]
    else:
        wanted = phase or (point.phase if point.phase in ("forward", "backward") else "forward")
        fitting = _of_step(program, typed.t, wanted)
    if not fitting:
        once = name is not None and typed.t is not None and _of_quantity(program, name, None, phase, whole=False)
        further = f"; {spelt(name or '')} is not in time" if once else ""
        raise InputError(f"no point of the program fits {clean(text, 40)}{further}")
    return Destination(base + fitting[0], name, typed.t, typed.index, sample)


def _row_of_sample(debugger: Debugger, iteration: int, typed: _Typed) -> int | None:
    """The row in an iteration's batch that is named, by its number there or by the sample's in the data."""
    batches, sample = debugger.batches, typed.sample
    if sample is None:
        size = len(batches.indices(iteration))
        if typed.row is not None and typed.row >= size:
            raise InputError(f"the batch has the rows 0 to {size - 1}, not {typed.row}")
        return typed.row
    if sample >= batches.samples:
        raise InputError(f"there are the samples 0 to {batches.samples - 1}, not {sample}")
    rows = np.flatnonzero(batches.indices(iteration) == sample)
    if not rows.size:
        raise InputError(f"sample {sample} is not in the batch of iteration {iteration}")
    return int(rows[0])


def _of_step(program: Program, t: int | None, phase: str) -> list[int]:
    """The offset of the last line in a phase that writes a row of a step; without a step the first one of the phase."""
    if t is None:
        return [program.offset(line) for line in program.lines if line.phase == phase][:1]
    lines = [
        line for line in program.lines if line.phase == phase and not line.equation.step and program.runs_at(line, t)
    ]
    return [max(program.offset(line, t) for line in lines)] if lines else []


def _of_quantity(program: Program, name: str, t: int | None, phase: str | None, *, whole: bool) -> list[int]:
    """The offsets at which a quantity's row t is written, else those at which it is read. `whole`: a sum over time when it is complete."""
    if name in program.updates and name not in program.parameters:
        return [program.update_offset(name)] if phase in (None, "update") else []
    written = [(line, line.equation.step) for line in program.writers(name)]
    derived = name not in program.quantities and name not in program.parameters and not written
    if derived:  # a flow without a line of its own: where the gradient is written that it is all of, or no part of
        when = when_written(program, name)
        return [int(when[0 if t is None else t - program.steps_of(name).start])]
    read = [(line, one.step) for line in program.lines for one in line.equation.reads if one.name == name]
    offsets = _runs(program, written, t, whole=whole) or _runs(program, read, t, whole=False)
    return [offset for offset in offsets if phase in (None, program.point(1 + offset).phase)]


def _runs(program: Program, lines: list[tuple[Line, int]], t: int | None, *, whole: bool) -> list[int]:
    if t is not None:
        return [program.offset(line, t - step) for line, step in lines if program.runs_at(line, t - step)]
    if whole:
        return [program.offset(line, program.summed(line)[-1]) for line, _ in lines]
    return [program.offset(line) for line, _ in lines]


def _known(program: Program, name: str) -> bool:
    names = {*program.quantities, *program.parameters, *(line.name for line in program.lines)}
    base = next((name.removesuffix(end) for end in (OUT, NEXT, FULL, CUT) if name.endswith(end)), name)
    quantity = program.quantities.get(base)
    return name in names or (
        base != name and quantity is not None and bool(quantity.rows) and name.endswith((OUT, NEXT))
    )


def _check_step(program: Program, name: str | None, t: int | None, spelt: Callable[[str], str]) -> None:
    quantity = None if name is None else program.quantities.get(name)
    steps = quantity.steps(program.steps) if quantity and quantity.rows else range(1, program.steps + 1)
    if t is not None and t not in steps:
        first = quantity.initial(program.steps) if quantity else None
        initial = "" if first is None else f", and {first} for the initial {spelt(name or '')}"
        raise InputError(f"there are the time steps 1 to {program.steps}{initial}, not {t}")


def _check_index(debugger: Debugger, name: str, typed: _Typed, layout: Layout, spelt: Callable[[str], str]) -> None:
    """Whether a quantity has the cell, which is said as it lies in `layout`."""
    if not typed.index:
        return
    tape = debugger.tape(max(0, debugger.position - 1) // debugger.program.length)
    quantity = debugger.program.quantities.get(name)
    in_time = bool(quantity and quantity.rows) or name not in (
        *debugger.program.quantities,
        *debugger.program.parameters,
        *debugger.program.updates,
    )
    shape = tape[name].shape[1:] if in_time else tape[name].shape
    axes = debugger.plan.axes.get(name, ())
    if in_time and typed.t is None:
        step, cell = (typed.index[0], typed.index[1:]) if len(typed.index) > len(shape) else (3, typed.index)
        place = f"{spelt(name)}@{step}[{','.join(map(str, layout.index(cell, axes)))}]"
        raise InputError(f"{spelt(name)} is in time; name the step too: {place}")
    if len(typed.index) != len(shape) or any(i >= size for i, size in zip(typed.index, shape, strict=True)):
        where = "" if typed.t is None else f"@{typed.t}"
        lying = layout.array(np.empty(shape), axes).shape
        raise InputError(
            f"{spelt(name)}{where} is {' × '.join(map(str, lying)) or 'one number'}, counted from 0; "
            f"it has no cell [{','.join(map(str, layout.index(typed.index, axes)))}]"
        )


def _for_example(number: str) -> str:
    return f"write for example: {number}, backward 1 or norm({number.partition('@')[0]}) < 0.1"


def _unknown(name: str, words: list[str], debugger: Debugger, spelt: Callable[[str], str]) -> str:
    """What is wrong with a word that no line is called, and what to write."""
    program = debugger.program
    if name in FUNCTIONS:
        of = next((word for word in words if _known(program, word)), gradient(program.output))
        return f"{name} takes brackets, and its value is compared: {name}({spelt(of)}) < 0.1"
    if name in NUMBERED:
        return f"{name} needs its number, for example: {name} 3"
    return f"there is no line {spelt(name)}; there are {listed_near(spelt(name), (spelt(line.name) for line in program.lines))}"


def _words(text: str, number: str) -> _Typed:
    typed = _Typed()
    rest = text.replace("@", " @").strip(" ,")
    while rest:
        match = _WORD.match(rest)
        if match is None:
            raise InputError(f"{clean(text, 40)} is not a place; {_for_example(number)}")
        if match["iteration"]:
            typed.iteration = int(match["iteration"])
        elif match["sample"]:
            typed.sample = int(match["sample"])
        elif match["t"]:
            if typed.t is not None:
                raise InputError(f"{clean(text, 40)} names two time steps; a cell is written in brackets: {number}")
            typed.t, typed.row = int(match["t"]), int(match["row"]) if match["row"] else None
        elif match["index"]:
            typed.index = tuple(int(part) for part in match["index"].split(","))
        else:
            typed.words.append(match["word"])
        rest = rest[match.end() :].strip(" ,")
    return typed
