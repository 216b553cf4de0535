"""`compare`: arrays of one's own, under any known names and in any layout, against the reference's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from engine.doctor.compare.arrays import compare_arrays
from engine.doctor.compare.results import text
from engine.errors import InputError
from engine.model.network import Network
from engine.recording.record import record
from engine.recording.tape import Tape
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


def _problem(cell: str) -> tuple[np.ndarray, np.ndarray, Tape]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, 5, 3)), rng.integers(0, 2, 4)
    return X, y, record(Network(3, 2, 6, cell=cell, seed=3), X, y)


def test_what_the_options_do_not_say_is_found_by_trying(tmp_path: Path) -> None:
    """The file's own X and y, in another order of axes; the network's activation is that with which its arrays agree."""
    X, y, tape = _problem("rnn")
    names = {"Wx": "Wax", "Wa": "Waa", "Wy": "Wya", "ba": "ba", "by": "by"}
    columns = {mine: np.atleast_2d(tape[ours].T).T for ours, mine in names.items()}
    gradients = {f"d{mine}": np.atleast_2d(tape.gradients[ours].T).T for ours, mine in names.items()}
    np.savez(tmp_path / "mine.npz", X=X.transpose(2, 0, 1), y=np.eye(2)[y], **columns, **gradients)
    report = compare_arrays(tmp_path / "mine.npz", None, {})
    assert report.ok
    assert "tanh" in report.weights
    # A square gradient lies as its weights do: turned round, it is wrong.
    np.savez(tmp_path / "mine.npz", X=X, y=y, **columns, **{**gradients, "dWaa": gradients["dWaa"].T})
    report = compare_arrays(tmp_path / "mine.npz", None, {})
    assert [row.name for row in report.rows if not row.comparison.ok] == ["dWaa"]


@pytest.mark.parametrize(("cell", "gates"), [("lstm", "ifgo"), ("gru", "rzn")])
def test_gates_side_by_side_with_two_biases_as_pytorch_has_them(tmp_path: Path, cell: str, gates: str) -> None:
    X, y, tape = _problem(cell)
    weights, gradients = tape.parameters, tape.gradients
    second = [f"b{gate}" if cell == "lstm" or gate != "n" else "bhn" for gate in gates]
    share = np.repeat([1.0 if name == "bhn" else 0.25 for name in second], 6)
    first = np.concatenate([weights[f"b{gate}"] for gate in gates])

    def stacked(values: Mapping[str, np.ndarray], kind: str) -> np.ndarray:
        return np.concatenate([values[f"W{kind}{gate}"] for gate in gates], axis=1).T

    arrays = {
        "rnn.weight_ih_l0": stacked(weights, "x"),
        "rnn.weight_hh_l0": stacked(weights, "h"),
        "rnn.bias_ih_l0": first - np.where(share == 1.0, 0.0, share * first),
        "rnn.bias_hh_l0": share * np.concatenate([weights[name] for name in second]),
        "fc.weight": weights["Wy"].T,
        "fc.bias": weights["by"],
        "rnn.weight_ih_l0.grad": stacked(gradients, "x"),
        "rnn.weight_hh_l0.grad": stacked(gradients, "h"),
        "rnn.bias_hh_l0.grad": np.concatenate([gradients[name] for name in second]),
        "fc.weight.grad": gradients["Wy"].T,
    }
    np.savez(tmp_path / "mine.npz", X=X, y=y, **arrays)
    report = compare_arrays(tmp_path / "mine.npz", None, {})
    assert report.ok
    assert len(report.rows) == 4
    arrays["rnn.weight_hh_l0.grad"] = 2 * arrays["rnn.weight_hh_l0.grad"]
    np.savez(tmp_path / "mine.npz", X=X, y=y, **arrays)
    first_wrong = compare_arrays(tmp_path / "mine.npz", None, {}).first
    assert first_wrong is not None
    assert first_wrong.name == "rnn.weight_hh_l0.grad"


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    X, y, tape = _problem("rnn")
    path = tmp_path / "mine.npz"
    for changed, says in (({"X": X[:, :, 0]}, "do not fit together"), ({"X": X * np.nan}, "X holds NaN")):
        np.savez(path, **{"X": X, "y": y, **tape.parameters, "dWa": tape["dWa"], **changed})
        with pytest.raises(InputError, match=says):
            compare_arrays(path, None, {})
    np.savez(path, **tape.parameters, dWa=tape["dWa"])
    with pytest.raises(InputError, match="do not fit the data"):
        compare_arrays(path, "many_to_one", {})
