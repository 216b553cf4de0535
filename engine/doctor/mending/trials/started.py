"""A program that begins with other weights: where its own hide what is wrong, only from others is it seen which correction is one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.reading import Record, RecordedEvent
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.verdict.other_weights import SHIFT
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mending.trials.places import statements
from engine.doctor.recording.tracing.shifted import SHIFTED


def started_otherwise(
    runs: Runs, verdict: RunVerdict, taken: str = "", times: float = 1.0
) -> tuple[Runs, Record, RunVerdict] | None:
    """The program with a shift added to each weight where it is made, so many `times` as far as usual, its record and the verdict on it;
    None where that is not wrong, too."""
    record = verdict.record
    if record is None:
        return None
    texts: dict[str, str] = {}
    for event in _made(record, verdict):
        text = texts.get(event.site.file) or runs.text_of(event.site.file)
        shifted = _shifted(text, event, times * SHIFT) if text is not None else None
        if shifted is not None:
            texts[event.site.file] = shifted
    wishes = replace(runs.wishes, options={**runs.wishes.options, "rounds": 1})
    other = replace(runs.with_texts(texts), wishes=wishes, progress=runs.progress)
    again = other.followed()[1] if texts else ""
    found = None if isinstance(again, str) else judged(again, verdict.loss, taken)
    return None if isinstance(again, str) or found is None or found.verdict != "wrong" else (other, again, found)


def _made(record: Record, verdict: RunVerdict) -> Iterator[RecordedEvent]:
    """Where each weight of more than one entry got its name."""
    named = [e for e in record.events if e.name and e.value.size > 1 and e.site.kind == "assign"]
    for row in verdict.compared:
        yield from [e for e in named if e.value.size == len(row.own) and _is(row, e)][:1]


def _is(row: ComparedGradient, event: RecordedEvent) -> bool:
    return np.array_equal(np.sort(event.value.ids().ravel()), np.sort(row.own.ravel()))


def _shifted(text: str, event: RecordedEvent, far: float) -> str | None:
    """The text with a shift after the statement that makes a weight, on its last line; None where that is not to be had."""
    places = [p.statement for p in statements(event.site.file, ast.parse(text))]
    made = next((s for s in places if s.lineno <= event.site.line <= (s.end_lineno or 0)), None)
    if made is None or not isinstance(made, (ast.Assign, ast.AnnAssign)):
        return None
    by = far / event.value.size**0.25
    shift = f"; {event.name} = {SHIFTED}({event.name}, {event.value.first}, {by:.3g})"
    lines = text.splitlines(keepends=True)
    last = lines[(made.end_lineno or 0) - 1].encode()
    at = made.end_col_offset or 0
    lines[(made.end_lineno or 0) - 1] = (last[:at] + shift.encode() + last[at:]).decode()
    changed = "".join(lines)
    try:
        ast.parse(changed)
    except SyntaxError:
        return None
    return changed
