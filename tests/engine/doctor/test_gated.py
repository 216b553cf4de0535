"""Cells with gates written by hand: which arrays hold which parameters is found out, and a wrong line is found and placed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.doctor.by_reference import examine
from engine.doctor.reference.problem import make_problem
from engine.doctor.vocabulary.packing import Order, pack, unpack
from engine.doctor.vocabulary.readings import readings
from engine.files.cell import read_cell
from engine.recording.record import record
from engine.tables.cells import CELLS, VARIANTS, Cell
from tests.engine.doctor.reports import report_on
from tests.engine.doctor.test_printed import DATA, printed
from tests.engine.doctor.test_specimens import SPECIMENS, changed

CONTRIBUTING = Path(__file__).parents[3] / "CONTRIBUTING.md"


@pytest.mark.parametrize("cell", [variant for family in VARIANTS.values() for variant in family], ids=lambda c: c.name)
def test_a_variant_s_gradients_are_those_by_differences(cell: Cell) -> None:
    problem = make_problem(cell=cell, steps=3)
    rng = np.random.default_rng(0)
    for name, value in problem.parameters.items():
        direction = rng.normal(size=value.shape)
        losses = [
            record(
                problem.network,
                problem.X,
                problem.y,
                initial=problem.initial,
                parameters={**problem.parameters, name: value + step * direction},
            ).loss
            for step in (1e-5, -1e-5)
        ]
        by_differences = (losses[0] - losses[1]) / 2e-5
        assert np.vdot(problem.tape.gradients[name], direction) == pytest.approx(by_differences, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("role", "shape"), [("Wx", (2, 28)), ("Wa", (7, 28)), ("ba", (28,)), ("W", (10, 28)), ("W.f", (10, 7))]
)
def test_what_is_packed_in_any_order_is_unpacked_again(role: str, shape: tuple[int, ...]) -> None:
    problem, order = make_problem(cell="lstm"), Order(("o", "i", "g", "f"), "x1h")
    array = pack(role, problem.parameters, CELLS["lstm"], order)
    assert array.shape == shape
    found = unpack(role, array, problem.network.sizes, CELLS["lstm"], order)
    assert found
    assert all(np.array_equal(value, problem.parameters[name]) for name, value in found.items())


@pytest.mark.parametrize(
    ("words", "cell", "roles"),
    [
        ("W_xi W_hi b_i W_xf W_hf b_f W_xc W_hc b_c W_xo W_ho b_o", "lstm", {"W_xc": "Wxg", "b_c": "bg"}),
        ("Wix Wih bi Wfx Wfh bf Wgx Wgh bg Wox Woh bo", "lstm", {"Wih": "Whi", "Wfx": "Wxf"}),
        ("Wf bf Wu bu Wc bc Wo bo Wy by", "lstm", {"Wu": "W.i", "bu": "bi", "Wy": "Wy"}),
        ("W_ii W_hi W_if W_hf W_ig W_hg W_io W_ho weight", "lstm", {"W_hf": "Whf", "weight": "Wy"}),
        ("Uz Wz bz Ur Wr br Uh Wh bh V c", "gru", {"Uh": "Wxn", "Wh": "Whn", "bz": "bz", "V": "Wy"}),
    ],
)
def test_names_of_gates_are_read(words: str, cell: str, roles: dict[str, str]) -> None:
    first = next(readings(frozenset(words.split())))
    assert first.cell.name == cell
    assert {word: first.role(word) for word in roles} == roles


@pytest.mark.parametrize(
    ("name", "convention", "expected"),
    [
        ("lstm_side_by_side", "gates", "side by side in the order i f o g"),
        ("lstm_caches", "joined", "weights of state and input in one array: the state's first, then the input's"),
        ("gru_paper", "cell", "gru with the reset gate before the product and h = z * n + (1 - z) * h_prev"),
    ],
)
def test_how_parameters_lie_is_reported(name: str, convention: str, expected: str) -> None:
    assert report_on(SPECIMENS / f"{name}.py").conventions[convention] == expected


@pytest.mark.parametrize(
    ("name", "old", "new", "quantity"),
    [
        ("lstm_side_by_side", "dWh = prev_h.T.dot(da)", "dWh = next_h.T.dot(da)", "dWhi dWhf dWhg dWho"),
        ("lstm_side_by_side", "dg * (1 - g ** 2)", "dg * (1 - g)", ""),
        ("lstm_caches", "dWf = np.dot(dft, concat.T)", "dWf = np.dot(dit, concat.T)", ""),
        ("lstm_caches", "* (1 - np.square(cct))", "", ""),
        ("lstm_apart", "dc = dc + dh * o * (1 - tc ** 2)", "dc = dh * o * (1 - tc ** 2)", "dc"),
        ("lstm_class", "dC_next = f * dC", "dC_next = dC", ""),
        ("lstm_with_bias_row", "dHout[t - 1, :] += dHin", "dHout[t - 1, :] = dHin", ""),
        ("gru_paper", "dhnext = dh * (1 - z[t]) + drh * r[t]", "dhnext = dh * (1 - z[t]) + drh", "dh_next"),
        ("gru_class", "dh = dh * z + dgh", "dh = dgh", ""),
    ],
)
def test_a_wrong_line_is_placed(tmp_path: Path, name: str, old: str, new: str, quantity: str) -> None:
    path = changed(tmp_path, name, old, new)
    text = (SPECIMENS / f"{name}.py").read_text()
    line = text[: text.index(old)].count("\n") + 1
    report = examine(path)
    assert report.verdict == "wrong"
    assert report.first_divergence is not None
    assert (report.first_divergence.line, report.diagnoses) == (line, ())
    if quantity:
        assert report.first_divergence.quantity == quantity


@pytest.mark.parametrize(
    ("cell", "notation", "old", "new"),
    [
        ("lstm", "pytorch", "dc_next[t - 1] = dc[t] * f[t]", "dc_next[t - 1] = dc[t]"),
        ("lstm", "goodfellow", "dq[t] * q[t] * (1 - q[t])", "dq[t] * q[t]"),
        ("gru", "karpathy", "dn[t] * (1 - n[t]**2)", "dn[t] * (1 - n[t])"),
        ("gru", "ng", "dr[t] * r[t] * (1 - r[t])", "dz[t] * r[t] * (1 - r[t])"),
    ],
)
def test_a_printed_program_made_wrong_is_found_out(
    tmp_path: Path, cell: str, notation: str, old: str, new: str
) -> None:
    data = tmp_path / "data.csv"
    data.write_text(DATA["cross-entropy"])
    text = printed(str(data), "--timesteps", "3", "--cell", cell, "--hidden", "3", "--notation", notation)
    assert old in text
    path = tmp_path / "printed.py"
    path.write_text(text.replace(old, new))
    report = examine(path)
    line = text[: text.index(old)].count("\n") + 1
    assert report.verdict == "wrong"
    assert report.first_divergence is not None
    assert report.first_divergence.line == line


def test_a_cell_of_one_s_own_is_examined_where_its_file_is_given(tmp_path: Path) -> None:
    cell = tmp_path / "own.py"
    own = CONTRIBUTING.read_text().partition("```python\n")[2].partition("```")[0]
    cell.write_text(own.replace('name="mgu"', 'name="my_mgu"'))
    data = tmp_path / "data.csv"
    data.write_text(DATA["squared"])
    text = printed(str(data), "--timesteps", "3", "--cell", str(cell), "--hidden", "3", "--notation", "goodfellow")
    path = tmp_path / "printed.py"
    path.write_text(text)
    assert examine(path, None, (read_cell(cell),)).verdict == "correct"
    path.write_text(text.replace("dn[t] * (1 - n[t]**2)", "dn[t] * (1 - n[t])"))
    report = examine(path, None, (read_cell(cell),))
    assert report.verdict == "wrong"
    assert report.first_divergence is not None
    assert report.first_divergence.quantity == "dzn"
