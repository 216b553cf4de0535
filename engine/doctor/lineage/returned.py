"""Gradients of a program that steps nothing: what is returned, stored or left in a variable, compared by its name's relation and
its shape."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.comparison import ComparedGradient
from engine.doctor.lineage.loss import ChosenLoss
from engine.doctor.lineage.matching import compared
from engine.doctor.lineage.reading import Floats, Record, RecordedEvent
from engine.doctor.lineage.updates import ArrayNames

_BEFORE = re.compile(r"^(?:d_?|D|g_?|grad_?|gradient_?|delta_?|nabla_?|dL_?d?|dJ_?d?|del_?)(?=.)")
_AFTER = re.compile(r"(?<=.)(?:_?grad(?:ient)?s?|_?diff|_?delta|_d|_g)$")


def meant(name: str) -> set[str]:
    """What a gradient of this name may be the gradient of: `dWxh` of Wxh, `grads['Wx']` of an entry Wx, `self.W_grad` of W."""
    last = last_of(name)
    made = {last} if "[" in name else set[str]()
    for pattern in (_BEFORE, _AFTER):
        if pattern.search(last):
            made.add(pattern.sub("", last))
    return made


def last_of(name: str) -> str:
    """The last part of a name: an attribute, an entry's key."""
    keys = re.findall(r"\[[\"']?([^\[\]\"']+)[\"']?\]", name)
    words = [k for k in keys if not re.fullmatch(r"-?\d+|:|\.\.\.", k)]
    return words[-1] if words else name.split("[")[0].rsplit(".", 1)[-1]


def compared_with(
    record: Record, chosen: ChosenLoss, adjoint: Floats, forward: NDArray[np.bool_], names: ArrayNames
) -> list[ComparedGradient]:
    """Every leaf that moves the loss and has a gradient: one of its own name, or one that equals it."""

    last: dict[tuple[int, str], RecordedEvent] = {}
    for event in record.events:
        if event.value.size and not forward[event.value.first]:
            last[event.site.line, event.name] = event
    later = [e for e in last.values() if record.maker(e.value.first) >= 0 and record.pool[e.value.ids()].any()]
    rows: list[ComparedGradient] = []
    for start, size, line in record.leaves:
        ids = np.arange(start, start + size, dtype=np.int32)
        right = adjoint[start : start + size]
        if line < 0 or not right.any() or not names.all_of(ids):
            continue
        row = _of_leaf(record, ids, right, later, names)
        if row is not None:
            rows.append(row)
    return rows


def _of_leaf(
    record: Record, ids: NDArray[np.int32], right: Floats, later: list[RecordedEvent], names: ArrayNames
) -> ComparedGradient | None:
    own = {last_of(n) for n in names.all_of(ids)}
    fitting = [e for e in later if e.value.size == len(ids)]
    named = [e for e in fitting if meant(e.name) & own]
    for event in reversed(named or (fitting if len(ids) > 1 else [])):
        given = event.value.ids().ravel()
        match = compared(record.pool[given], right)
        if match is not None and match.right:
            return ComparedGradient(names.of(ids), event.site.line, "right", match, ids, given, "", None, None, match)
    if named:
        event = named[-1]
        given = event.value.ids().ravel()
        match = compared(record.pool[given], right)
        return ComparedGradient(names.of(ids), event.site.line, "wrong", match, ids, given, "", None, None, match)
    return None
