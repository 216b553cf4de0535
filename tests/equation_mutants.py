"""Mistakes put into the equations, one at a time, and the tests that should see them: `python -m tests.equation_mutants [--every N]`.

A mutant is a line of a program, of any phase, whose parsed tree differs in one node: another operator or function, an operand left
away, another step, another number. It is killed when a test that compares numbers with an independent computation fails: PyTorch's
traces, the networks written out in autograd's NumPy, the papers' formulas of further cells. Those that live are listed.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any
from unittest import mock

import engine.recording.plan
from engine.language.equation import Equation
from engine.language.expression import (
    Binary,
    Call,
    Expression,
    Name,
    Negative,
    Number,
    Transpose,
    computed,
    rewrite,
    walk,
)
from engine.language.functions import FUNCTIONS
from engine.language.printing import show
from engine.model.build import build
from engine.model.program import Program
from engine.tables.cells import FURTHER
from tests.engine.recording import test_against_autograd as by_autograd
from tests.engine.recording import test_against_torch as by_torch
from tests.engine.recording import test_updates as by_updates
from tests.engine.strategies import Source, case
from tests.engine.tables import test_further_cells as by_papers

Test = Callable[[], object]
OTHER_OPERATORS = {"+": "-*", "-": "+", "*": "+/", "/": "*", "**": "*", "@": "", ">": ""}
OTHER_FUNCTIONS = {
    "tanh": "sigmoid",
    "sigmoid": "tanh",
    "relu": "identity",
    "identity": "relu",
    "exp": "sqrt",
    "sqrt": "exp",
}
NETWORKS: tuple[dict[str, Any], ...] = (
    *({"cell": cell, "predict": predict} for cell, predict in product(("rnn", "lstm", "gru"), ("last", "every"))),
    *({"cell": cell, "bidirectional": True, "ragged": True} for cell in ("rnn", "lstm", "gru")),
    {"activation": "sigmoid", "loss": "binary", "outputs": 1},
    {"activation": "identity", "loss": "squared", "predict": "every", "ragged": True},
    {"hidden": (3, 3, 3), "residual": True, "predict": "every", "bidirectional": True},
    {"hidden": (4, 2), "learn_initial": True, "embedding": 3, "dropout": 0.4, "bidirectional": True},
    {"cell": "lstm", "hidden": (4, 2), "learn_initial": True, "embedding": 3, "dropout": 0.4, "predict": "every"},
    *({"cell": cell, "truncate": 2, "truncate_by": "chunk", "predict": "every"} for cell in ("rnn", "lstm", "gru")),
    *({"cell": cell, "truncate": 2, "truncate_by": "window", "predict": "every"} for cell in ("rnn", "lstm", "gru")),
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A line that writes `target` in a phase with one expression, which is replaced by another."""

    phase: str
    equation: Equation
    instead: Expression

    def put_into(self, program: Program) -> Program:
        """The program with this mistake."""
        blocks = tuple(
            replace(
                block,
                lines=tuple(
                    replace(line, equation=replace(line.equation, expression=self.instead))
                    if (line.phase, line.equation) == (self.phase, self.equation)
                    else line
                    for line in block.lines
                ),
            )
            for block in program.blocks
        )
        return replace(program, blocks=blocks)

    def __str__(self) -> str:
        before, after = (show(computed(each), _Steps()) for each in (self.equation.expression, self.instead))
        return f"{self.phase}: {self.equation.target} = {before}  →  {after}"


class _Steps(Source):
    """NumPy source with steps that no source has."""

    def name(self, name: Name) -> str:
        return f"{name.name}@{name.step:+d}" if name.step else name.name


def tests() -> list[Test]:
    """Those that compare with an independent computation."""
    return [
        *(partial(by_torch.test_every_quantity_is_pytorchs, path) for path in by_torch.RECORDED),
        by_updates.test_what_is_clipped_and_what_is_cut_add_up_to_the_gradient,
        *(partial(by_torch.test_training_is_pytorchs, path) for path in by_torch.TRAINED),
        *(partial(by_autograd.check, case(init_scale=1.5, **options)) for options in NETWORKS),
        *(partial(by_papers.test_loss_and_gradients_are_those_of_the_paper, cell) for cell in FURTHER),
    ]


def mutants(phase: str, equation: Equation) -> Iterator[Mutant]:
    """All mutants of a line."""
    for node in dict.fromkeys(walk(equation.expression)):
        for other in others(node):
            instead = rewrite(equation.expression, lambda each, node=node, other=other: other if each == node else None)
            yield Mutant(phase, equation, instead)


def others(node: Expression) -> Iterator[Expression]:
    """What may stand by mistake where a node stands."""
    match node:
        case Binary(operator=operator, left=left, right=right):
            yield from (replace(node, operator=other) for other in OTHER_OPERATORS[operator])
            yield from (left, right)
        case Call(function=function, arguments=(argument,)) if FUNCTIONS[function].elementwise:
            if function in OTHER_FUNCTIONS:
                yield replace(node, function=OTHER_FUNCTIONS[function])
            yield argument
        case Call(arguments=arguments):
            yield from arguments
        case Negative(operand=operand) | Transpose(operand=operand):
            yield operand
        case Name(step=step) if step:
            yield replace(node, step=0)
            yield replace(node, step=-step)
        case Number(value=value):
            yield Number(value + 1)
        case _:
            return


def lines_of(test: Test) -> list[tuple[str, Equation]]:
    """The lines of all programs that a test runs."""
    found: dict[tuple[str, Equation], None] = {}

    def seen(*arguments: Any, **named: Any) -> Program:
        program = build(*arguments, **named)
        found.update(dict.fromkeys((line.phase, line.equation) for block in program.blocks for line in block.lines))
        return program

    with mock.patch.object(engine.recording.plan, "build", seen):
        test()
    return list(found)


def killed(mutant: Mutant, judges: list[Test]) -> bool:
    """Whether one of the tests fails."""

    def wrong(*arguments: Any, **named: Any) -> Program:
        return mutant.put_into(build(*arguments, **named))

    with mock.patch.object(engine.recording.plan, "build", wrong):
        for test in judges:
            try:
                test()
            except (Exception, AssertionError):
                return True
    return False


def main() -> int:
    """Prints what lives, and the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.equation_mutants", description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th mutant only")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    judges: dict[tuple[str, Equation], list[Test]] = {}
    for test in tests():
        for line in lines_of(test):
            judges.setdefault(line, []).append(test)
    every = list(dict.fromkeys(mutant for line in judges for mutant in mutants(*line)))[:: arguments.every]
    started, living = time.process_time(), []
    for mutant in every:
        if not killed(mutant, judges[mutant.phase, mutant.equation]):
            living.append(mutant)
            print("lives:", mutant, flush=True)
    share = 1 - len(living) / len(every)
    print(
        f"{len(judges)} lines, {len(every)} mutants, {len(living)} live: {share:.1%} killed, {time.process_time() - started:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
