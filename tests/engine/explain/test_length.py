"""The length of an array."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from engine.explain.length import length

ENTRIES = st.floats(-1e6, 1e6)


@given(arrays(np.float64, array_shapes(max_dims=3), elements=ENTRIES))
def test_it_is_the_square_root_of_the_sum_of_squares(array: np.ndarray) -> None:
    assert length(array) == pytest.approx(math.hypot(*array.ravel()), rel=1e-12)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_squares_do_not_overflow(kind: type[np.floating]) -> None:
    largest = float(np.finfo(kind).max) / 4
    assert length(np.full((2, 2), largest, kind)) == pytest.approx(2 * largest, rel=1e-6)


def test_what_is_not_finite_or_not_there() -> None:
    assert length(np.array([[1.0, -np.inf]])) == math.inf
    assert math.isnan(length(np.array([1.0, np.nan])))
    assert length(np.zeros((0, 3))) == 0.0
