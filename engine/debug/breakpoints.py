"""Breakpoints: how people write them, and the points of an iteration at which they stop.

dz                       on a line            dz@7                 where row 7 of dz is written       @7   on a time step
dz if norm(dz) < 1e-3    with a condition     if any(isnan(z))     wherever what it reads changes
dz sample 3              for one sample       dz hit 5             the fifth time only
dz log t, norm(da)       prints and goes on   watch Wa[2,3] sign   a cell changes sign, becomes zero, becomes nan
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from engine.debug.conditions import Predicate
from engine.debug.predicate_values import evaluate
from engine.debug.predicates import FUNCTIONS, parse
from engine.debug.stops import Lines, TapePoints, by_sample, holds, spread, states
from engine.errors import InputError
from engine.language.expression import ExpressionError
from engine.language.functions import Array
from engine.model.blocks import Line
from engine.model.program import Program
from engine.recording.tape import Tape
from engine.text import clean, listed_near, whole_number

Change = Literal["sign", "zero", "nan"]
CHANGES: Mapping[str, str] = {"sign": "changes its sign", "zero": "becomes zero", "nan": "becomes NaN"}
FORM = "write for example: dz, dz@7, @7, dz if norm(dz) < 1e-3, if any(isnan(z)), dz sample 3, dz hit 5, dz log t, watch Wa[2,3] sign"


@dataclass(frozen=True)
class Breakpoint:
    """Stops at a line, by its place in the program, or (None) at any; with `t` only where it writes the row of that step.

    Without a line `t` is a step of the loops.

    `sample` is an index into the data: only where that sample is worked on, and what is compared and printed is of its rows alone, but for
    cells, which are those of the batch as everywhere. `condition` must hold. `hit` stops only that time, counted from the very first point.
    With `log` nothing stops: the expressions are printed. `watch` makes it a watchpoint: stops where the one number that it reads changes
    in that way.
    """

    block: int | None = None
    index: int | None = None
    t: int | None = None
    sample: int | None = None
    condition: Predicate | None = None
    hit: int | None = None
    log: tuple[Predicate, ...] = ()
    watch: tuple[Predicate, Change] | None = None

    @property
    def fixed(self) -> bool:
        """Whether it stops at the same places in every iteration, whatever the numbers are."""
        return self.block is not None and self.sample is None and self.condition is None and self.hit is None

    def line(self, program: Program) -> Line | None:
        """The line it is set on."""
        return None if self.block is None or self.index is None else program.blocks[self.block].lines[self.index]

    def text(self, program: Program) -> str:
        """As people write it."""
        if self.watch is not None:
            return f"watch {self.watch[0].text} {self.watch[1]}"
        line = self.line(program)
        parts = [("" if line is None else line.name) + ("" if self.t is None else f"@{self.t}")]
        parts += [] if self.sample is None else [f"sample {self.sample}"]
        parts += [] if self.condition is None else [f"if {self.condition.text}"]
        parts += [] if self.hit is None else [f"hit {self.hit}"]
        parts += [f"log {', '.join(logged.text for logged in self.log)}"] if self.log else []
        return " ".join(part for part in parts if part)


# As people write it


_CLAUSES = re.compile(r"(?:^|\s)(sample|if|hit|log)\s")


def names_of(program: Program) -> dict[str, None]:
    """Every name that a condition may read."""
    return dict.fromkeys((*program.quantities, *program.parameters, *program.updates))


def parse_breakpoint(text: str, program: Program, samples: int, spelt: Callable[[str], str] = str) -> list[Breakpoint]:
    """The breakpoints that `text` means: more than one where several lines write the quantity. InputError, with names as they are `spelt`,
    when it means none."""
    if text.startswith("watch "):
        return [_watch(text, program, spelt)]
    pieces = _CLAUSES.split(text.strip())
    place, clauses = pieces[0].strip(), dict(zip(pieces[1::2], pieces[2::2], strict=True))
    if len(clauses) != len(pieces) // 2:
        raise InputError(f"the breakpoint {clean(text, 60)} says something twice; {FORM}")
    if set(place) & set("<>=(") or place.split()[:1] in ([word] for word in FUNCTIONS):  # a condition without a line
        both = f"({place}) and ({clauses['if'].strip()})" if "if" in clauses else place
        others = "".join(f" {word} {said.strip()}" for word, said in clauses.items() if word != "if")
        return parse_breakpoint(f"if {both}{others}", program, samples, spelt)
    name, _, time = place.partition("@")
    steps = program.steps_of(name.strip()) or range(1, program.steps + 1)
    t = _whole(time, "the time step", steps[0], steps[-1]) if time else None
    sample = _whole(clauses["sample"], "the sample", 0, samples - 1) if "sample" in clauses else None
    hit = _whole(clauses["hit"], "the hit count", 1, 10**9) if "hit" in clauses else None
    names = names_of(program)
    condition = _expression(clauses["if"].strip(), names, spelt) if "if" in clauses else None
    log = (
        tuple(_expression(part.strip(), names, spelt) for part in _separated(clauses["log"]))
        if "log" in clauses
        else ()
    )
    if not name.strip():
        if t is None and condition is None and sample is None:
            raise InputError(
                f"the breakpoint {clean(text, 60) or '(empty)'} names no line, time step or condition; {FORM}"
            )
        return [Breakpoint(None, None, t, sample, condition, hit, log)]
    lines = list(program.writers(name.strip()))
    if not lines:
        known = listed_near(name.strip(), (spelt(line.name) for line in program.lines))
        raise InputError(f"the breakpoint {clean(text, 60)} names no line; there are {known}")
    fitting = [line for line in lines if t is None or program.runs_at(line, t - line.equation.step)]
    if not fitting:
        raise InputError(f"no line ever writes {spelt(name.strip())}@{t}")
    return [Breakpoint(line.block, line.index, t, sample, condition, hit, log) for line in fitting]


def _watch(text: str, program: Program, spelt: Callable[[str], str]) -> Breakpoint:
    source, _, change = text.removeprefix("watch ").strip().rpartition(" ")
    for known in CHANGES:
        if change == known and source.strip():
            return Breakpoint(watch=(_expression(source.strip(), names_of(program), spelt), known))  # pyright: ignore[reportArgumentType]
    raise InputError(
        f"the watchpoint {clean(text, 60)} must end with one of {', '.join(CHANGES)}, as in: watch Wa[2,3] sign"
    )


def condition_of(text: str, program: Program, spelt: Callable[[str], str] = str) -> Predicate:
    """A condition without a line; InputError, with names as they are `spelt`, when the text is not one."""
    return _expression(text, names_of(program), spelt)


def _separated(text: str) -> list[str]:
    """Expressions with commas between them, where a comma inside brackets separates nothing."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _whole(text: str, what: str, low: int, high: int) -> int:
    number = whole_number(text.strip(), low, high)
    if number is None:
        raise InputError(
            f"{what} must be a whole number from {low} to {high}, not {clean(text.strip(), 30) or '(empty)'}"
        )
    return number


