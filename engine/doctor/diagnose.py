"""The doctor itself: from a file to a report.

The user's own run comes first: what is compared there are the program's own gradients of its own loss, on its own data. Where it stops at a
slip that can be repaired, it is followed on; where the run leaves the question open otherwise, or nothing runs, the functions are called
with arguments that are made up, and judged in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from engine.doctor.by_call import ExampleCalls, examine_calls, examine_own_call
from engine.doctor.lineage.gradients.never_stepped import NO_GRADIENT
from engine.doctor.lineage.gradients.unseen import NOTHING_CAME
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.verdict.meant import STEPPED
from engine.doctor.lineage.verdict.of_round import NO_STEPS
from engine.doctor.made_up import examine_functions, joined
from engine.doctor.read.source import SourceFile, Unreadable, read_source
from engine.doctor.read.top_level import statically_runs, without_its_run
from engine.doctor.report.own_failure import OwnFailures
from engine.doctor.report.own_run_report import NOT_FURTHER, OF_SEVERAL, OwnRun, examine_own_run
from engine.doctor.report.repaired_report import (
    examine_overwritten,
    examine_repaired,
    repaired_source,
    with_functions,
    with_repairs,
)
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import program_of
from engine.text import clean

NO_PASS = "it has no backward pass that could be called (--function names one)"
FROM_PYTHON_2 = "it was converted from Python 2: lines are told as converted, and / between whole numbers drops its remainder, as there"
TOO = "its own run is wrong, too, and no correction was found by it"
NOTHING_RUNS = "it was not run: it only defines functions and names"


def diagnose(
    path: Path,
    function: str | None = None,
    wishes: Wishes | None = None,
    progress: TextIO | None = None,
    example: ExampleCalls | None = None,
) -> Report:
    """What is wrong in the backward pass at `path`, where and why, or that it is right.

    The file is run as `wishes` say, then, where that leaves it open, its functions are examined: `function` alone, if one is named (the
    file is not run as a whole then), or what the calls of an `example` give back. Raises InputError when there is no such
    file, no function of that name, no such interpreter, or where the example cannot be called; whatever else goes wrong is part of the
    report.
    """
    try:
        source = read_source(path)
        runs_something = statically_runs(source.tree())
    except Unreadable as error:
        return Report("cannot-run", clean(path.name), reason=str(error), reason_line=error.line)
    if example is not None:
        report = examine_calls(source, example, wishes or Wishes())
    elif function is not None:
        report = of_functions(source, function, wishes or Wishes())
    else:
        failures = OwnFailures()
        report = failures.told(
            _of_the_file(source, wishes or Wishes(), progress, failures, runs_something=runs_something)
        )
    report = _with_what_was_not_read(report, source)
    return replace(report, notes=(*report.notes, FROM_PYTHON_2)) if program_of(source).python_2 else report


def _with_what_was_not_read(report: Report, source: SourceFile) -> Report:
    """With the cells of a notebook that were left out: where nothing else is decided, they are the reason."""
    if not source.unread or report.verdict in ("correct", "wrong"):
        return replace(report, notes=(*source.unread, *report.notes))
    return replace(report, reason="; ".join(filter(None, (*source.unread, report.reason))))


def _of_the_file(
    source: SourceFile, wishes: Wishes, progress: TextIO | None, failures: OwnFailures, *, runs_something: bool
) -> Report:
    """The report on the program's own run, and on its functions where that leaves it open."""
    if not runs_something:
        functions = of_functions(source, None, wishes)
        return replace(functions, notes=(NOTHING_RUNS, *functions.notes))
    runs = Runs(program_of(source), wishes, progress)
    return report_beyond(runs, source, examine_own_run(runs, source), failures)


def report_beyond(runs: Runs, source: SourceFile, own: OwnRun, failures: OwnFailures) -> Report:
    """The report on a program, given that on its `own` run: where that leaves it open, or stops, it is followed on with repairs, and its
    functions are examined."""
    if not own.reason and (own.report.verdict == "correct" or own.report.diagnoses):
        return own.report
    repaired, text = examine_repaired(runs, source, own, failures) or (None, source)
    if repaired is not None and repaired.followed_on:
        functions = None if repaired.parameters else of_functions(text, None, runs.wishes)
        shown = functions is not None and functions.reason != NO_PASS
        return _with_a_way_on(with_functions(repaired, functions) if functions is not None and shown else repaired)
    if own.reason and (overwritten := examine_overwritten(runs, source, own, failures)) is not None:
        return overwritten
    if own.report.verdict == "wrong" and NOT_FURTHER not in own.report.notes:
        return own.report  # in its functions, with arguments that are made up, the same search would find as little
    came_to_its_end = (own.report.run or {}).get("ended") == "end"
    functions = of_functions(source, None, runs.wishes, as_called=came_to_its_end)
    if own.report.verdict == "wrong":
        return _with_their_correction(own, functions)
    report = _joined(own, functions)
    if repaired is not None and report.verdict == "cannot-run":
        report = replace(report, diagnoses=(*repaired.diagnoses, *report.diagnoses))
    return _with_a_way_on(report)


