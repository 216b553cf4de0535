"""How the numbers of an array were made, each from those at its place: by one operation on arrays, or by one of its own in a loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.doctor.lineage.record.reading import Ids, Record
from engine.doctor.recording.tracing.codes import ELEMENTWISE


@dataclass(frozen=True, eq=False, slots=True)
class PlaceByPlace:
    """An element-wise operation (`name`), on which `line`, and its `operands`: the ids at these places, the id of one number that all are
    made from, or None for what is of another shape."""

    name: str
    line: int
    operands: tuple[Ids | int | None, ...]

    @property
    def arrays(self) -> list[Ids]:
        """The operands that have a number for each place."""
        return [o for o in self.operands if isinstance(o, np.ndarray)]

    @property
    def numbers(self) -> list[int]:
        """The operands that are one number for all places."""
        return [o for o in self.operands if isinstance(o, int)]


def made_place_by_place(record: Record, ids: Ids) -> PlaceByPlace | None:
    """How these numbers were made; None where they came from outside, in several ways, or not place by place."""
    makers = record.makers(ids)
    if makers.min() < 0:
        return None
    first = record.operations[int(makers[0])]
    if first.name not in ELEMENTWISE:
        return None
    if makers.min() == makers.max():
        places = ids - first.start
        operands = [
            r.ids().ravel()[places] if r.shape == first.shape else r.first if r.size == 1 else None
            for r in first.operands
        ]
        return PlaceByPlace(first.name, first.line, tuple(operands))
    made = [record.operations[int(k)] for k in makers]
    how = (first.name, first.line, len(first.operands))
    if any((o.name, o.line, len(o.operands)) != how or o.shape or any(r.shape for r in o.operands) for o in made):
        return None
    columns = np.array([[r.base for r in o.operands] for o in made], np.int32).T
    return PlaceByPlace(*how[:2], tuple(int(c[0]) if (c == c[0]).all() else c for c in columns))
