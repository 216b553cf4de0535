"""How a value of the reference lies in the user's code, and where its numbers are recorded."""

from __future__ import annotations

import itertools
from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.doctor.reference.values import Entry
from engine.language.functions import Array
from engine.recording.tape import Tape


def laid_out(
    tape: Tape, entry: Entry, theirs: Array, *, turned: Set[str] | None
) -> tuple[Array | None, NDArray[np.int64] | None]:
    """A reference value in the layout of the user's, and its cells, as flat indices of the recorded array; None where its size is another.

    A square one lies as weights do in the user's code (`turned`: which of them), or where None is given the way that fits best.
    """
    cells = _cells(tape, entry)
    ways = [(w(entry.value), w(cells) if cells is not None else None) for w in _ways(entry.value, theirs.shape)]
    if not ways:
        return None, None
    if turned is None:
        return min(ways, key=lambda way: _misfit(way[0], theirs))
    return ways[-1 if entry.name.removeprefix("d") in turned else 0]


def _cells(tape: Tape, entry: Entry) -> NDArray[np.int64] | None:
    """Where each number of an entry is found in the recorded array; None where it is in none."""
    if entry.name not in tape and entry.name not in tape.parameters:
        return None
    whole = np.asarray(tape[entry.name])
    cells = np.arange(whole.size, dtype=np.int64).reshape(whole.shape)
    quantity = tape.plan.program.quantities.get(entry.name)
    if quantity is not None and quantity.rows:
        extra = quantity.rows == "T+1"
        if entry.t is not None:
            cells = cells[entry.t if extra else entry.t - 1]
        if entry.sample is not None:
            cells = cells.take([entry.sample], axis=0 if entry.t is not None else 1)
        if entry.t is None and entry.value.shape[0] < len(cells):
            without_first = cells[1:].reshape(entry.value.shape)
            without_last = cells[:-1].reshape(entry.value.shape)
            cells = without_first if np.array_equal(entry.value, whole.ravel()[without_first]) else without_last
    elif entry.sample is not None and entry.kind == "value":
        cells = cells.take([entry.sample], axis=0)
    return cells.reshape(entry.value.shape) if cells.size == entry.value.size else None


def _ways(value: Array, shape: tuple[int, ...]) -> list[_AxisOrder]:
    """The orders of axes in which an array has a shape, as it is first; those of length one do not count."""
    if value.size != int(np.prod(shape)):
        return []
    wanted = tuple(n for n in shape if n != 1)
    squeezed = value.squeeze()
    ways = [
        _AxisOrder(order, shape)
        for order in itertools.permutations(range(squeezed.ndim))
        if squeezed.transpose(order).shape == wanted
    ]
    return ways or [_AxisOrder(tuple(range(squeezed.ndim)), shape)]


@dataclass(frozen=True)
class _AxisOrder:
    order: tuple[int, ...]
    shape: tuple[int, ...]

    def __call__(self, value: Array) -> Array:
        return value.squeeze().transpose(self.order).reshape(self.shape)


def _misfit(ours: Array, theirs: Array) -> float:
    """How far two arrays are from being multiples of each other."""
    scale = float(np.vdot(ours, theirs)) / max(float(np.vdot(ours, ours)), 1e-300)
    return float(np.abs(theirs - scale * ours).max(initial=0.0))
