"""The doctor itself: from a file to a report.

The user's own run comes first: what is compared there are the program's own gradients of its own loss, on its own data. Where it stops at a
slip that can be repaired, it is followed on; where the run leaves the question open otherwise, or nothing runs, the functions are examined
by the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from engine.doctor.by_call import ExampleCalls, examine_calls
from engine.doctor.by_reference import examine_source
from engine.doctor.lineage.never_stepped import NO_GRADIENT
from engine.doctor.lineage.running import Runs
from engine.doctor.lineage.unseen import NOTHING_CAME
from engine.doctor.lineage.verdict import NO_STEPS
from engine.doctor.made_up import MADE_UP, beyond, examine_functions, joined
from engine.doctor.read.source import SourceFile, Unreadable, read_source
from engine.doctor.read.top_level import statically_runs, without_its_run
from engine.doctor.report.own_run_report import OwnRun, examine_own_run
from engine.doctor.report.repaired_report import examine_repaired
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from engine.tables.cells import Cell
from engine.text import clean

GUESSED = "its gradients are not those of the loss that was guessed for it"
WENT_WELL = ("end", "stopped")
NOTHING_RUNS = "it was not run: it only defines functions and names"


def diagnose(
    path: Path,
    function: str | None = None,
    cells: Sequence[Cell] = (),
    wishes: Wishes | None = None,
    progress: TextIO | None = None,
    example: ExampleCalls | None = None,
) -> Report:
    """What is wrong in the backward pass at `path`, where and why, or that it is right.

    The file is run as `wishes` say, then, where that leaves it open, its functions are examined: `function` alone, if one is named (the
    file is not run as a whole then), or what the calls of an `example` give back. `cells` are further cells that it may implement. Raises
    InputError when there is no such file, no function of that name, no such interpreter, or where the example cannot be called; whatever
    else goes wrong is part of the report.
    """
    try:
        source = read_source(path)
        runs_something = statically_runs(source.tree())
    except Unreadable as error:
        return Report("cannot-run", clean(path.name), reason=str(error), reason_line=error.line)
    if example is not None:
        return examine_calls(source, example, wishes or Wishes())
    if function is not None:
        return _of_functions(source, function, cells, wishes or Wishes())
    own, repaired = None, None
    if runs_something:
        runs = Runs(ProgramFile(path, source.text, source.cells), wishes or Wishes(), progress)
        own = examine_own_run(runs, source)
        if not own.reason and (own.report.verdict == "correct" or own.report.diagnoses):
            return own.report
        repaired = examine_repaired(runs, source, own)
        if repaired is not None and repaired.followed_on:
            return _with_a_way_on(repaired)
    reference = _of_functions(source, None, cells, wishes or Wishes())
    if own is None:
        return replace(reference, notes=(NOTHING_RUNS, *reference.notes))
    report = _named(own.report, reference) if own.report.verdict == "wrong" else _joined(own, reference)
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


def _of_functions(source: SourceFile, function: str | None, cells: Sequence[Cell], wishes: Wishes) -> Report:
    """Every backward pass, or the one that is named, called with arguments found by trying and judged by its own lineage; where one stays
    open, or is wrong without a correction, and where `cells` are to be compared with, the reference is asked. A file is right only if every
    backward pass in it is."""
    direct = examine_functions(without_its_run(source), function, wishes)
    if not cells and direct and all(r.verdict == "correct" or r.diagnoses for r in direct):
        return joined(direct)
    reference = _without_zeros(_by_reference(source, function, cells, wishes))
    if reference.verdict == "cannot-run":
        return reference if all(r.verdict == "cannot-run" for r in direct) else joined(direct)
    if function is not None or reference.verdict not in ("correct", "wrong") or not reference.function:
        return reference
    return joined([reference, *beyond(source, reference.function, direct)])


def _by_reference(source: SourceFile, function: str | None, cells: Sequence[Cell], wishes: Wishes) -> Report:
    """What the reference says; where it found a way to call a function, its own lineage has the last word on its gradients."""
    reference = examine_source(source, function, cells)
    if not reference.driver:
        return reference
    bare = without_its_run(source)
    called = ProgramFile(source.path, f"{bare.text}\n{reference.driver}", source.cells)
    own = examine_own_run(Runs(called, replace(wishes, arguments=())), bare, whole=True)
    reference = replace(reference, meanings=own.report.meanings, meanings_left=own.report.meanings_left)
    followed = replace(own.report, function=reference.function, conventions={**reference.conventions}, run=None)
    followed = replace(followed, notes=(MADE_UP, *reference.notes), loss=None)
    if own.report.verdict == "wrong" and (reference.verdict != "wrong" or not reference.diagnoses):
        return followed if followed.diagnoses or reference.verdict != "wrong" else reference
    if own.report.verdict == "correct" and not own.reason and not reference.diagnoses:
        return followed if reference.verdict != "correct" else reference
    return reference


def _without_zeros(report: Report) -> Report:
    """The same, but a gradient that is zero beside a reference that is zero too, as when all units are off, was not compared."""
    zero = tuple(
        name
        for name, each in report.parameters.items()
        if each.ok and each.cosine is None and each.norm_ratio is None and each.max_relative_error is not None
    )
    if report.verdict != "correct" or not zero:
        return report
    return replace(
        report,
        verdict="undecided",
        reason=f"{', '.join(f'd{name}' for name in zero)}: zero, and so is the reference's, so nothing was compared there",
        parameters={name: each for name, each in report.parameters.items() if name not in zero},
        not_compared=(*report.not_compared, *((name, "it is zero, and so is the reference's") for name in zero)),
    )


def _named(own: Report, reference: Report) -> Report:
    """A wrong run, with the names that the reference has for mistakes at lines among its candidates."""
    lines = {place.line for place in own.candidates}
    named = tuple(d for d in reference.diagnoses if d.place is not None and d.place.line in lines)
    if reference.verdict != "wrong" or not named:
        return own
    return replace(own, diagnoses=named, candidates=())


def _is_for_a_guess(own: OwnRun, reference: Report) -> bool:
    """Whether a script was compared with the gradients of a loss that its own run, which went well, does not compute."""
    run = own.report.run
    return not reference.function and own.report.loss is None and run is not None and run["ended"] in WENT_WELL


def _joined(own: OwnRun, reference: Report) -> Report:
    """The reference's verdict where the run leaves it open; both reasons where neither decides."""
    said = f"its own run: {own.reason}"
    run = {"run": own.report.run, "loss": own.report.loss}
    unexamined = [n for n, why in own.report.not_compared if why == NOTHING_CAME and n != reference.function]
    if reference.verdict == "wrong" and _is_for_a_guess(own, reference):
        reference = replace(reference, verdict="undecided", reason=GUESSED, parameters={}, first_divergence=None)
    if (
        reference.verdict == "wrong"
        or (reference.verdict == "correct" and not unexamined)
        or (reference.verdict == "undecided" and not own.compared)
    ):
        return replace(reference, notes=(said, *reference.notes), **run)
    report = replace(own.report, verdict="undecided" if own.compared else "cannot-run", function=reference.function)
    return replace(
        report,
        reason=f"{said}; its functions: {reference.reason}" if reference.reason else said,
        reason_line=reference.reason_line,
        not_compared=(*own.report.not_compared, *reference.not_compared),
        notes=reference.notes,
    )
