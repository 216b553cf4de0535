"""Other ways to follow a run in which no update was seen: without what fills its record, or with single numbers as weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.record.windows import FULL
from engine.doctor.run.launch import Wishes
from engine.doctor.run.outcome import Outcome
from engine.text import clean

MOST_UNFOLLOWED = 3
UNFOLLOWED = (
    "{} ({}) was run without being followed: "
    "it made at least half of what was recorded until a limit was reached, with no update seen"
)


def run_otherwise(runs: Runs, outcome: Outcome, record: Record | str) -> Iterator[tuple[Wishes, tuple[str, ...]]]:
    """How a program may be run again whose run ended so, each with what is to be noted of it."""
    if isinstance(record, str) or record.rounds:
        return
    wishes, operations = runs.wishes, record.operations
    if len(operations) and not len(operations.wide) and not wishes.alone:  # it computes with single numbers alone
        yield replace(wishes, alone=True), ()
    is_full = record.outcome.get("ended") in FULL or outcome.ending.kind == "time"
    number = record.outcome.get("filling")
    if not is_full or len(wishes.unfollowed) == MOST_UNFOLLOWED or not isinstance(number, int):
        return
    line = record.lines[number] if 0 < number < len(record.lines) else None
    lines = (runs.text_of(line.file) or "").splitlines() if line is not None else []
    text = lines[line.number - 1].strip() if line is not None and 0 < line.number <= len(lines) else ""
    if line is not None and text and (place := (line.file, text)) not in wishes.unfollowed:
        where = f"line {line.number}" + ("" if line.file == runs.name else f" of {clean(line.file, 80)}")
        note = UNFOLLOWED.format(where, clean(text, 120))
        yield replace(wishes, unfollowed=(*wishes.unfollowed, place)), (note,)
