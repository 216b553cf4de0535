"""Lists of samples as arrays: people collect their data by appending one sequence, and one target, after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from engine.doctor.run.events import Event
from engine.language.functions import Array

Listed = tuple[int, str, Array, Array | None]
"""The number of the last event, the target, the items in one array, and their lengths where they are padded."""


def listed(events: Sequence[Event], is_data: Callable[[str], bool]) -> Iterator[Listed]:
    """The lists that were built or assigned item by item; `is_data` says of a target whether it is looked at."""
    groups: dict[tuple[Any, ...], list[Event]] = {}
    for event in events:
        if event.site.kind == "append" and is_data(event.target):
            groups.setdefault((event.target,), []).append(event)
        elif event.site.kind == "assign" and event.array is not None and is_data(event.target):
            groups.setdefault((event.site, event.rounds), []).append(event)
    for own in groups.values():
        if len(own) > 1 and (stacked := _stacked([np.asarray(event.value) for event in own])) is not None:
            yield own[-1].number, own[0].target, *stacked


def _stacked(items: Sequence[Array]) -> tuple[Array, Array | None] | None:
    """The items one below the other, the shorter ones padded with zeros; None where they do not fit together."""
    if len({(item.ndim, item.shape[1:], item.dtype.kind) for item in items}) > 1 or items[0].dtype.kind not in "biuf":
        return None
    if items[0].ndim == 0 or len({len(item) for item in items}) == 1:
        return np.array(items), None
    lengths = np.array([len(item) for item in items])
    result: Array = np.zeros((len(items), int(lengths.max()), *items[0].shape[1:]), items[0].dtype)
    for row, item in zip(result, items, strict=True):
        row[: len(item)] = item
    return result, lengths
