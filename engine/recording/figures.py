"""Figures of the rows of a quantity: norms, magnitudes, whether they are finite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.language.functions import Array

_SMALL = 2.0**-400
"""A magnitude whose square has all its digits, and so has the square of its inverse."""


@dataclass
class Figures:
    """Figures of one quantity: the norm of every row, that of every sample's row (rows, B), whether a row is finite, the largest
    magnitude, and that of the smallest row."""

    norms: Array
    by_sample: Array
    finite: Array
    largest: float = 0.0
    smallest: float = np.inf

    def add(self, rows: Array, low: int, high: int) -> None:
        norms, magnitudes = (each.reshape(high - low, -1) for each in _measured(rows.reshape(-1, *rows.shape[2:])))
        self.by_sample[low:high] = norms
        self.norms[low:high] = norms[:, 0] if norms.shape[1] == 1 else row_norms(rows)
        largest = magnitudes.max(axis=1, initial=0.0)
        self.finite[low:high] = np.isfinite(largest)
        if not self.finite[low:high].all():
            magnitude = np.abs(rows[np.isfinite(rows)])
            self.largest = max(self.largest, float(magnitude.max(initial=0.0)))
            largest = largest[np.isfinite(largest)]
        self.largest = max(self.largest, float(largest.max(initial=0.0)))
        self.smallest = min(self.smallest, float(largest[largest > 0].min(initial=np.inf)))


def row_norms(rows: Array) -> Array:
    """‖row‖ over all but the first axis, for each row."""
    return _measured(rows)[0]


def _measured(rows: Array) -> tuple[Array, Array]:
    """`row_norms`, and the largest magnitude in each row."""
    flat = np.abs(rows.reshape(len(rows), -1)).astype(np.float64, copy=False)
    largest = flat.max(axis=1, initial=0.0)
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.einsum("ij,ij->i", flat, flat))
        # Squares of large numbers overflow and those of small ones vanish: such a row is divided by its largest magnitude first.
        plain = (largest > _SMALL) & (largest < 1 / _SMALL) | (largest == 0)
        if len(extreme := np.flatnonzero(~plain)):
            unit = np.where(np.isfinite(largest), largest, 1.0)[extreme]
            scaled = flat[extreme] / unit[:, None]
            norms[extreme] = unit * np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    return norms, largest
