"""Why the program has stopped: the breakpoints that apply at the present point, with the values that their conditions compare."""

from __future__ import annotations

import ast

from engine.debug.breakpoints import Breakpoint, named, names_of, shown, value_at
from engine.debug.debugger import Debugger
from engine.debug.predicates import WORDS, parse
from engine.language.expression import ExpressionError


def reasons(debugger: Debugger, *, one: bool = False) -> list[str]:
    """A text for each breakpoint that stops at the present point: `norm(dz) = 0.00093 · dz if norm(dz) < 1e-3`. Where `one` sample is
    looked at, what is of all samples is called so.
    """
    if debugger.position == 0:
        return []
    program = debugger.program
    iteration, offset = divmod(debugger.position - 1, program.length)
    stops = sorted(debugger.stopping_at(iteration, offset), key=lambda stop: stop.text(program))
    return [reason(debugger, stop, one=one) for stop in stops]


def reason(debugger: Debugger, stop: Breakpoint, *, one: bool = False) -> str:
    """The text for one that applies at the present point, which is not the start."""
    return " · ".join([*_values(debugger, stop, one), stop.text(debugger.program)])


def _values(debugger: Debugger, stop: Breakpoint, one: bool) -> list[str]:
    """`source = value` for everything that is compared, or watched."""
    iteration, offset = divmod(debugger.position - 1, debugger.program.length)
    tape, lines = debugger.tape(iteration), debugger.lines
    sources = [stop.watch[0].source] if stop.watch else _compared(stop.condition.source) if stop.condition else []
    result: list[str] = []
    for source in sources:
        try:
            expression = parse(source, names_of(debugger.program))
        except ExpressionError:  # a part that means something only within the whole
            continue
        now = shown(value_at(expression, tape, iteration, offset, lines, stop.sample))
        if stop.watch and offset:
            now += f", {shown(value_at(expression, tape, iteration, offset - 1, lines))} before"
        result.append(f"{named(expression, stop.sample, tape, looked_at=one)} = {now}")
    return result


def _compared(source: str) -> list[str]:
    """The sides of a condition's comparisons that are no mere numbers."""
    sides = [
        side
        for node in ast.walk(ast.parse(source.strip(), mode="eval"))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
    ]
    found = [ast.get_source_segment(source.strip(), side) or "" for side in sides if _reads(side)]
    return list(dict.fromkeys(text for text in found if text))


def _reads(side: ast.expr) -> bool:
    """Whether a quantity is read in it; where the program is (`t`, `iteration`) can be seen without."""
    return any(isinstance(node, ast.Name) and node.id not in WORDS for node in ast.walk(side))
