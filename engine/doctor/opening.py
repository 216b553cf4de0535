"""Opens the user's program: the walk through its own run, and beside it, where it computes a network of ours, the debugger on that network
with the program's own weights and data."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from engine.debug.debugger import Debugger
from engine.doctor.diagnose import report_beyond
from engine.doctor.lineage.record.running import Runs
from engine.doctor.made_up import follow_function
from engine.doctor.read.source import SourceFile, Unreadable, read_source
from engine.doctor.read.top_level import statically_runs, without_its_run
from engine.doctor.recognise.network import recognised
from engine.doctor.report.own_failure import OwnFailures
from engine.doctor.report.own_run_report import OwnRun, examine_own_run
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import program_of
from engine.doctor.run.told_line import told
from engine.doctor.walk.lockstep import Lockstep
from engine.doctor.walk.opening import walked
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.files.data import Data
from engine.files.options import DEFAULTS
from engine.notation import NOTATIONS, Spelling
from engine.session import Session
from engine.tables.cells import Cell
from engine.text import clean


def open_program(
    path: Path,
    function: str | None = None,
    notation: str | None = None,
    wishes: Wishes | None = None,
    cells: Sequence[Cell] = (),
    progress: TextIO | None = None,
) -> tuple[Session, Lockstep] | ProgramWalk:
    """Runs the program, with its user's rights, and opens the walk through what it did; where it computes a network of ours, or of one of
    the `cells`, that network's session beside it, in `notation` or the one whose names the program uses.

    How far it is stands on `progress`, if that is a terminal. InputError where it cannot be run or called, or computes no loss.
    """
    walk = open_walk(path, wishes, function, progress)
    with told(progress, "looking whether it computes a network that is known"):
        lockstep = beside(walk, cells)
        return walk if lockstep is None else (_session(lockstep, path, notation), lockstep)


def open_again(path: Path, before: Lockstep) -> tuple[Session, Lockstep] | ProgramWalk:
    """The same program run as it was before, of which the file may have changed. Raises InputError as `open_program`."""
    walk = before.walk
    return open_program(path, walk.function, wishes=walk.wishes, cells=before.cells)


def open_walk(
    path: Path,
    wishes: Wishes | None = None,
    function: str | None = None,
    progress: TextIO | None = None,
    *,
    mend: bool = True,
) -> ProgramWalk:
    """Runs the program at `path`, with its user's rights, and carries its loss back. Of a file that only defines functions, or where one
    is named, a backward pass is called with arguments that are made up. Without `mend` the line that is wrong is not looked for.

    InputError where it cannot be run or called, or computes no loss.
    """
    try:
        source = read_source(path)
    except Unreadable as error:
        raise InputError(f"{clean(path.name)}: {error}") from None
    return walk_of(source, wishes, function, progress, mend=mend)


def walk_of(
    source: SourceFile,
    wishes: Wishes | None = None,
    function: str | None = None,
    progress: TextIO | None = None,
    *,
    mend: bool = True,
) -> ProgramWalk:
    """The walk through a program of which the text is known: that of its file, or one that is nowhere written yet; see `open_walk`."""
    wishes, path, own = wishes or Wishes(), source.path, None
    runs = Runs(program_of(source), wishes, progress)
    try:
        runs_something = function is None and statically_runs(source.tree())
    except Unreadable as error:
        raise InputError(f"{clean(path.name)}: {error}") from None
    if runs_something:
        own = examine_own_run(runs, source, mend=mend)
    with told(progress, "laying out its run, line by line"):
        walk = _walk(source, own, function, wishes)
    walk.wishes, walk.function = wishes, function
    failures = OwnFailures()
    if mend and own is not None and own.report.verdict != "wrong":  # what else is found where the run leaves it open
        walk.report = failures.told(report_beyond(runs, source, own, failures))
    return walk


def _walk(source: SourceFile, own: OwnRun | None, function: str | None, wishes: Wishes) -> ProgramWalk:
    """The walk through its own run, or through a function that is called where there is none, or it cannot be walked through."""
    try:
        return walked(source, own if own is not None else _of_functions(source, function, wishes))
    except InputError as error:
        called = follow_function(without_its_run(source), None, wishes) if own is not None else None
        if called is None or called.verdict is None or called.verdict.loss is None:
            raise _stopped(error, own, source.path) from None
        return walked(source, replace(called, report=replace(called.report, notes=(str(error), *called.report.notes))))


def _of_functions(source: SourceFile, function: str | None, wishes: Wishes) -> OwnRun:
    own = follow_function(without_its_run(source), function, wishes)
    if own is None:
        raise InputError(f"{clean(source.path.name)}: it runs nothing, and has no backward pass that could be called")
    return own


def _stopped(error: InputError, own: OwnRun | None, path: Path) -> InputError:
    """What to say of a program that shows no loss: where it stops by an exception, what names more of what is wrong."""
    if own is None or not own.report.run or own.report.run["ended"] != "exception":
        return error
    further = "repairs it in memory and names what else is wrong"
    return InputError(f"{error}; `rnn-tui doctor {clean(path.name)}` {further}")


def beside(walk: ProgramWalk, cells: Sequence[Cell] = ()) -> Lockstep | None:
    """The walk with the network of ours beside it that it computes; None where it computes none."""
    failures, found = OwnFailures(), None
    with failures.when("it looked for a network of ours"):  # the walk needs none
        found = recognised(walk.record, walk.loss, walk.weights, cells, walk.factor)
    walk.report = failures.told(walk.report)
    return None if found is None else Lockstep(walk, found, cells)


def _session(lockstep: Lockstep, path: Path, notation: str | None) -> Session:
    problem = lockstep.problem
    data = Data(
        name=lockstep.report.file,
        path=path.absolute(),
        X=np.asarray(problem.X, dtype=np.float64),
        y=problem.y,
        classes=tuple(map(str, range(problem.network.outputs))) if problem.network.head.classes else (),
        table=None,
        lengths=problem.lengths,
    )
    debugger = Debugger(problem.network, problem.X, problem.y, initial=problem.initial, lengths=problem.lengths)
    options: dict[str, Any] = {
        **DEFAULTS,
        "notation": notation or likeliest_notation(lockstep),
        "function": lockstep.walk.function,
    }
    return Session(data, options, debugger)


def likeliest_notation(lockstep: Lockstep) -> str:
    """The notation whose names for the matrices the program uses most, at least two; of several, the one with the same layout."""
    network = lockstep.problem.network
    program = lockstep.problem.tape.plan.program
    tree = ast.parse(lockstep.source.text)
    words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    words |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    words = {re.sub(r"\W|_", "", word) for word in words}
    matrices = [name for name, axes in network.parameter_axes.items() if len(axes) == 2]

    def score(name: str) -> tuple[int, bool]:
        notation = NOTATIONS[name]
        spelling = Spelling(notation, network.table, program)
        known = len({re.sub(r"\W|_", "", spelling.name(weight)) for weight in matrices} & words)
        return (known if known > 1 else 0), notation.layout.turned_weights == lockstep.recognised.turned

    best = max(NOTATIONS, key=score)
    return best if score(best)[0] else "ng"
