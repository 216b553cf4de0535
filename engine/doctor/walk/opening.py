"""Runs a program as its user does and gives the walk through it: through the round that the doctor's verdict is about."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from engine.doctor.lineage import loss as losses
from engine.doctor.lineage.loss import NAMED, ChosenLoss
from engine.doctor.lineage.reading import Record
from engine.doctor.lineage.returned import inputs
from engine.doctor.lineage.running import Runs
from engine.doctor.lineage.windows import ends, window
from engine.doctor.read.source import SourceFile, Unreadable, read_source
from engine.doctor.report.own_run_report import OwnRun, examine_own_run
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.text import clean


def open_walk(path: Path, wishes: Wishes | None = None, progress: TextIO | None = None) -> ProgramWalk:
    """Runs the program at `path`, with its user's rights, and carries its loss back.

    InputError where it cannot be run, or computes no loss.
    """
    try:
        source = read_source(path)
    except Unreadable as error:
        raise InputError(f"{clean(path.name)}: {error}") from None
    wishes = wishes or Wishes()
    runs = Runs(ProgramFile(path, source.text, source.cells), wishes, progress)
    walk = walked(source, examine_own_run(runs, source))
    walk.wishes = wishes
    return walk


def walked(source: SourceFile, own: OwnRun) -> ProgramWalk:
    """The walk through a run that was examined. Where no gradient could be compared, the loss is what the program calls one."""
    verdict, record = own.verdict, own.record
    if verdict is not None and verdict.loss is not None and verdict.record is not None:
        return ProgramWalk(
            source, verdict.record, verdict.loss, own.report, verdict.compared, own.meanings, own.corrected
        )
    if record is None:
        raise InputError(f"{own.report.file}: {own.reason or own.report.reason}")
    first = window(record, 0, ends(record)[0])
    loss = likeliest_loss(first)
    if loss is None:
        raise InputError(f"{own.report.file}: {own.reason or 'it computes no loss'}")
    return ProgramWalk(source, first, loss, own.report)


def likeliest_loss(record: Record) -> ChosenLoss | None:
    """The loss of a program without a backward pass: a single number that its weights and data went into, and that is called as losses
    are; else the last one."""
    sources = inputs(record)
    computed = losses.candidates(record, sources)
    named = [one for one in computed if NAMED.search(one.name)]
    return next(iter([*named, *computed, *losses.assumed(record, sources)]), None)
