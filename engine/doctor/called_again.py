"""A function that is right, called a second time with the same arguments: what the first call left shows in what comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.reading import Floats, Record, RecordedEvent
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.remarks.rounds import STATE_KEPT, begins_with
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.read.source import SourceFile
from engine.doctor.recording.calls.driven import BACK, KEPT, again
from engine.doctor.reference.results import NamedMistake, Place
from engine.doctor.report.own_run_report import OwnRun
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile, program_of

NOT_RESET = CATALOGUE["gradients-not-reset"]


def called_again(source: SourceFile, text: str, own: OwnRun, wishes: Wishes) -> OwnRun:
    """The same, or wrong where a second call gives back twice what the first one gave: gradients of the first are left in it.

    An object that keeps its gradients may add them up on purpose: then none of them is again what it was.
    """
    if own.report.verdict != "correct":
        return own
    file = program_of(source, f"{text}{again(text)}\n")
    outcome, record = Runs(file, replace(wishes, arguments=())).followed()
    if isinstance(record, str) or not outcome.is_whole:
        return own
    rights = [row.right for row in own.verdict.compared] if own.verdict is not None else []
    for name in (BACK, KEPT):
        pairs = [
            pair for pair in _pairs(record, file, name) if any(_agrees(_values(record, pair[0]), r) for r in rights)
        ]
        doubled = [late for early, late in pairs if _is_times(record, 2, early, late)]
        if doubled and (name == BACK or any(_is_times(record, 1, *pair) for pair in pairs)):
            return _not_reset(source, record, own, doubled)
    return _with_what_was_kept(source, record, file, own)


def _with_what_was_kept(source: SourceFile, record: Record, file: ProgramFile, own: OwnRun) -> OwnRun:
    """With a remark where the second call gives back other gradients, since it begins with what the first one computed."""
    pairs = _pairs(record, file, BACK)
    if not pairs or all(np.array_equal(_values(record, a), _values(record, b)) for a, b in pairs):
        return own
    first, end = min(early.time for early, _ in pairs), min(late.time for _, late in pairs)
    handed = [e.time for e in record.events if e.site.line > len(source.lines) and e.time < first]
    begin = max(handed, default=0)
    for event in record.events:
        maker = record.maker(event.value.first) if event.value.size > 1 else -1
        made = record.operations[maker] if maker >= 0 else None
        own_line = event.site.file == file.file.name and 0 < event.site.line <= len(source.lines)
        if made is not None and own_line and first < event.time <= end and begin <= made.start < first:
            says = f"line {event.site.line}: {begins_with(record.lines[made.line].number, 'call')}"
            return replace(own, report=replace(own.report, remarks=(*own.report.remarks, (STATE_KEPT, says))))
    return own


def _pairs(record: Record, file: ProgramFile, name: str) -> list[tuple[RecordedEvent, RecordedEvent]]:
    """The arrays of that name that came back from the first call and from the second."""
    shown = [e for e in record.events if e.name.startswith(name) and e.site.file == file.file.name]
    lines = sorted({e.site.line for e in shown})
    if len(lines) != 2:
        return []
    first, second = ([e for e in shown if e.site.line == n] for n in lines)
    return list(zip(first, second, strict=True)) if len(first) == len(second) else []


def _is_times(record: Record, factor: int, early: RecordedEvent, late: RecordedEvent) -> bool:
    one, two = (_values(record, event) for event in (early, late))
    return one.shape == two.shape and bool(one.any()) and bool(np.allclose(two, factor * one, rtol=1e-9, atol=0.0))


def _agrees(values: Floats, right: Floats) -> bool:
    match = compared(values.ravel(), right) if values.size == right.size else None
    return match is not None and match.right


def _values(record: Record, event: RecordedEvent) -> Floats:
    return record.pool[event.value.ids()] if event.value.size else np.zeros(0)


def _not_reset(source: SourceFile, record: Record, own: OwnRun, doubled: list[RecordedEvent]) -> OwnRun:
    """Wrong, with the lines that add to what the first call left."""
    makers = [record.maker(int(event.value.ids().ravel()[-1])) for event in doubled]
    lines = dict.fromkeys(record.lines[record.operations[k].line].number for k in makers if k >= 0)
    found = tuple(
        NamedMistake(NOT_RESET.id, NOT_RESET.title, (), None, Place(n, source.line(n)), NOT_RESET.advice)
        for n in lines
        if 0 < n <= len(source.lines)
    )
    note = "called a second time with the same arguments it gives back twice as much"
    report = replace(own.report, verdict="wrong", diagnoses=found, notes=(*own.report.notes, note))
    return replace(own, report=report)