def _expression(source: str, names: Mapping[str, Any], spelt: Callable[[str], str]) -> Predicate:
    try:
        return parse(source, names, spelt)
    except ExpressionError as error:
        raise InputError(clean(str(error), 400)) from None


# Where it stops


def hits(stop: Breakpoint, tape: Tape, iteration: int, lines: Lines) -> Array:
    """The offsets of an iteration at which a breakpoint applies, in order; its hit count is not looked at.

    Raises InputError when its expression makes no sense on these shapes.
    """
    try:
        return _watched(stop, tape, iteration, lines) if stop.watch else _hits(stop, tape, iteration, lines)
    except ExpressionError as error:
        raise InputError(clean(str(error), 400)) from None


def check_fit(stop: Breakpoint, tape: Tape, iteration: int, lines: Lines) -> None:
    """InputError where a condition makes no sense on these shapes, which one point shows."""
    try:
        if stop.condition is not None:
            holds(stop.condition, tape, iteration, np.array([lines.program.length - 1]), lines)
    except ExpressionError as error:
        raise InputError(clean(str(error), 400)) from None


def _hits(stop: Breakpoint, tape: Tape, iteration: int, lines: Lines) -> Array:
    row = row_of_sample(stop.sample, tape)
    if stop.sample is not None and row is None:
        return np.zeros(0, np.int64)
    offsets = _candidates(stop, lines)
    if row is not None and tape.lengths is not None:
        offsets = offsets[~(lines.t[offsets] > tape.lengths[row])]
    if stop.condition is not None:
        offsets = offsets[holds(stop.condition, tape, iteration, offsets, lines, row)]
    return offsets


def row_of_sample(sample: int | None, tape: Tape) -> int | None:
    """The row of a sample of the data in the batch."""
    if sample is None or tape.samples is None:
        return sample
    rows = np.flatnonzero(tape.samples == sample)
    return int(rows[0]) if rows.size else None


def _candidates(stop: Breakpoint, lines: Lines) -> Array:
    program = lines.program
    line = stop.line(program)
    if line is not None:
        block = program.block_range(line.block)
        runs = np.arange(block.start + line.index, block.stop, program.run_length(line))
        return runs if stop.t is None else runs[lines.t[runs] + line.equation.step == stop.t]
    if stop.t is not None:  # the first line of that step, in every block
        at = np.flatnonzero(lines.t == stop.t)
        first = np.ones(len(at), bool)
        first[1:] = lines.block[at[1:]] != lines.block[at[:-1]]
        return at if stop.condition is not None else at[first]
    if stop.condition is None:
        return np.array([0])  # only a sample is given: the start of each of its iterations
    changed = states(stop.condition, lines)
    return changed[changed >= 0]


