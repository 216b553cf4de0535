"""Remarks about memory: what is read before anything was written there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from engine.doctor.lineage.record.reading import UserLine
from engine.doctor.lineage.remarks.remark import Remark, RemarkedRun

EMPTY = re.compile(r"\bempty(?:_like)?\(")


def unwritten(seen: RemarkedRun) -> Iterator[Remark]:
    """Arrays that are made empty, of which the loss was made though numbers in them were written by nothing."""
    record = seen.record
    made = record.events.where(lambda kind: kind.site.kind == "assign" and bool(EMPTY.search(kind.site.text)))
    firsts = record.events.firsts
    for event in record.events.at(np.flatnonzero(made & (record.makers(firsts) < 0))):
        start, size, line = (int(number) for number in record.leaves[record.leaf(event.value.first)])
        used = seen.forward[start : start + size]
        if line >= 0 and record.lines[line].number == event.site.line and used.any():
            read = seen.first_read(np.arange(start, start + size, dtype=np.int32))
            where = f"line {read.number} reads it" if read.number else "it is read"
            says = f"np.empty holds whatever was in memory, and {where} before anything is put there; it was followed with zeros"
            yield Remark("unwritten-read", UserLine(event.site.file, event.site.line), says)
