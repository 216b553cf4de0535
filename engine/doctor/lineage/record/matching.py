"""Whether one array is another one, up to a factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from engine.doctor.lineage.record.reading import Floats

DOUBLE, SINGLE = 1e-6, 3e-4
"""How far two arrays may lie apart, relative to the largest entry: in runs of float64, and of float32."""


@dataclass(frozen=True)
class Agreement:
    """How an array compares with the right one: `factor` times it, `cosine` of the angle, `error` relative to the
    largest entry."""

    factor: float
    cosine: float
    error: float
    right: bool


def tolerance(values: Floats) -> float:
    """Computed in float32 or in float64, told from the values themselves."""
    some = values[np.isfinite(values)][:4096]
    with np.errstate(over="ignore"):
        single = (
            len(some) > 0
            and bool((some.astype(np.float32) == some).all())
            and bool((some * 1024 != np.round(some * 1024)).any())
        )
    return SINGLE if single else DOUBLE


def compared(given: Floats, right: Floats, allowed: float | None = None) -> Agreement | None:
    """`given` against `right`, flat arrays of the same length; None where either is zero throughout or not finite."""
    largest, size = float(np.abs(right).max(initial=0)), float(np.abs(given).max(initial=0))
    if largest == 0.0 or size == 0.0 or not (isfinite(largest) and isfinite(size)):
        return None
    a, b = given / size, right / largest
    product, square = np.dot(a, b), np.dot(b, b)
    factor = float(product / square)
    cosine = float(product / np.sqrt(np.dot(a, a) * square))
    error = float(np.abs(a - factor * b).max()) / abs(factor) if factor else float("inf")
    if allowed is None:  # looked at closely only where it matters
        allowed = tolerance(given) if DOUBLE < error <= SINGLE else DOUBLE
    return Agreement(factor * size / largest, cosine, error, error <= allowed)


SAME = 1e-4


def same(a: float, b: float, allowed: float = SAME) -> bool:
    """Two factors that are one."""
    return abs(a - b) <= allowed * max(abs(a), abs(b))


def common(factors: Sequence[float]) -> float | None:
    """The factor that most share, None where there is none."""
    made = np.asarray(factors, np.float64)
    known = np.sort(made[np.isfinite(made)])
    one, other = made * (1 - SAME), made / (1 - SAME)
    below, above = np.minimum(one, other), np.maximum(one, other)
    counts = np.searchsorted(known, above, "right") - np.searchsorted(known, below, "left")
    return factors[int(np.where(np.isfinite(made), counts, 0).argmax())] if len(factors) else None
