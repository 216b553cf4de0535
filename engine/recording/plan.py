"""The compiler: from the lines of a program to NumPy calls that write into one set of arrays, made once per model, shape and dtype.

In a loop over time only what depends on the step before runs step by step; the rest runs over many steps at once
(`schedule.py`). "Many steps at once" means a block of consecutive steps whose bounds belong to the plan. Because the
time axis is the first one, a block is just a bigger batch: the same emitter serves both. Equal bounds mean equal
products, hence equal bits however often a block is computed.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from engine.language.derive import NEXT
from engine.language.evaluate import evaluate
from engine.language.expression import Name
from engine.language.functions import Array, Axes, axis_kind, is_joined
from engine.model.blocks import Block, Line, Loop, Phase, Quantity
from engine.model.build import build
from engine.model.network import Network
from engine.model.program import Program, carries_losses
from engine.recording.compiled import CompiledBlock, CompiledProgram
from engine.recording.memory import RowPlace, allocated, columns
from engine.recording.schedule import carried, is_carried
from engine.recording.shared import through
from engine.recording.windows import Rows, carry_losses
from engine.tables.optimizers import UPDATE_NUMBER

BLOCK_VALUES = 1 << 18
"""About how many values of one quantity a block of steps holds: big enough for the matrix library, small enough for the cache."""
FIRST_PART = 4
"""The first of several blocks has at most two parts of so many of the others' steps."""


Progress: TypeAlias = Callable[[float], None]
"""Called after each block with the share of the recording that is done; an exception from it ends the recording."""


