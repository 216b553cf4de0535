"""Examines a whole script with its global variables. It runs once, up to the first update; its arrays are recognised by
name, shape and value, and the reference runs on the same data and weights. Where that is too much to record, the script
runs again on less data."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.doctor.read.syntax import UserFunction, UserProgram
from engine.doctor.recognise.loaded_program import CannotRun, LoadedProgram
from engine.doctor.report.report import Report
from engine.doctor.report.script_verdict import (
    AGAIN,
    SECONDS,
    WHOLE,
    ScriptVerdict,
    compared_run,
    events_in,
    explained,
    run_script,
)
from engine.doctor.report.trainer_report import examine_trainer
from engine.doctor.run.instrument import instrument
from engine.doctor.run.process import Process
from engine.doctor.run.subsample import DataShapes, Subsample, data_targets, fewer_samples, fewer_steps, in_double

TOO_MUCH = ("Stopped", "MemoryError", "_ArrayMemoryError")


def examine_script(user_program: UserProgram, process: Process) -> Report:
    """The report on a script, or on its function that trains."""
    trainer = user_program.trainer()
    made = instrument(user_program.source.tree())
    loaded = LoadedProgram(user_program, process, made.sites, made.loops)
    if trainer is not None and not _is_called(user_program, trainer):
        return examine_trainer(loaded, trainer)
    return explained(loaded, _verdict_on(loaded))


def _verdict_on(loaded: LoadedProgram) -> ScriptVerdict:
    """Runs the script and compares its gradients; runs it again on part of its data where the whole is too much to
    examine, or to find a mistake in."""
    targets = data_targets([name for site in loaded.sites for name in (site.target, *site.names)])
    answer = run_script(loaded, loaded.source.text, Subsample(targets, double=False))
    shapes: DataShapes = {name: [tuple(s) for s in listed] for name, listed in answer.get("shapes", {}).items()}
    too_much = answer.get("error", {}).get("kind") in TOO_MUCH
    is_part = too_much and not answer["updated"]  # not even one backward pass
    best: ScriptVerdict | CannotRun | None = None
    if not is_part or fewer_samples(shapes, None) is None:
        best = _tried(loaded, answer)
        if isinstance(best, CannotRun) and not too_much:
            raise best
    done: Subsample | None = None
    for further in (fewer_samples, fewer_steps, in_double):
        gains = best.gains_from(further) if isinstance(best, ScriptVerdict) else further is not in_double
        cut = further(shapes, done) if gains else None
        if cut is None:
            continue
        again = run_script(loaded, loaded.source.text, cut)
        smaller = _tried(loaded, again, cut)
        if again.get("error", {}).get("kind", "Stopped") in TOO_MUCH:
            done = cut  # text and data were cut alike
        if isinstance(smaller, ScriptVerdict):
            replaced = not isinstance(best, ScriptVerdict) or best.is_single or smaller.report.verdict == "wrong"
            best = smaller if replaced else best
        elif not isinstance(best, ScriptVerdict) and "error" not in again:
            best = smaller  # it ran to its end, so its report holds for the whole script
    if isinstance(best, ScriptVerdict):
        return best
    raise best or CannotRun(loaded.failed(answer["error"], SECONDS), answer["error"].get("line"))


def _tried(loaded: LoadedProgram, answer: Mapping[str, Any], cut: Subsample = WHOLE) -> ScriptVerdict | CannotRun:
    try:
        return _verdict(loaded, answer, cut)
    except CannotRun as refused:
        return refused


def _is_called(user_program: UserProgram, function: UserFunction) -> bool:
    """Whether the script itself calls a function, directly or through others."""
    names = {f.node.name for f in user_program.functions if f is function or user_program.calls(f, function)}
    for statement in user_program.tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        if any(
            isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in names for n in ast.walk(statement)
        ):
            return True
    return False


def _verdict(loaded: LoadedProgram, answer: Mapping[str, Any], cut: Subsample = WHOLE) -> ScriptVerdict:
    """The verdict on a run of the script."""
    error = answer.get("error")
    if cut is not WHOLE and error is not None and error["kind"] not in TOO_MUCH and not _is_its_own(error, cut):
        raise CannotRun(loaded.failed(error, AGAIN), error.get("line"))
    verdict = compared_run(loaded, events_in(loaded, answer), error, {}, "", cut)
    notes = (*verdict.report.notes, cut.words) if cut is not WHOLE else verdict.report.notes
    return replace(verdict, report=replace(verdict.report, notes=notes))


def _is_its_own(error: Mapping[str, Any], cut: Subsample) -> bool:
    """Whether a program would fail so on all of its data too: no size is left in it that was cut."""
    sizes = {int(number) for number in re.findall(r"\d+", str(error["message"]))}
    about_shapes = error["kind"] == "ValueError" and re.search("aligned|matmul|broadcast", str(error["message"]))
    known = error["kind"] in ("NameError", "UnboundLocalError", "AttributeError", "TypeError")
    return known or (bool(about_shapes) and not sizes & {*cut.samples, *cut.steps})
