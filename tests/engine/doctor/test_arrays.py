"""`compare`: arrays of one's own, under any known names and in any layout, against the reference's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.doctor.arrays import compare_arrays, text
from engine.errors import InputError
from engine.session import open_session


def test_right_arrays_in_columns_with_other_names_are_right(tmp_path: Path) -> None:
    tape = open_session(None, {}).debugger.tape(0)
    weights = {
        "Wxh": tape["Wx"].T,
        "Whh": tape["Wa"].T,
        "Why": tape["Wy"].T,
        "bh": tape["ba"][:, None],
        "by": tape["by"],
    }
    gradients = {"dWxh": tape["dWx"].T, "grad_Whh": tape["dWa"].T, "dbh": tape["dba"][:, None]}
    np.savez(tmp_path / "mine.npz", hs=np.moveaxis(tape["a"][1:], 0, 1), loss=tape.loss, **weights, **gradients)
    report = compare_arrays(tmp_path / "mine.npz", None, {})
    assert report.ok
    assert [row.quantity for row in report.rows] == ["a", "loss", "dWx", "dWa", "dba"]
    assert "own weights" in report.weights


def test_the_first_divergence_is_the_one_computed_first(tmp_path: Path) -> None:
    tape = open_session("many_to_one", {}).debugger.tape(0)
    flow = tape["da"].copy()
    flow[:4] *= 2  # gradients are computed from the last step back: the first wrong one is that of step 3
    np.savez(tmp_path / "mine.npz", dWa=2 * tape["dWa"], dh=flow, other=np.zeros(3))
    report = compare_arrays(tmp_path / "mine.npz", "many_to_one", {})
    assert report.first is not None
    assert (report.first.name, report.first.quantity, report.first.t) == ("dh", "da", 3)
    assert report.unknown == ("other",)
    (row,) = [row for row in report.rows if row.name == "dWa"]
    assert row.comparison.norm_ratio == pytest.approx(2.0)
    assert row.comparison.cosine == pytest.approx(1.0)
    assert "dh should be da at t = 3" in text(report)


def test_nothing_known_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", foo=np.zeros(3))
    with pytest.raises(InputError, match=r"none of its arrays \(foo\) has a known name"):
        compare_arrays(tmp_path / "mine.npz", None, {})
    np.savez(tmp_path / "part.npz", Wa=np.zeros((8, 8)), dWa=np.zeros((8, 8)))
    with pytest.raises(InputError, match="Wx is missing"):
        compare_arrays(tmp_path / "part.npz", None, {})
