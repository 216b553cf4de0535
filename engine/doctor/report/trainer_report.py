"""Examines a function that makes its weights and trains inside: it is called with our data, in one layout after the other."""

from __future__ import annotations

import itertools
from typing import Any

from engine.doctor.read.syntax import UserFunction
from engine.doctor.recognise.call_recipes import LEARNING_RATE
from engine.doctor.recognise.loaded_program import CannotRun, LoadedProgram
from engine.doctor.reference import layouts
from engine.doctor.reference.layouts import ArrayLayout
from engine.doctor.reference.problem import Problem, make_problem
from engine.doctor.report.report import Report
from engine.doctor.report.script_verdict import ScriptVerdict, compared_run, events_in, explained
from engine.doctor.run import clock
from engine.doctor.vocabulary import roles
from engine.tables.heads import HEADS

CALLS = 2.0
"""For calling a function that trains with data in one layout after the other."""
LAYOUTS = (*layouts.BATCHES, *layouts.FLAT[:2])
TARGETS = ("B", "BC", "CB", "B1")
CLASSES = 4
"""Outputs where there is one for each class."""


def examine_trainer(loaded: LoadedProgram, trainer: UserFunction) -> Report:
    """Calls the function with our data, in one layout after the other."""
    answer = loaded.process.ask("load", file=str(loaded.process.file), name="program", text=loaded.source.text)
    if "error" in answer:
        raise CannotRun(loaded.failed(answer["error"]), answer["error"].get("line"))
    refused: CannotRun | None = None
    broken: ScriptVerdict | None = None
    deadline = clock.now() + CALLS
    for layout, y in itertools.product(LAYOUTS, TARGETS):
        tried: list[ScriptVerdict] = []
        for head in HEADS.values():
            outputs = CLASSES if head.output_a_class else 1
            data = make_problem(
                initial=False, loss=head.name, outputs=outputs, inputs=1 if layout in layouts.FLAT else 2
            )
            request = {
                "function": trainer.node.name,
                "method": False,
                "named": _trainer_arguments(trainer, data, ArrayLayout(layout, y=y)),
            }
            result = loaded.process.ask("call", seconds=1.0, record=True, stops=True, calls=[request])
            given = {"X": data.X, "y": data.y}
            try:
                verdict = compared_run(loaded, events_in(loaded, result), result.get("error"), given, trainer.name)
            except CannotRun as error:
                refused = refused or error
                continue
            if verdict.report.reason:
                broken = broken or verdict
                continue
            tried.append(verdict)
            if verdict.report.verdict == "correct" and verdict.report.loss_matches:
                break
        if tried:  # of one layout only: in another one a mistake may hide
            return explained(loaded, max(tried, key=_rightness))
        if clock.now() > deadline:
            break
    if broken is not None:
        return explained(loaded, broken)
    assert refused is not None
    raise refused


def _rightness(verdict: ScriptVerdict) -> tuple[float, ...]:
    """Of verdicts with targets of several kinds the likelier ones come later."""
    right = sum(comparison.ok for comparison in verdict.report.parameters.values())
    return verdict.report.verdict == "correct", verdict.outputs, right, verdict.report.loss_matches


def _trainer_arguments(trainer: UserFunction, problem: Problem, layout: ArrayLayout) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, default in trainer.parameters:
        meant = roles.role(name)
        if meant == "X":
            named[name] = layouts.inputs(problem, layout, None)
        elif meant == "y":
            named[name] = layouts.targets(problem, layout, None)
        elif meant == "once":
            named[name] = 1
        elif default is None:
            sizes = {**problem.network.sizes, "B": len(problem.X), "T": problem.X.shape[1], "lr": LEARNING_RATE}
            if meant not in sizes:
                raise CannotRun(
                    f"{trainer.name} takes {name}, which no known name explains; give it a default value",
                    trainer.node.lineno,
                )
            named[name] = sizes[meant]
    return named
