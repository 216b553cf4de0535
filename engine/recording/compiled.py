"""A program compiled: its blocks of lines, taken apart and emitted, as functions that write into arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from engine.language.derive import FULL, gradient
from engine.language.equation import Equation, infer
from engine.language.expression import Binary, Expression, walk
from engine.language.functions import Array, Axes
from engine.model.blocks import Block, Loop
from engine.model.network import Network
from engine.model.program import Program
from engine.recording import threads
from engine.recording.beside import Beside
from engine.recording.emit import Emitter, Runner
from engine.recording.schedule import Parts, adjoints, carried, closure, halves, step_by_step, take_apart
from engine.tables.heads import LOGITS

MANY = 1 << 12
"""Values of a quantity at one step from which fetching them from memory, or copying them, costs more than a call."""
LONG = 1 << 15
"""Values of a quantity at one step from which two threads gain more, each with half of the samples, than they lose waiting for each other
between calls."""


@dataclass(frozen=True, eq=False)
class CompiledBlock:
    """A block's parts as functions (`schedule.Parts`), each with scratch arrays of its own, so that they may run beside each other: of the
    loop one for each part of the samples, after it there may be two."""

    before: Runner
    inside: tuple[Runner, ...]
    after: tuple[Runner, ...]

    def run(self, values: dict[str, Array], low: int, high: int) -> None:
        """All of it on rows [low, high)."""
        for part in (self.before, *self.inside, *self.after):
            part(values, low, high)


@dataclass(frozen=True, eq=False)
class Carrier:
    """Loops of the backward pass as functions that carry gradients by one step, over many steps at once: `first` also from the logits of
    each step, `onward` from what has arrived alone."""

    blocks: tuple[Block, ...]
    first: Runner
    onward: Runner

    @property
    def up(self) -> bool:
        """Whether they begin at the first step."""
        return self.blocks[0].loop is Loop.UP

    @cached_property
    def reads(self) -> frozenset[str]:
        """What they read."""
        return frozenset(name.name for block in self.blocks for line in block.lines for name in line.equation.reads)

    @cached_property
    def written(self) -> frozenset[str]:
        """What they write step by step, and the flows that they read."""
        return frozenset(name for block in self.blocks for name in adjoints(block))

    @cached_property
    def handed_on(self) -> frozenset[str]:
        """What a step hands to the one that runs after it."""
        return frozenset(name for block in self.blocks for name in carried(block))


@dataclass(frozen=True, eq=False)
class CompiledProgram:
    """The parts of a program as functions of arrays by name and of rows [low, high) of them; each is made when it is first run.

    `axes` are those of every name, `sizes` every dimension's, `step_values` how many numbers the widest quantity has at a step,
    `block_steps` the most rows that a function is given at once.
    """

    network: Network
    program: Program
    axes: Mapping[str, Axes]
    sizes: Mapping[str, int]
    step_values: int
    block_steps: int

    @cached_property
    def beside(self) -> Beside:
        """What lies side by side."""
        return Beside(self.program, self.step_values >= MANY)

    @cached_property
    def blocks(self) -> list[CompiledBlock]:
        """Each block of forward, loss and backward."""
        return [self._compile(block) for block in self.program.blocks if block.phase != "update"]

    @cached_property
    def accumulators(self) -> dict[str, Runner]:
        """By a gradient that adds up over the steps, its line alone."""
        summed = (line for line in self.program.lines if line.equation.accumulate)
        return {line.name: self._over_rows([line.equation]) for line in summed}

    @cached_property
    def carriers(self) -> list[Carrier]:
        """How gradients are carried back by one step, for all steps at once: by the loops that follow each other in one order of the
        steps."""
        blocks = self.program.looped("backward")
        every = [line for block in blocks for line in block.lines]
        needed = closure({name for block in blocks for name in carried(block)}, every, forward=False)
        return [self._carrier(tuple(group), needed) for _, group in groupby(blocks, lambda block: block.loop)]

    def _carrier(self, blocks: tuple[Block, ...], needed: set[str]) -> Carrier:
        lines = [
            line.equation
            for block in blocks
            for line in block.lines
            if line.name in needed
            and not line.equation.accumulate
            and (not line.equation.step or line.name.endswith(FULL))
        ]
        onward = self._over_rows([e for e in lines if e.target != gradient(LOGITS)])
        return Carrier(blocks, self._over_rows(lines), onward)

    def _compile(self, block: Block) -> CompiledBlock:
        if block.in_time:
            parts = take_apart(block, factors_first=self.step_values < MANY)
        elif block.phase == "loss" and self.network.predict == "every":
            parts = Parts(after=[step_by_step(line.equation) for line in block.lines])
        else:
            parts = Parts(inside=[(line.equation, "") for line in block.lines])
        inside = tuple(self._loop(parts.inside, block.loop, part) for part in self._samples(block, parts))
        after = tuple(self._over_rows(half) for half in halves(parts.after, self._work, self.beside.shared))
        return CompiledBlock(self._over_rows(parts.before), inside, after)

    def _samples(self, block: Block, parts: Parts) -> list[slice]:
        """The parts of the samples that go through the loop each alone: two halves where a second thread helps and steps are long, else
        all."""
        whole, half = self.sizes["B"], self.sizes["B"] // 2
        apart = block.in_time and all(self.axes[line.target][:1] == ("B",) for line, _ in parts.inside)
        if not (apart and half and parts.inside and self.step_values >= LONG and threads.beside()):
            return [slice(0, whole)]
        return [slice(0, half), slice(half, whole)]

    def _loop(self, lines: Sequence[tuple[Equation, str]], loop: Loop, samples: slice) -> Runner:
        emitter = self._emitter()
        emitter.loop(lines, reverse=loop is Loop.DOWN, samples=samples)
        return self._finished(emitter)

    def _work(self, expression: Expression) -> int:
        """How many multiplications its matrix products take at one step."""
        products = [node for node in walk(expression) if isinstance(node, Binary) and node.operator == "@"]
        sizes = [(infer(product.left, self.axes), infer(product.right, self.axes)) for product in products]
        return sum(math.prod(self.sizes[axis] for axis in (*left, *right[1:])) for left, right in sizes)

    def _over_rows(self, equations: Sequence[Equation]) -> Runner:
        """Lines over all rows that they are given at once, one line after the other."""
        emitter = self._emitter()
        for equation in equations:
            emitter.block_line(equation)
        return self._finished(emitter)

    def _emitter(self) -> Emitter:
        return Emitter(self.program.quantities, self.axes, self.sizes, self.beside)

    def _finished(self, emitter: Emitter) -> Runner:
        return emitter.compile(self.network.dtype, self.block_steps)
