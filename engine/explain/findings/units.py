"""Units that are switched off (dead) or saturated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.explain.findings.base import Finding, Scene, listed
from engine.language.expression import Call, Expression, Name, walk
from engine.language.functions import FUNCTIONS, Array, of_units
from engine.model.blocks import Line

MANY = 0.5
"""From half of the units on it is serious: fewer off or saturated units are common in networks that learn well."""
END = 0.005
"""How near to an end of its range, as a share of the range, a function is saturated: |tanh| > 0.99."""
MOST = 0.9
"""The share of steps and samples at which a unit must be saturated."""
FAR = 1e3
"""An argument at which a bounded function has reached its end."""


@dataclass(frozen=True, eq=False)
class AppliedFunction:
    """A function of the cell's table, applied to the units in a line."""

    line: Line
    function: str
    argument: Expression


def dead(scene: Scene) -> Iterator[Finding]:
    """Units of a function that is off below 0 (ReLU) whose argument is never above 0: nothing flows back through them."""
    uses = list(applied(scene, off=True))
    for use, often in zip(uses, _often(scene, uses, _lets_through), strict=True):
        units = np.flatnonzero(often == 0).tolist()
        if units:
            name, total = scene.spell(use.line.name), len(often)
            text = (
                f"{len(units)} of {total} units of {name} are off ({_shown(scene, use)} ≤ 0) at every t for every sample: "
                f"{listed(units)}; no gradient passes through them"
            )
            yield _finding(scene, "dead units", use.line, units, len(units) / total, text)


def saturated(scene: Scene) -> Iterator[Finding]:
    """Units of a bounded function (tanh, a gate's sigmoid) that are at an end of its range nearly all the time.

    It is serious only where the state itself is this function's value: what flows back has no way round it. A gate at its end is
    open or closed, which may be just what it has learnt.
    """
    uses = [use for use in applied(scene, off=False) if ends_of(use.function) is not None]
    for use, often in zip(uses, _often(scene, uses, _at_an_end), strict=True):
        units = np.flatnonzero(often >= MOST).tolist()
        if units:
            name, total = scene.spell(use.line.name), len(often)
            text = (
                f"{len(units)} of {total} units of {name} are saturated ({use.function} within {END:.1%} of an end of its range) "
                f"at {MOST:.0%} or more of all steps: {listed(units)}; next to nothing passes through them"
            )
            of_state = use.line.name in scene.tape.plan.network.table.states
            yield _finding(scene, "saturated", use.line, units, len(units) / total if of_state else 0.0, text)


def _finding(scene: Scene, kind: str, line: Line, units: list[int], share: float, text: str) -> Finding:
    return Finding(
        kind="dead units" if kind == "dead units" else "saturated",
        text=text,
        severity="serious" if share >= MANY else "note",
        position=scene.position(scene.program.offset(line, 1)),
        quantity=line.name,
        t=1,
        index=(0, units[0]),
    )


def applied(scene: Scene, *, off: bool) -> Iterator[AppliedFunction]:
    """The element-wise functions applied to units in the lines of a step: those with a kink (off below 0), or the others."""
    for line in scene.cell_lines():
        if not of_units(scene.program.quantities[line.name].axes):
            continue
        for node in walk(line.equation.expression):
            if isinstance(node, Call) and FUNCTIONS[node.function].elementwise and FUNCTIONS[node.function].off == off:
                yield AppliedFunction(line, node.function, node.arguments[0])


def _shown(scene: Scene, applied: AppliedFunction) -> str:
    """How the argument is called in the sentence."""
    return (
        scene.spell(applied.argument.name)
        if isinstance(applied.argument, Name)
        else f"the argument of {applied.function}"
    )


def ends_of(function: str) -> tuple[float, float] | None:
    """The ends of a bounded function; None for one that goes on growing."""
    low, high, further = (float(FUNCTIONS[function].compute(np.array([u]))[0]) for u in (-FAR, FAR, 2 * FAR))
    return (low, high) if high == further else None


def share_of_range(function: str, argument: Array) -> Array:
    """Where the values of a bounded function lie in its range: 0 at its lower end, 1 at the upper one."""
    ends = ends_of(function)
    assert ends is not None
    low, high = ends
    with np.errstate(all="ignore"):
        return np.asarray((FUNCTIONS[function].compute(argument) - low) / (high - low))


def _at_an_end(use: AppliedFunction, argument: Array) -> Array:
    share = share_of_range(use.function, argument)
    return (share < END) | (share > 1 - END)


def _lets_through(_: AppliedFunction, argument: Array) -> Array:
    return ~(argument <= 0)


def _often(scene: Scene, uses: list[AppliedFunction], holds: Callable[[AppliedFunction, Array], Array]) -> list[Array]:
    """(H,) for each use: of the steps that count, the share at which it holds for each unit. With checkpoints one pass serves all."""
    counted = scene.counted()
    often: list[Any] = [0.0] * len(uses)
    for low, high in scene.tape.plan.bounds:
        for number, use in enumerate(uses):
            there = holds(use, scene.over_time(use.argument, low, high)) & counted[low:high, :, None]
            often[number] = often[number] + there.sum(axis=(0, 1)) / max(1, int(counted.sum()))
    return often
