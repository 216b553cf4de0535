"""A program compiled: its blocks of lines, taken apart and emitted, as functions that write into arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from engine.language.derive import FULL, gradient
from engine.language.functions import Axes
from engine.model.blocks import Block, Loop
from engine.model.network import Network
from engine.model.program import Program
from engine.recording.emit import Emitter, Runner
from engine.recording.schedule import Parts, carried, closure, step_by_step, take_apart
from engine.tables.heads import LOGITS


@dataclass(frozen=True, eq=False)
class CompiledProgram:
    """The parts of a program as functions of arrays by name and of rows [low, high) of them; each is made when it is first run.

    `axes` are those of every name, `sizes` every dimension's, `block_steps` the most rows that a function is given at once.
    """

    network: Network
    program: Program
    axes: Mapping[str, Axes]
    sizes: Mapping[str, int]
    block_steps: int

    @cached_property
    def blocks(self) -> list[Runner]:
        """Each block of forward, loss and backward."""
        return [self._compile(block) for block in self.program.blocks if block.phase != "update"]

    @cached_property
    def accumulators(self) -> dict[str, Runner]:
        """By a gradient that adds up over the steps, its line alone."""
        summed = (line for line in self.program.lines if line.equation.accumulate)
        return {line.name: self._assemble(Parts(after=[line.equation])) for line in summed}

    @cached_property
    def carriers(self) -> tuple[Runner, Runner]:
        """Functions that carry gradients back by one step, for all steps at once: first from the logits of each step,
        then from what arrived."""
        blocks = self.program.looped("backward")
        every = [line for block in blocks for line in block.lines]
        needed = closure({name for block in blocks for name in carried(block)}, every, forward=False)
        lines = [
            line.equation
            for line in every
            if line.name in needed
            and not line.equation.accumulate
            and (not line.equation.step or line.name.endswith(FULL))
        ]
        return self._assemble(Parts(after=lines)), self._assemble(
            Parts(after=[e for e in lines if e.target != gradient(LOGITS)])
        )

    def _compile(self, block: Block) -> Runner:
        if block.in_time:
            return self._assemble(take_apart(block), reverse=block.loop is Loop.DOWN)
        if block.phase == "loss" and self.network.predict == "every":
            return self._assemble(Parts(after=[step_by_step(line.equation) for line in block.lines]))
        return self._assemble(Parts(inside=[(line.equation, "") for line in block.lines]))

    def _assemble(self, parts: Parts, *, reverse: bool = False) -> Runner:
        emitter = Emitter(self.program.quantities, self.axes, self.sizes)
        for equation in parts.before:
            emitter.block_line(equation)
        emitter.loop(parts.inside, reverse=reverse)
        for equation in parts.after:
            emitter.block_line(equation)
        return emitter.compile(self.network.dtype, self.block_steps)
