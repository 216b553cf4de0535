"""A program examined by the reference: its backward pass is recognised, called, and compared with that of our network of the same kind."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.doctor.read.source import SourceFile, Unreadable, read_source
from engine.doctor.read.syntax import UserFunction, UserProgram, program
from engine.doctor.recognise.loaded_program import CannotRun, own_failure
from engine.doctor.reference.results import Place
from engine.doctor.report.function_report import examine_function
from engine.doctor.report.report import Report
from engine.doctor.report.script_report import examine_script
from engine.doctor.run.process import Ended, Process
from engine.errors import InputError
from engine.tables.cells import Cell
from engine.text import clean


def examine(path: Path, function: str | None = None, cells: Sequence[Cell] = ()) -> Report:
    """What is wrong in the backward pass at `path`, where and why, or that it is right. `cells` are further cells that
    it may implement. The file is run, in a separate process with limits of time and memory. Raises InputError when
    there is no such file, or no function of the name that is asked for; whatever else goes wrong is part of the report.
    """
    try:
        return examine_source(read_source(path), function, cells)
    except Unreadable as error:
        return Report("cannot-run", clean(path.name), reason=str(error), reason_line=error.line)


def examine_source(source: SourceFile, function: str | None = None, cells: Sequence[Cell] = ()) -> Report:
    """The same for a text that is already read."""
    name = clean(source.path.name)
    try:
        found = replace(program(source, source.tree()), cells=tuple(cells))
        main = _main(found, function, name)
    except Unreadable as error:
        return Report("cannot-run", name, reason=str(error), reason_line=error.line)
    with Process(source) as process, np.errstate(all="ignore"):
        try:
            return _in_cells(replace(_not_by_exception(_examined(found, main, process)), file=name), source)
        except CannotRun as error:
            function = main.name if main else ""
            return Report("cannot-run", name, function, reason=str(error), reason_line=error.line, driver=error.driver)
        except Ended as ended:
            return Report("cannot-run", name, main.name if main else "", reason=f"the code {ended}")
        except InputError:
            raise
        except Exception as error:  # an error in the doctor is reported in a sentence, not as a traceback
            return Report("cannot-run", name, main.name if main else "", reason=own_failure(error))


def _not_by_exception(report: Report) -> Report:
    """The same, but an exception on arguments that were made up is no mistake, unless a corrected line was found that makes all right."""
    if report.verdict != "wrong" or not report.reason or not report.function or "it should be: " in report.reason:
        return report
    if report.diagnoses:
        return report
    return replace(report, verdict="cannot-run", parameters={}, first_divergence=None)


def _in_cells(report: Report, source: SourceFile) -> Report:
    """The report on a notebook, with cells beside the lines."""

    def told(place: Place | None) -> Place | None:
        return replace(place, where=source.place(place.line)) if place is not None and source.cells else place

    findings = tuple(replace(finding, place=told(finding.place)) for finding in report.diagnoses)
    return replace(report, diagnoses=findings, first_divergence=told(report.first_divergence))


def _main(found: UserProgram, function: str | None, name: str) -> UserFunction | None:
    if function is None:
        return found.backward()
    main = found.find(function)
    if main is None:
        own = [f.name for f in found.functions]
        near = difflib.get_close_matches(function, [*own, *(f.node.name for f in found.functions)], 1)
        meant = f"is {near[0]} meant? " if near else ""
        raise InputError(
            f"{name}: there is no function {clean(function, 60)}; {meant}it has {', '.join(own[:12]) or 'none'}"
        )
    return main


def _examined(found: UserProgram, main: UserFunction | None, process: Process) -> Report:
    return examine_script(found, process) if main is None else examine_function(found, main, process)
