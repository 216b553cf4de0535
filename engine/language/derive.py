"""Automatic differentiation of equations: from the lines of the forward pass to those of the backward pass, by the chain rule.

The order is that of a textbook: for each equation of a step, last one first, the gradient of the quantity it writes;
then the gradients of the input and of the parameters; last the gradient that flows to the step before (written into row
t−1).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.language.equation import Equation, contributions
from engine.language.expression import Binary, Call, Expression, Name, Number, substitute, total
from engine.language.functions import Axes

OUT, NEXT = "_out", "_next"
FULL, CUT = "_full", "_cut"
"""What flows back before truncation, and what truncation takes away."""

STEPS = "_steps"
"""The part of a gradient that comes from the time steps, where another comes from what is made of it before they run."""

REVERSE = "_r"
"""The part of a gradient that comes through the reverse direction, of what both directions read."""

SUFFIXES = (OUT, NEXT, FULL, CUT, STEPS, REVERSE)


_NONE: Mapping[str, str] = MappingProxyType({})


def whole(name: str) -> str:
    """The gradient that a flow is a part of (da of da_out, da_next, da_full, da_cut, da_steps, da_r); a name itself when it is no flow."""
    suffix = next((ending for ending in SUFFIXES if name.startswith("d") and name.endswith(ending)), "")
    return name.removesuffix(suffix)


def gradient(name: str) -> str:
    """dL/dname by name."""
    return "d" + name


@dataclass
class _Received:
    """The gradient contributions that every quantity has received so far, one for each path; `steps` are where they were read.

    `states` are those of this block: what it reads of them at another step is the state of the step that ran before.
    """

    states: frozenset[str]
    same_step: dict[str, list[Expression]] = field(default_factory=dict[str, list[Expression]])
    from_next: dict[str, list[Expression]] = field(default_factory=dict[str, list[Expression]])
    steps: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, name: Name, expression: Expression) -> None:
        place = self.from_next if name.step and name.name in self.states else self.same_step
        place.setdefault(name.name, []).append(expression)
        self.steps[name.name] = self.steps.get(name.name) or name.step

    def paths(self, name: str, begun: Mapping[str, str]) -> list[Expression]:
        """What came at the same step, behind the part that another block has written; nothing where nothing came."""
        came = self.same_step.pop(name, [])
        return [Name(gradient(name) + begun[name]), *came] if came and name in begun else came

    def written(self, target: str, begun: Mapping[str, str], fed: Container[str]) -> list[Equation]:
        """The lines that write the gradient of what a line of this block writes; of a state also from the next step."""
        paths, adjoint = self.paths(target, begun), gradient(target)
        if target in fed:
            return [Equation(adjoint, total([Name(adjoint + OUT), *paths, Name(adjoint + NEXT)]))]
        if target in self.states and paths:
            flows = total([Name(adjoint + OUT), Name(adjoint + NEXT)])
            return [Equation(adjoint + OUT, total(paths)), Equation(adjoint, flows)]
        return [Equation(adjoint, total(paths))] if paths else []


def backward(
    sections: Sequence[Sequence[Equation]],
    known: Mapping[str, Axes],
    *,
    states: Iterable[str] = (),
    inputs: Mapping[str, str] = _NONE,
    parameters: Iterable[str] = (),
    outer: Iterable[str] = (),
    root: str | None = None,
    accumulate: bool = False,
    cut: Expression | None = None,
    begun: Mapping[str, str] = _NONE,
    fed: Iterable[str] = (),
) -> list[Equation]:
    """The backward equations of one block of forward equations, given in sections: the lines of a step, those of its read-out.

    `states` are carried from step to step; `inputs` are what else is read at the same step, each with the suffix of what this block adds
    to its gradient ("" where that is all of it); `outer` are states of another block that this one reads once (their gradient is written
    here, and read there); `root` is the loss, whose own gradient is 1. `accumulate` says that the block runs
    once a time step, so that its parameter gradients are sums. Where a gradient comes both from the same step and from
    the next, both flows and their sum are lines; with one source only, that line writes the gradient itself. With
    `cut`, what flows to the step before is written whole, then the part that truncation takes away (`cut`, in which
    `flow_prev` stands for the whole and `cut_off_prev` for that part), then the rest. `begun` are names whose gradient another block
    has written: it stands where this one adds nothing to it; otherwise that part of it has the suffix given here. `fed` are states of this
    block of whose gradient another one has written the `_out`.
    """
    states, parameters, fed = tuple(states), tuple(parameters), frozenset(fed)
    forward = [equation for section in sections for equation in section]
    aliases: dict[Expression, Expression] = {
        e.expression: Name(e.target) for e in forward if isinstance(e.expression, Call)
    }
    received, lines, both = _Received(frozenset(states)), list[Equation](), set[str]()
    adjoint_axes = {**known, **{gradient(name): axes for name, axes in known.items()}}
    for number, section in reversed(list(enumerate(sections))):
        for current in reversed(section):
            target = current.target
            written = received.written(target, begun, fed)
            if not written and target not in states and target not in begun and target != root:
                continue  # the loss does not depend on it: it is only shown
            lines += written
            both |= {target} if written and target in states else set()
            start: Expression = Number(1) if target == root else Name(gradient(target))
            for name, path in contributions(current.expression, start, adjoint_axes):
                received.add(name, substitute(path, aliases))
        still_read = {name.name for earlier in sections[:number] for line in earlier for name in line.reads}
        for name in (*inputs, *parameters):
            if name in received.same_step and name not in still_read:
                flow, summed = gradient(name) + inputs.get(name, ""), accumulate and name in parameters
                lines.append(Equation(flow, total(received.paths(name, begun)), accumulate=summed))
    for name in outer:
        if name in received.same_step:
            lines.append(Equation(gradient(name), total(received.same_step[name]), step=received.steps[name]))
    for name in states:
        if name in received.from_next:
            flow = gradient(name) + (NEXT if name in both else "")
            step, arriving = received.steps[name], total(received.from_next[name])
            lines += _handed_back(gradient(name), flow, arriving, cut, step)
    return lines


def _handed_back(adjoint: str, flow: str, expression: Expression, cut: Expression | None, step: int) -> list[Equation]:
    """The lines that write what this step sends back to a state's gradient, in the row of the step that ran before."""
    if cut is None:
        return [Equation(flow, expression, step=step)]
    named: dict[Expression, Expression] = {
        Name("flow", -1): Name(adjoint + FULL, step),
        Name("cut_off", -1): Name(adjoint + CUT, step),
    }
    rest = Binary("-", Name(adjoint + FULL, step), Name(adjoint + CUT, step))
    return [
        Equation(adjoint + FULL, expression, step=step),
        Equation(adjoint + CUT, substitute(cut, named), step=step),
        Equation(flow, rest, step=step),
    ]
