"""What a finding is, and the iteration in which findings are looked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engine.debug.debugger import Debugger
from engine.explain.term_reader import Index
from engine.language.equation import infer
from engine.language.evaluate import evaluate
from engine.language.expression import Expression, Name
from engine.language.functions import Array
from engine.model.blocks import Line
from engine.model.program import Program
from engine.recording.tape import Tape
from engine.tables.given import MASK

Kind = Literal[
    "non-finite",
    "dead units",
    "vanishing",
    "exploding",
    "zero gradient",
    "saturated",
    "update size",
    "clipping",
    "truncation",
    "one-sided gradient",
    "input scale",
    "ids",
    "padding",
    "equal predictions",
]

Severity = Literal["serious", "note"]
"""Serious is what keeps a network from learning; a note is what explains how it learns."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong or worth knowing in an iteration: one sentence with its numbers, and the place to look at.

    `position` is the point to jump to; `quantity` with `t` and `index` is the cell, as far as the finding is about one.
    """

    kind: Kind
    text: str
    severity: Severity
    position: int
    quantity: str
    t: int | None = None
    index: Index | None = None

    @property
    def serious(self) -> bool:
        """Whether it keeps the network from learning."""
        return self.severity == "serious"


@dataclass(frozen=True, eq=False)
class Scene:
    """The iteration under examination, with what all findings need of it."""

    debugger: Debugger
    iteration: int
    spell: Callable[[str], str] = str
    """How a quantity's name is written in the sentences."""

    @property
    def tape(self) -> Tape:
        """Its recording."""
        return self.debugger.tape(self.iteration)

    @property
    def program(self) -> Program:
        """Its program."""
        return self.debugger.program

    def position(self, offset: int) -> int:
        """The point after that many lines of the iteration."""
        return 1 + self.iteration * self.program.length + max(0, offset)

    def cell_lines(self) -> list[Line]:
        """The lines of a step of the cell."""
        return [line for block in self.program.looped("forward") for line in block.lines]

    def counted(self) -> Array:
        """(T, B) booleans: whether a step is within its sample's length."""
        sizes = self.tape.plan.sizes
        return self.tape[MASK] > 0 if MASK in self.tape.arrays else np.ones((sizes["T"], sizes["B"]), bool)

    def over_time(self, expression: Expression, low: int, high: int) -> Array:
        """The value of an expression of a forward line in rows [low, high) of the steps, (high − low, B, ...): one larger batch."""
        tape, quantities, axes = self.tape, self.program.quantities, self.tape.plan.axes

        def lookup(name: Name) -> Any:
            quantity = quantities.get(name.name)
            if quantity is None or not quantity.rows:
                return tape.lookup(name, None)
            first = quantity.row(1 + name.step)
            rows = np.asarray(tape[name.name][low + first : high + first])
            return rows.reshape(-1, *rows.shape[2:])

        value, steps, batch = np.asarray(evaluate(expression, lookup, axes)), high - low, tape.plan.batch
        if infer(expression, axes)[:1] != ("B",):  # of parameters alone
            return np.broadcast_to(value, (steps, batch, *value.shape))
        return value.reshape(steps, batch, *value.shape[1:])


def short(value: float) -> str:
    """A number in three digits."""
    text = f"{value:.0f}" if 1000 <= abs(value) < 100_000 else f"{value:.3g}"
    return text.replace("-", "−").replace("nan", "NaN").replace("inf", "∞")


def cell_text(name: str, t: int | None, index: Index) -> str:
    """`da@3[0,5]`."""
    at = "" if t is None else f"@{t}"
    return name + at + (f"[{','.join(map(str, index))}]" if index else "")


def listed(units: list[int], most: int = 6) -> str:
    """`units 0, 3 and 5`; of many the first few."""
    if len(units) == 1:
        return f"unit {units[0]}"
    if len(units) > most:
        return f"units {', '.join(map(str, units[:most]))}, …"
    return f"units {', '.join(map(str, units[:-1]))} and {units[-1]}"
