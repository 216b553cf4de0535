"""Opens the user's program: where it is one of ours the debugger beside it, which runs the reference on the problem (data and weights) on
which the program was examined; else the walk through its own run."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from engine.debug.debugger import Debugger
from engine.doctor.by_reference import examine
from engine.doctor.lineage.running import Runs
from engine.doctor.made_up import follow_function
from engine.doctor.read.source import Unreadable, read_source
from engine.doctor.read.top_level import statically_runs, without_its_run
from engine.doctor.report.lockstep import Lockstep
from engine.doctor.report.own_run_report import examine_own_run
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from engine.doctor.walk.opening import walked
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.files.data import Data
from engine.files.options import DEFAULTS
from engine.notation import NOTATIONS, Spelling
from engine.session import Session
from engine.text import clean


class ProgramStops(InputError):
    """A program that stops by an exception before there is a loss to step back from."""


def open_yours(path: Path, function: str | None = None, notation: str | None = None) -> tuple[Session, Lockstep]:
    """Examines the program (it is run, see `examine`) and opens the reference beside it, in `notation` or the one whose names it uses.

    Raises InputError when the program could not be examined, with the reason.
    """
    return open_beside(examine(path, function), path, function, notation)


def open_program(
    path: Path, function: str | None = None, notation: str | None = None, wishes: Wishes | None = None
) -> tuple[Session, Lockstep] | ProgramWalk:
    """The reference beside the program where it is one of ours and runs to its end; else the walk through the program's own run, at once
    where there are `wishes` how that is to be made.

    Raises InputError where neither is to be had, with both reasons.
    """
    if wishes is not None:
        return open_walk(path, wishes, function)
    report = examine(path, function)
    if report.compared is not None and report.verdict in ("correct", "wrong"):
        return open_beside(report, path, function, notation)
    try:
        return open_walk(path, function=function)
    except InputError as error:
        if report.compared is not None:
            return open_beside(report, path, function, notation)
        if isinstance(error, ProgramStops):
            raise
        told, own = f"{report.file}: {report.reason}", str(error).partition(": ")[2] or str(error)
        raise InputError(told if own in told else f"{told}; its own run: {own}") from None


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
    wishes = wishes or Wishes()
    try:
        source = read_source(path)
        runs_something = function is None and statically_runs(source.tree())
    except Unreadable as error:
        raise InputError(f"{clean(path.name)}: {error}") from None
    if runs_something:
        own = examine_own_run(Runs(ProgramFile(path, source.text, source.cells), wishes, progress), source, mend=mend)
    else:
        own = follow_function(without_its_run(source), function, wishes)
        if own is None:
            raise InputError(f"{clean(path.name)}: it runs nothing, and has no backward pass that could be called")
    try:
        walk = walked(source, own)
    except InputError as error:
        if mend and runs_something and own.report.run and own.report.run["ended"] == "exception":
            further = "repairs it in memory and names what else is wrong"
            raise ProgramStops(f"{error}; `rnn-tui doctor {clean(path.name)}` {further}") from None
        raise
    walk.wishes, walk.function = wishes, function
    return walk


def open_beside(
    report: Report, path: Path, function: str | None = None, notation: str | None = None
) -> tuple[Session, Lockstep]:
    """The same for a program that has been examined already."""
    if report.compared is None:
        raise InputError(f"{report.file}: {report.reason}")
    lockstep = Lockstep(report, report.compared)
    problem = lockstep.problem
    data = Data(
        name=report.file,
        path=path.absolute(),
        X=np.asarray(problem.X, dtype=np.float64),
        y=problem.y,
        classes=tuple(map(str, range(problem.network.outputs))) if problem.network.head.classes else (),
        table=None,
        lengths=problem.lengths,
    )
    debugger = Debugger(problem.network, problem.X, problem.y, initial=problem.initial, lengths=problem.lengths)
    options: dict[str, Any] = {**DEFAULTS, "notation": notation or likeliest_notation(lockstep), "function": function}
    return Session(data, options, debugger), lockstep


def likeliest_notation(lockstep: Lockstep) -> str:
    """The notation whose names for the matrices the program uses most, at least two; of several, the one with the same layout."""
    network = lockstep.problem.network
    program = lockstep.compared.reference.problem.tape.plan.program
    tree = ast.parse(lockstep.source.text)
    words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    words |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    words = {re.sub(r"\W|_", "", word) for word in words}
    turned = bool(lockstep.compared.scales.turned)

    matrices = [name for name, axes in network.parameter_axes.items() if len(axes) == 2]

    def score(name: str) -> tuple[int, bool]:
        notation = NOTATIONS[name]
        spelling = Spelling(notation, network.table, program)
        known = len({re.sub(r"\W|_", "", spelling.name(weight)) for weight in matrices} & words)
        return (known if known > 1 else 0), notation.layout.turned_weights == turned

    best = max(NOTATIONS, key=score)
    return best if score(best)[0] else "ng"
