"""Weights that are filled with one number in place."""

from __future__ import annotations

from pathlib import Path

from tests.engine.doctor.lineage.programs import verdict_on
from tests.engine.doctor.lineage.trained import network


def test_a_bias_that_is_filled_with_a_number_has_a_gradient_for_each_of_its_numbers(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, network(before="bh[:] = 1.0\n"))
    assert verdict.verdict == "right"
    assert "bh" in {c.name for c in verdict.compared if c.status == "right"}


def test_the_zeros_beside_a_diagonal_are_numbers_too(tmp_path: Path) -> None:
    changes = (
        "da = (1 - hs[t] ** 2) * (Why.T @ dy + dnext)",
        "da = np.diag(1 - hs[t][:, 0] ** 2) @ (Why.T @ dy + dnext)",
    )
    assert verdict_on(tmp_path, network(changes)).verdict == "right"
