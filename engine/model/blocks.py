"""What a program is made of: lines in blocks that run together, the quantities that they write, the points between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from engine.language.equation import Equation
from engine.language.functions import Axes

Phase = Literal["forward", "loss", "backward", "update"]
PHASES: tuple[Phase, ...] = ("forward", "loss", "backward", "update")
START = "start"


class Loop(Enum):
    """How often a block runs in an iteration, and in which order of the time steps."""

    UP = "for t = 1 … T"
    DOWN = "for t = T … 1"
    AT_1 = "at t = 1"
    AT_T = "at t = T"
    ONCE = "once"
    PARAMETERS = "for each parameter W"


@dataclass(frozen=True)
class Line:
    """One equation in its place; `block` and `index` say where."""

    block: int
    index: int
    phase: Phase
    equation: Equation

    @property
    def name(self) -> str:
        """The quantity it writes, by which points and breakpoints name it."""
        return self.equation.target


@dataclass(frozen=True)
class Block:
    """Lines that run together: a title for the listing, a phase, a loop; of a layer's steps also the state that is its output."""

    title: str
    phase: Phase
    loop: Loop
    lines: tuple[Line, ...]
    output: str = ""

    @property
    def in_time(self) -> bool:
        """Whether its lines run at every time step."""
        return self.loop in (Loop.UP, Loop.DOWN)

    def runs(self, steps: int, parameters: int) -> int:
        """How many times its lines run in one iteration."""
        return {Loop.UP: steps, Loop.DOWN: steps, Loop.PARAMETERS: parameters}.get(self.loop, 1)

    def step(self, run: int, steps: int) -> int | None:
        """The time step of a run, the first one being 0; None outside time."""
        return {Loop.UP: run + 1, Loop.DOWN: steps - run, Loop.AT_1: 1, Loop.AT_T: steps}.get(self.loop)

    def run(self, t: int, steps: int) -> int:
        """The run at a time step; 0 for what runs once."""
        return {Loop.UP: t - 1, Loop.DOWN: steps - t}.get(self.loop, 0)


@dataclass(frozen=True)
class Quantity:
    """What is recorded under a name: its axes at one step, and its rows in time: T, T+1 with the initial state, or none.

    `given` says that no line writes it; `reverse` that it runs from the last step to the first, so that its initial state is that of step
    T+1, in the last row.
    """

    name: str
    axes: Axes
    rows: Literal["", "T", "T+1"] = ""
    given: bool = False
    reverse: bool = False

    @property
    def first(self) -> int:
        """The step in row 0."""
        return 0 if self.rows == "T+1" and not self.reverse else 1

    @property
    def before(self) -> int:
        """From a step to the one that runs before it: −1, in the reverse direction 1."""
        return 1 if self.reverse else -1

    def row(self, t: int) -> int:
        """The row that holds step t."""
        return t - self.first

    def steps(self, last: int) -> range:
        """The steps that its rows hold where the program has `last` of them; none when it is not in time."""
        return range(self.first, self.first + {"": 0, "T": last, "T+1": last + 1}[self.rows])

    def initial(self, last: int) -> int | None:
        """The step of its initial state, before the first one that runs; None when it has none."""
        return (last + 1 if self.reverse else 0) if self.rows == "T+1" else None


@dataclass(frozen=True)
class Point:
    """The state just after a line ran.

    `t` is the loop's t (T for the read-out's lines, None in loss and update, 0 at the start). `parameter` is the coordinate of an
    update; `block` tells apart two lines of one name (the read-out writes row T of da, the loop the rows before).
    """

    iteration: int
    phase: Phase
    t: int | None
    line: str
    parameter: str | None = None
    block: int | None = None
