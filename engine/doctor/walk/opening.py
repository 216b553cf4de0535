"""The walk through a run that was examined: through the round that the verdict is about."""

from __future__ import annotations

from dataclasses import replace

from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.windows import ends, window
from engine.doctor.lineage.the_loss import loss as losses
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss
from engine.doctor.read.source import SourceFile
from engine.doctor.report.own_run_report import OwnRun
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError


def walked(source: SourceFile, own: OwnRun) -> ProgramWalk:
    """The walk through a run that was examined. Where no gradient could be compared, the loss is what the program calls one."""
    verdict, record = own.verdict, own.record
    report = replace(own.report, reason=own.report.reason or own.reason)
    if verdict is not None and verdict.loss is not None and verdict.record is not None:
        return ProgramWalk(source, verdict.record, verdict.loss, report, verdict.compared, own.meanings, own.corrected)
    if record is None:
        raise InputError(f"{own.report.file}: {own.reason or own.report.reason}")
    first = window(record, 0, ends(record)[0])
    loss = likeliest_loss(first)
    if loss is None:
        raise InputError(f"{own.report.file}: {own.reason or 'it computes no loss'}")
    return ProgramWalk(source, first, loss, report)


def likeliest_loss(record: Record, name: str = "") -> ChosenLoss | None:
    """The loss of a program without a backward pass: a single number that its weights and data went into, and that is called as losses
    are; else the last one. With a `name` it is called so, and nothing else is it."""
    sources = inputs(record)
    computed = losses.candidates(record, sources)
    if name:
        return next((one for one in computed if one.name == name), None)
    named = [one for one in computed if NAMED.search(one.name)]
    return next(iter([*named, *computed, *losses.assumed(record, sources)]), None)
