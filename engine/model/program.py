"""The program that a debugger steps through: blocks of lines, and the points between which it moves.

A line is one equation. A point is the state just after a line ran, named (iteration, phase, t, line) and numbered by its position:
0 is `start`, before anything ran; then come the lines of iteration 0 in the order they run, those of iteration 1, and so on. Both
directions of that numbering are arithmetic, so moving to any point costs the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from engine.errors import InputError
from engine.language.derive import NEXT, OUT, whole
from engine.language.equation import Equation
from engine.model.blocks import START, Block, Line, Loop, Phase, Point, Quantity
from engine.model.network import Network
from engine.remembered import remembered
from engine.tables.optimizers import PARAMETER, for_parameter, named


@dataclass(frozen=True, eq=False)
class Program:
    """All lines of one iteration for a network and a number of time steps T.

    `quantities` are what forward, loss and backward record; `updates` what the update writes, with the parameters' names put in.
    """

    blocks: tuple[Block, ...]
    quantities: Mapping[str, Quantity]
    updates: Mapping[str, Quantity]
    parameters: tuple[str, ...]
    output: str
    steps: int

    def __repr__(self) -> str:
        return f"<Program: {sum(1 for _ in self.lines)} lines, T = {self.steps}>"

    @cached_property
    def _firsts(self) -> tuple[int, ...]:
        firsts = [0]
        for block in self.blocks:
            firsts.append(firsts[-1] + len(block.lines) * block.runs(self.steps, len(self.parameters)))
        return tuple(firsts)

    @property
    def length(self) -> int:
        """The number of points in an iteration."""
        return self._firsts[-1]

    @property
    def lines(self) -> Iterator[Line]:
        """Every line in the order of the listing."""
        for block in self.blocks:
            yield from block.lines

    def line_at(self, position: int) -> Line | None:
        """The line that ran last at a position; None at the start."""
        if position <= 0:
            return None
        block, _, index = self._locate((position - 1) % self.length)
        return self.blocks[block].lines[index]

    def point(self, position: int) -> Point:
        """The point with that number."""
        if position <= 0:
            return Point(0, "forward", 0, START)
        iteration, offset = divmod(position - 1, self.length)
        number, run, index = self._locate(offset)
        block = self.blocks[number]
        parameter = self.parameters[run] if block.loop is Loop.PARAMETERS else None
        return Point(iteration, block.phase, block.step(run, self.steps), block.lines[index].name, parameter, number)

    def position(self, point: Point) -> int:
        """The number of a point; raises InputError when the program has no such point."""
        if point.line == START:
            return 0
        if point.iteration < 0:
            raise InputError(f"iterations count from 0; there is none before it, so not {point.iteration}")
        for number, block in enumerate(self.blocks):
            if block.phase != point.phase or point.block not in (None, number):
                continue
            run = self._run(block, point)
            for line in block.lines:
                if line.name == point.line and run is not None:
                    offset = self._firsts[number] + run * len(block.lines) + line.index
                    return 1 + point.iteration * self.length + offset
        where = "" if point.t is None else f" at t = {point.t}"
        raise InputError(f"there is no line {point.line!r} in the {point.phase} pass{where}; T is {self.steps}")

    def offset(self, line: Line, t: int | None = None) -> int:
        """The offset within an iteration of a line's run at t (its first run when t is None)."""
        block = self.blocks[line.block]
        run = 0 if t is None else block.run(t, self.steps)
        return self._firsts[line.block] + run * len(block.lines) + line.index

    def runs_at(self, line: Line, t: int) -> bool:
        """Whether a line has a run at time step t."""
        block = self.blocks[line.block]
        return 1 <= t <= self.steps if block.in_time else t == block.step(0, self.steps)

    def run_length(self, line: Line) -> int:
        """How many points lie between two runs of a line within its block."""
        return len(self.blocks[line.block].lines)

    def block_range(self, number: int) -> range:
        """The offsets within an iteration that a block covers."""
        return range(self._firsts[number], self._firsts[number + 1])

    def phase_range(self, phase: Phase) -> range:
        """The offsets within an iteration that a phase covers."""
        blocks = [n for n, block in enumerate(self.blocks) if block.phase == phase]
        return range(self._firsts[blocks[0]], self._firsts[blocks[-1] + 1])

    def looped(self, phase: Phase) -> tuple[Block, ...]:
        """The blocks of a pass that run through time: one a layer and direction, in the order they run."""
        return tuple(block for block in self.blocks if block.in_time and block.phase == phase)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The output states of the layers and directions, in the order in which they run."""
        return tuple(block.output for block in self.looped("forward"))

    def summed(self, line: Line, reached: int | None = None) -> range:
        """The steps whose terms a line has added up when that of step `reached` is done (None: the last one), in the order they run."""
        block = self.blocks[line.block]
        if not block.in_time:
            t = block.step(0, self.steps) or self.steps
            return range(t, t + 1)
        if block.loop is Loop.UP:
            return range(1, (self.steps if reached is None else reached) + 1)
        return range(self.steps, (1 if reached is None else reached) - 1, -1)

    @cached_property
    def span(self) -> range:
        """All steps that some quantity has a row for: 0, initial states, to T; where there is a reverse direction, to T+1."""
        reverse = any(quantity.reverse for quantity in self.quantities.values())
        return range(self.steps + 1 + reverse)

    def steps_of(self, name: str) -> range:
        """The steps that the rows of a quantity hold, or of a flow without a line; none when it is not in time."""
        quantity = self.quantities.get(name) or self.quantities.get(whole(name))
        return quantity.steps(self.steps) if quantity else range(0)

    def writers(self, name: str) -> Iterator[Line]:
        """The lines that write a quantity."""
        return (line for line in self.lines if line.name == name)

    @cached_property
    def written_once(self) -> frozenset[str]:
        """The quantities in time of which lines write one row, so that the others are zero."""
        in_time = {line.name for block in self.blocks if block.in_time for line in block.lines}
        return frozenset(name for name, q in self.quantities.items() if q.rows and not q.given and name not in in_time)

    def update_line(self, name: str) -> tuple[Line, str | None]:
        """The line of the update that writes a quantity, `dWa_clipped` or Wa itself, and the parameter at which it does so."""
        for line in self.lines:
            if line.phase != "update":
                continue
            if self.blocks[line.block].loop is not Loop.PARAMETERS:
                if line.name == name:
                    return line, None
                continue
            for parameter in self.parameters:
                if named(line.name, parameter) == name:
                    return line, parameter
        raise KeyError(name)

    def update_offset(self, name: str) -> int:
        """The offset within an iteration of the line that writes a quantity of the update."""
        line, parameter = self.update_line(name)
        run = self.parameters.index(parameter) if parameter else 0
        return self._firsts[line.block] + run * len(self.blocks[line.block].lines) + line.index

    def at_parameter(self, line: Line, parameter: str | None) -> Equation:
        """An update's line with the names of one parameter put in and sums over parameters written out."""
        return _at_parameter(self, line.block, line.index, parameter)

    def written(self, name: str, row_t: int | None) -> int:
        """The offset after which the row of a quantity that belongs to step `row_t` has been written; −1 when it is known from the start.

        For a gradient that accumulates over time, `row_t` asks for the term of that step; None for the first one.
        """
        for line in self.writers(name):
            block = self.blocks[line.block]
            if block.in_time:
                t = row_t if row_t is None else row_t - line.equation.step
                if t is None or 1 <= t <= self.steps:
                    return self.offset(line, t)
            elif row_t in (None, (block.step(0, self.steps) or self.steps) + line.equation.step):
                return self.offset(line)
        # The initial state is written by no step: its gradient is the flow from the first one that runs alone.
        quantity, flow = self.quantities.get(name), self.quantities.get(name + NEXT)
        first = row_t is not None and quantity is not None and row_t == quantity.initial(self.steps)
        return self.written(flow.name, row_t) if first and flow else -1

    def _locate(self, offset: int) -> tuple[int, int, int]:
        number = next(n for n, first in enumerate(self._firsts[1:]) if offset < first)
        run, index = divmod(offset - self._firsts[number], len(self.blocks[number].lines))
        return number, run, index

    def _run(self, block: Block, point: Point) -> int | None:
        match block.loop:
            case Loop.UP | Loop.DOWN if point.t is not None and 1 <= point.t <= self.steps:
                return block.run(point.t, self.steps)
            case Loop.AT_1 | Loop.AT_T if point.t in (None, block.step(0, self.steps)):
                return 0
            case Loop.ONCE if point.t is None:
                return 0
            case Loop.PARAMETERS if point.parameter is None or point.parameter in self.parameters:
                return self.parameters.index(point.parameter) if point.parameter else 0
            case _:
                return None