def _with_a_way_on(report: Report) -> Report:
    """With what to do where a program has no gradient of some weight, or none at all."""
    told = (report.reason, *report.notes, *(why for _, why in report.not_compared))
    if report.function or not any(missing in each for missing in (NO_GRADIENT, NO_STEPS) for each in told):
        return report
    way = f"rnn-tui derive {report.file} writes a backward pass that is missing"
    return replace(report, notes=(*report.notes, way))


def of_functions(source: SourceFile, function: str | None, wishes: Wishes, *, as_called: bool = False) -> Report:
    """Every backward pass, or the one that is named, called with arguments found by trying and judged by its own lineage; where these leave
    it open, and `as_called`, as the file's own top level calls it. A file is right only if every backward pass in it is."""
    whole, source = source, without_its_run(source)
    reports = examine_functions(source, function, wishes)
    if as_called:
        reports = [_as_it_calls_them(whole, report, wishes) for report in reports]
    if not reports:
        return Report("cannot-run", clean(source.path.name), reason=NO_PASS)
    found = joined(reports)
    left = _not_called(reports)
    if not left:
        return found
    failures = OwnFailures()
    repaired, slips = repaired_source(source, wishes, failures)
    again = examine_functions(repaired, function, wishes) if slips else []
    is_further = bool(again) and (found.verdict == "cannot-run" or _not_called(again) < left)
    return failures.told(with_repairs(joined(again), slips) if is_further else found)


def _as_it_calls_them(source: SourceFile, report: Report, wishes: Wishes) -> Report:
    """The report on a function that was called with arguments that are made up; where that leaves it open, as the file itself calls it."""
    is_open = report.verdict not in ("correct", "wrong")
    return (examine_own_call(source, report.function, wishes) if is_open and report.function else None) or report


def _not_called(reports: Sequence[Report]) -> int:
    """How many of the backward passes could not be called."""
    return sum(report.verdict == "cannot-run" for report in reports)


def _with_their_correction(own: OwnRun, functions: Report) -> Report:
    """What the functions show of a run that is wrong and showed no correction, where they correct a line that the run blames."""
    blamed = {(place.line, place.source) for place in own.report.candidates}
    corrected = {(found.place.line, found.place.source) for found in functions.diagnoses if found.place is not None}
    if functions.verdict != "wrong" or not blamed & corrected:
        return own.report
    return replace(functions, run=own.report.run, loss=own.report.loss, notes=(TOO, *functions.notes))


def _joined(own: OwnRun, functions: Report) -> Report:
    """What the functions show where the run leaves it open; both reasons where neither decides."""
    said = f"its own run: {own.reason}"
    run = {"run": own.report.run, "loss": own.report.loss}
    left = [(n, why) for n, why in own.report.not_compared if n != functions.function]
    unexamined = [n for n, why in left if why == NOTHING_CAME or why.startswith(STEPPED)]
    if functions.verdict == "correct" and OF_SEVERAL in own.reason:
        reason = f"{said}; {functions.function} is right where the loss is one number"
        return replace(own.report, verdict="undecided", reason=reason, notes=(*own.report.notes, *functions.notes))
    if (
        functions.verdict == "wrong"
        or (functions.verdict == "correct" and not unexamined)
        or (functions.verdict == "undecided" and not own.compared)
    ):
        return replace(functions, notes=(said, *own.report.notes, *functions.notes), **run)
    report = replace(own.report, verdict="undecided" if own.compared else "cannot-run", function=functions.function)
    return replace(
        report,
        reason=said if functions.reason in ("", NO_PASS) else f"{said}; its functions: {functions.reason}",
        reason_line=functions.reason_line,
        not_compared=(*own.report.not_compared, *functions.not_compared),
        notes=(*own.report.notes, *functions.notes),
    )
