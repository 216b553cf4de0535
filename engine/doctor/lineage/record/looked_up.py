"""Values of a run, found by arrays that are known: by a number that no factor changes, then confirmed entry by entry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.matching import same
from engine.doctor.lineage.record.reading import Floats
from engine.doctor.recording.trials.fingerprints import weights

MOST_HITS = 32
"""So many arrays are kept that one value equals."""
MOST_COMPARED = 100_000
"""So many pairs are compared entry by entry."""
BATCH, LARGE = 1 << 16, 1 << 12
"""So many numbers are looked up at once; an array of so many alone."""
SMALL = 2
"""An array of so few numbers is a factor times too many others: its factor must be a known one."""


@dataclass(frozen=True)
class Equality:
    """A value equals `factor` times a right array: the share of operand `which` of operation `k`, the sum of shares up to it, or dL/d(the
    value of forward event `k`)."""

    kind: str
    k: int
    which: int
    factor: float


@dataclass(frozen=True, eq=False)
class Sought:
    """The distinct values of one size, sorted by `keys`: numbers that do not change with a factor, but for arrays of a few numbers.
    `places` says whose each is."""

    values: list[Floats]
    keys: Floats
    norms: Floats
    places: NDArray[np.int64]


def _keys(values: Floats) -> tuple[Floats, Floats]:
    """For rows: the size of a weighted sum relative to the norm, in which a factor does not count, of small ones the norm; and the norm."""
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    return norms if values.shape[1] <= SMALL else np.abs(values @ weights(values.shape[1])) / norms, norms


class Lookup:
    """Values of a run, found by right arrays; hits are kept by value."""

    def __init__(self, values: Sequence[Floats], factors: Sequence[float], allowed: float) -> None:
        self.factors, self.allowed = factors, allowed
        self.left = MOST_COMPARED
        self.hits: list[list[Equality]] = [[] for _ in values]
        self.waiting: dict[int, tuple[list[Floats], list[tuple[str, int, int]]]] = {}
        sized: dict[int, tuple[list[int], list[Floats]]] = defaultdict(lambda: ([], []))
        for place, value in enumerate(values):
            if value.size and np.isfinite(value).all() and (value.size == 1 or np.ptp(value) > 0) and value.any():
                turned = [value.T] if value.ndim == 2 and min(value.shape) > 1 else []
                for one in [value, *turned]:
                    sized[value.size][0].append(place)
                    sized[value.size][1].append(one)
        self.sought = {size: self._sorted(size, *rows) for size, rows in sized.items()}
        for size in self.sought:
            self.waiting[size] = ([], [])

    def _sorted(self, size: int, places: list[int], rows: list[Floats]) -> Sought:
        many = 1 if size >= LARGE else max(1, BATCH // size)
        parts = [rows[k : k + many] for k in range(0, len(rows), many)]
        keys, norms = np.concatenate([_keys(np.array([one.ravel() for one in part])) for part in parts], axis=1)
        order = np.argsort(keys, kind="stable")
        return Sought([rows[k] for k in order.tolist()], keys[order], norms[order], np.array(places)[order])

    def add(self, right: Floats, kind: str, k: int, which: int) -> None:
        """One more right array."""
        held = self.waiting.get(right.size)
        if held is None:
            return
        if right.size >= LARGE:
            self._look_up(right.reshape(1, -1), [(kind, k, which)])
            return
        held[0].append(right.ravel())
        held[1].append((kind, k, which))
        if len(held[0]) * right.size > BATCH:
            self._empty(right.size)

    def finish(self) -> None:
        """Looks up all that still waits."""
        for size in self.waiting:
            self._empty(size)

    def _empty(self, size: int) -> None:
        parts, places = self.waiting[size]
        if parts:
            self.waiting[size] = ([], [])
            self._look_up(np.concatenate(parts).reshape(len(parts), size), places)

    def _look_up(self, rights: Floats, places: list[tuple[str, int, int]]) -> None:
        size = rights.shape[1]
        sought = self.sought[size]
        with np.errstate(all="ignore"):
            keys, norms = _keys(rights)
        for factor in self.factors if size <= SMALL else (1.0,):
            wanted = keys * abs(factor)
            off = 3 * self.allowed * (wanted if size <= SMALL else np.sqrt(size))
            low = sought.keys.searchsorted(wanted - off)
            count = np.where(np.isfinite(wanted), sought.keys.searchsorted(wanted + off) - low, 0)
            for row in np.flatnonzero(count).tolist():
                first = int(low[row])
                ratios = sought.norms[first : first + int(count[row])] / norms[row]
                for one in np.flatnonzero(self._may_be(ratios)).tolist():
                    self._confirm(rights[row], sought, first + one, places[row])

    def _may_be(self, ratios: Floats) -> NDArray[np.bool_]:
        """Which of these sizes are those of known factors."""
        known = np.zeros(len(ratios), bool) if self.factors else ratios > 0
        for factor in self.factors:
            known |= np.abs(ratios - abs(factor)) <= 10 * self.allowed * abs(factor)
        return known

    def _confirm(self, right: Floats, sought: Sought, one: int, place: tuple[str, int, int]) -> None:
        hits = self.hits[int(sought.places[one])]
        if len(hits) >= MOST_HITS or self.left <= 0:
            return
        self.left -= 1
        value, largest = sought.values[one].ravel(), int(np.abs(right).argmax())
        factor = float(value[largest] / right[largest])
        if factor == 0.0 or (self.factors and not any(same(factor, f, 10 * self.allowed) for f in self.factors)):
            return
        if np.abs(value - factor * right).max() <= self.allowed * abs(value[largest]):
            hits.append(Equality(*place, factor))
