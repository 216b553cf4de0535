"""Gradients of biases whose shapes were made up: `b` may be a column where it was made as wide as what it is added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.matching import compared, same
from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.verdict.run_verdict import RunVerdict


def as_narrow(verdict: RunVerdict, name: str, last_line: int) -> RunVerdict:
    """The verdict on functions that were called below a file's last line; there a gradient that is the sum along an axis of what it should
    be is right for an array that is 1 long along it, as which it could have been made."""
    record = verdict.record
    if verdict.verdict != "wrong" or record is None:
        return verdict
    right = [row for row in verdict.compared if row.status == "right" and len(row.own) > 2]
    factors = [abs(match.factor) for row in right if (match := row.bare or row.match) is not None] or [1.0]
    rows = tuple(_narrowed(record, row, factors, name, last_line) for row in verdict.compared)
    if any(row.status in ("wrong", "zero") for row in rows):
        return replace(verdict, compared=rows)
    return replace(verdict, verdict="undecided" if verdict.not_compared else "right", compared=rows)


def _narrowed(
    record: Record, row: ComparedGradient, factors: Sequence[float], name: str, last_line: int
) -> ComparedGradient:
    shape = _shape(record, row, name, last_line) if row.status == "wrong" and len(row.gradient) == len(row.own) else ()
    right, given = row.right, record.pool[row.gradient]
    for axis in range(len(shape)) if len(shape) == 2 else ():
        narrow = np.broadcast_to(right.reshape(shape).sum(axis=axis, keepdims=True), shape).ravel()
        match = compared(given, narrow)
        if match is not None and match.right and any(same(abs(match.factor), factor) for factor in factors):
            return replace(row, status="right", match=match, bare=match, right=narrow, reason="")
    return row


def _shape(record: Record, row: ComparedGradient, name: str, last_line: int) -> Sequence[int]:
    """The shape of an array that was made up, where it is only added to others; () of all else."""
    first = int(row.own[0])
    line = record.lines[int(record.leaves[record.leaf(first), 2])] if record.maker(first) < 0 else None
    if line is None or line.file != name or line.number <= last_line:
        return ()
    shapes = set[tuple[int, ...]]()
    for operation in record.operations.on_arrays():
        for operand in operation.operands:
            if operand.size == len(row.own) and operand.first == first:
                if operation.name != "add":
                    return ()
                shapes.add(operand.shape)
    return next(iter(shapes)) if len(shapes) == 1 else ()