@remembered
def _at_parameter(program: Program, block: int, index: int, parameter: str | None) -> Equation:
    return for_parameter(program.blocks[block].lines[index].equation, parameter, program.parameters)


@remembered
def when_written(program: Program, name: str) -> npt.NDArray[np.int64]:
    """After which offset of an iteration each row of a quantity (or the whole of it, 0-d) has been written; −1: known from the start."""
    quantity = program.quantities.get(name)
    if quantity is None:  # a flow without a line: it is the whole gradient, or zero
        return when_written(program, next(name.removesuffix(s) for s in (OUT, NEXT) if name.endswith(s)))
    if not quantity.rows:
        return np.asarray(program.written(name, None))
    steps = quantity.steps(program.steps)
    if len(steps) <= 6:
        return np.array([program.written(name, t) for t in steps])
    # All but the outermost rows are written by one line, in one run after another.
    low, high = ([program.written(name, t) for t in part] for part in (steps[:3], steps[-3:]))
    stride = (high[0] - low[2]) // (len(steps) - 5)
    middle = low[2] + stride * np.arange(len(steps) - 4)
    return np.concatenate([low[:2], middle, high[1:]])


@remembered
def carried_over(program: Program) -> frozenset[str]:
    """The update's quantities that the next iteration reads, without the parameters."""
    read: set[str] = set()
    for line in program.lines:
        if line.phase == "update":
            read |= {name.name for name in line.equation.reads if name.step < 0 and name.name != PARAMETER}
    return frozenset(named(name, parameter) for name in read for parameter in program.parameters)


def cuts_flow(network: Network) -> bool:
    """Whether truncation cuts the whole flow at some steps, rather than the flow of each loss at a different one."""
    return network.truncate is not None and (network.truncate_by == "chunk" or network.predict == "last")


def carries_losses(network: Network) -> bool:
    """Whether truncation ends the flow of each loss at a different step: a window, and a loss at every step."""
    return network.truncate is not None and not cuts_flow(network)
