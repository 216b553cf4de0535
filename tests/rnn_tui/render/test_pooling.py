import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnn_tui.render.pooling import block_of, block_range, pool

inf, nan = float("inf"), float("nan")
arrays = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.floats())


def test_pool_of_known_values() -> None:
    values = np.array([[1.0, -3.0, 0.0, 2.0], [2.0, 1.0, nan, inf], [inf, 5.0, 0.0, -inf], [-2.0, 2.0, 0.0, 0.0]])
    np.testing.assert_array_equal(pool(values, 2, 2), [[-3.0, nan], [inf, -inf]])


def test_small_arrays_are_unchanged() -> None:
    np.testing.assert_array_equal(pool(np.array([[1, -2]]), 5, 2), [[1.0, -2.0]])


def test_pool_keeps_the_dtype() -> None:
    assert pool(np.zeros((4, 4), dtype=np.float32), 2, 2).dtype == np.float32


@given(arrays, st.integers(1, 6), st.integers(1, 6))
def test_pool_keeps_the_largest_magnitude_with_its_sign(values: np.ndarray, rows: int, cols: int) -> None:
    pooled = pool(values, rows, cols)
    assert pooled.shape == (min(rows, values.shape[0]), min(cols, values.shape[1]))
    for (row, col), value in np.ndenumerate(pooled):
        block = values[list(block_range(row, values.shape[0], rows))][:, list(block_range(col, values.shape[1], cols))]
        if np.isnan(block).any():
            assert np.isnan(value)
        else:
            assert abs(value) == np.abs(block).max()
            assert value in block


@given(st.integers(1, 200), st.integers(1, 200))
def test_every_index_is_in_its_block(size: int, blocks: int) -> None:
    for index in range(size):
        assert index in block_range(block_of(index, size, blocks), size, blocks)
    assert sum(len(block_range(block, size, blocks)) for block in range(min(size, blocks))) == size
