"""Which line is to blame for the first wrong value: the line itself, or that of an operand that is a right value, but
not the one needed there.

Of a right line the operands suffice to compute what it should make, by the reference's own equations. Where they do not, but would if one
of them were another quantity of the step, that one is to blame: it was carried on unchanged, or lacks what flows in from elsewhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.doctor.judge.expecting import expected, operands
from engine.doctor.judge.timeline import ComparedValue, Timeline
from engine.doctor.vocabulary.targets import read_names
from engine.language.equation import Equation

GradientAt = tuple[str, int | None]
"""A gradient by its name, at a step (None: outside time)."""


@dataclass
class _Available:
    """What a line has: gradients with their steps, other quantities by name; `anything` where it reads what was not recognised."""

    gradients: set[GradientAt]
    others: set[str]
    anything: bool = False
    replaced: GradientAt = ("", None)
    used: set[GradientAt] = field(default_factory=set[GradientAt])


def blamed(line_up: Timeline, first: ComparedValue) -> tuple[ComparedValue, GradientAt] | None:
    """The value whose line is to blame for the first wrong one, and what it should be; None where that is the line itself."""
    if (found := _handed_on(line_up, first)) is not None:
        return found
    reads = _reads(line_up, first)
    received = [own for _, own in reads if _gradients(own)]
    has = _available(line_up, first, reads)
    wanted = list(_wanted(line_up, first))
    if not received or any(_all_from(line_up, steps, has) for steps in wanted):
        return None
    if not wanted and any(_uses_all(line_up, step, has) for step in _of_step(line_up, received)):
        return None
    wanted = wanted or [(step,) for step in _of_step(line_up, received)]
    asked = {step for steps in wanted for step in steps}
    for name, own in sorted(reads, key=lambda pair: -pair[1].event.number):
        if own in received and not _is_right_elsewhere(line_up, first, name, own):
            rest = _available(line_up, first, [(n, o) for n, o in reads if o is not own])
            for better in _replaced(line_up, own, rest, received, asked):
                if any(_all_from(line_up, steps, better) and better.replaced in better.used for steps in wanted):
                    return _origin(line_up, own), better.replaced
    return None


def _handed_on(line_up: Timeline, first: ComparedValue) -> tuple[ComparedValue, GradientAt] | None:
    """An operand that a line has only handed on, though the reference makes something of it before it is read here."""
    name, t = expected(line_up, first)
    needed = {
        (read.name, None if t is None else t - equation.step + read.step)
        for equation in _lines(line_up).get(name, ())
        for read in equation.reads
    }
    reads = [own for _, own in operands(line_up, first)]
    for own in reads:
        known, site = _gradients(own), own.event.site
        if site.plain and site.loops and own.event.target and known and needed and not needed & known:
            there = {step for other in reads if other is not own for step in _gradients(other)}
            return own, min((step for step in needed - there if step[0].startswith("d")), default=(name, t))
    return None


def _replaced(
    line_up: Timeline, own: ComparedValue, rest: _Available, received: list[ComparedValue], asked: set[GradientAt]
) -> Iterator[_Available]:
    """What there would be if one of the gradients that an operand is were another one of the step."""
    theirs = _gradients(own)
    apart = {step for step in theirs if len([n for n, t in theirs if t == step[1]]) > 1 and " " in _title(own)}
    for gone in apart or {None}:
        kept = {*rest.gradients, *(step for step in theirs if apart and step != gone)}
        for other in _of_step(line_up, received):
            if other not in theirs and (apart or other not in asked):
                yield _Available({*kept, other}, rest.others, rest.anything, other)


def _title(seen: ComparedValue) -> str:
    return next((m.entry.name for m in seen.matches if m.entry.is_gradient), "")


def _reads(line_up: Timeline, first: ComparedValue) -> list[tuple[str, ComparedValue]]:
    """The operands of a line, as they were assigned in the same call of its function, and the arguments of that call."""
    k, function = line_up.index(first), first.event.site.function
    arguments = list(_arguments(line_up, first))
    start = 0
    if arguments:  # in a helper, whose earlier calls do not count
        start = max(
            (s.event.number for s in line_up.seen[:k] if s.event.site.function != function and not _inner(s, function)),
            default=0,
        )
    found = [(name, own) for name, own in operands(line_up, first) if own.event.number >= start]
    return [*((n, o) for n, o in found if not _is_stale(line_up, first, n, o)), *arguments]


def _inner(seen: ComparedValue, function: str) -> bool:
    """Whether a value was made in what the function may call itself: a place that reads none of what a caller has."""
    return seen.event.site.kind == "return" or (seen.is_part and seen.event.site.function == function)


def _is_stale(line_up: Timeline, first: ComparedValue, name: str, own: ComparedValue) -> bool:
    """Whether the name stands for something else by then, such as a number."""
    between = (e for e in line_up.events if own.event.number < e.number < first.event.number)
    return any(
        e.target == name and e.site.kind == "assign" and e.site.function == own.event.site.function and e.array is None
        for e in between
    )


def _is_right_elsewhere(line_up: Timeline, first: ComparedValue, name: str, own: ComparedValue) -> bool:
    """Whether another line makes a right gradient of the same operand."""
    for later in line_up.seen[line_up.index(own) + 1 :]:
        site = later.event.site
        if site.function != own.event.site.function or later.is_part:
            continue
        if later.event.target == name and site.kind == "assign":
            return False
        if site is not first.event.site and name in read_names(site.source) and later.right and _gradients(later):
            return True
    return False


def _arguments(line_up: Timeline, first: ComparedValue) -> Iterator[tuple[str, ComparedValue]]:
    """Of a line in a helper the arguments of its call, where they were recorded: the gradients among them are all that it is given."""
    k, function = line_up.index(first), first.event.site.function
    after = next((s for s in line_up.seen[k:] if _calls(s, function) and s.event.site.function != function), None)
    if after is None:
        return
    caller, callee = after.event.site.function, function.rpartition(".")[2]
    calls = [n for n in ast.walk(ast.parse(after.event.site.source, mode="eval")) if isinstance(n, ast.Call)]
    texts = {ast.unparse(a) for n in calls if ast.unparse(n.func).rpartition(".")[2] == callee for a in n.args}
    before = [s for s in line_up.seen[:k] if s.event.site.function == caller]
    for text in sorted(texts):
        own = (s for s in reversed(before) if text in (s.event.site.source if s.is_part else "", s.event.target))
        if (found := next(own, None)) is not None:
            yield text, found


def _calls(seen: ComparedValue, function: str) -> bool:
    source = seen.event.site.source
    return not seen.is_part and f"{function.rpartition('.')[2]}(" in source


def _gradients(seen: ComparedValue) -> set[GradientAt]:
    """The gradients that a value is."""
    own = (m.entry for m in seen.matches if m.entry.is_gradient and m.entry.kind == "value")
    return {(name, entry.t) for entry in own for name in entry.quantities}


def _available(line_up: Timeline, first: ComparedValue, reads: list[tuple[str, ComparedValue]]) -> _Available:
    known = {name for name, _ in reads}
    others = {name for _, own in reads for m in own.matches if not m.entry.is_gradient for name in m.entry.quantities}
    derived = {m.entry.name for _, own in reads for m in own.matches if m.entry.kind == "derivative"}
    scales = line_up.scales
    unknown = [name for name in read_names(first.event.site.source) - known if name not in ("np", "numpy")]
    recorded = {own.event.target.partition("[")[0] for own in line_up.seen[: line_up.start]}
    loose = [name for name in unknown if scales.names.parameter(name) is None and name in recorded]
    loose += [name for name, own in reads if not own.matches or own.event.site.kind == "append"]
    return _Available({step for _, own in reads for step in _gradients(own)}, others | derived, bool(loose))


def _wanted(line_up: Timeline, first: ComparedValue) -> Iterator[tuple[GradientAt, ...]]:
    """What the line should make there: what it makes where it is right, else the gradients that its target is called."""
    own = [s for s in line_up.by_site[first.event.site] if s.event.sample == first.event.sample]
    k = own.index(first)
    right = [(j, s) for j, s in enumerate(own[:k]) if s.right and _gradients(s)]
    if right:
        j, seen = right[-1]
        for match in seen.matches:
            entry = match.entry
            if entry.is_gradient and entry.kind == "value" and entry.t is not None:
                yield tuple((name, entry.t - (k - j)) for name in entry.quantities)
    elif meant := line_up.meant(first.event.target) if first.event.target else None:
        t = expected(line_up, first)[1]
        yield tuple((f"d{name}", t) for name in sorted(meant))


def _of_step(line_up: Timeline, received: list[ComparedValue]) -> Iterator[GradientAt]:
    """The gradients that have samples, at the steps of what is received and at the one before."""
    times = {t for seen in received for _, t in _gradients(seen) if t is not None}
    quantities = line_up.reference.problem.tape.plan.program.quantities
    for t in sorted({*times, *(t - 1 for t in times)}, reverse=True):
        for name, quantity in quantities.items():
            if name.startswith("d") and quantity.rows and quantity.axes == ("B", "H"):
                yield name, t


def _all_from(line_up: Timeline, steps: tuple[GradientAt, ...], has: _Available) -> bool:
    """Whether gradients can be computed from what there is, by the reference's equations."""
    has.used.clear()
    return all(_from(line_up, step, has, top=True) for step in steps)


