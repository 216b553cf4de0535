"""A program that stops at its first slip: everything that is wrong in it, as one report."""

from __future__ import annotations

from dataclasses import replace

from engine.doctor.lineage.record.running import Runs
from engine.doctor.read.source import SourceFile
from engine.doctor.reference.results import NamedMistake, Place
from engine.doctor.repair.followed import CERTAIN, Followed, followed_on
from engine.doctor.repair.meaning import overwritten
from engine.doctor.repair.seen import SeenRun
from engine.doctor.repair.slip import Slip, changed
from engine.doctor.report.own_failure import OwnFailures
from engine.doctor.report.own_run_report import OwnRun, examine_own_run
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import program_of
from engine.text import clean

KEPT = "with each sample's kept"
REPAIRED = "with these repairs"
RIGHT = f"{REPAIRED} its gradients are those of its own loss; the file itself is not right"


def examine_repaired(
    runs: Runs, source: SourceFile, own: OwnRun, failures: OwnFailures
) -> tuple[Report, SourceFile] | None:
    """The report on a program whose `own` run ended by an exception, and its text with the repairs; None where nothing is found. The file
    is not changed.

    Where that exception could not be repaired, `followed_on` is False and only what is certain in the text is told.
    """
    if own.report.run is None or own.report.run["ended"] != "exception":
        return None
    followed = None
    with failures.when("it looked for what stops it"):
        followed = followed_on(runs)
    if followed is None:
        return None
    found = sorted(followed.slips, key=lambda slip: (slip.file, slip.line))
    elsewhere = tuple(_named(runs, source, slip) for slip in found if slip.file)
    named = tuple(_named(runs, source, slip) for slip in found if not slip.file)
    report = replace(own.report, reason=own.reason, reason_line=own.report.run["line"], diagnoses=named)
    if followed.first is None:
        return replace(report, verdict="cannot-run", diagnoses=(*elsewhere, *named)), source
    report = replace(report, verdict="cannot-run" if followed.first.stops else "wrong", followed_on=True)
    report = _with_its_gradients(report, runs, source, followed)
    told = sorted(report.diagnoses, key=lambda d: d.place.line if d.place else 0)
    repaired = replace(source, text=followed.texts.get(runs.name, source.text))
    return replace(report, diagnoses=(*elsewhere, *told)), repaired


def with_functions(report: Report, functions: Report) -> Report:
    """The report on a program that was followed on and in whose run nothing could be compared, with what its functions show."""
    if not functions.parameters and not functions.diagnoses:
        return replace(report, notes=(*report.notes, f"its functions: {functions.reason}"))
    both = with_repairs(functions, report.diagnoses)
    return replace(
        both,
        verdict=report.verdict,
        reason=report.reason,
        reason_line=report.reason_line,
        notes=(*report.notes, *both.notes),
        run=report.run,
        followed_on=True,
    )


def repaired_source(
    source: SourceFile, wishes: Wishes, failures: OwnFailures
) -> tuple[SourceFile, tuple[NamedMistake, ...]]:
    """A file that only defines functions, with all repaired that its text alone shows, and what that is."""
    runs = Runs(program_of(source), replace(wishes, arguments=()))
    outcome, told = runs.seen()
    if told is None:
        return source, ()
    text, slips = source.text, list[Slip]()
    with failures.when("it looked for slips in the text"):
        seen = SeenRun(source.text, outcome, told)
        slips = [slip for kind in CERTAIN for slip in kind(seen)]
        text = changed(source.text, [change for slip in slips for change in slip.changes])
    lines = text.split("\n")
    slips = [replace(slip, fix=slip.fix or lines[slip.line - 1].strip()) for slip in slips]
    named = tuple(_named(runs, source, slip) for slip in sorted(slips, key=lambda slip: slip.line))
    return replace(source, text=text), named


def with_repairs(report: Report, named: tuple[NamedMistake, ...]) -> Report:
    """The report on functions that could not be called without repairs."""
    more = tuple(replace(each, after=named[0].place) for each in report.diagnoses)
    return replace(
        report,
        verdict="cannot-run",
        diagnoses=(*named, *more),
        compared_with=REPAIRED,
        notes=(*report.notes, RIGHT) if report.verdict == "correct" else report.notes,
        followed_on=report.verdict != "cannot-run",
    )


def examine_overwritten(runs: Runs, source: SourceFile, own: OwnRun, failures: OwnFailures) -> Report | None:
    """The report on a program whose whole `own` run leaves it open, in which every sample overwrites what is read when all are done: wrong
    where its gradients are right once each sample's is kept; None else."""
    if own.report.run is None or own.report.run["ended"] != "end":
        return None
    outcome, told = runs.seen()
    if told is None or not outcome.is_whole:
        return None
    text, slips = source.text, list[Slip]()
    with failures.when("it looked for what is overwritten"):
        seen = SeenRun(source.text, outcome, told)
        slips = list(overwritten(seen))
        text = changed(source.text, [change for slip in slips for change in slip.changes])
    kept = runs.with_texts({runs.name: text})
    again = examine_own_run(kept, replace(source, text=text)) if slips else None
    if again is None or again.report.verdict != "correct":
        return None
    named = tuple(_named(runs, source, slip) for slip in slips)
    return replace(
        again.report,
        verdict="wrong",
        diagnoses=named,
        run=own.report.run,
        compared_with=KEPT,
        notes=(*again.report.notes, f"{KEPT}, its gradients are right"),
    )


def _named(runs: Runs, source: SourceFile, slip: Slip) -> NamedMistake:
    after = _place(runs, source, slip.after) if slip.after is not None else None
    place = _place(runs, source, slip)
    return NamedMistake(slip.id, clean(slip.title, 400), (), None, place, clean(slip.fix, 400), after)


def _place(runs: Runs, source: SourceFile, slip: Slip) -> Place:
    if not slip.file:
        return Place(slip.line, source.line(slip.line), where=source.place(slip.line) if source.cells else "")
    own = (runs.text_of(slip.file) or "").split("\n")[slip.line - 1].strip()
    return Place(slip.line, clean(own, 160), where=f"line {slip.line} of {clean(slip.file, 80)}")


def _with_its_gradients(report: Report, runs: Runs, source: SourceFile, followed: Followed) -> Report:
    """The same, with what its gradients are once it comes so far; they are never called right, for the file does not run."""
    repaired = runs.with_texts(followed.texts)
    own = examine_own_run(repaired, replace(source, text=repaired.program.text))
    after = _place(runs, source, followed.after) if followed.after is not None else None
    more = tuple(replace(d, after=after) for d in own.report.diagnoses)
    stops = (
        followed.last.failed is not None
        and f"{REPAIRED} it still stops: {clean(followed.last.outcome.sentence(), 400)}"
    )
    shows = RIGHT if own.report.verdict == "correct" else own.reason and not stops and f"{REPAIRED}: {own.reason}"
    return replace(
        report,
        loss=own.report.loss,
        conventions=own.report.conventions,
        parameters=own.report.parameters,
        compared_with=REPAIRED,
        not_compared=own.report.not_compared,
        candidates=own.report.candidates,
        diagnoses=(*report.diagnoses, *more),
        notes=(*report.notes, *own.report.notes, *(note for note in (stops, shows) if note)),
    )
