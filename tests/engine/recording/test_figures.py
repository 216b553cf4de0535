"""Norms of rows: right also where squares overflow or vanish."""

from __future__ import annotations

import numpy as np
import pytest

from engine.recording.figures import Figures, row_norms

ROWS = [
    ([3.0, -4.0], 5.0),
    ([3e200, -4e200], 5e200),
    ([3e-200, 4e-200], 5e-200),
    ([0.0, 0.0], 0.0),
    ([5e-324, 0.0], 5e-324),
    ([1e300, 1e-300], 1e300),
    ([np.inf, 1.0], np.inf),
    ([np.nan, 1.0], np.nan),
]


def test_norms_where_squares_overflow_or_vanish() -> None:
    rows = np.array([row for row, _ in ROWS])
    assert row_norms(rows) == pytest.approx([norm for _, norm in ROWS], rel=1e-15, abs=0, nan_ok=True)
    assert row_norms(rows[:1]).tolist() == row_norms(rows)[:1].tolist()  # the rows beside it change no bit


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_figures_are_those_of_numpy(dtype: str) -> None:
    rows = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(dtype)
    rows[2] = 0
    figures = Figures(np.zeros(5), np.zeros((5, 3)), np.ones(5, bool))
    for low, high in ((0, 2), (2, 5)):
        figures.add(rows[low:high], low, high)
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(figures.norms, np.linalg.norm(exact.reshape(5, -1), axis=1), rtol=1e-14)
    np.testing.assert_allclose(figures.by_sample, np.linalg.norm(exact, axis=2), rtol=1e-14)
    magnitudes = np.abs(exact).max(axis=(1, 2))
    assert (figures.largest, figures.smallest) == (magnitudes.max(), magnitudes[magnitudes > 0].min())
    assert figures.finite.all()
