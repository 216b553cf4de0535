"""The printed program, run: the same loss and gradients as the engine's, by NumPy alone."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from engine.codegen import program_text
from engine.explain.line_parts import writer_for
from engine.files.locate import sample_names
from engine.files.trace import write_trace
from engine.notation import NOTATIONS, Spelling, stored
from engine.recording.tape import Tape
from engine.session import Session, open_session
from tests.engine import pytorch
from tests.examples import examples

NASTY = ("cat", "a,b", 'say "hi"', "#1", "dog # two", "1;2", "é", "it's", "two words")


def ran(text: str) -> tuple[dict[str, Any], str]:
    """The names that the program leaves, and what it prints."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), np.errstate(all="ignore"):
        exec(compile(text, "<program>", "exec"), names)
    for value in names.values():
        if isinstance(value, np.lib.npyio.NpzFile):
            value.close()  # a program leaves that to its end
    return names, printed.getvalue()


def summed_size(tape: Tape, name: str) -> float:
    """What a gradient's sum would be if nothing in it cancelled: rounding is relative to that."""
    rows = np.concatenate([tape[row].ravel() for row in tape.plan.program.quantities if row.startswith("d")])
    sizes = [1.0, *(float(np.abs(tape[other]).max()) for other in (tape.plan.program.output, "x"))]
    return float(np.abs(rows).sum()) * max(sizes)


def before_it_diverges(session: Session) -> Session:
    """The session at its last iteration so far whose loss is not far above the first: each later one multiplies the
    rounding of the one before, so that two right programs agree in nothing."""
    losses = [session.debugger.tape(iteration).loss for iteration in range(session.options["iteration"] + 1)]
    grown = (i for i, loss in enumerate(losses) if not loss <= 100 * max(1.0, losses[0]))
    return replace(session, options={**session.options, "iteration": next(grown, len(losses)) - 1})