def _watched(stop: Breakpoint, tape: Tape, iteration: int, lines: Lines) -> Array:
    assert stop.watch is not None
    predicate, change = stop.watch
    at = states(predicate, lines)
    values, exists = _numbers(predicate, tape, iteration, at, lines)
    with np.errstate(all="ignore"):
        before, after = values[:-1], values[1:]
        known = exists[:-1] & exists[1:]
        changed = {
            "sign": known & (np.sign(before) * np.sign(after) < 0),
            "zero": exists[1:] & (after == 0) & ~(exists[:-1] & (before == 0)),
            "nan": exists[1:] & np.isnan(after) & ~(exists[:-1] & np.isnan(before)),
        }[change]
    return at[1:][changed]


def _numbers(predicate: Predicate, tape: Tape, iteration: int, at: Array, lines: Lines) -> tuple[Array, Array]:
    size = 1 if any(read.all_rows for read in predicate.reads) else 4096
    arrays: list[Array] = []
    exists: list[Array] = []
    for start in range(0, len(at), size):
        value = evaluate(predicate, TapePoints(tape, iteration, at[start : start + size], lines))
        if value.array.ndim != 1 or value.array.dtype.kind not in "fiu":
            raise predicate.error("a watchpoint needs one number, a cell for example", 1)
        arrays.append(value.array.astype(np.float64))
        exists.append(value.exists)
    return np.concatenate(arrays), np.concatenate(exists)


def everywhere(condition: Predicate, tape: Tape, iteration: int, lines: Lines) -> Array:
    """(points of an iteration,) booleans: whether a condition holds at each point. Raises InputError when it does not fit the shapes."""
    try:
        at = states(condition, lines)
        return spread(holds(condition, tape, iteration, at, lines), at, lines.program.length)
    except ExpressionError as error:
        raise InputError(clean(str(error), 400)) from None


def of_sample(stop: Breakpoint, sample: int | None, tape: Tape) -> Breakpoint:
    """A breakpoint that names no sample for this one of the data, if what it compares or prints differs from sample to sample."""
    said = [*([stop.condition] if stop.condition else []), *stop.log]
    differs = any(_differs(expression, tape) for expression in said)
    return replace(stop, sample=sample) if stop.sample is None and differs else stop


def value_at(
    expression: Predicate, tape: Tape, iteration: int, offset: int, lines: Lines, sample: int | None = None
) -> Array | str | None:
    """What a watch expression is at one point: an array (0-d for a number), or None while something is not computed; of one sample of the
    data, if that is given and in the batch.

    A text where the expression makes no sense there.
    """
    try:
        points = TapePoints(tape, iteration, np.array([offset]), lines, row_of_sample(sample, tape))
        value = evaluate(expression, points)
    except ExpressionError as error:
        return clean(str(error), 200)
    return np.asarray(value.array[0]) if value.exists[0] else None


def messages(stop: Breakpoint, tape: Tape, iteration: int, offset: int, lines: Lines) -> list[str]:
    """What a logpoint prints at a point: `expression = value` for each of its expressions."""
    return [
        f"{named(each, stop.sample, tape)} = {shown(value_at(each, tape, iteration, offset, lines, stop.sample))}"
        for each in stop.log
    ]


def named(expression: Predicate, sample: int | None, tape: Tape, *, looked_at: bool = False) -> str:
    """What the value of an expression is called: its text, and where that makes a difference, of which sample of the data it is; of all,
    where one of them is looked at.
    """
    whose = f"sample {sample}" if sample is not None else "all samples" if looked_at else ""
    return f"{expression.text} of {whose}" if whose and _differs(expression, tape) else expression.text


def _differs(expression: Predicate, tape: Tape) -> bool:
    return any(by_sample(read.name, tape) for read in expression.over_samples)


def shown(value: Array | str | None) -> str:
    """A watched value in a few characters."""
    if value is None:
        return "not computed yet"
    if isinstance(value, str):
        return value
    if value.ndim == 0:
        return str(value) if value.dtype.kind in "Ub" else f"{float(value):.6g}".replace("-", "−")
    low, high = (float(np.nanmin(value)), float(np.nanmax(value))) if value.size and value.dtype.kind == "f" else (0, 0)
    return f"{'×'.join(map(str, value.shape))}, {low:.3g} … {high:.3g}".replace("-", "−")
