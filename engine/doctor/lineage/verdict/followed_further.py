"""Weights that are stepped by zeros in every round that was seen, beside others that are right: the run followed further, to where their
window may end."""

from __future__ import annotations

from dataclasses import replace

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged

ROUNDS = 26
"""So many updates a window may have."""


def followed_further(runs: Runs, record: Record, verdict: RunVerdict, taken: str = "") -> tuple[Record, RunVerdict]:
    """The record and the verdict on it, or those of a longer run if that is right."""
    statuses = {row.status for row in verdict.compared}
    if verdict.verdict != "wrong" or "wrong" in statuses or not {"zero", "right"} <= statuses or not record.rounds:
        return record, verdict
    options = {**runs.wishes.options, "rounds": ROUNDS}
    _, again = replace(runs, wishes=replace(runs.wishes, options=options), progress=None).followed()
    if isinstance(again, str) or len(again.rounds) <= len(record.rounds):
        return record, verdict
    longer = judged(again, verdict.loss, taken)
    return (again, longer) if longer.verdict == "right" else (record, verdict)
