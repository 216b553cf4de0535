"""A cell of one's own: the worked example of CONTRIBUTING.md does all that the project's cells do, and mistakes are told in a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from engine import InputError, Network, Tape, record
from engine.codegen import program_text
from engine.explain.gradcheck import check
from engine.explain.line_parts import writer_for
from engine.explain.terms import explain
from engine.files.cell import read_cell
from engine.files.trace import write_trace
from engine.notation import NOTATIONS
from engine.recording.plan import plan
from engine.recording.record import record_with
from engine.session import open_session
from engine.tables.cells import BY_NAME, Cell
from engine.tables.check import CellError
from engine.tables.check import check as check_cell

Array = np.ndarray[Any, Any]
ROOT = Path(__file__).resolve().parents[3]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
WORKED = next(
    block for block in re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL) if 'name="my_mgu"' in block
)
EXAMPLE = WORKED
INLINE = (  # the same with pre-activations that have no names
    "f = sigmoid(x @ Wxf + h_prev @ Whf + bf)",
    "n = tanh(x @ Wxn + (f * h_prev) @ Whn + bn)",
    "h = (1 - f) * h_prev + f * n",
)

NORMED = """from engine.cells import Cell

CELL = Cell(
    name="normed",
    equations=(
        "lam = sigmoid(nu)",
        "gamma = sqrt(1 - lam ** 2)",
        "u = x @ Wx + h_prev @ Wh",
        "m = mean(u)",
        "s = sqrt(mean((u - m) ** 2) + 1e-5)",
        "z = gain * (u - m) / s + b",
        "h = lam * h_prev + gamma * tanh(z)",
    ),
    parameters={"Wx": ("D", "H"), "Wh": ("H", "H"), "gain": ("H",), "b": ("H",), "nu": ("H",)},
    states=("h",),
    output="h",
)
"""
"""What a layer-normalised cell with a decay made of a parameter looks like."""


@pytest.fixture
def mgu(tmp_path: Path) -> Path:
    path = tmp_path / "mgu.py"
    path.write_text(EXAMPLE)
    return path


def cell_of(path: Path, inline: bool) -> Cell:
    cell = read_cell(path)
    return Cell(cell.name, INLINE, cell.parameters, cell.states, cell.output) if inline else cell


# The worked example


def sigmoid(z: Any) -> Any:
    return 1 / (1 + anp.exp(-z))


def mgu_loss(values: Mapping[str, Any], probe: Any, y: Array, predict: str) -> Any:
    """The network as the paper writes it, with nothing of the engine in it; `probe` (T, B, H) is added to the states."""
    h, total = values["h0"], 0.0
    for t, x in enumerate(values["x"]):
        f = sigmoid(x @ values["Wxf"] + h @ values["Whf"] + values["bf"])
        n = anp.tanh(x @ values["Wxn"] + (f * h) @ values["Whn"] + values["bn"])
        h = (1 - f) * h + f * n + probe[t]
        if predict == "last" and t < len(values["x"]) - 1:
            continue
        logits = h @ values["Wy"] + values["by"]
        classes = y[:, t] if predict == "every" else y
        picked = logits[anp.arange(len(y)), classes]
        total = total + anp.sum(anp.log(anp.sum(anp.exp(logits), axis=1)) - picked)
    return total / y.size


@pytest.mark.parametrize("predict", ["last", "every"])
@pytest.mark.parametrize("inline", [False, True])
def test_every_gradient_is_autograds(mgu: Path, inline: bool, predict: str) -> None:
    rng = np.random.default_rng(3)
    network = Network(inputs=2, hidden=4, outputs=3, cell=cell_of(mgu, inline), predict=predict, init_scale=2.0)
    X, h0 = rng.normal(size=(5, 6, 2)), rng.normal(size=(5, 4))
    y = rng.integers(0, 3, (5, 6) if predict == "every" else 5)
    tape = record(network, X, y, initial={"h": h0})
    values = {**network.weights, "x": np.moveaxis(X, 0, 1), "h0": h0}
    probe = np.zeros((6, 5, 4))
    assert tape.loss == pytest.approx(mgu_loss(values, probe, y, predict), rel=1e-13)
    by_value, by_probe = autograd.grad(lambda both: mgu_loss(*both, y, predict))((values, probe))
    for name in (*network.weights, "x"):
        np.testing.assert_allclose(tape[f"d{name}"], by_value[name], rtol=1e-10, atol=1e-14, err_msg=name)
    np.testing.assert_allclose(tape["dh"][1:], by_probe, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(tape["dh"][0], by_value["h0"], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("inline", [False, True])
def test_every_number_is_explained(mgu: Path, inline: bool) -> None:
    rng = np.random.default_rng(4)
    network = Network(inputs=2, hidden=3, outputs=2, cell=cell_of(mgu, inline))
    tape = record(network, rng.normal(size=(4, 5, 2)), np.array([0, 1, 1, 0]))
    for name, quantity in tape.plan.program.quantities.items():
        t = 3 if quantity.rows else None
        array = tape.at(name, t)
        found = explain(tape, name, t, (0,) * array.ndim)
        assert found.value == array[(0,) * array.ndim]
        if found.line is not None:
            sizes = sum(abs(term.value) for term in found.terms)
            assert abs(sum(term.value for term in found.terms) - found.value) <= 8 * np.finfo(float).eps * sizes, name
            assert all(np.prod([f.value for f in term.factors]) == pytest.approx(term.value) for term in found.terms)
    terms = explain(tape, "dWhn", 3, (1, 2), one_step=True).terms
    assert [[factor.name for factor in term.factors][:2] for term in terms] == [["f", "h"]] * 4


def test_checked_printed_and_shown(mgu: Path) -> None:
    session = open_session(None, {"cell": mgu, "hidden": 3})
    debugger = session.debugger
    assert check(debugger.network, session.data.X, session.data.y).ok
    names: dict[str, Any] = {}
    exec(compile(program_text(session).replace("print(", "str("), "<program>", "exec"), names)
    for name, expected in debugger.tape(0).gradients.items():
        np.testing.assert_allclose(names["gradients"][f"d{name}"], expected, rtol=1e-11, atol=1e-14, err_msg=name)
    assert session.description == "my_mgu 1→3→2 · 10 samples · float64"


@pytest.mark.parametrize("notation", list(NOTATIONS))
def test_what_is_made_of_parameters_and_what_is_a_number_for_each_sample_are_printed(
    tmp_path: Path, notation: str
) -> None:
    (tmp_path / "normed.py").write_text(NORMED)
    session = open_session(None, {"cell": tmp_path / "normed.py", "hidden": 3, "notation": notation, "seed": 4})
    names: dict[str, Any] = {}
    exec(compile(program_text(session).replace("print(", "str("), "<program>", "exec"), names)
    tape = session.debugger.tape(0)
    assert float(names["loss"]) == pytest.approx(tape.loss, rel=1e-13)
    spelling = writer_for(session.debugger.plan, notation).spelling
    for name, expected in tape.gradients.items():
        laid = spelling.layout.array(expected, session.debugger.network.parameter_axes[name])
        np.testing.assert_allclose(names[spelling.name(f"d{name}")], laid, rtol=1e-11, atol=1e-14, err_msg=name)


def test_checkpoints_keep_what_is_made_of_parameters(tmp_path: Path) -> None:
    (tmp_path / "normed.py").write_text(NORMED)
    session = open_session(None, {"cell": tmp_path / "normed.py", "hidden": 3})
    network, X, y = session.debugger.network, session.data.X, session.data.y
    whole, kept = (record_with(plan(network, *X.shape[:2], checkpoints=c), X, y) for c in (False, True))
    for name in whole.plan.program.quantities:
        np.testing.assert_allclose(np.asarray(kept[name]), whole[name], rtol=1e-12, atol=1e-15, err_msg=name)


def test_a_product_of_values_before_a_matrix_product_is_written_in_brackets(mgu: Path) -> None:
    session = open_session(None, {"cell": mgu})
    assert "(f[t] * h[t - 1]) @ Whn" in program_text(session)


def test_its_weights_are_written_and_read(mgu: Path, tmp_path: Path) -> None:
    tape = open_session(None, {"cell": mgu, "seed": 5}).debugger.tape(0)
    np.savez(tmp_path / "w.npz", **tape.parameters)
    again = open_session(None, {"cell": mgu, "weights": tmp_path / "w.npz"}).debugger.tape(0)
    assert again.loss == tape.loss
    np.savez(tmp_path / "t.npz", weight_ih_l0=np.zeros((6, 1)), weight_hh_l0=np.zeros((6, 3)), weight=np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"t\.npz: the cell my_mgu does not say what PyTorch's weight_hh_l0 holds"):
        open_session(None, {"cell": mgu, "weights": tmp_path / "t.npz"})
    np.savez(tmp_path / "u.npz", **{f"my_{name}": value for name, value in tape.parameters.items()})
    with pytest.raises(
        InputError, match=r"u\.npz: its arrays \(my_Wxf, .*\) are not the weights of a known cell; .*--cell"
    ):
        open_session(None, {"weights": tmp_path / "u.npz"})


def test_its_own_layout_of_pytorchs_arrays(mgu: Path, tmp_path: Path) -> None:
    mgu.write_text(
        EXAMPLE.replace(
            'output="h",',
            'output="h", torch={"weight_ih": ("Wxf", "Wxn"), "weight_hh": ("Whf", "Whn"), "bias_ih": ("bf", "bn")},',
        )
    )
    rng = np.random.default_rng(0)
    arrays = {
        "weight_ih_l0": rng.normal(size=(6, 1)),
        "weight_hh_l0": rng.normal(size=(6, 3)),
        "weight": np.ones((2, 3)),
    }
    np.savez(tmp_path / "t.npz", **arrays)
    network = open_session(None, {"cell": mgu, "weights": tmp_path / "t.npz"}).debugger.network
    np.testing.assert_array_equal(network.weights["Whn"], arrays["weight_hh_l0"][3:].T)
    assert not network.weights["bf"].any()


# Traces


@pytest.fixture
def trace(mgu: Path) -> Path:
    path = mgu.parent / "run.npz"
    write_trace(path, open_session(None, {"cell": mgu, "hidden": 3}).debugger.tape(0), meta={})
    return path


def test_a_trace_opens_again_with_the_file(mgu: Path, trace: Path) -> None:
    tape: Tape = open_session(trace, {"cell": mgu}).debugger.tape(0)
    with np.load(trace) as archive:
        for name in ("dWhn", "dh", "f", "loss"):
            assert tape[name].tobytes() == archive[name].tobytes()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name="my_mgu"', 'name="other"', "run.npz was recorded with the cell my_mgu, not other; leave --cell away"),
        ("(1 - f) * h_prev + f * n", "f * h_prev + (1 - f) * n", "run.npz was recorded with other equations of the cell my_mgu;"),
    ],
)  # fmt: skip
def test_a_trace_with_another_cell_is_refused(mgu: Path, trace: Path, old: str, new: str, sentence: str) -> None:
    mgu.write_text(EXAMPLE.replace(old, new))
    with pytest.raises(InputError) as refused:
        open_session(trace, {"cell": mgu})
    assert str(refused.value).startswith(sentence)


def test_a_trace_takes_nothing_but_the_file(mgu: Path, trace: Path) -> None:
    with pytest.raises(InputError, match="give its file with --cell"):
        open_session(trace, {})
    with pytest.raises(InputError, match="leave --hidden away"):
        open_session(trace, {"cell": mgu, "hidden": 3})
    with pytest.raises(InputError, match="leave --cell away"):
        open_session(trace, {"cell": "gru"})


def test_a_project_runs_no_code(mgu: Path) -> None:
    (mgu.parent / "d.csv").write_text("1,2,0\n3,4,1\n")
    (mgu.parent / "p.toml").write_text('data = "d.csv"\n[options]\ncell = "mgu.py"\n')
    with pytest.raises(
        InputError, match=rf"option cell = 'mgu\.py' under \[options\] must be one of {', '.join(BY_NAME)}"
    ):
        open_session(mgu.parent / "p.toml", {})
    assert open_session(mgu.parent / "d.csv", {"cell": mgu}).debugger.network.table.name == "my_mgu"


# Mistakes


FILES: list[tuple[str, str]] = [
    ("x = (1,\n", "mgu.py, line 1: '(' was never closed; correct the Python there"),
    ("W = 1\nint('one')\n", "mgu.py, line 2: ValueError: invalid literal for int() with base 10: 'one'; correct what it does there"),
    ("import no_such_module\n", "mgu.py, line 1: ModuleNotFoundError: No module named 'no_such_module'"),
    ("raise SystemExit(3)\n", "mgu.py, line 1: SystemExit: 3"),
    ("from engine.cells import Cell\nCell()\n", "mgu.py, line 2: TypeError: "),
    ("", "mgu.py defines 0 cells; it needs one Cell(...) at its top level"),
    ("from engine.cells import CELLS\nGRU = CELLS['gru']\n", "mgu.py defines 0 cells; it needs one"),
    (EXAMPLE + "\nfrom dataclasses import replace\nTwo = replace(MY_MGU, name='two')\n", "mgu.py defines 2 cells (MY_MGU, Two);"),
    ("\0", "mgu.py: row 1 contains a NUL byte"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), FILES, ids=[sentence[:40] for _, sentence in FILES])
def test_a_file_that_cannot_be_run(mgu: Path, text: str, sentence: str) -> None:
    mgu.write_text(text)
    assert refusal(mgu).startswith(sentence)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as refused:
        read_cell(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


MISTAKES: list[tuple[str, str, str]] = [
    ('name="my_mgu"', 'name="gru"', "mgu.py: the cell's name cannot be 'gru'; give it one of its own"),
    ('name="my_mgu"', 'name="\\x1b[2J"', "mgu.py: the cell's name cannot be"),
    ('("h",),  #', '("h"),  #', 'mgu.py: states must be a tuple of texts: states=("...",)'),
    ('output="h"', 'output="n"', "mgu.py: the output n must be one of the states: h"),
    ('output="h"', 'start={"bq": 1.0}, output="h"', "mgu.py: start says how bq begins, which is no parameter"),
    ('output="h"', 'start={"bf": "identity"}, output="h"', "mgu.py: the start of bf must be a number, for a vector two"),
    ('output="h"', 'start={"Whf": (0.0, 1.0)}, output="h"', "mgu.py: the start of Whf must be a number"),
    ('output="h"', 'has_activation=True, output="h"', "mgu.py: has_activation must be True exactly when an equation reads"),
    ("sigmoid(zf)", "{activation}(zf)", "mgu.py: has_activation must be True exactly when an equation reads {activation}"),
    ('"bf": ("H",)', '"bf": ("H")', 'mgu.py: the axes of bf must be a tuple of "D" and "H"'),
    ('"bf": ("H",)', '"bf": ("B", "H")', 'mgu.py: the axes of bf must be a tuple of "D" and "H"'),
    ('meanings={"f": "forget gate"', 'meanings={"f": 3', "mgu.py: meanings must be texts by name"),
    (
        "meanings={",
        'names={"karpathy": {"n": "no name"}}, meanings={',
        'mgu.py: the names in karpathy must be a dictionary of names by name: {"h": "s"}',
    ),
    ("f = sigmoid(zf)", "f = sigmoid(zf", "mgu.py, line 9: in 'f = sigmoid(zf': not an expression"),
    ("f = sigmoid(zf)", "f : sigmoid(zf)", "mgu.py, line 9: 'f : sigmoid(zf)' is not of the form 'name = expression'"),
    ("f = sigmoid(zf)", "f = __import__('os')", "mgu.py, line 9: in \"f = __import__('os')\": this does not belong"),
    ("sigmoid(zf)", "hardsigmoid(zf)", "mgu.py, line 9: there is no function 'hardsigmoid'"),
    ("sigmoid(zf)", "softmax(zf)", "mgu.py, line 9: softmax is no function of one argument that cells can use: tanh, relu"),
    ("sigmoid(zf)", "sigmoid(zf, zf)", "mgu.py, line 9: sigmoid is no function of one argument"),
    ("sigmoid(zf)", "zf > 0", "mgu.py, line 9: nothing can be differentiated through a comparison"),
    ("sigmoid(zf)", "sigmoid(zg)", "mgu.py, line 9: zg is read, which is no parameter and not written before"),
    ("sigmoid(zf)", "sigmoid(h)", "mgu.py, line 9: h is read before it is written"),
    ("sigmoid(zf)", "sigmoid(zf_prev)", "mgu.py, line 9: zf_prev is read, but zf is not among the states"),
    ("sigmoid(zf)", "1", "mgu.py: the output h does not depend on the parameter Wxf; use it or leave it out"),
    ("sigmoid(zf)", "mean(bf) * zf", "mgu.py, line 9: mean is taken over the units of a sample, (B, H); its argument has the axes (H)"),
    ("sigmoid(zf)", "zf - mean(zf - mean(zf)) ** 2 * sign(zf)", "mgu.py, line 9: sign is no function of one argument that cells can"),
    ("h = (1 - f) * h_prev + f * n", "h = (1 - f) * h_prev * x", "mgu.py, line 12: (B, H) * (B, D) do not fit"),
    ("h = (1 - f) * h_prev + f * n", "h = x @ (n.T @ h_prev)", "mgu.py, line 12: cannot multiply (B, D) by (H, H)"),
    ("h = (1 - f) * h_prev + f * n", "h = n @ (h_prev.T @ n)", "mgu.py, line 12: only parameters can be transposed"),
    ("h = (1 - f) * h_prev + f * n", "h = n @ Wxn.T", "mgu.py, line 12: h has the axes (B, D), it needs (B, H), as states are"),
    ("h_prev @ Whf", "x @ Whf", "mgu.py, line 8: cannot multiply (B, D) by (H, H)"),
    ('"h = (1 - f) * h_prev + f * n"', '"u = (1 - f) * h_prev + f * n"', "mgu.py: no equation writes the state h; add one"),
    ('"Whf": ("H", "H"),', '"Whf": ("H", "H"), "Wq": ("H", "H"),', "mgu.py: the output h does not depend on the parameter Wq;"),
    ('("h",),  #', '("h", "n"),  #', "mgu.py: the output h depends on no n_prev; without it n is no state"),
    ("zn = x", "h = x", "mgu.py: two things are called h; each parameter"),
    ("zn = x", "lambda = x", "mgu.py: the name lambda means something else in the program or in Python; rename it"),
    ("zn = x", "dzf = x", "mgu.py: the name dzf means something else"),
    ("zn = x", "vWhf = x", "mgu.py: the name vWhf means something else"),
    ("zn = x", "by = x", "mgu.py: the name by means something else"),
    ("zn = x", "ẑ = x", "mgu.py: ẑ cannot be a name; use letters, digits and underscores, without _prev"),
    ('output="h"', 'widths={"h": "Q"}, output="h"', 'mgu.py: widths may say that a state is as wide as a projection: {"h": "P"}'),
    ('output="h"', 'widths={"f": "P"}, output="h"', "mgu.py: widths may say"),
    ('output="h"', 'widths={"h": "P"}, output="h"', "mgu.py, line 8: cannot multiply (B, P) by (H, H)"),
    ('"bf": ("H",)', '"bf": ("P",)', 'mgu.py: the axes of bf must be a tuple of "D" and "H"'),
    ('output="h"', 'torch={"weights": ()}, output="h"', "mgu.py: torch knows weight_ih, weight_hh, bias_ih, bias_hh, weight_hr"),
    ('output="h"', 'torch={"weight_ih": ("Whf",)}, output="h"', "mgu.py: torch: weight_ih holds Whf, which is no parameter of axes (D, H)"),
    ('output="h"', 'torch={"weight_ih": ("Wxf",)}, output="h"', "mgu.py: torch: weight_ih and weight_hh must hold equally many parameters"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "sentence"), MISTAKES, ids=[f"{new[:30]}: {text[:30]}" for _, new, text in MISTAKES]
)
def test_a_mistake_is_told_with_its_place(mgu: Path, old: str, new: str, sentence: str) -> None:
    assert old in EXAMPLE
    mgu.write_text(EXAMPLE.replace(old, new, 1))
    assert refusal(mgu).startswith(sentence)


def test_what_it_prints_stays_out_of_the_result(mgu: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mgu.write_text(EXAMPLE + "\nprint('hello')\n")
    read_cell(mgu)
    assert capsys.readouterr() == ("", "hello\n")


def test_an_equation_put_together_is_named_by_its_text(mgu: Path) -> None:
    mgu.write_text(EXAMPLE.replace('"f = sigmoid(zf)"', '"f = sig" + "mod(zf)"'))
    assert refusal(mgu).startswith("mgu.py, equation f = sigmod(zf): there is no function 'sigmod'")


@pytest.mark.parametrize("cell", list(BY_NAME.values()), ids=list(BY_NAME))
def test_the_projects_own_cells_keep_the_same_rules(cell: Cell) -> None:
    own = replace(cell, name=f"my {cell.name}")
    check_cell(own)
    X, y = np.random.default_rng(0).normal(size=(3, 4, 2)), np.array([0, 1, 1])
    tape, expected = (record(Network(inputs=2, outputs=2, cell=table), X, y) for table in (own, cell.name))
    assert all(tape[f"d{name}"].tobytes() == expected[f"d{name}"].tobytes() for name in cell.parameters)
    with pytest.raises(CellError, match="give it one of its own"):
        check_cell(cell)
