"""Cells with gates written by hand: which arrays hold which parameters is found out, and a wrong line is found and placed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.doctor.mending.trials import trying
from engine.doctor.opening import beside, open_walk
from engine.doctor.run.launch import Wishes
from engine.doctor.vocabulary.packing import Order, pack, unpack
from engine.doctor.vocabulary.readings import readings
from engine.doctor.walk.lockstep import Lockstep
from engine.files.cell import read_cell
from engine.recording.record import record
from engine.tables.cells import CELLS, VARIANTS, Cell
from tests.engine.doctor.problems import make_problem
from tests.engine.doctor.reports import examine
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


def opened(path: Path, *cells: Cell) -> Lockstep:
    """What stands beside a program."""
    found = beside(open_walk(path, Wishes(stand=path.parent), mend=False), cells)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "cell", "roles", "order"),
    [
        ("lstm_side_by_side", "lstm", {"Wx", "Wa", "ba"}, Order(("i", "f", "o", "g"))),
        ("lstm_caches", "lstm", {"W.i", "W.f", "W.g", "W.o"}, Order((), "hx")),
        ("gru_paper", "gru with the reset gate before the product and h = z * n + (1 - z) * h_prev", set(), Order()),
    ],
)
def test_the_cell_and_how_its_parameters_lie_are_told_by_the_numbers(
    name: str, cell: str, roles: set[str], order: Order
) -> None:
    found = opened(SPECIMENS / f"{name}.py").recognised
    assert (found.problem.network.table.name, set(found.arrays.roles), found.arrays.order) == (cell, roles, order)


def test_a_wrong_line_is_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "WORK", 0)  # placed by the numbers alone: no correction is looked for
    name, old = "lstm_side_by_side", "dg * (1 - g ** 2)"
    path = changed(tmp_path, name, old, "dg * (1 - g)")
    text = (SPECIMENS / f"{name}.py").read_text()
    line = text[: text.index(old)].count("\n") + 1
    report = examine(path)
    assert (report.verdict, report.first_wrong and report.first_wrong.line) == ("wrong", line)


def test_a_printed_program_made_wrong_is_found_out(tmp_path: Path) -> None:
    old = "dn[t] * (1 - n[t]**2)"
    data = tmp_path / "data.csv"
    data.write_text(DATA["cross-entropy"])
    text = printed(str(data), "--timesteps", "3", "--cell", "gru", "--hidden", "3", "--notation", "karpathy")
    assert old in text
    path = tmp_path / "printed.py"
    path.write_text(text.replace(old, "dn[t] * (1 - n[t])"))
    report = examine(path)
    line = text[: text.index(old)].count("\n") + 1
    assert (report.verdict, report.first_wrong and report.first_wrong.line) == ("wrong", line)


def test_a_cell_of_one_s_own_stands_beside_its_program_where_its_file_is_given(tmp_path: Path) -> None:
    cell = tmp_path / "own.py"
    own = CONTRIBUTING.read_text().partition("```python\n")[2].partition("```")[0]
    cell.write_text(own.replace('name="mgu"', 'name="my_mgu"'))
    data = tmp_path / "data.csv"
    data.write_text(DATA["squared"])
    path = tmp_path / "printed.py"
    path.write_text(
        printed(str(data), "--timesteps", "3", "--cell", str(cell), "--hidden", "3", "--notation", "goodfellow")
    )
    assert opened(path, read_cell(cell)).problem.network.table.name == "my_mgu"
