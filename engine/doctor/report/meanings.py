"""What the lines of the user's backward pass make, as the report has it: rows of the JSON, and the lines around a wrong one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.doctor.lineage.meanings import Key, Meaning, Meanings, Meant, key_of
from engine.doctor.lineage.record.reading import RecordedEvent
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.text import clean

MOST_ROWS = 500
"""So many values are listed; where there are more, the first executions of every line."""
MOST_EQUAL = 3
MOST_READ, MOST_OPERATIONS = 3, 200
"""So many lines that a wrong one reads from are shown; of a line that runs more operations not all."""


def rows(meanings: Meanings, main: str, last_line: int) -> tuple[list[dict[str, Any]], str]:
    """A row a value, in the order of the run, and what was left out, "" where nothing was. `main` is what the record calls the program's
    own file: what was called from below its last line is not the user's."""
    found = [one for one in _each_once(meanings) if one.event.site.file != main or one.event.site.line <= last_line]
    kept = found if len(found) <= MOST_ROWS else _first_of_each_line(found)
    left = f"meanings: of {len(found)} the first {len(kept)} of all lines are listed" if len(kept) < len(found) else ""
    return [_row(one, main) for one in kept], meanings.left or left


def _first_of_each_line(found: Sequence[Meant]) -> list[Meant]:
    by_line: dict[tuple[str, int], list[Meant]] = defaultdict(list)
    for one in found:
        by_line[one.event.site.file, one.event.site.line].append(one)
    most = max(1, MOST_ROWS // len(by_line))
    kept = {id(one) for line in by_line.values() for one in line[:most]}
    return [one for one in found if id(one) in kept][:MOST_ROWS]


def _each_once(meanings: Meanings) -> list[Meant]:
    """Without what a statement shows twice: what an increment adds says more than the sum after it."""
    made: dict[tuple[str, int, int, str], Meant] = {}
    for one in meanings.all():
        site = one.event.site
        made.setdefault((site.file, site.line, one.before, one.event.name), one)
    return list(made.values())


def _row(one: Meant, main: str) -> dict[str, Any]:
    site, is_ = one.event.site, one.is_
    return {
        "line": site.line,
        "is": clean(str(is_), 200),
        "of_line": is_.line,
        "t": is_.t,
        "name": clean(one.event.name, 60),
        "before": one.before,
        "factor": float(f"{is_.factor:.10g}"),
        "coincides_with": [clean(str(other), 200) for other in one.coincides[:MOST_EQUAL]],
        "file": None if site.file == main else clean(site.file, 80),
    }


def beside(meanings: Meanings, corrected: RunVerdict | None, file: str, line: int) -> tuple[str, ...]:
    """Sentences on a wrong line: what goes into it, the first time that it makes what is not known, and what it makes once it is
    corrected."""
    own = [e for e in meanings.backward if e.site.file == file and e.site.line == line and e.site.kind != "step"]
    wrong = next((event for event in own if not meanings.of(event)), None)
    if wrong is None:
        return ()
    made: dict[int, str] = {}
    for event in _read_by(meanings, wrong):
        found = meanings.of(event)
        if found and len(made) < MOST_READ and event.site.file == file:
            made[event.site.line] = f"line {event.site.line}: {_called(event)} is {found[0]}"
    should = _corrected(corrected, wrong.site.line, wrong.name, meanings.names.before(wrong), file)
    last = f"should be {should}" if should is not None else "was not recognised as dL/d(anything), nor as a part of one"
    sentences = [*(made[n] for n in sorted(made)), f"line {line}: {_called(wrong)} {last}"]
    return tuple(clean(sentence, 200) for sentence in sentences)


def _called(event: RecordedEvent) -> str:
    return event.name or "what is returned"


def _read_by(meanings: Meanings, event: RecordedEvent) -> list[RecordedEvent]:
    """The values of the backward pass that the line read which made a value, the last seen first."""
    record = meanings.record
    waiting = [record.maker(event.value.first)]
    line, read, done = record.operations[waiting[0]].line if waiting[0] >= 0 else -1, set[int](), set[int]()
    while waiting and len(done) < MOST_OPERATIONS:
        k = waiting.pop()
        if k < 0 or k in done:
            continue
        done.add(k)
        if record.operations[k].line != line:
            read.add(k)
            continue
        for reference in record.operations[k].operands:
            waiting += np.unique(record.makers(reference.ids().ravel())).tolist()
    seen: dict[Key, RecordedEvent] = {}
    for other in meanings.backward:
        if other.time <= event.time and other.site.line != event.site.line and record.maker(other.value.first) in read:
            seen.setdefault(key_of(other.value), other)
    return list(seen.values())[::-1]


def _corrected(verdict: RunVerdict | None, line: int, name: str, before: int, file: str) -> Meaning | None:
    """What a line makes, in the run of the corrected program, when it ran so often before."""
    meanings = Meanings(verdict) if verdict is not None else None
    for event in meanings.backward if meanings is not None else ():
        site = event.site
        if meanings and (site.file, site.line, event.name, meanings.names.before(event)) == (
            file,
            line,
            name,
            before,
        ):
            found = meanings.of(event)
            return found[0] if found else None
    return None
