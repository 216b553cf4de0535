"""Programs on np.matrix, whose `*` is the matrix product, and which has two axes always."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.doctor.lineage.programs import changed, statuses, verdict_on

MATRICES = """
from numpy import *

random.seed(3)
W, U = matrix(random.randn(3, 2)), asmatrix(random.randn(3, 3))
V, b = matrix(random.randn(1, 3)), matrix(zeros((3, 1)))
for step in range(9):
    xs = [matrix([[a], [c]]) for a, c in random.randn(4, 2)]
    hs = [matrix(zeros((3, 1)))]
    for x in xs:
        hs.append(tanh(W * x + U * hs[-1] + b))
    y = (V * hs[-1])[0, 0]
    loss = 0.5 * (y - 1.0) ** 2
    dV, dh = (y - 1.0) * hs[-1].T, V.T * (y - 1.0)
    dW, dU, db = 0 * W, zeros_like(U), matrix(zeros((3, 1)))
    for t in reversed(range(4)):
        dz = multiply(dh, 1 - power(hs[t + 1], 2))
        dW += dz * xs[t].T
        dU += dz * hs[t].T
        db += dz.sum(axis=1)
        dh = U.T * dz
    V -= 0.1 * dV
    W -= 0.1 * dW
    U = U - 0.1 * dU
    b -= 0.1 * db
"""
LIKE_NUMPY_S = """
    assert isinstance(dU, matrix) and isinstance(dz, matrix) and repr(dz).startswith("matrix")
    assert dz[0].shape == (1, 1) and dz[:, 0].shape == (3, 1) and U[1].shape == (1, 3) and U[1:, 0].shape == (2, 1)
    assert dz.A.shape == (3, 1) and not isinstance(dz.A, matrix) and dz.A1.shape == (3,)
    assert U.sum().shape == () and U.sum(0).shape == (1, 3) and sum(U, 1).shape == (3, 1) and U.mean(1).shape == (3, 1)
    assert (U ** 2 == U * U).all() and vstack((V, V)).shape == (2, 3) and isinstance(vstack((V, V)), matrix)
    assert [row.shape for row in U] == [(1, 3)] * 3 and isinstance(U.I, matrix) and (matrix([[1, 0, 0]]) * U == U[0]).all()
    assert (U**0 == eye(3)).all() and allclose(U**-1, U.I) and allclose(U**3, U * U * U)
    assert U.argmax(1).shape == argmax(U, 1).shape == (3, 1) and U.any(0).shape == (1, 3) and isinstance(U.cumsum(1), matrix)
    assert ravel(U).shape == (9,) and U.ravel().shape == (1, 9) and diag(U).shape == (3,) and U.diagonal().shape == (1, 3)
    assert array(U).ndim == 2 and not isinstance(array(U), matrix) and outer(V, V).shape == (3, 3)
"""


def test_a_program_on_matrices_is_right(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, MATRICES, rounds=2)
    assert verdict.verdict == "right"
    assert set(statuses(verdict)) == {"W", "U", "V", "b"}


def test_a_recorded_matrix_does_what_numpy_s_does(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, changed(MATRICES, ("    V -= 0.1", LIKE_NUMPY_S[1:] + "    V -= 0.1")), rounds=2)
    assert verdict.record is not None and verdict.record.outcome["ended"] != "error", verdict.record.outcome
    assert verdict.verdict == "right"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [(("dh = U.T * dz", "dh = U * dz"), {"W", "U", "b"}), (("dU += dz * hs[t].T", "dU += dz * hs[t + 1].T"), {"U"})],
)
def test_a_mistake_in_one_is_seen(tmp_path: Path, change: tuple[str, str], wrong: set[str]) -> None:
    verdict = verdict_on(tmp_path, changed(MATRICES, change), rounds=1)
    assert {name for name, status in statuses(verdict).items() if status == "wrong"} == wrong
