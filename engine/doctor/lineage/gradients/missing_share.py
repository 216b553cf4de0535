"""What a wrong gradient lacks: dL/d(a weight) is a sum of shares, one for each line of the forward pass that reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.carry_back import carried_back, holds
from engine.doctor.lineage.record.matching import compared, same
from engine.doctor.lineage.record.reading import Floats, Record
from engine.doctor.lineage.the_loss.loss import ChosenLoss

LACKS = "it lacks what comes through line {}"


def with_missing_shares(
    record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient]
) -> tuple[ComparedGradient, ...]:
    """The rows; of a wrong gradient that is dL/d(it) without the share of one line, this is the reason."""
    wrong = [row for row in rows if row.status == "wrong" and not row.reason and len(row.own) > 2 and row.gradient.size]
    if not wrong:
        return tuple(rows)
    shares = _by_line(record, loss, wrong)
    factors = [abs(m.factor) for r in rows if r.status == "right" and len(r.own) > 2 and (m := r.bare or r.match)]
    made = list(rows)
    for row, of_lines in zip(wrong, shares, strict=True):
        for line, share in of_lines.items() if len(of_lines) > 1 else ():
            matches = (compared(record.pool[ids], row.right - share) for ids in (row.made_of() if holds(share) else ()))
            found = [m for m in matches if m is not None and m.right]
            if any(same(abs(match.factor), factor) for match in found for factor in factors or [1.0]):
                made[rows.index(row)] = replace(row, reason=LACKS.format(record.lines[line].number))
                break
    return tuple(made)


def _by_line(record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient]) -> list[dict[int, Floats]]:
    """For each row's array the shares of the lines that read it."""
    owner, place = np.full(len(record.pool), -1, np.int32), np.zeros(len(record.pool), np.int64)
    for n, row in enumerate(rows):
        owner[row.own], place[row.own] = n, np.arange(len(row.own))
    made: list[dict[int, Floats]] = [{} for _ in rows]

    def visit(k: int, which: int, g: Floats, part: Floats, total: Floats) -> None:
        del g, total
        operation = record.operations[k]
        reference = operation.operands[which]
        n = int(owner[reference.first])
        if n < 0:
            return
        ids = reference.ids()
        own = owner[ids] == n
        share = made[n].setdefault(operation.line, np.zeros(len(rows[n].own)))
        np.add.at(share, place[ids[own]], np.broadcast_to(part, ids.shape)[own])

    carried_back(record, loss.seeds, visit)
    return made
