"""Rounds of a run: each from after the last update to the end of its own. What was made before a round counts as given
in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.doctor.lineage.record.reading import Record

FULL = ("full", "singles", "events")
"""How runs end of which no more can be recorded."""


def window(record: Record, begin: int, end: int) -> Record:
    """The part of a record in which the numbers from `begin` to before `end` were made; the pool is shared."""
    if begin <= 1 and end >= len(record.pool):
        return record
    first, last = np.searchsorted(record.starts, (begin, end))
    operations = record.operations[first:last]
    events = record.events.until(begin, end)
    leaves, before = record.leaves, record.operations[:first] if first else record.earlier
    if first:
        made = np.stack((before.starts, before.sizes, before.lines), axis=1)
        leaves = np.concatenate((leaves, made[made[:, 1] > 0]))
        leaves = leaves[np.argsort(leaves[:, 0], kind="stable")]
    rounds = tuple(r for r in record.rounds if begin < r[0] <= end)
    return replace(record, operations=operations, events=events, leaves=leaves, rounds=rounds, earlier=before)


def own_part(record: Record) -> Record:
    """The record without what modules of the program's own trained while they were imported, and without a round after complete ones in
    which a limit was hit."""
    begin, end = int(record.outcome.get("begin") or 0), len(record.pool)
    if record.rounds and record.outcome.get("ended") in FULL:
        record = _until(record, record.rounds[-1][0])
        end = len(record.pool)
    return window(record, begin, end)


def _until(record: Record, end: int) -> Record:
    """A record without the numbers from `end` on."""
    return replace(
        window(record, 0, end),
        pool=record.pool[:end],
        leaves=record.leaves[record.leaves[:, 0] < end],
        again=frozenset(number for number in record.again if number < end),
        constants=frozenset(number for number in record.constants if number < end),
        outcome={**record.outcome, "ended": "update"},
    )


def ends(record: Record) -> list[int]:
    """Where the rounds of a run end, at the latest."""
    times = [time for time, _ in record.rounds]
    if record.outcome.get("ended") != "update":
        times.append(len(record.pool))
    return times or [len(record.pool)]
