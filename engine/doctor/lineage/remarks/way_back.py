"""Remarks about the way back: ReLU's derivative at 0, and what flows back to a first state and is not handed on."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.lineage.record.called_names import as_written
from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.reading import Floats, Ids, UserLine
from engine.doctor.lineage.remarks.remark import Remark, RemarkedRun
from engine.doctor.lineage.roles import Roles
from engine.doctor.lineage.the_loss.loss import adjoint_of
from engine.doctor.recording.calls.driven import BACK


def mask_at_zero(seen: RemarkedRun) -> Iterator[Remark]:
    """Lines of the way back that count a number of exactly 0 as on, in a program with a ReLU."""
    if not any(True for _ in seen.of_the_forward_pass("maximum")):
        return
    back = {
        (e.site.file, e.site.line) for e in seen.record.events if e.value.size and not _is_forward(seen, e.value.ids())
    }
    for file, tree in seen.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and (file, node.lineno) in back and _counts_zero(node):
                says = "a number of exactly 0 counts as on, where the derivative is most often taken as 0 there"
                yield Remark("relu-mask-at-zero", UserLine(file, node.lineno), says)


def _is_forward(seen: RemarkedRun, ids: Ids) -> bool:
    return bool(seen.forward[ids].any())


def _counts_zero(node: ast.Compare) -> bool:
    zero = node.comparators[-1]
    return isinstance(node.ops[-1], ast.GtE) and isinstance(zero, ast.Constant) and zero.value in (0, 0.0)


def first_state(seen: RemarkedRun) -> Iterator[Remark]:
    """A first state that was handed over, where its gradient is computed and none of it comes back."""
    record = seen.record
    back = [e.value.ids() for e in record.events if e.name.startswith(BACK)]
    adjoint = adjoint_of(record, seen.loss) if back else record.pool
    for name, ids in _first_states(seen) if back else ():
        right = adjoint[ids].ravel()
        if not record.pool[ids].any() or any(_is_right(record.pool[one].ravel(), right) for one in back):
            continue
        for operation in reversed(record.operations):
            if operation.size != ids.size or seen.forward[operation.start]:
                continue
            if _is_right(record.pool[operation.start : operation.stop], right):
                says = f"dL/d({name}) is computed here, and does not come back"
                yield Remark("initial-state-gradient-missing", seen.place(operation), says)
                break


def _first_states(seen: RemarkedRun) -> Iterator[tuple[str, Ids]]:
    """What was handed over and is multiplied first by a recurrent weight."""
    roles = Roles(seen.record, seen.loss, [row.own for row in seen.compared])
    uses = [(w, w.uses[0]) for w in roles.weights if w.recurrent]
    first = {r.first for w, use in uses for r in use.operands if r.size and r.first not in w.own}
    for event in seen.record.events:
        if event.name.startswith("_driver.") and event.value.first in first:
            yield as_written(event.name), event.value.ids()


def _is_right(given: Floats, right: Floats) -> bool:
    match = compared(given, right) if given.size == right.size else None
    return match is not None and match.right
