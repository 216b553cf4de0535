"""Splits the lines of a loop over time into what runs before the loop, inside it and after it.

The expressions decide, and of factors how many numbers a step has:

* a line that no carried state needs runs *after* the loop, over many steps at once (dx, the weight gradients), in two halves that may run
  beside each other;
* of a line inside the loop, the addends or factors that read nothing from the loop are computed *before* it, over many
  steps at once, into the rows that the line writes (x_t·Wx + ba; the activation's derivative). Not so factors without a product of
  matrices where a step has many numbers: there it costs less to call something at every step than to fetch these once more from memory;
* the rest runs step by step, written in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from engine.language.derive import NEXT
from engine.language.equation import TIME, Equation
from engine.language.expression import (
    Binary,
    Call,
    Expression,
    Name,
    Number,
    Sum,
    addends,
    factors,
    names,
    product,
    rewrite,
    total,
    walk,
)
from engine.language.functions import CARRIED
from engine.model.blocks import Block, Line


@dataclass(frozen=True)
class Parts:
    """A looped block split into equations before, inside and after the loop over its steps."""

    before: list[Equation] = field(default_factory=list[Equation])
    inside: list[tuple[Equation, str]] = field(default_factory=list[tuple[Equation, str]])
    after: list[Equation] = field(default_factory=list[Equation])


def take_apart(block: Block, *, factors_first: bool) -> Parts:
    """Splits a looped block by which lines the carried values need, and moves what does not depend on them out of the loop, factors without
    a product of matrices only if `factors_first` says so."""
    handed_on = carried(block)
    depends = closure(handed_on, block.lines, forward=True)
    needed = closure(handed_on, block.lines, forward=False)
    parts = Parts()
    for line in block.lines:
        equation = line.equation
        if is_carried(equation):
            continue  # recorded before the loop
        if equation.accumulate or line.name not in needed:
            parts.after.append(equation)
        elif line.name not in depends:
            parts.before.append(equation)
        else:
            hoisted, rest, operator = _hoist(equation, depends, factors_first)
            if hoisted is not None:
                parts.before.append(hoisted)
            parts.inside.append((rest, operator))
    return parts


def halves(
    lines: Sequence[Equation], work: Callable[[Expression], int], shared: Callable[[Expression], Expression]
) -> list[list[Equation]]:
    """Lines in two parts with about as much `work` in each, or in fewer, which may run in any order or at once: none reads what another one
    writes, and what is computed once for several lines (`shared` is the same for them) is in one part."""

    def linked(one: Equation, other: Equation) -> bool:
        written, read = {one.target, other.target}, {name.name for line in (one, other) for name in line.reads}
        return len(written) == 1 or bool(written & read) or shared(one.expression) == shared(other.expression)

    groups: list[list[int]] = []
    for number, line in enumerate(lines):
        joined = [group for group in groups if any(linked(line, lines[other]) for other in group)]
        groups = [*(group for group in groups if group not in joined), [*chain.from_iterable(joined), number]]
    parts: list[list[int]] = [[], []]
    costs = [0, 0]
    for cost, group in sorted(
        ((sum(work(lines[n].expression) for n in group), group) for group in groups), reverse=True
    ):
        lighter = costs.index(min(costs))
        parts[lighter] += group
        costs[lighter] += cost
    return [[lines[number] for number in sorted(part)] for part in parts if part]


def is_carried(line: Equation) -> bool:
    """Whether a line writes what a truncation window cuts off, which is computed before the loop (`Plan.carry_losses`)."""
    return any(isinstance(node, Call) and node.function == CARRIED for node in walk(line.expression))


def carried(block: Block) -> set[str]:
    """What one step hands to the next: in the forward pass read from the step before it, in the backward pass written to it."""
    if block.phase == "backward":
        return {line.name for line in block.lines if line.equation.step and not is_carried(line.equation)}
    written = {line.name for line in block.lines}
    return {name.name for line in block.lines for name in line.equation.reads if name.step and name.name in written}


def closure(carried: set[str], lines: Sequence[Line], *, forward: bool) -> set[str]:
    """Everything in the block that depends on a carried value (forward), or that a carried value depends on."""
    needed = set(carried)
    while True:
        more: set[str] = set()
        for line in lines:
            reads = {name.name for name in line.equation.reads}
            if forward and reads & needed:
                more.add(line.name)
            elif not forward and line.name in needed:
                more |= reads
        if more <= needed:
            return needed
        needed |= more


def _hoist(equation: Equation, depends: set[str], factors_first: bool) -> tuple[Equation | None, Equation, str]:
    """Splits a line into what can be computed before the loop and what is then added or multiplied inside it."""
    for split, join, operator in ((addends, total, "+"), (factors, product, "*")):
        parts = split(equation.expression)
        if len(parts) < 2:
            continue
        free = [p for p in parts if not any(name.name in depends for name in names(p))]
        if operator == "*" and not factors_first:
            free = [p for p in free if any(isinstance(node, Binary) and node.operator == "@" for node in walk(p))]
        bound = [p for p in parts if p not in free]
        if free and bound and not all(isinstance(p, Name | Number) for p in free):
            return replace(equation, expression=join(free)), replace(equation, expression=join(bound)), operator
        break
    return None, equation, ""


def step_by_step(line: Equation) -> Equation:
    """A line that sums over all steps, rewritten to add the term of one step, or of a block."""

    def inner(node: Expression) -> Expression | None:
        return node.operand if isinstance(node, Sum) and node.axis == TIME else None

    return replace(line, expression=rewrite(line.expression, inner), accumulate=True)


def adjoints(block: Block) -> set[str]:
    """What a backward loop writes step by step, and the flows that it reads."""
    written = {line.name for line in block.lines if not line.equation.accumulate}
    return written | {name.name for line in block.lines for name in line.equation.reads if name.name.endswith(NEXT)}