def assert_same(session: Session) -> None:
    """The program's loss, gradients and weights are the engine's, as they lie in the session's notation."""
    session = before_it_diverges(session)
    names, printed = ran(program_text(session))
    tape, plan = session.debugger.tape(session.options["iteration"]), session.debugger.plan
    spelling = writer_for(plan, session.options["notation"]).spelling
    tolerance = 1e-12 if session.debugger.network.dtype == "float64" else 1e-5
    if session.options["optimizer"] == "adam":  # it divides what is only rounding in a gradient by 1e-8
        tolerance = max(tolerance, 1e-9)
    assert float(names["loss"]) == pytest.approx(tape.loss, rel=tolerance)

    def lying(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return spelling.layout.array(array, plan.axes[name])

    for name, expected in tape.gradients.items():
        found = names[spelling.name(f"d{name}")]
        assert found.shape == lying(name, expected).shape
        assert np.abs(found - lying(name, expected)).max() <= tolerance * summed_size(tape, name), name
    for name, value in tape.parameters.items():
        np.testing.assert_allclose(names[spelling.name(name)], lying(name, value), rtol=tolerance, atol=tolerance)
    assert printed.startswith(f"loss {float(names['loss']):.12g}\n")
    assert_printed(names, printed, stored(spelling, session.debugger.network), spelling)


def assert_printed(names: dict[str, Any], printed: str, arrays: dict[str, tuple[str, ...]], spelling: Spelling) -> None:
    """The gradients as the notation's source keeps them: by name, PyTorch's with the gates stacked."""
    grad = ".grad" if spelling.notation.stacked else ""
    expected = {
        name + grad if grad else spelling.name(f"d{parameters[0]}"): [names[spelling.name(f"d{p}")] for p in parameters]
        for name, parameters in arrays.items()
    }
    assert set(names["gradients"]) == set(expected)
    for name, parts in expected.items():
        value = names["gradients"][name]
        np.testing.assert_array_equal(value, np.concatenate(parts))
        assert f"\n{name} {value.shape}\n" in printed


@pytest.mark.parametrize("notation", list(NOTATIONS))
@pytest.mark.parametrize("sample", sample_names())
def test_every_sample(sample: str, notation: str) -> None:
    """The first iteration or a later one, by turns."""
    later = (sample_names().index(sample) + list(NOTATIONS).index(notation)) % 2
    assert_same(open_session(sample, {"iteration": 2 * later, "notation": notation}))


@st.composite
def data_files(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays of a data file, and the options that its targets ask for."""
    loss, every = draw(st.sampled_from(["cross-entropy", "binary", "squared"])), draw(st.booleans())
    samples, steps, features = draw(st.integers(2, 6)), draw(st.integers(2 if every else 1, 7)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 9999), "values"))
    shape = (samples, steps) if every else (samples,)
    classes = 2 if loss == "binary" else draw(st.integers(2, 4), "classes")
    y: Any = rng.integers(0, classes, shape)
    y.flat[0], y.flat[1] = 0, 1
    if loss == "squared":
        y = rng.normal(size=(*shape, draw(st.integers(2, 3))) if draw(st.booleans()) else shape)
    arrays: dict[str, Any] = {"X": rng.normal(size=(samples, steps, features)), "y": y}
    if draw(st.booleans()):
        arrays["lengths"] = rng.integers(1, steps + 1, samples)
        arrays["lengths"][0] = steps
    if draw(st.booleans()):
        arrays["h0"] = rng.normal(size=(samples, 3))
    options = {"loss": loss, "predict": "every" if every else "last", "hidden": 3}
    return arrays, options | ({"outputs": classes + 1} if loss == "cross-entropy" else {})


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    """Options of any model and its training."""
    options: dict[str, Any] = {
        "cell": draw(st.sampled_from(["rnn", "lstm", "gru"])),
        "reduction": draw(st.sampled_from(["mean", "sum"])),
        "optimizer": draw(st.sampled_from(["sgd", "momentum", "adam"])),
        "iteration": draw(st.sampled_from([0, 1, 3])),
        "seed": draw(st.integers(0, 999)),
    }
    if options["cell"] == "rnn":
        options["activation"] = draw(st.sampled_from(["tanh", "relu", "sigmoid", "identity"]))
    optional: dict[str, st.SearchStrategy[Any]] = {
        "clip-norm": st.sampled_from([0.1, 10.0]),
        "clip-value": st.sampled_from([0.05, 1.0]),
        "truncate": st.integers(1, 4),
        "truncate-by": st.sampled_from(["window", "chunk"]),
        "batch-size": st.integers(1, 4),
        "hidden": st.sampled_from([(3, 2), (2, 2, 3)]),
        "bidirectional": st.just(True),
        "learn-initial": st.just(True),
        "embedding": st.integers(1, 4),
        "dropout": st.sampled_from([0.2, 0.5]),
        "residual": st.just(True),
    }
    return options | {name: draw(values, name) for name, values in optional.items() if draw(st.booleans(), name)}


@pytest.mark.parametrize("notation", list(NOTATIONS))
@examples(24)
@given(data_files(), models())
def test_any_model_in_any_notation(notation: str, file: tuple[dict[str, Any], dict[str, Any]], model: dict[str, Any]):
    arrays, asked = file
    if model.get("hidden") or "learn-initial" in model:
        arrays.pop("h0", None)  # a file holds initial states of one size, and none that are learned
    if "embedding" in model and arrays["X"].shape[2] == 1:
        arrays["X"] = np.floor(3 * np.abs(arrays["X"]))  # classes
    if model.get("hidden") != (2, 2, 3):
        model.pop("residual", None)  # refused: no two layers of one size
    if "h0" in arrays and "bidirectional" in model:
        arrays["h0"] = np.stack([arrays["h0"], -arrays["h0"]])
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder, "data.npz"), **arrays)
        assert_same(open_session(Path(folder, "data.npz"), {**asked, **model, "notation": notation}))


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def table(labels: list[str], values: np.ndarray[Any, Any], target: int, header: str, delimiter: str) -> str:
    lines = [
        [*(repr(float(v)) for v in row[:target]), label, *(repr(float(v)) for v in row[target:])]
        for row, label in zip(values, labels, strict=True)
    ]
    first = [f"v{i}" for i in range(values.shape[1])]
    first.insert(target, header)
    rows = [first, *lines] if header else lines
    return "".join(delimiter.join(row) + "\n" for row in rows)


@examples(60)
@given(st.data())
def test_any_model_on_any_table(data: st.DataObject) -> None:
    draw = data.draw
    names = draw(st.lists(st.sampled_from(NASTY), min_size=2, max_size=4, unique=True), "classes")
    kind = draw(st.sampled_from(["text", "quoted", "whole"]), "labels")
    if kind == "text":
        names = [f"c{i}" for i in range(len(names))]
    elif kind == "whole":
        names = [str(3 * i - 4) for i in range(len(names))]
    elif kind == "quoted":
        names = [quoted(name) for name in names]
    samples = draw(st.integers(len(names), 6), "samples")
    labels = [names[i % len(names)] for i in range(samples)]
    steps, features = draw(st.integers(1, 6), "steps"), draw(st.integers(1, 3), "features")
    values = np.random.default_rng(draw(st.integers(0, 99), "values")).normal(size=(samples, steps * features))
    header = draw(st.sampled_from(["", "label", "y", "target", "what"]), "header")
    target = values.shape[1] if header in ("", "what") else draw(st.integers(0, values.shape[1]), "target")
    given_ = {
        "activation": draw(st.sampled_from(["tanh", "relu", "sigmoid", "identity"]), "activation"),
        "hidden": draw(st.integers(1, 6), "hidden"),
        "seed": draw(st.integers(0, 10_000), "seed"),
        "init-scale": draw(st.sampled_from([0.25, 1.0, 1.5]), "scale"),
        "reduction": draw(st.sampled_from(["mean", "sum"]), "reduction"),
        "dtype": draw(st.sampled_from(["float64", "float32"]), "dtype"),
        "iteration": draw(st.integers(0, 3), "iteration"),
        "timesteps": steps,
        "outputs": len(names) + draw(st.integers(0, 2), "more outputs"),
        "lr": draw(st.sampled_from([0.1, 0.01]), "lr"),
        "notation": draw(st.sampled_from(list(NOTATIONS)), "notation"),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "my data.csv")
        text = table(labels, values, target, header, draw(st.sampled_from([",", ";", "\t"]), "delimiter"))
        path.write_text(text, encoding=draw(st.sampled_from(["utf-8", "utf-8-sig"]), "encoding"))
        session = open_session(path, given_)
        assert session.data.X.shape == (samples, steps, features)
        assert_same(session)


OWN_CELL = """
from engine.tables.cells import Cell

OWN = Cell(
    name="own",
    equations=("k = sigmoid(x @ Wk)", "order = mask_of * k", "s = tanh(order * s_prev + d * k + x @ Wx)"),
    parameters={"Wk": ("D", "H"), "Wx": ("D", "H"), "mask_of": ("H",), "d": ()},
    states=("s",),
    output="s",
    names={"karpathy": {"s": "h", "Wk": "Wxk"}},
)
"""


@pytest.mark.parametrize("notation", list(NOTATIONS))
def test_a_cell_of_ones_own_whose_names_the_program_uses_itself(tmp_path: Path, notation: str) -> None:
    (tmp_path / "own.py").write_text(OWN_CELL)
    session = open_session(None, {"cell": tmp_path / "own.py", "notation": notation})
    names, _ = ran(program_text(session))
    assert {"k_", "order_"} <= set(names)
    spelling, axes = writer_for(session.debugger.plan, notation).spelling, session.debugger.plan.axes
    for name, expected in session.debugger.tape(0).gradients.items():
        lying = spelling.layout.array(expected, axes[name])
        np.testing.assert_allclose(names[spelling.name(f"d{name}")], lying, rtol=1e-9, atol=1e-12)


def test_single_precision_stays_single_throughout() -> None:
    names, _ = ran(program_text(open_session(None, {"dtype": "float32"})))
    arrays = {name: value.dtype for name, value in names.items() if isinstance(value, np.ndarray) and name not in "y"}
    wide = {name for name, dtype in arrays.items() if dtype == np.float64}
    assert not wide


def test_a_folder_with_quotes_and_backslashes(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s "my" \\n folder'
    folder.mkdir()
    path = folder / 'tri"""ple.csv'
    path.write_text("1,2,a\n3,4,b\n")
    assert_same(open_session(path, {}))


@pytest.mark.parametrize("folded", [False, True])
def test_arrays(tmp_path: Path, folded: bool) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(5, 4, 3) if folded else (5, 12))
    np.savez(tmp_path / "data.npz", X=X, y=np.array([7, 3, 3, 7, 9]))
    assert_same(open_session(tmp_path / "data.npz", {"timesteps": 4, "hidden": 3}))


def test_arrays_with_an_initial_state(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    np.savez(
        tmp_path / "data.npz", X=rng.normal(size=(5, 4, 3)), y=np.array([0, 1, 1, 0, 1]), a0=rng.normal(size=(5, 8))
    )
    assert_same(open_session(tmp_path / "data.npz", {}))


def test_arrays_with_initial_states_of_layers(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    states = {"h01": rng.normal(size=(5, 3)), "h0_2r": rng.normal(size=(5, 4)), "c02": rng.normal(size=(5, 4))}
    np.savez(tmp_path / "data.npz", X=rng.normal(size=(5, 4, 3)), y=np.array([0, 1, 1, 0, 1]), **states)
    assert_same(open_session(tmp_path / "data.npz", {"cell": "lstm", "hidden": (3, 4), "bidirectional": True}))


def test_decimal_commas(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("t1;t2;t3;y\n1,5;-2,25;1;0,5\n3;,5;2,0;1,5e1\n")
    assert_same(open_session(tmp_path / "x.csv", {}))


@pytest.mark.parametrize("notation", ["ng", "karpathy"])
def test_a_window_for_each_loss_in_two_directions(tmp_path: Path, notation: str) -> None:
    rng = np.random.default_rng(1)
    arrays = {"X": rng.normal(size=(3, 7, 2)), "y": rng.integers(2, size=(3, 7)), "lengths": np.array([7, 3, 5])}
    np.savez(tmp_path / "data.npz", **arrays)
    options = {"cell": "lstm", "hidden": (3, 4), "bidirectional": True, "truncate": 2, "predict": "every"}
    assert_same(open_session(tmp_path / "data.npz", {**options, "notation": notation}))


def test_a_trace(tmp_path: Path) -> None:
    session = open_session(None, {"iteration": 3})
    write_trace(tmp_path / "t.npz", session.debugger.tape(3), meta={"iteration": 3, "classes": ["0", "1"]})
    again = open_session(tmp_path / "t.npz", {})
    np.testing.assert_array_equal(again.debugger.tape(0)["dWa"], session.debugger.tape(3)["dWa"])
    assert_same(again)
    assert_same(open_session(tmp_path / "t.npz", {"notation": "goodfellow"}))


def test_it_needs_numpy_and_nothing_else(tmp_path: Path) -> None:
    session = open_session(None, {"iteration": 1})
    script = tmp_path / "program.py"
    script.write_text(
        program_text(session)
        + "\nimport json, sys\n"
        + "print('RESULT', json.dumps([float(loss), [g.ravel().tolist() for g in gradients.values()], sorted(sys.modules)]))\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-I", str(script)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    loss, gradients, modules = json.loads(done.stdout.partition("RESULT ")[2])
    tape = session.debugger.tape(1)
    assert loss == pytest.approx(tape.loss, rel=1e-12)
    for found, expected in zip(gradients, tape.gradients.values(), strict=True):
        np.testing.assert_allclose(found, expected.ravel(), rtol=1e-9, atol=1e-12 * np.abs(expected).max())
    assert "numpy" in modules
    assert not {name.partition(".")[0] for name in modules} & {"engine", "rnn_tui", "textual", "rich"}


TEXTBOOK = """\
    z[t] = X[:, t - 1] @ Wx + a[t - 1] @ Wa + ba
    a[t] = np.maximum(z[t], 0)
logits = a[T] @ Wy + by
p = softmax(logits)
loss = np.sum(cross_entropy(logits, y)) / B
dlogits = (p - np.eye(C)[y]) / B
dWy = a[T].T @ dlogits
dby = dlogits.sum(axis=0)
da[T] = dlogits @ Wy.T
    dz[t] = da[t] * (z[t] > 0)
    dx[t] = dz[t] @ Wx.T
    dWx += X[:, t - 1].T @ dz[t]
    dWa += a[t - 1].T @ dz[t]
    dba += dz[t].sum(axis=0)
    da[t - 1] = dz[t] @ Wa.T
"""


KARPATHY = """\
    hraw[t] = Wxh @ xs[t] + Whh @ hs[t - 1] + bh
    hs[t] = np.maximum(hraw[t], 0)
y = Why @ hs[T] + by
p = softmax(y)
dy = (p - np.eye(C)[:, targets]) / B
dWhy = dy @ hs[T].T
dby = dy.sum(axis=1, keepdims=True)
    dhraw[t] = dh[t] * (hraw[t] > 0)
    dWxh += dhraw[t] @ xs[t].T
    dWhh += dhraw[t] @ hs[t - 1].T
    dbh += dhraw[t].sum(axis=1, keepdims=True)
    dh[t - 1] = Whh.T @ dhraw[t]
"""

PYTORCH = """\
    z[t] = X[t - 1] @ W_ih.T + h[t - 1] @ W_hh.T + b
logits = h[T] @ weight.T + bias
dweight = dlogits.T @ h[T]
dh[T] = dlogits @ weight
    dW_ih += dz[t].T @ X[t - 1]
    dh[t - 1] = dz[t] @ W_hh
"""


@pytest.mark.parametrize(("notation", "lines"), [("karpathy", KARPATHY), ("pytorch", PYTORCH)])
def test_it_reads_like_its_source(notation: str, lines: str) -> None:
    text = program_text(open_session(None, {"notation": notation}))
    found = [line.partition("  # ")[0].rstrip() for line in text.splitlines()]
    at = [found.index(line) for line in lines.splitlines()]
    assert at == sorted(at)


def test_the_built_in_example_reads_like_a_textbook() -> None:
    lines = [line.partition("  # ")[0].rstrip() for line in program_text(open_session(None, {})).splitlines()]
    at = [lines.index(line) for line in TEXTBOOK.splitlines()]
    assert at == sorted(at)
    assert "# Wa = Wa - 0.1 * dWa" in lines


def test_no_line_is_much_too_long() -> None:
    for name, notation in product(sample_names(), NOTATIONS):
        text = program_text(open_session(name, {"notation": notation}))
        assert max(len(line) for line in text.splitlines() if "sample_data" not in line) <= 140


@pytest.mark.parametrize("label", ["\x1b[31mred", "a\u202eb", 'x""" + quit() + """', "\\N{BULLET}"])
def test_hostile_names_stay_data(tmp_path: Path, label: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(f"1,2,{quoted(label)}\n3,4,b\n", encoding="utf-8")
    session = open_session(path, {})
    text = program_text(session)
    assert all(character == "\n" or character.isprintable() for character in text)
    assert_same(session)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_weights_come_from_their_file(tmp_path: Path, cell: str, suffix: str, dtype: str) -> None:
    arrays = pytorch.model(cell, inputs=1, dtype="float32")
    del arrays["fc.bias"]
    path = tmp_path / f"w{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    session = open_session(None, {"weights": path, "dtype": dtype, "iteration": 1})
    names, _ = ran(program_text(session))
    tape = session.debugger.tape(1)
    assert float(names["loss"]) == pytest.approx(tape.loss, rel=1e-12 if dtype == "float64" else 1e-5)
    names, _ = ran(program_text(open_session(None, {"weights": path, "dtype": dtype})))
    for name, value in session.debugger.network.weights.items():
        assert (names[name].dtype, names[name].tobytes()) == (value.dtype, value.tobytes()), name
