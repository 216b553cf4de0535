"""The report on an exception in the backward pass: its line, the shapes on it and, where one small change makes every
gradient right, the corrected line."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.doctor.judge.repair import Verify, mend
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.recognise.loaded_program import LoadedProgram
from engine.doctor.reference.problem import Problem
from engine.doctor.reference.results import NamedMistake, Place
from engine.doctor.report.report import Report

WRONG_AXIS = "loop-over-wrong-axis"


def raised(loaded: LoadedProgram, error: Mapping[str, Any], base: Report, problem: Problem, verify: Verify) -> Report:
    """The report on an exception; `verify` tries a corrected text."""
    line = error.get("line") or 1
    place = Place(line, loaded.source.line(line), why=str(error["message"])[:200])
    reason = f"the forward pass is right; in the backward pass {loaded.failed(error, 1.5)}"
    report = replace(base, reason=reason, reason_line=line, first_divergence=place, loss_matches=True)
    loop = _too_long(loaded.program.tree, error, problem)
    texts = mend(loaded.source, loaded.program.tree, [loop or line], verify, seconds=loaded.time_left())
    if loop is not None:
        at = Place(loop, loaded.source.line(loop))
        finding = NamedMistake(
            WRONG_AXIS, CATALOGUE[WRONG_AXIS].title, _wrong(problem), None, at, texts[0] if texts else ""
        )
        return replace(report, diagnoses=(finding,))
    return replace(report, reason=f"{reason}; it should be: {texts[0]}") if texts else report


def _wrong(problem: Problem) -> tuple[str, ...]:
    return tuple(name for name in ("Wx", "Wa", "ba") if name in problem.parameters)


def _too_long(tree: ast.Module, error: Mapping[str, Any], problem: Problem) -> int | None:
    """The line of the loop around an index that there are enough samples for, but not enough time steps."""
    samples, steps = problem.X.shape[:2]
    numbers: Mapping[str, int] = error.get("numbers") or {}
    if error["kind"] not in ("IndexError", "KeyError"):
        return None
    loops = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.For | ast.While)
        and node.lineno <= (error.get("line") or 0) <= (node.end_lineno or 0)
        and any(steps <= numbers.get(name, -1) <= samples for name in _variables(node))
    ]
    return max((node.lineno for node in loops), default=None)


def _variables(loop: ast.For | ast.While) -> set[str]:
    """What a loop counts with."""
    head = loop.target if isinstance(loop, ast.For) else loop.test
    return {node.id for node in ast.walk(head) if isinstance(node, ast.Name)}
