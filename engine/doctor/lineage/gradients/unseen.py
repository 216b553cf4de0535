"""Backward passes of a program that no compared gradient came from: a verdict on the others says nothing about them."""

from __future__ import annotations

from collections.abc import Sequence

from engine.doctor.lineage.gradients.returned import last_of, meant
from engine.doctor.lineage.record.carry_back import reached, touched
from engine.doctor.lineage.record.reading import Ids, Record, RecordedArray
from engine.doctor.recording.calls.guesses import BACKWARD

NOTHING_CAME = "no gradient that was compared came from it"
"""What is said of such a function."""


def unseen(record: Record, gradients: Sequence[Ids]) -> list[str]:
    """The functions that are called as backward passes are, made gradients of arrays that came from outside, and had no
    part in these gradients."""
    marked = reached(record, [RecordedArray(ids.shape, kept=ids) for ids in gradients])
    outside = {last_of(e.name) for e in record.events if e.value.size > 2 and record.maker(e.value.first) < 0}
    made, used = dict[str, None](), set[str]()
    for event in record.events:
        if not event.value.size or not BACKWARD.search(event.site.function.rsplit(".", 1)[-1]):
            continue
        if touched(marked, event.value):
            used.add(event.site.function)
        elif event.value.size > 2 and record.maker(event.value.first) >= 0 and meant(event.name) & outside:
            made[event.site.function] = None
    return [function for function in made if function not in used]