def _from(line_up: Timeline, target: GradientAt, has: _Available, *, depth: int = 8, top: bool = False) -> bool:
    name, t = target
    if target in has.gradients and not (top and has.replaced == target):
        has.used.add(target)
        return True
    # What an earlier step hands over is not made in this one.
    own = [line for line in _lines(line_up).get(name, ()) if top or line.step == 0]
    if depth == 0:
        return False
    for equation in own:
        step = None if t is None else t - equation.step
        if all(_have(line_up, n.name, n.step, step, has, depth) for n in equation.reads):
            return True
    return False


def _have(line_up: Timeline, name: str, shift: int, t: int | None, has: _Available, depth: int) -> bool:
    if name.startswith("d") and name in line_up.reference.problem.tape:
        return _from(line_up, (name, None if t is None else t + shift), has, depth=depth - 1)
    problem = line_up.reference.problem
    if has.anything or name in has.others or name in problem.parameters or name in ("x", "mask", "cut", "N"):
        return True
    made = _lines(line_up).get(name, ())
    return any(all(n.name in has.others for n in equation.reads) for equation in made)


def _uses_all(line_up: Timeline, target: GradientAt, has: _Available) -> bool:
    return target not in has.gradients and _all_from(line_up, (target,), has) and has.used >= has.gradients


def _lines(line_up: Timeline) -> Mapping[str, list[Equation]]:
    found: dict[str, list[Equation]] = {}
    for line in line_up.reference.problem.tape.plan.program.lines:
        found.setdefault(line.name, []).append(line.equation)
    return found


def _origin(line_up: Timeline, seen: ComparedValue) -> ComparedValue:
    """Where a value was given its name: of what a function returned the line inside it."""
    k, value = line_up.index(seen), np.asarray(seen.event.value)
    function = seen.event.site.function
    inside = [
        s
        for s in line_up.seen[max(0, k - 60) : k]
        if s.event.site.function != function
        and s.event.site.kind in ("assign", "return")
        and s.event.array is not None
        and np.array_equal(s.event.array, value)
    ]
    return inside[-1] if inside and seen.event.site.names else seen
