"""Opens the user's program: where it is one of ours the debugger beside it, which runs the reference on the problem (data and weights) on
which the program was examined; else the walk through its own run."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np

from engine.debug.debugger import Debugger
from engine.doctor.by_reference import examine
from engine.doctor.report.lockstep import Lockstep
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.walk.opening import open_walk
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.files.data import Data
from engine.files.options import DEFAULTS
from engine.notation import NOTATIONS, Spelling
from engine.session import Session


def open_yours(path: Path, function: str | None = None, notation: str | None = None) -> tuple[Session, Lockstep]:
    """Examines the program (it is run, see `examine`) and opens the reference beside it, in `notation` or the one whose names it uses.

    Raises InputError when the program could not be examined, with the reason.
    """
    return open_beside(examine(path, function), path, function, notation)


def open_program(
    path: Path, function: str | None = None, notation: str | None = None, wishes: Wishes | None = None
) -> tuple[Session, Lockstep] | ProgramWalk:
    """The reference beside the program where it is one of ours; else the walk through the program's own run, at once where there are
    `wishes` how that is to be made.

    Raises InputError where neither is to be had, with both reasons.
    """
    if wishes is not None:
        return open_walk(path, wishes)
    try:
        return open_yours(path, function, notation)
    except InputError as unknown:
        if function is not None:
            raise
        try:
            return open_walk(path)
        except InputError as error:
            told, own = str(unknown), str(error).partition(": ")[2] or str(error)
            raise InputError(told if own in told else f"{told}; its own run: {own}") from None


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
        csv=None,
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