@dataclass(frozen=True, eq=False)
class Plan:
    """How to record one iteration of a network on B samples of T steps.

    With `checkpoints` a recording keeps about √T rows of what one step hands to the next, and computes the rest again when asked.
    """

    network: Network
    program: Program
    batch: int
    checkpoints: bool = False

    @property
    def steps(self) -> int:
        """T."""
        return self.program.steps

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Every dimension by its letter."""
        return {"B": self.batch, "T": self.steps, **self.network.sizes}

    @cached_property
    def axes(self) -> dict[str, Axes]:
        """The axes of every name that an equation may read, at one step."""
        recorded = {name: q.axes for name, q in (*self.program.quantities.items(), *self.program.updates.items())}
        scalars = dict.fromkeys((*self.sizes, *self.network.hyperparameters, UPDATE_NUMBER), ())
        return {**scalars, **self.network.parameter_axes, **recorded}

    @cached_property
    def block_steps(self) -> int:
        """How many steps a block holds at most."""
        most = math.isqrt(self.steps - 1) + 1 if self.checkpoints else self.steps
        return max(1, min(most, BLOCK_VALUES // self.step_values))

    @cached_property
    def step_values(self) -> int:
        """How many values the widest quantity has at one step."""
        # What stands side by side is two quantities: two directions have the blocks of one.
        return self.batch * max(size for axis, size in self.network.sizes.items() if not is_joined(axis))

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """The blocks of steps, as rows [low, high). Of several the first is short, for nothing goes on beside the loop over time
        while it waits for what comes before its first block, and after its last one, which is the first one on the way back."""
        edges = [0, *range(self.steps, 0, -self.block_steps)[::-1]]
        short = max(1, self.block_steps // FIRST_PART)
        if len(edges) > 2 and edges[1] >= 2 * short:
            edges.insert(1, short)
        return list(pairwise(edges))

    def block_of(self, row: int) -> int:
        """The number of the block of steps that a row is in; the last one from its end on."""
        return bisect_right(self.bounds, row, key=lambda bounds: bounds[0]) - 1

    def spans(self, block: Block) -> list[tuple[int, int]]:
        """The blocks of steps in the order in which a loop over time runs through them."""
        return self.bounds if block.loop is Loop.UP else self.bounds[::-1]

    def shape(self, quantity: Quantity) -> tuple[int, ...]:
        """The shape of the recorded array of a quantity."""
        rows = {"": (), "T": (self.steps,), "T+1": (self.steps + 1,)}[quantity.rows]
        return (*rows, *(self.sizes[axis] for axis in quantity.axes))

    def nbytes(self) -> int:
        """The bytes that a recording will keep."""
        kept = sum(place.used for place in self._places.values())
        if not self.checkpoints:
            return kept
        return kept + (len(self.bounds) + 1) * sum(self._places[name].used for name in self.summed)

    def whole(self, quantity: Quantity) -> bool:
        """Whether all rows of a quantity are kept; with checkpoints not those of inputs' gradients, states, gates and their gradients."""
        return (
            not (self.checkpoints and quantity.rows and {*"DEHP"} & {*map(axis_kind, quantity.axes)})
            or quantity.given
            or quantity.name in self.program.written_once
            or quantity.name in self.beforehand
        )

    @cached_property
    def beforehand(self) -> frozenset[str]:
        """What truncation cuts off where each loss has a window of its own: it is there before the loops that read it run."""
        return frozenset(line.name for line in self.program.lines if is_carried(line.equation))

    def allocate(self) -> dict[str, Array]:
        """Arrays for what a recording keeps, zero where nothing will be written (row 0 of a state, row T of a flow).

        With checkpoints, a carried quantity has a row for each bound of a block, what is not carried none at all.
        """
        arrays = allocated(
            self._places, [group for group in self._compiled.beside.groups if {*group} <= {*self._places}]
        )
        for name, array in arrays.items():
            if name in self.program.written_once:
                array[...] = 0
            elif self.program.quantities[name].rows == "T+1":
                array[0] = array[-1] = 0
        return arrays

    def part(
        self, names: Iterable[str], steps: int, make: Callable[[tuple[int, ...], str], Array] = np.empty
    ) -> dict[str, Array]:
        """Arrays for so many steps of some quantities in time, as `make` makes them; what lies side by side in a recording does so here."""
        arrays: dict[str, Array] = {}
        for name in names:
            if name in arrays:
                continue
            (more, row), group = self._rows[name], self._compiled.beside.group_of.get(name, ())
            shape = (steps + more, *row)
            if group:
                widths = {one: self.sizes[self.axes[one][-1]] for one in group}
                arrays |= columns(make((*shape[:-1], sum(widths.values())), self.network.dtype), widths)
            else:
                arrays[name] = make(shape, self.network.dtype)
        return arrays

    @cached_property
    def _rows(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """By each quantity in time how many rows it has more than steps, and a row's shape."""
        in_time = {name: quantity for name, quantity in self.program.quantities.items() if quantity.rows}
        return {name: (int(q.rows == "T+1"), self.shape(q)[1:]) for name, q in in_time.items()}

    @cached_property
    def _places(self) -> dict[str, RowPlace]:
        places: dict[str, RowPlace] = {}
        carried = self.carried("forward") | self.carried("backward") if self.checkpoints else frozenset[str]()
        for name, quantity in self.program.quantities.items():
            classes = name == "y" and self.network.head.classes
            dtype = np.dtype(np.int64 if classes else self.network.dtype)
            if self.whole(quantity):
                places[name] = RowPlace(self.shape(quantity), dtype)
            elif name in carried:
                places[name] = RowPlace((len(self.bounds) + 1, *self.shape(quantity)[1:]), dtype)
        return places

    @property
    def summed(self) -> list[str]:
        """What adds up over the time steps on the way back."""
        lines = (line for block in self.program.looped("backward") for line in block.lines)
        return [line.name for line in lines if line.equation.accumulate]

    def carried(self, phase: Phase) -> frozenset[str]:
        """What one step of a pass hands to the next, in all layers."""
        return frozenset(name for block in self.program.looped(phase) for name in carried(block))

    def writes_step(self, name: str) -> int:
        """The row into which a loop's line writes a quantity: 0 for that of the same step, −1 for the one before."""
        lines = [line for line in self.program.writers(name) if self.program.blocks[line.block].in_time]
        return lines[0].equation.step

    def run(
        self,
        arrays: dict[str, Array],
        parameters: Mapping[str, Array],
        *,
        forward_from: int = 1,
        progress: Progress | None = None,
    ) -> None:
        """Runs forward, loss and backward; `forward_from` is the first step to compute in loops that run up, where the rows before it
        must be filled already.

        Whole blocks are computed, so the rows of the block before that step are computed again, to the same bits. `progress` is told
        the share that is done.
        """
        values = {**arrays, **parameters}
        # A block backward takes about twice as long as forward.
        report = reporter(progress, 3 * len(self.bounds) * len(self.program.looped("forward")))
        backward = self.program.looped("backward")
        for block in self.program.blocks:
            if block.in_time and block.phase == "backward":
                for line in block.lines:
                    if line.equation.accumulate:
                        arrays[line.name][...] = 0
                if carries_losses(self.network) and block is backward[0]:
                    self.carry_losses(values)
                through(self._stages(block), values, self.spans(block), partial(report, 2))
                for flow in [line.name for line in block.lines if line.name.endswith(NEXT)]:
                    row = self.initial_row(flow)  # it belongs to no step, so there is no other flow
                    arrays[flow.removesuffix(NEXT)][row] = arrays[flow][row]
            elif block.in_time:
                spans = [span for span in self.spans(block) if span[1] >= forward_from]
                if skipped := len(self.bounds) - len(spans):
                    report(skipped)
                through(self._stages(block), values, spans, partial(report, 1))
            elif block.phase == "loss" and self.network.predict == "every":
                arrays["loss"][...] = 0
                for low, high in self.bounds:
                    self.run_block(block, values, low, high)
            elif block.phase != "update":
                t = block.step(0, self.steps) or self.steps
                self.run_block(block, values, t - 1, t)

    def update(
        self, before: Mapping[str, Array], count: int, change: Callable[[str, Array], None] | None = None
    ) -> dict[str, Array]:
        """What the update's lines write, by name, the new parameters among it; read-only.

        `before` holds the parameters, their gradients, and what the optimizer kept of the iteration before; `count` is the number of the
        update, from 1. `change` may alter what a line has written before others read it.
        """
        scalars: dict[str, Any] = {**self.network.hyperparameters, UPDATE_NUMBER: count}
        result: dict[str, Array] = {}

        def lookup(name: Name) -> Any:
            if name.name in scalars:
                return scalars[name.name]
            return before[name.name] if name.step < 0 or name.name not in result else result[name.name]

        with np.errstate(all="ignore"):
            for line, parameter in update_order(self.program):
                equation = self.program.at_parameter(line, parameter)
                # Its operands are numbers and arrays of one parameter's shape: they need no axes to fit.
                new = np.array(evaluate(equation.expression, lookup), dtype=self.network.dtype)
                if change is not None:
                    change(equation.target, new)
                new.flags.writeable = False
                result[equation.target] = new
        return result

    def carry_losses(self, values: dict[str, Array]) -> None:
        """Writes what is cut off each flow where each loss has a window of its own, among `values`, recorded arrays and parameters."""
        rows = {name: quantity.rows for name, quantity in self.program.quantities.items()}

        def part(low: int, high: int) -> dict[str, Array]:
            ends = {"T": high, "T+1": high + 1}
            return {n: value[low : ends[rows[n]]] if rows.get(n) else value for n, value in values.items()}

        self.carry_losses_by(part, {name: values[name] for name in self.beforehand})

    def carry_losses_by(self, rows: Rows, cuts: Mapping[str, Array]) -> None:
        """`windows.carry_losses`: the same into `cuts`, where `rows` says what is there of some steps."""
        carriers, window = self._compiled.carriers, self.network.truncate or 0
        carry_losses(self.program, carriers, self.bounds, window, rows, self.zeros, cuts)

    def zeros(self, names: Iterable[str], steps: int) -> dict[str, Array]:
        """So many steps of quantities in time."""
        return self.part(names, steps, np.zeros)

    def gradient(self, values: Mapping[str, Array], name: str, t: int | None = None) -> Array:
        """The gradient that accumulates over time, summed over the steps up to t as they run; over all of them (None) the recorded bits."""
        line = next(line for line in self.program.writers(name))
        result = np.zeros(self.shape(self.program.quantities[name]), self.network.dtype)
        block = self.program.blocks[line.block]
        if not block.in_time:
            return values[name]
        with np.errstate(all="ignore"):
            for span in self.spans(block):
                rows = range(*span) if t is None else self.reached(block, span, t)
                if rows:
                    self.add_terms({**values, name: result}, name, rows.start, rows.stop)
        result.flags.writeable = False
        return result

    def reached(self, block: Block, span: tuple[int, int], t: int) -> range:
        """The rows of a span that a loop over time has run when step t is done."""
        low, high = span
        return range(low, min(high, t)) if block.loop is Loop.UP else range(max(low, t - 1), high)

    def initial_row(self, name: str) -> int:
        """The row of a state's (or its gradient's) initial value."""
        quantity = self.program.quantities[name]
        return quantity.row(quantity.initial(self.steps) or 0)

    def beginning(self, name: str) -> int:
        """The row that is given before a loop over time begins: of a state its initial one, of a flow that of the last state, into which
        something may flow from beyond the layer."""
        return -1 if self.program.quantities[name].reverse != name.endswith(NEXT) else 0

    def add_terms(self, values: dict[str, Array], name: str, low: int, high: int) -> None:
        """Adds to a gradient, in `values`, the terms of rows [low, high) of a block."""
        self._compiled.accumulators[name](values, low, high)

    def run_block(self, block: Block, values: dict[str, Array], low: int, high: int) -> None:
        """Runs a block of lines on rows [low, high) of `values`, recorded arrays and parameters by name."""
        through(self._stages(block), values, [(low, high)])

    def _stages(self, block: Block) -> CompiledBlock:
        return self._compiled.blocks[self.program.blocks.index(block)]

    @cached_property
    def _compiled(self) -> CompiledProgram:
        return CompiledProgram(self.network, self.program, self.axes, self.sizes, self.step_values, self.block_steps)


def plan(network: Network, batch: int, steps: int, *, masked: bool = False, checkpoints: bool = False) -> Plan:
    """The plan for a network on `batch` samples of `steps` time steps, `masked` where they differ in length."""
    return Plan(network, build(network, steps, masked=masked), batch, checkpoints)


def reporter(progress: Progress | None, whole: int) -> Callable[[int], None]:
    """A function that adds up the steps done and reports the share of the whole."""
    done = 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done / whole)

    return report


def update_order(program: Program) -> Iterator[tuple[Line, str | None]]:
    """The update's lines as they run, each with its parameter."""
    for block in program.blocks:
        if block.phase == "update":
            for parameter in program.parameters if block.loop is Loop.PARAMETERS else (None,):
                yield from ((line, parameter) for line in block.lines)
