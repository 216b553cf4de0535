"""A program that stops at its first slip: everything that is wrong in it, as one report."""

from __future__ import annotations

from dataclasses import replace

from engine.doctor.lineage.record.running import Runs
from engine.doctor.read.source import SourceFile
from engine.doctor.reference.results import NamedMistake, Place
from engine.doctor.repair.followed import Followed, followed_on
from engine.doctor.repair.meaning import overwritten
from engine.doctor.repair.seen import SeenRun
from engine.doctor.repair.slip import Slip, changed
from engine.doctor.report.own_run_report import OwnRun, examine_own_run
from engine.doctor.report.report import Report
from engine.text import clean

KEPT = "with each sample's kept"
REPAIRED = "with these repairs"
RIGHT = f"{REPAIRED} its gradients are those of its own loss; the file itself is not right"


def examine_repaired(runs: Runs, source: SourceFile, own: OwnRun) -> Report | None:
    """The report on a program whose `own` run ended by an exception; None where nothing is found. The file is not changed.

    Where that exception could not be repaired, `followed_on` is False and only what is certain in the text is told.
    """
    if own.report.run is None or own.report.run["ended"] != "exception":
        return None
    try:
        followed = followed_on(runs, source.text)
    except (RecursionError, ValueError, SyntaxError):  # a text that is stranger than any slip
        return None
    if followed is None:
        return None
    named = tuple(_named(source, slip) for slip in followed.slips)
    report = replace(own.report, reason=own.reason, reason_line=own.report.run["line"], diagnoses=named)
    if followed.first is None:
        return replace(report, verdict="cannot-run")
    report = replace(report, verdict="cannot-run" if followed.first.stops else "wrong", followed_on=True)
    report = _with_its_gradients(report, runs, source, followed)
    return replace(report, diagnoses=tuple(sorted(report.diagnoses, key=lambda d: d.place.line if d.place else 0)))


def examine_overwritten(runs: Runs, source: SourceFile, own: OwnRun) -> Report | None:
    """The report on a program whose whole `own` run leaves it open, in which every sample overwrites what is read when all are done: wrong
    where its gradients are right once each sample's is kept; None else."""
    if own.report.run is None or own.report.run["ended"] != "end":
        return None
    outcome, told = runs.seen(source.text)
    if told is None or not outcome.is_whole:
        return None
    try:
        seen = SeenRun(source.text, outcome, told)
        slips = list(overwritten(seen))
        text = changed(source.text, [change for slip in slips for change in slip.changes])
    except (RecursionError, ValueError, SyntaxError, KeyError, TypeError, IndexError):
        return None  # a text that is stranger than any slip
    kept = replace(runs, program=replace(runs.program, text=text), progress=None)
    again = examine_own_run(kept, replace(source, text=text)) if slips else None
    if again is None or again.report.verdict != "correct":
        return None
    named = tuple(_named(source, slip) for slip in slips)
    return replace(
        again.report,
        verdict="wrong",
        diagnoses=named,
        run=own.report.run,
        compared_with=KEPT,
        notes=(*again.report.notes, f"{KEPT}, its gradients are right"),
    )


def _named(source: SourceFile, slip: Slip) -> NamedMistake:
    where = source.place(slip.line) if source.cells else ""
    place = Place(slip.line, source.line(slip.line), where=where)
    return NamedMistake(slip.id, clean(slip.title, 400), (), None, place, clean(slip.fix, 400), slip.after)


def _with_its_gradients(report: Report, runs: Runs, source: SourceFile, followed: Followed) -> Report:
    """The same, with what its gradients are once it runs; they are never called right, for the file does not run."""
    text = followed.last.text
    if followed.last.failed is not None:
        stopped = f"{REPAIRED} it still stops: {clean(followed.last.outcome.sentence(), 400)}"
        return replace(report, notes=(*report.notes, stopped))
    repaired = replace(runs, program=replace(runs.program, text=text), progress=None)
    own = examine_own_run(repaired, replace(source, text=text))
    more = tuple(replace(d, after=followed.after) for d in own.report.diagnoses)
    note = RIGHT if own.report.verdict == "correct" else own.reason and f"{REPAIRED}: {own.reason}"
    return replace(
        report,
        loss=own.report.loss,
        conventions=own.report.conventions,
        parameters=own.report.parameters,
        compared_with=REPAIRED,
        not_compared=own.report.not_compared,
        candidates=own.report.candidates,
        diagnoses=(*report.diagnoses, *more),
        notes=(*report.notes, *([note] if note else [])),
    )
