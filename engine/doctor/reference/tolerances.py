"""Compares gradients with the reference's: relative error, cosine and norm ratio, and the tolerances."""

from __future__ import annotations

import numpy as np

from engine.doctor.reference.results import GradientComparison
from engine.language.functions import Array

RIGHT = 1e-6
NOTHING = 1e-14


def compare(theirs: Array, ours: Array, *, tolerance: float = RIGHT) -> GradientComparison:
    """`theirs` against `ours`, of one parameter."""
    if theirs.shape != ours.shape:
        return GradientComparison(False, note=f"its shape is {theirs.shape}, it should be {ours.shape}")
    if not np.isfinite(theirs).all():
        return GradientComparison(False, note="it holds NaN or infinite numbers")
    largest = float(np.abs(ours).max(initial=0.0))
    error = float(np.abs(theirs - ours).max(initial=0.0))
    norms = float(np.linalg.norm(theirs)), float(np.linalg.norm(ours))
    relative = error / largest if largest > NOTHING else error
    both = norms[0] > 0 and norms[1] > 0
    cosine = float(np.vdot(theirs / norms[0], ours / norms[1])) if both else None
    ratio = norms[0] / norms[1] if norms[1] > 0 else None
    return GradientComparison(relative <= tolerance, relative, cosine, ratio)
