"""All remarks on a run, in the order of the file."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.remarks import arguments, cell, memory, output, rounds, way_back
from engine.doctor.lineage.remarks.remark import Remark, RemarkedRun
from engine.doctor.lineage.verdict.run_verdict import RunVerdict

KINDS = (
    output.softmax_axis,
    output.column_minus_row,
    output.another_loss,
    cell.activated_twice,
    cell.without_tanh,
    rounds.state_kept,
    rounds.stepped_twice,
    rounds.never_stepped,
    rounds.stepped_unread,
    rounds.penalty_without_gradient,
    arguments.unread,
    memory.unwritten,
    way_back.mask_at_zero,
    way_back.first_state,
)


def remarks(whole: Record, verdict: RunVerdict, trees: Mapping[str, ast.Module]) -> list[Remark]:
    """What there is to remark on a run that was judged; nothing where no loss was found. Each line once for each kind."""
    if verdict.loss is None or not verdict.rounds:
        return []
    first = verdict.rounds[0].loss
    if first is None:
        return []
    seen = RemarkedRun(whole, verdict, first, trees)
    made: dict[tuple[str, str, int], Remark] = {}
    for kind in KINDS:
        for remark in kind(seen):
            made.setdefault((remark.id, remark.place.file, remark.place.number), remark)
    return sorted(made.values(), key=lambda r: (r.place.file, r.place.number))
