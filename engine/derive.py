"""From the equations of the forward pass to those of the backward pass, by the chain rule, line by line.

The order is a textbook's: the equations of a step in reverse, each with the gradient of what it wrote; then the input's gradient,
the parameters', and last what flows to the step before (written into row t−1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.equation import Equation, contributions
from engine.expression import Call, Expression, Name, Number, substitute, total
from engine.functions import Axes

OUT, NEXT = "_out", "_next"


def gradient(name: str) -> str:
    """dL/dname by name."""
    return "d" + name


@dataclass
class _Received:
    """What every name has received so far, path by path."""

    same_step: dict[str, list[Expression]] = field(default_factory=dict[str, list[Expression]])
    from_next: dict[str, list[Expression]] = field(default_factory=dict[str, list[Expression]])

    def add(self, name: Name, expression: Expression) -> None:
        place = self.from_next if name.step < 0 else self.same_step
        place.setdefault(name.name, []).append(expression)


def backward(
    forward: Sequence[Equation],
    known: Mapping[str, Axes],
    *,
    states: Iterable[str] = (),
    inputs: Iterable[str] = (),
    parameters: Iterable[str] = (),
    outer: Iterable[str] = (),
    root: str | None = None,
    accumulate: bool = False,
) -> list[Equation]:
    """The backward equations of one block of forward equations.

    `states` are carried from step to step; `outer` are quantities of another block that this one reads (their gradient is written
    here, and read there); `root` is the loss, whose own gradient is 1. `accumulate` says that the block runs once a time step, so that
    its parameter gradients are sums. A quantity whose gradient comes both from its own step and from the next gets both flows and
    their sum as lines; with one source only, that line writes the gradient itself.
    """
    states = tuple(states)
    aliases: dict[Expression, Expression] = {
        e.expression: Name(e.target) for e in forward if isinstance(e.expression, Call)
    }
    received = _Received()
    lines: list[Equation] = []
    both: set[str] = set()
    adjoint_axes = {**known, **{gradient(name): axes for name, axes in known.items()}}
    for current in reversed(forward):
        target = current.target
        paths = received.same_step.pop(target, [])
        if target in states and paths:
            both.add(target)
            lines.append(Equation(gradient(target) + OUT, total(paths)))
            lines.append(
                Equation(gradient(target), total([Name(gradient(target) + OUT), Name(gradient(target) + NEXT)]))
            )
        elif paths:
            lines.append(Equation(gradient(target), total(paths)))
        elif target not in states and target != root:
            continue  # nothing reads it on the way to the loss: it is only shown
        start: Expression = Number(1) if target == root else Name(gradient(target))
        for name, path in contributions(current.expression, start, adjoint_axes):
            received.add(name, substitute(path, aliases))
    lines += [Equation(gradient(n), total(received.same_step[n])) for n in inputs if n in received.same_step]
    lines += [
        Equation(gradient(n), total(received.same_step[n]), accumulate=accumulate)
        for n in parameters
        if n in received.same_step
    ]
    lines += [Equation(gradient(n), total(received.same_step[n])) for n in outer if n in received.same_step]
    for name in states:
        if name in received.from_next:
            suffix = NEXT if name in both else ""
            lines.append(Equation(gradient(name) + suffix, total(received.from_next[name]), step=-1))
    return lines
