"""The arrays that come from outside: weights, data, first states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set

import numpy as np

from engine.doctor.lineage.gradients.gradient_names import last_of
from engine.doctor.lineage.record.arrays import whole_numbers
from engine.doctor.lineage.record.beginning import begin_of
from engine.doctor.lineage.record.called_names import UPSTREAM
from engine.doctor.lineage.record.levels import levels_of, may_go_back
from engine.doctor.lineage.record.reading import Ids, Record, RecordedArray


def inputs(record: Record, called: Set[str] | None = None) -> list[Ids]:
    """The arrays that have a name and come from outside (perhaps scaled): each once, as it was first seen; those of several numbers, or the
    single numbers that are `called` so. An array that holds a number twice, as rows that were looked up in it, is none, and none that was
    put together of others, but for one of which entries were written over by another: it holds both."""
    found: dict[tuple[int, int], Ids] = {}
    events = record.events
    upstream = set(events.firsts[events.where(lambda kind: kind.name.startswith(UPSTREAM))].tolist())
    named = events.where(lambda kind: bool(kind.name) and kind.site.kind != "increment")
    if called is None:
        named &= (events.sizes > 1) & may_go_back(record, events.firsts, alone=False)
    else:
        named &= (events.sizes == 1) & events.where(lambda kind: last_of(kind.name) in called)
    entries = {k.name.partition("[")[0] for k in events.seen_kinds if "[" in k.name and k.site.kind == "assign"}
    stored = events.where(lambda kind: kind.name in entries)
    changing = set(zip(whole_numbers(events.firsts[stored]), whole_numbers(events.sizes[stored]), strict=True))
    for event in events.at(events.each_once(np.flatnonzero(named))):
        value = event.value
        key = value.first, value.size
        if key in found:
            continue
        comes_from_outside = value.first not in upstream and levels_of(record, value)
        if comes_from_outside and not value.repeats and not _is_joined(record, value):
            found[key] = value.ids().ravel()
    found = _with_what_was_written(record, found, changing & found.keys() if called is None else set())
    whole = {_leaf(record, ids): len(ids) for ids in found.values()}
    for ids in found.values():
        whole[_leaf(record, ids)] = max(whole[_leaf(record, ids)], len(ids))
    return [ids for ids in found.values() if len(ids) == whole[_leaf(record, ids)]]


def _with_what_was_written(
    record: Record, found: dict[tuple[int, int], Ids], changing: Set[tuple[int, int]]
) -> dict[tuple[int, int], Ids]:
    """The same with those that had entries written over by numbers from outside as they then were, as weights into which a row of biases is
    put; what was written into them is none by itself."""
    left, whole, beginning = set(changing), dict(found), defaultdict[int, list[tuple[int, int]]](list)
    for key in found:
        beginning[key[0]].append(key)
    for operation in record.operations.on_arrays() if left else ():
        for read in operation.operands:
            key = read.first, read.size
            if key not in left or read.kept is None:
                continue
            ids = read.kept.ravel()
            if not ((record.makers(ids) < 0) | (ids < begin_of(record))).all():
                left.discard(key)  # and so it is from now on
                continue
            other = ids[ids != found[key]]
            if len(other) and not read.repeats and not np.isin(other, found[key]).any():
                for inside in (k for number in whole_numbers(other) for k in beginning.get(number, ())):
                    if np.isin(found[inside], other).all():
                        whole.pop(inside, None)
                whole[key] = ids
                left.discard(key)
    return whole


def _is_joined(record: Record, value: RecordedArray) -> bool:
    """Whether an array was put together of others that came from outside: these are the inputs, each by itself."""
    if value.follows and record.leaf(value.base) == record.leaf(value.base + value.size - 1):
        return False
    ids = value.ids()
    first, last = int(ids.min()), int(ids.max())
    if record.maker(first) >= 0 or record.leaf(first) == record.leaf(last):
        return False
    leaves = np.unique(record.leaf_starts.searchsorted(ids.ravel(), "right") - 1)
    return bool((record.leaves[leaves, 1] > 1).any() and (record.makers(ids) < 0).all())


def _leaf(record: Record, ids: Ids) -> int:
    """Parts of one array belong together: the leaf, or the operation that scaled it."""
    maker = record.maker(int(ids[0]))
    return -1 - maker if maker >= 0 else record.leaf(int(ids[0]))
