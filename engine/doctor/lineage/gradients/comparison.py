"""One gradient of the user's beside the one that it should be."""

from __future__ import annotations

from dataclasses import dataclass

from engine.doctor.lineage.gradients.gradients import Walk
from engine.doctor.lineage.record.matching import Agreement
from engine.doctor.lineage.record.reading import Floats, Ids
from engine.doctor.lineage.record.updates import Update


@dataclass(frozen=True, eq=False)
class ComparedGradient:
    """One gradient: of what, where it was used or seen (`line`), and how it compares. `gradient` are the ids of the gradient itself.

    `right` is dL/d(it), flat. `status` is right, wrong, zero (it is zero and should not be) or "not compared"; `reason` says why.
    """

    name: str
    line: int
    status: str
    match: Agreement | None
    own: Ids
    gradient: Ids
    right: Floats
    reason: str = ""
    update: Update | None = None
    walk: Walk | None = None
    bare: Agreement | None = None

    def made_of(self) -> list[Ids]:
        """The gradient, and what it was made of place by place: one of them is what the program takes for dL/d(it)."""
        return [self.gradient, *(self.walk.seen if self.walk is not None else [])]
