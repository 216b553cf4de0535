"""Functions that nothing runs are called with arguments that are found by trying, or as their user says."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from engine.doctor.by_call import ExampleCalls
from engine.doctor.diagnose import _joined, diagnose
from engine.doctor.lineage.record.running import Runs
from engine.doctor.made_up import examine_functions, joined
from engine.doctor.mending.trials import trying
from engine.doctor.read.source import read_source
from engine.doctor.read.syntax import program
from engine.doctor.read.top_level import without_its_run
from engine.doctor.recognise.passes import caller, passes
from engine.doctor.recording.calls.calls import loaded
from engine.doctor.recording.calls.guesses import Uses, kept_as, kinds, uses
from engine.doctor.recording.calls.sizes import misfits
from engine.doctor.report import own_run_report
from engine.doctor.report.own_run_report import OF_SEVERAL, examine_own_run
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from engine.errors import InputError
from rnn_tui.cli import main

SPECIMENS = Path(__file__).parent / "specimens"
CELL = """
import numpy as np

def cell_forward(x, prev_h, Wx, Wh, b):
    new = np.tanh(x @ Wx + prev_h @ Wh + b)
    return new, (x, prev_h, Wx, Wh, new)

def cell_backward(dnew, cache):
    x, prev_h, Wx, Wh, new = cache
    dz = dnew * (1 - new**2)
    return dz @ Wx.T, dz @ Wh.T, x.T @ dz, prev_h.T @ dz, dz.sum(axis=0)
"""
SLIPPED = """
def layer_forward(x, W):
    return np.tanh(x @ W), (x, W, np.tanh(x @ W))

def layer_backward(dout, cache):
    x, W, out = cache
    dz = dout * (1 - out)
    return dz @ W.T, x.T @ dz
"""
ROWS = """
def embedding_forward(x, W):
    return W[x], (x, W)

def embedding_backward(dout, cache):
    x, W = cache
    dW = np.zeros_like(W)
    dW[x] += dout
    return dW
"""
PARTS = """
def affine_forward(x, w, b):
    B, T, D = x.shape
    return (x.reshape(B * T, D) @ w).reshape(B, T, b.shape[0]) + b, (x, w, b)

def affine_backward(dout, cache):
    x, w, b = cache
    B, T, D = x.shape
    flat = dout.reshape(B * T, b.shape[0])
    return (flat @ w.T).reshape(x.shape), x.reshape(B * T, D).T @ flat, flat.sum(axis=0)

def words_forward(x, W):
    out = np.zeros(x.shape + W.shape[1:])
    for i in range(len(x)):
        for j in range(x.shape[1]):
            out[i, j] = W[x[i, j]]
    return out, (x, W.shape)

def words_backward(dout, cache):
    x, shape = cache
    dW = np.zeros(shape)
    np.add.at(dW, x, dout)
    return dW
"""
COLUMNS = """
def column_gradients(x, y, W, V, b):
    h = np.tanh(W @ x + b)
    e = np.exp(V @ h)
    p = e / e.sum(axis=0)
    loss = -np.sum(y * np.log(p)) / x.shape[1]
    delta = (p - y) / x.shape[1]
    dz = (V.T @ delta) * (1 - h**2)
    return loss, {"W": dz @ x.T, "V": delta @ h.T, "b": dz.sum(axis=1, keepdims=True)}
"""
STOPS = """
def other_backward(n_steps):
    raise ValueError("no")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made_up")


@pytest.fixture(scope="module")
def mine(folder: Path) -> Path:
    path = folder / "mine.py"
    path.write_text(CELL + SLIPPED + ROWS + PARTS + COLUMNS + STOPS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def reports(mine: Path) -> dict[str, Report]:
    made = examine_functions(read_source(mine), None, Wishes(stand=mine.parent))
    return {report.function: report for report in made}


def _told(report: Report) -> tuple[str, list[str]]:
    return report.verdict, [found.id for found in report.diagnoses]


def test_each_pass_is_judged_by_its_own_lineage(reports: dict[str, Report]) -> None:
    """The loss is known: a pass of which no gradient agrees is wrong, where a correction makes all of them right."""
    assert _told(reports["cell_backward"]) == ("correct", [])
    assert _told(reports["affine_backward"]) == ("correct", [])  # the sizes follow from what cannot be reshaped
    assert _told(reports["words_backward"]) == ("correct", [])  # rows that are looked up are no input of their own
    assert _told(reports["column_gradients"]) == ("correct", [])  # targets sum to 1 over the classes, wherever they lie
    assert _told(reports["layer_backward"]) == ("wrong", ["tanh-derivative-misplaced-square"])
    assert _told(reports["embedding_backward"]) == ("wrong", ["repeated-rows-not-accumulated"])


def test_arguments_that_do_not_fit_are_no_mistake(reports: dict[str, Report]) -> None:
    assert _told(reports["other_backward"]) == ("cannot-run", [])
    assert "it could not be called: " in reports["other_backward"].reason


def test_what_cannot_be_defined_is_left_out_and_told() -> None:
    """With its decorators, by its first cause; annotations that are postponed are not evaluated."""
    text = "from __future__ import annotations\n\n@cached\ndef of_a_cache(x):\n    return x\n\ndef backward() -> Gradients: ...\n"
    space = dict[str, object]()
    replaced, failed, _ = loaded(text + "from nowhere_at_all import Base\nclass Cell(Base): ...\n", "mine.py", space)
    assert (replaced, "backward" in space) == ([[3, 5, "pass"], [8, 8, "pass"], [9, 9, "pass"]], True)
    absent = "line 8 fails with ModuleNotFoundError: No module named 'nowhere_at_all'"
    _, starred, _ = loaded("from nowhere_at_all import *\nclass Cell(Base): ...\n", "mine.py", {})
    assert starred["Cell"] == absent.replace("8", "1")
    decorated = "line 3 fails with NameError: name 'cached' is not defined"
    assert failed == {"of_a_cache": decorated, "Base": absent, "Cell": absent}


def test_methods_that_a_function_gives_a_class_are_its_own(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text(
        "class Net: ...\ndef backward(self): ...\ndef main():\n    Net.backward = backward\nmain()\n", encoding="utf-8"
    )
    assert without_its_run(read_source(path)).text.split("\n")[4] == "Net.backward = backward"


def test_targets_are_made_as_a_loss_needs_them() -> None:
    assert kinds("labels", Uses(), "labels one-hot (classes, batch)") == ["hcols", "h2"]
    assert kinds("label", Uses(), "label 0 or 1") == ["i0"]
    assert kinds("X", Uses(), "X (batch, time)")[0] == "a2"


def test_rows_that_are_asked_where_they_are_one_are_one_hot() -> None:
    """Also where they are kept, and another method asks."""
    used = "def forward(self, X): self.X = X\ndef backward(self, t): return self.U[self.X[t, :] == 1]"
    methods = {f.name: f for f in ast.parse(used).body if isinstance(f, ast.FunctionDef)}
    (kept,) = kept_as(methods["forward"], "X")
    assert kinds("X", uses(methods["backward"], kept, methods), "")[0] == "h2"


def test_what_an_array_is_asked_and_put_into_says_what_it_is() -> None:
    """A class's own argument that is copied is no size; of what is put into a row all axes but the last are of one."""
    (function,) = ast.parse("def __init__(self, W): self.W = W.copy()").body
    assert kinds("W", uses(function, "W", {}), maker=True)[0] == "a2"
    assert misfits("could not broadcast input array from shape (11,31) into shape (31,)") == [(11, 1)]


@pytest.mark.parametrize(
    "text", ["def f(how: Literal['tanh', 'relu']): ...", "def f(how): return how in ('tanh', 'relu')"]
)
def test_a_text_that_an_argument_may_be_is_given(text: str) -> None:
    (function,) = ast.parse(text).body
    assert kinds("how", uses(function, "how", {})) == ["word:tanh", "word:relu"]


@pytest.mark.parametrize("name", ["dataclass_of_weights", "clipped_at_end", "lstm_class", "stateful_class"])
def test_what_arguments_are_is_told_by_what_is_done_with_them(name: str) -> None:
    """Entries of an object, a class of one target; limits are put on what is returned."""
    (report,) = examine_functions(read_source(SPECIMENS / f"{name}.py"), None, Wishes())
    assert (report.verdict, report.reason, report.not_compared) == ("correct", "", ())


def test_a_wrong_pass_decides_then_one_that_is_open(reports: dict[str, Report]) -> None:
    whole = joined(list(reports.values()))
    assert (whole.verdict, whole.function, len(whole.diagnoses)) == ("wrong", "layer_backward", 2)
    assert [name for name, _ in whole.not_compared] == ["other_backward"]
    left = joined([reports["cell_backward"], reports["other_backward"]])
    assert left.verdict == "undecided"
    assert left.reason.startswith("cell_backward is right; other_backward: ")


LEFT_FROM_BEFORE = """import numpy as np

sums = {}


def gradients(X, Y, W):
    a = np.tanh(X @ W)
    loss = 0.5 * np.sum((a - Y) ** 2)
    dW = sums.setdefault("W", np.zeros_like(W))
    dW += X.T @ ((a - Y) * (1 - a**2))
    dX = ((a - Y) * (1 - a**2)) @ W.T
    return loss, dW, dX
"""


def test_what_a_first_call_left_shows_in_a_second_one(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(LEFT_FROM_BEFORE)
    (report,) = examine_functions(read_source(path), None, Wishes())
    assert [(found.id, found.place and found.place.line) for found in report.diagnoses] == [("gradients-not-reset", 10)]
    path.write_text(LEFT_FROM_BEFORE.replace('sums.setdefault("W", np.zeros_like(W))', "np.zeros_like(W)"))
    (report,) = examine_functions(read_source(path), None, Wishes())
    assert (report.verdict, report.diagnoses) == ("correct", ())


def test_the_other_sign_is_right_only_where_it_is_seen_to_be_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "WORK", 0)  # no correction is looked for
    text = LEFT_FROM_BEFORE.replace("(a - Y) * (1", "(Y - a) * (1").replace("sums.setdefault", "dict().setdefault")
    path = tmp_path / "net.py"
    for below, verdict in (
        ("", "wrong"),
        ("print('what trains is left out')\n", "undecided"),
        ("def step(W, dW, rate):\n    W += rate * dW\n", "correct"),
    ):
        path.write_text(text + below)
        (report,) = examine_functions(without_its_run(read_source(path)), None, Wishes())
        assert report.verdict == verdict


RECURRENT = """import numpy as np

class Layer:
    def __init__(self, w_in, w_rec, b):
        self.w_in = w_in
        self.w_rec = w_rec
        self.b = b

    def forward(self, x):
        h = np.zeros((len(x), self.b.size))
        states = []
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t, :] @ self.w_in + h @ self.w_rec + self.b)
            states.append(h)
        return np.stack(states, axis=1)

    def backward(self, x, states, dh_last):
        dh = dh_last
        self.dEdw_in, self.dEdw_rec, self.dEdb = (np.zeros_like(w) for w in (self.w_in, self.w_rec, self.b))
        for t in reversed(range(x.shape[1])):
            before = states[:, t - 1, :] if t else np.zeros_like(dh)
            da = (1 - states[:, t, :] ** 2) * dh
            self.dEdw_in += x[:, t, :].T @ da
            self.dEdw_rec += before.T @ da
            self.dEdb += da.sum(axis=0)
            dh = da @ self.w_rec.T


class Line:
    def __init__(self, inputs=None, path=None):
        self.w = np.load(path) if path else np.random.randn(inputs)

    def backward(self, x, y):
        p = x @ self.w
        loss = 0.5 * np.sum((p - y) ** 2)
        self.dEdw = x.T @ (p - y)
        return loss

    def train(self, x, y):
        for _ in range(3):
            self.backward(x, y)
            self.w -= 0.1 * self.dEdw
        return self.w


trained = Line(2).train(np.random.randn(3, 2), np.random.randn(3))
"""


def test_what_a_class_is_made_with_is_told_by_what_it_does_with_what_it_keeps(tmp_path: Path) -> None:
    """Nor does what the file trains itself say anything of its functions, or stand for what they give back."""
    path = tmp_path / "layers.py"
    path.write_text(RECURRENT)
    (made,) = examine_functions(without_its_run(read_source(path)), "Layer.backward", Wishes())
    assert made.verdict == "correct"
    assert {"self.w_in", "self.w_rec", "self.b"} <= set(made.parameters)


CLASSIFIER = """import numpy as np


def gradients(X, y, A, B, C, W):
    a = np.tanh(X @ A)
    b = np.tanh(a @ B)
    c = np.tanh(b @ C)
    p = np.exp(c @ W) / np.exp(c @ W).sum(axis=1, keepdims=True)
    d = (p - np.eye(3)[y]) / len(X)
    dc = (d @ W.T) * (1 - c**2)
    db = (dc @ C.T) * (1 - b**2)
    da = np.sin(np.cumsum(db, axis=1)) @ B.T
    return X.T @ da, a.T @ db, b.T @ dc, c.T @ d
"""
CALLED = """
rng = np.random.default_rng(0)
X, y = rng.normal(size=(5, 2)), np.array([0, 2, 1, 1, 0])
A, B, C, W = rng.normal(size=(2, 4)), rng.normal(size=(4, 4)), rng.normal(size=(4, 4)), rng.normal(size=(4, 3))
back = gradients(X, y, A, B, C, W)
"""


def test_several_right_gradients_say_which_loss_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(CLASSIFIER)
    source = read_source(path)
    for left_out, verdict in (("", "wrong"), (", c.T @ d", "wrong"), (", b.T @ dc, c.T @ d", "undecided")):
        text = CLASSIFIER.replace(left_out, "") + CALLED
        runs = Runs(ProgramFile(path, text), Wishes(stand=tmp_path))
        report = examine_own_run(runs, source, whole=True, mend=False).report
        assert report.loss is not None and report.loss["assumed"].startswith("the cross-entropy")
        assert report.verdict == verdict
        told = {name: row.ok for name, row in report.parameters.items()}
        given_back = {"A": False, "B": True, "C": True} | ({} if left_out else {"W": True})
        assert told == (given_back if verdict == "wrong" else {})


def test_a_method_that_trains_stands_for_the_passes_that_it_calls(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    methods = (
        "def forward(self, x): ...",
        "def backward(self, d): self.dW = d * 2",
        "def train(self, X): self.backward(self.forward(X))",
    )
    path.write_text("class Net:\n" + "".join(f"    {each}\n" for each in methods), encoding="utf-8")
    source = read_source(path)
    found = program(source.tree())
    (alone,) = passes(found)
    whole = caller(found, alone)
    assert (alone.backward.name, alone.forward and alone.forward.name) == ("Net.backward", "Net.forward")
    assert whole is not None
    assert (whole.backward.name, whole.forward) == ("Net.train", None)


def _found(text: str) -> list[tuple[str, str]]:
    """The backward passes of a text, each with its forward pass."""
    made = passes(program(ast.parse(text)))
    return [(each.backward.name, each.forward.name if each.forward else "") for each in made]


PASSES = """
class Layer:
    def forward(self, x): ...
    def backward(self, d, h): return d * h
    def backprop_through_time(self, d): self.backward(d, 1)
    def gradient_of_loss(self, d): raise NotImplementedError()

    @property
    def gradient_weights(self): return np.hstack([self.gradients["W"], self.gradients["U"]])

    @gradient_weights.setter
    def gradient_weights(self, given): self.gradients["W"] = given

    def clear_gradients(self):
        for name in self.gradients.keys():
            self.gradients[name] = np.zeros_like(self.gradients[name])

class Loss:
    def backward(self): return 2 * self.gradient_of_input()
    def gradient_of_input(self): raise NotImplementedError()

class Squared(Loss):
    def gradient_of_input(self): return self.p - self.y

class Network:
    def evaluate(self, X): ...
    def loss_function(self, p, y): return p - y
    def backward(self, X, p, h): self.layer.backprop_through_time(p)
    def num_gradient(self, X): ...
    def train(self, X):
        p, h = self.evaluate(X)
        self.backward(X, p, h)
"""


def test_what_is_handed_to_a_backward_pass_tells_its_forward_pass() -> None:
    """An object's own method of a name is not a part's; a loss alone, a numerical check and a property are no backward passes, nor is
    what computes nothing."""
    assert _found(PASSES) == [("Network.backward", "Network.evaluate")]


RESHAPED = """
import numpy as np

class Squared:
    def forward(self, x): return x ** 2

class Layer:
    def __init__(self, n_in, n_units, bptt_length):
        self.n_in, self.n_units = n_in, n_units
        self.w = np.random.randn(n_units + n_in + 1, n_units)
        self.w[-1] = np.random.randn(n_units)
        self.bptt_length = bptt_length

    def initialize(self, maker):
        self.w = maker.initialize(self.n_in, self.w.shape)

    def reset(self, maker): self.initialize(maker)

    def forward(self, x):
        self.both, self.h = [], np.zeros((len(x) + 1, self.n_units))
        for t in range(len(x)):
            both = np.hstack((self.h[t], x[t])).reshape(1, self.n_units + self.n_in)
            self.both.append(np.append(both, [[1.0]], axis=1))
            self.h[t + 1] = np.tanh(self.both[t] @ self.w)
        return self.h[1:]

    def backward(self, error):
        self._dw, later = np.zeros_like(self.w), 0
        for t in reversed(range(len(error))):
            dz = (error[t] + later) * (1 - Squared().forward(self.h[t + 1]))
            if len(error) - t <= self.bptt_length:
                self._dw += self.both[t].T @ dz[None]
            later = self.w[: self.n_units] @ dz
        return later
"""


def test_what_is_joined_and_reshaped_tells_how_long_its_parts_are(tmp_path: Path) -> None:
    """Another object's method that is called as one of the class says neither what a size is nor what is run by itself; nothing is cut off
    of the way back; weights of which a row was written over have one gradient, kept as _dw."""
    path = tmp_path / "layer.py"
    path.write_text(RESHAPED, encoding="utf-8")
    report = diagnose(path)
    assert (report.verdict, list(report.parameters)) == ("correct", ["self.w"]), report


LISTS = """
import math
import random

def matrix(rows, cols):
    return [[random.uniform(-0.6, 0.6) for _ in range(cols)] for _ in range(rows)]

class Cell:
    def __init__(self):
        self.Wx, self.Wh = matrix(3, 2), matrix(3, 3)
        self.gx, self.gh = [[0.0] * 2 for _ in range(3)], [[0.0] * 3 for _ in range(3)]

    def forward(self, xs):
        self.xs, self.hs = xs, [[0.0] * 3]
        for x in xs:
            z = [sum(w * v for w, v in zip(self.Wx[i], x)) + sum(w * v for w, v in zip(self.Wh[i], self.hs[-1])) for i in range(3)]
            self.hs.append([math.tanh(v) for v in z])
        return self.hs[-1]

    def backward(self, dh):
        for t in range(len(self.xs), 0, -1):
            dz = [dh[i] * (1 - self.hs[t][i] ** 2) for i in range(3)]
            for i in range(3):
                for j in range(2):
                    self.gx[i][j] += dz[i] * self.xs[t - 1][j]
                for j in range(3):
                    self.gh[i][j] += dz[i] * self.hs[t][j]
            dh = [sum(self.Wh[j][i] * dz[j] for j in range(3)) for i in range(3)]
"""


def test_gradients_in_lists_of_an_object_are_compared(tmp_path: Path) -> None:
    """Lists of numbers that an object begins with are its weights, however they were made."""
    path = tmp_path / "cell.py"
    path.write_text(LISTS, encoding="utf-8")
    report = diagnose(path)
    assert [found.fix for found in report.diagnoses] == ["self.gh[i][j] += dz[i] * self.hs[t - 1][j]"]
    assert {name: row.ok for name, row in report.parameters.items() if "W" in name} == {
        "self.Wx": True,
        "self.Wh": False,
    }


STEPS_WRITTEN = """
import numpy as np

class Network:
    def __init__(self):
        self.units, self.steps = 6, 9
        self.params = {"u": np.random.rand(6, 4), "w": np.random.rand(6, 6)}
        self.sums = {"u": np.zeros((6, 4)), "w": np.zeros((6, 6))}
        self.grads = {}

    def forward(self, X):
        h, last = np.zeros((self.units, X.shape[1])), np.zeros(self.units)
        for t in range(X.shape[1]):
            last = h[:, t] = np.tanh(self.params["u"] @ X[:, t] + self.params["w"] @ last)
        return h

    def backward(self, X, h, dh):
        du, dw, later = np.zeros((6, 4)), np.zeros((6, 6)), np.zeros(6)
        for t in reversed(range(self.steps)):
            dz = (dh[:, t] + later) * (1 - h[:, t] ** 2)
            du += np.outer(dz, X[:, t])
            dw += np.outer(dz, h[:, t - 1] if t else np.zeros(6))
            later = self.params["w"].T @ dz
        self.grads["u"], self.grads["w"] = du, dw
"""


def test_a_loop_of_so_many_steps_as_the_program_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """X is made as long as the loop goes; zeros with a weight's key that are kept for an optimizer are no gradient."""
    mine = tmp_path / "mine.py"
    mine.write_text(STEPS_WRITTEN, encoding="utf-8")
    report = diagnose(mine)
    assert report.verdict == "correct", report
    monkeypatch.setattr(trying, "WORK", 0)  # no correction is looked for
    mine.write_text(STEPS_WRITTEN.replace("h[:, t - 1] if t else np.zeros(6)", "h[:, t]"), encoding="utf-8")
    rows = diagnose(mine).parameters
    assert [name for name, row in rows.items() if not row.ok] == ["self.params['w']"]


def _called(mine: Path, *calls: str, data: str = "") -> Report:
    return diagnose(
        mine, wishes=Wishes(stand=mine.parent), example=ExampleCalls(calls, mine.with_name(data) if data else None)
    )


def test_calls_with_names_of_an_example_file(mine: Path) -> None:
    """L = Σ dnew · new: dnew is what the last call takes, new what the one before it made."""
    rng = np.random.default_rng(0)
    shapes = {"x": (2, 3), "h": (2, 4), "Wx": (3, 4), "Wh": (4, 4), "b": (4,), "dnew": (2, 4)}
    np.savez(mine.with_name("example.npz"), **{name: rng.normal(size=shape) for name, shape in shapes.items()})
    calls = "new, cache = cell_forward(x, h, Wx, Wh, b)", "cell_backward(dnew, cache)"
    report = _called(mine, *calls, data="example.npz")
    assert report.verdict == "correct"
    assert list(report.parameters) == ["x", "h", "Wx", "Wh", "b"]


@pytest.mark.parametrize(
    ("calls", "data", "said"),
    [
        (("cell_backward(dnew, cache",), "", "it is no call that Python can read"),
        (("cell_backward",), "", "give a call, as f\\(x, W\\)"),
        (
            ("cell_backward(dnew, cache)",),
            "",
            "--call 'cell_backward\\(dnew, cache\\)': NameError: name 'dnew' is not defined",
        ),
        (("cell_backward(dnew, cache)",), "none.json", "none.json cannot be read"),
        (("cell_backward(dnew, cache)",), "mine.txt", "--data takes arrays by name in a .npz, .json or .py file"),
    ],
)
def test_what_cannot_be_called_is_told_in_a_sentence(mine: Path, calls: tuple[str, ...], data: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        _called(mine, *calls, data=data)


def test_an_example_goes_with_a_call(mine: Path) -> None:
    with pytest.raises(InputError, match="--data goes with --call"):
        main(["doctor", str(mine), "--data", "example.npz"])
    with pytest.raises(InputError, match="it goes without --function"):
        main(["doctor", str(mine), "--call", "f()", "--function", "cell_backward"])


FROM_A_STATE = """
import numpy as np


def loss_and_grads(X, y, h0, Wx, Wh, Wy):
    T, B, D = X.shape
    h = {-1: h0}
    for t in range(T):
        h[t] = np.tanh(X[t] @ Wx + h[t - 1] @ Wh)
    out = h[T - 1] @ Wy
    loss = 0.5 * np.sum((out - y) ** 2) / B
    d = (out - y) / B
    dWy = h[T - 1].T @ d
    dh = d @ Wy.T
    dWx, dWh = np.zeros_like(Wx), np.zeros_like(Wh)
    for t in reversed(range(T)):
        dz = dh * (1 - h[t] ** 2)
        dWx += X[t].T @ dz
        dWh += h[t - 1].T @ dz
        dh = dz @ Wh.T
    return loss, (dWx, dWh, dWy)
"""


def test_a_first_state_s_gradient_that_does_not_come_back_is_remarked(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FROM_A_STATE)
    (report,) = examine_functions(read_source(path), None, Wishes())
    assert (report.verdict, [id for id, _ in report.remarks]) == ("correct", ["initial-state-gradient-missing"])
    path.write_text(FROM_A_STATE.replace("dWh, dWy)", "dWh, dWy, dh)"))
    (report,) = examine_functions(read_source(path), None, Wishes())
    assert (report.verdict, report.remarks) == ("correct", ())


def test_a_weight_of_which_no_gradient_comes_back_leaves_it_undecided(tmp_path: Path) -> None:
    path, example = tmp_path / "mine.py", tmp_path / "example.py"
    path.write_text(FROM_A_STATE.replace("(dWx, dWh, dWy)", "(dWx, dWh, dh)").replace("    dWy = h[T - 1].T @ d\n", ""))
    example.write_text(
        "import numpy as np\nrng = np.random.default_rng(0)\nX, y, h0 = (rng.normal(size=s) for s in ((5, 3, 4), (3, 2), (3, 6)))\n"
        "Wx, Wh, Wy = rng.normal(size=(4, 6)), rng.normal(size=(6, 6)) * 0.4, rng.normal(size=(6, 2))\n"
    )
    calls = ExampleCalls(("loss_and_grads(X, y, h0, Wx, Wh, Wy)",), example)
    report = diagnose(path, wishes=Wishes(stand=tmp_path), example=calls)
    assert (report.verdict, report.reason) == ("undecided", "Wy: it moves the loss, and no gradient of it comes back")


JOINED = """
import numpy as np


def step_forward(xt, a_prev, weights):
    W, V, b = weights["W"], weights["V"], weights["b"]
    n_x, m = xt.shape
    n_a = V.shape[1]
    both = np.concatenate((a_prev, xt))
    a_next = np.tanh(np.dot(W, both) + b)
    return a_next, (a_next, a_prev, xt, weights)


def steps_forward(x, a0, weights):
    n_x, m, T = x.shape
    n_y, n_a = weights["V"].shape
    a, a_next, caches = np.zeros((n_a, m, T)), a0, []
    for t in range(T):
        a_next, cache = step_forward(x[:, :, t], a_next, weights)
        a[:, :, t] = a_next
        caches.append(cache)
    return a, caches


def step_backward(da_next, cache):
    a_next, a_prev, xt, weights = cache
    n_a = a_next.shape[0]
    dz = da_next * (1 - a_next**2)
    dboth = np.dot(weights["W"].T, dz)
    da_prev = dboth[:n_a]
    return {"da_prev": da_prev, "dxt": dboth[n_a:], "dW": np.dot(dz, np.vstack((a_prev, xt)).T), "db": dz.sum(1, keepdims=True)}


def steps_backward(da, caches):
    n_a, m, T = da.shape
    dW, db, da_prev = 0, 0, np.zeros((n_a, m))
    dx = np.zeros((caches[0][2].shape[0], m, T))
    for t in reversed(range(T)):
        made = step_backward(da[:, :, t] + da_prev, caches[t])
        da_prev, dx[:, :, t] = made["da_prev"], made["dxt"]
        dW, db = dW + made["dW"], db + made["db"]
    return {"dx": dx, "da0": da_prev, "dW": dW, "db": db}
"""


def test_a_state_that_is_joined_with_the_input_has_the_shape_that_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "joined.py"
    file.write_text(JOINED)
    whole, step = diagnose(file), diagnose(file, "step_backward")
    assert (whole.verdict, step.verdict) == ("correct", "correct")
    assert {"_driver.a_prev", "a_prev"} & step.parameters.keys()


def test_what_is_joined_does_not_hide_the_gradient_of_its_parts(tmp_path: Path) -> None:
    file = tmp_path / "joined.py"
    file.write_text(JOINED.replace('    return {"da_prev"', '    da_prev = da_prev * 2\n    return {"da_prev"'))
    report = diagnose(file, "step_backward")
    assert (report.verdict, [d.fix for d in report.diagnoses]) == ("wrong", ["da_prev = da_prev"])


HELD = """import numpy as np


class Network:
    def __init__(self, n_in, n_units, n_out):
        self.U, self.W = 0.4 * np.random.randn(n_units, n_in), 0.4 * np.random.randn(n_units, n_units)
        self.V = 0.4 * np.random.randn(n_out, n_units)
        self.b, self.c = np.zeros((n_units, 1)), np.zeros((n_out, 1))

    def forward(self, inputs):
        self.h = [np.zeros((len(self.b), 1))]
        self.output = np.zeros((len(inputs), len(self.c)))
        for t, row in enumerate(inputs):
            self.h.append(np.tanh(self.U @ row.reshape(-1, 1) + self.W @ self.h[-1] + self.b))
            self.output[t] = (self.V @ self.h[-1] + self.c).ravel()
        return self.output

    def backward(self, dvalues, inputs):
        dU, dW, dV, db, dc = (np.zeros_like(w) for w in (self.U, self.W, self.V, self.b, self.c))
        later = np.zeros_like(self.b)
        for t in range(len(inputs) - 1, -1, -1):
            dy = dvalues[t].reshape(-1, 1)
            dV += dy @ self.h[t + 1].T
            dc += dy
            dz = (self.V.T @ dy + later) * (1 - self.h[t + 1] ** 2)
            dU += dz @ inputs[t].reshape(1, -1)
            dW += dz @ self.h[t].T
            db += dz
            later = self.W.T @ dz
        return dU, dW, dV, db, dc
"""


def test_what_comes_back_may_be_the_gradient_of_what_an_object_holds(tmp_path: Path) -> None:
    file = tmp_path / "held.py"
    file.write_text(HELD)
    report = diagnose(file)
    assert report.verdict == "correct"
    assert len(report.parameters) >= 5


ONE_HOT = """import numpy as np


def backward(X, Y, A, B, W):
    a = np.tanh(X @ A)
    b = np.tanh(a @ B)
    p = np.exp(b @ W) / np.exp(b @ W).sum(axis=1, keepdims=True)
    d = (p - Y) / len(X)
    db = (d @ W.T) * (1 - b**2)
    da = (db @ B.T) * (1 - a**2)
    return X.T @ da, a.T @ db, b.T @ d
"""


def test_targets_that_are_handed_over_are_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "WORK", 0)  # no correction is looked for
    path = tmp_path / "net.py"
    for wrong, verdict in (("", "correct"), (" * 2", "wrong")):
        path.write_text(ONE_HOT.replace("(1 - b**2)", f"(1 - b**2{wrong})"))
        report = diagnose(path)
        assert report.verdict == verdict
        assert report.conventions["loss"].startswith("the loss was taken to be the cross-entropy")
        assert set(report.parameters) == {"A", "B", "W"}


KEEPS_ITS_STATE = """import numpy as np


class Net:
    def __init__(self, n_in, n_hidden):
        r = np.random.default_rng(0)
        self.Wx, self.Wh = r.normal(size=(n_in, n_hidden)) * 0.4, r.normal(size=(n_hidden, n_hidden)) * 0.4
        self.Wy = r.normal(size=(n_hidden, 3))
        self.last = None

    def backward(self, X, y):
        B, T, _ = X.shape
        h = np.zeros((B, T + 1, len(self.Wh)))
        if self.last is not None:
            h[:, 0] = self.last
        for t in range(T):
            h[:, t + 1] = np.tanh(X[:, t] @ self.Wx + h[:, t] @ self.Wh)
        self.last = h[:, -1].copy()
        e = np.exp(h[:, -1] @ self.Wy)
        d = e / e.sum(axis=1, keepdims=True)
        d[np.arange(B), y] -= 1
        dWx, dWh, dWy, dh = np.zeros_like(self.Wx), np.zeros_like(self.Wh), h[:, -1].T @ d, d @ self.Wy.T
        for t in reversed(range(T)):
            dz = dh * (1 - h[:, t + 1] ** 2)
            dWx += X[:, t].T @ dz
            dWh += h[:, t].T @ dz
            dh = dz @ self.Wh.T
        return dWx, dWh, dWy
"""


def test_a_state_that_survives_a_call_is_told(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    for text, told in (
        (KEEPS_ITS_STATE, ["state-kept"]),
        (KEEPS_ITS_STATE.replace("self.last = h[:, -1].copy()", "pass"), []),
    ):
        path.write_text(text)
        report = diagnose(path)
        assert (report.verdict, [id for id, _ in report.remarks]) == ("correct", told)
        assert all(
            says.startswith("line 15: it begins with the state that line 17 left in the call before")
            for _, says in report.remarks
        )


ASSERTED = """
import numpy as np


class Cell:
    def __init__(self, n_in, n_out):
        self.n_in, self.n_out = n_in, n_out
        self.W, self.U, self.b = np.random.randn(n_out, n_in), np.random.randn(n_out, n_out), np.random.randn(n_out)
        self.dW, self.dU, self.db = np.zeros((n_out, n_in)), np.zeros((n_out, n_out)), np.zeros(n_out)

    def forward(self, x, h):
        self.x, self.h = x, h
        self.out = np.tanh(self.W @ x + self.U @ h + self.b)
        assert x.shape == (self.n_in,)
        assert self.out.shape == (self.n_out,)
        return self.out

    def backward(self, delta):
        dz = delta * (1 - self.out**2)
        self.db = dz
        self.dW = dz.T * self.x
        self.dU = dz.T * self.h
        dx, dh = dz @ self.W, dz @ self.U
        self.db = dz * 1.0
        assert dx.shape == (1, self.n_in), "dx is a row"
        assert dh.shape == (1, self.n_out)
        return dx, dh
"""


ONE_STEP = """
import numpy as np


def forward(x, W, b):
    return np.tanh(x @ W + b), (x, W, b)


def backward(dout, cache):
    x, W, b = cache
    dz = dout * (1 - np.tanh(x @ W + b) ** 2)
    return dz @ W.T, x.T @ dz, dz.sum(axis=0)
"""


def test_of_a_class_that_is_defined_twice_the_last_counts(tmp_path: Path) -> None:
    """As in a notebook in which a class grows from cell to cell."""
    path = tmp_path / "cell.py"
    begun = ASSERTED.replace("import numpy as np", "").replace("dz @ self.U", "dz @ self.U.T")
    path.write_text("import numpy as np\n" + begun.replace("forward(self, x, h)", "run(self, x, h)") + ASSERTED)
    report = diagnose(path)
    assert (report.verdict, report.function, len(report.parameters)) == ("correct", "Cell.backward", 5)
    path.write_text("def forward(x):\n    return x * 0\n\n\n" + ONE_STEP)
    assert diagnose(path).verdict == "correct"


def test_what_a_class_asserts_of_shapes_says_how_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of one sample whose delta is a row; one gradient is set twice, and the zeros that it began with are none."""
    monkeypatch.setattr(trying, "WORK", 0)  # no correction is looked for
    path = tmp_path / "cell.py"
    for text, verdict in ((ASSERTED, "correct"), (ASSERTED.replace("dz @ self.U", "dz @ self.U.T"), "wrong")):
        path.write_text(text)
        report = diagnose(path)
        assert (report.verdict, set(report.parameters)) == (verdict, {"self.W", "self.U", "self.b", "x", "h"}), text
        assert [n for n, each in report.parameters.items() if not each.ok] == ["h"] * (verdict == "wrong")


DIVIDED = """
import numpy as np


class Net:
    def __init__(self, n_in, n_hidden, n_out):
        self.Wx = np.random.randn(n_in, n_hidden)
        self.Wh = np.random.randn(n_hidden, n_hidden)
        self.Wy = np.random.randn(n_hidden, n_out)

    def forward(self, X):
        self.X, self.h = X, [np.zeros(len(self.Wh))]
        for x in X:
            self.h.append(np.tanh(x @ self.Wx + self.h[-1] @ self.Wh))
        return np.array(self.h[1:]) @ self.Wy

    def loss(self, out, y):
        return np.sum((out - y) ** 2) / 2 / len(out)

    def backward(self, out, y):
        dWx, dWh, dWy = np.zeros_like(self.Wx), np.zeros_like(self.Wh), np.zeros_like(self.Wy)
        dh = np.zeros(len(self.Wh))
        for t in reversed(range(len(out))):
            d = out[t] - y[t]
            dWy += np.outer(self.h[t + 1], d)
            dz = (d @ self.Wy.T + dh) * (1 - np.tanh(self.h[t + 1]) ** 2)
            dWx += np.outer(self.X[t], dz)
            dWh += np.outer(self.h[t], dz)
            dh = dz @ self.Wh.T
        return dWx, dWh, dWy
"""


def test_a_class_whose_outputs_are_a_steps_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequence with too many axes fits with no sizes at all, and they must not grow for ever. The loss is divided by the steps, and the
    gradients are not: a mistake beside another one where both have a correction, else a factor that all gradients have."""
    path = tmp_path / "net.py"
    path.write_text(DIVIDED)
    report = diagnose(path)
    assert {found.id for found in report.diagnoses} == {"batch-not-averaged", "tanh-derivative-of-activation"}
    monkeypatch.setattr(trying, "WORK", 0)  # no correction is looked for
    other = DIVIDED.replace("np.outer(self.X[t], dz)", "np.outer(np.cos(self.X[t]) ** 3, dz)")
    path.write_text(other.replace("self.X, self.h = X", "assert X.ndim == 2\n        self.X, self.h = X"))
    report = diagnose(path)
    assert report.verdict == "wrong" and not report.diagnoses
    assert {name: each.ok for name, each in report.parameters.items()} == {
        "self.Wx": False,
        "self.Wh": False,
        "self.Wy": True,
    }


KEPT = """
import numpy as np


class Cell:
    def __init__(self, D, H):
        self.W, self.U = np.random.randn(D, H), np.random.randn(H, H)
        self.dW, self.dU = np.zeros((D, H)), np.zeros((H, H))

    def forward(self, x):
        self.x, self.h = x, [np.zeros((x.shape[1], self.U.shape[0]))]
        for t in range(x.shape[0]):
            self.h.append(np.tanh(x[t] @ self.W + self.h[-1] @ self.U))
        return np.array(self.h[1:])

    def backward(self, dh):
        dW, dU, later = np.zeros_like(self.W), np.zeros_like(self.U), np.zeros_like(self.h[0])
        dx = np.zeros_like(self.x)
        for t in reversed(range(len(self.x))):
            dz = (dh[t] + later) * (1 - self.h[t + 1] ** 2)
            dW += self.x[t].T @ dz
            dU += self.h[t].T @ dz
            dx[t] = dz @ self.W.T
            later = dz @ self.U.T
        self.dW, self.dU = dW, dU
        return dx
"""


def test_gradients_that_are_kept_nowhere_are_zero_where_they_are_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "cell.py"
    path.write_text(KEPT)
    assert diagnose(path).verdict == "correct"
    path.write_text(KEPT.replace("        self.dW, self.dU = dW, dU\n", ""))
    report = diagnose(path)
    assert _told(report) == ("wrong", ["gradient-never-stored"])
    assert [name for name, each in report.parameters.items() if not each.ok] == ["self.W", "self.U"]


BIASES = """
import numpy as np

def cell_forward(xt, a_prev, W, b):
    concat = np.concatenate((a_prev, xt), axis=0)
    return np.tanh(np.dot(W, concat) + b), (xt, a_prev, W, b)

def cell_backward(da, a, cache):
    xt, a_prev, W, b = cache
    dz = da * (1 - a ** 2)
    db = np.zeros_like(b)
    db += np.sum(dz, axis=1, keepdims=True)
    dconcat = np.dot(W.T, dz)
    return dconcat[:len(a)], np.dot(dz, np.concatenate((a_prev, xt), axis=0).T), db
"""


def test_a_bias_that_is_a_column_is_not_made_as_wide_as_the_batch(tmp_path: Path) -> None:
    """Nothing in the text says how wide it is, but that its gradient is a sum."""
    path = tmp_path / "mine.py"
    path.write_text(BIASES)
    report = diagnose(path)
    assert report.verdict != "wrong"
    path.write_text(BIASES.replace("axis=1, keepdims=True)\n", "axis=1, keepdims=True) * 2\n"))
    assert diagnose(path).verdict != "correct"


UNFINISHED = """import numpy as np


class Net:
    def __init__(self, n, m, h=8):
        self.U, self.W, self.V = np.random.randn(h, n), np.random.randn(h, h), np.random.randn(m, h)
        self.b = np.zeros((h, 1))

    def forward(self, xs):
        s = np.zeros((self.W.shape[0], 1))
        self.xs, self.ss = xs, {0: s}
        for t, x in enumerate(xs):
            s = np.tanh(self.U @ x + self.W @ s + self.b)
            self.ss[t + 1] = s
        return self.V @ s

    def backward(self, dy):
        dV = dy @ self.ss[len(self.xs)].T
"""


def test_a_pass_that_makes_one_gradient_of_several_is_not_right(tmp_path: Path) -> None:
    file = tmp_path / "unfinished.py"
    file.write_text(UNFINISHED)
    report = diagnose(file)
    assert report.verdict == "undecided"
    assert {"self.U", "self.W", "self.b"} <= {name for name, _ in report.not_compared}


BY_SENTENCES = """
    def total_loss(self, x, y):
        return sum(np.sum((self.forward(x[i]) - y[i]) ** 2) for i in range(len(y)))
"""


def test_a_loss_of_several_sequences_is_not_called_with_one(tmp_path: Path) -> None:
    """Whose arguments are called as those of a pass, of one sequence."""
    file = tmp_path / "held.py"
    file.write_text(HELD.replace("inputs", "x") + BY_SENTENCES)
    assert diagnose(file).verdict == "correct"


PARTS_OF_A_CLASS = """
import numpy as np


class Activation:
    def forward(self, z):
        raise NotImplementedError


class Tanh(Activation):
    def __init__(self, factor):
        self.factor = factor

    def forward(self, z):
        return self.factor * np.tanh(z)

    def slope(self, h):
        return self.factor - h**2 / self.factor


class Linear:
    def __init__(self, n, m):
        self.w, self.dw = np.random.randn(m, n), np.zeros((m, n))

    def __call__(self, x):
        return self.w @ x

    def backward(self, d, x):
        self.dw += d @ x.T
        return self.w.T @ d


class Net:
    def __init__(self, n_in, n_hidden, activation):
        self.U, self.V = Linear(n_in, n_hidden), Linear(n_hidden, n_hidden)
        self.n_hidden, self.activation = n_hidden, activation

    def forward(self, x):
        self.x, self.h = x, [np.zeros((self.n_hidden, 1))]
        for step in x:
            self.h.append(self.activation.forward(self.U(step.reshape(-1, 1)) + self.V(self.h[-1])))
        return np.array(self.h[1:])

    def backward(self, dh, do_grad=False):
        later = np.zeros((self.n_hidden, 1))
        for t in reversed(range(len(self.x))):
            if do_grad:
                d = (dh[t] + later) * self.activation.slope(self.h[t + 1])
                self.U.backward(d, self.x[t].reshape(-1, 1))
                later = self.V.backward(d, self.h[t])
"""


def test_an_object_that_is_handed_over_and_a_flag_that_turns_gradients_on(tmp_path: Path) -> None:
    """The object is made of a class of the file that has the methods which are called of it."""
    file = tmp_path / "parts.py"
    file.write_text(PARTS_OF_A_CLASS)
    report = diagnose(file, "Net.backward")
    assert (report.verdict, list(report.parameters)[:2]) == ("correct", ["self.w", "self.w (2)"])
    assert any(note.endswith("made up, and with do_grad=True") for note in report.notes)


FROM_ZEROS = """import numpy as np


def forward(x, h0, W, U):
    h = np.zeros((len(x), *h0.shape))
    for t in range(len(x)):
        h[t] = np.tanh(x[t] @ W + (h[t - 1] if t else h0) @ U)
    return h


def backward(dh, x, h, W, U):
    dW, dU, later = np.zeros_like(W), np.zeros_like(U), np.zeros_like(h[0])
    for t in reversed(range(len(x))):
        d = (dh[t] + later) * (1 - h[t] ** 2)
        dW += x[t].T @ d
        dU += (h[t - 1] if t else np.zeros_like(d)).T @ d
        later = d @ U.T
    return dW, dU
"""


def test_what_takes_the_first_state_to_be_zeros_is_right_with_zeros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one step nothing shows what is multiplied by zeros."""
    path = tmp_path / "net.py"
    monkeypatch.setattr(own_run_report, "blamed", lambda *_: [])  # no correction is looked for
    path.write_text(FROM_ZEROS)
    report = diagnose(path)
    assert (report.verdict, [id for id, _ in report.remarks]) == ("correct", ["initial-state-ignored"])
    path.write_text(CELL.replace("prev_h.T @ dz", "np.sin(3 * prev_h).T @ dz"))
    assert diagnose(path).verdict == "wrong"


SEVERAL_LOSSES = """import numpy as np

rng = np.random.default_rng(0)
U, V = rng.normal(size=(5, 4)), rng.normal(size=(4, 5))


def gradients(x, targets):
    s = np.tanh(U @ x)
    p = np.exp(V @ s) / np.sum(np.exp(V @ s))
    loss = -np.log(p[targets])
    e = np.copy(p)
    e[targets] -= 1
    return loss, np.outer((V.T @ e) * (1 - s**2), x), np.outer(e, s)


for _ in range(2):
    loss, dU, dV = gradients(rng.uniform(size=4), np.array([0, 1, 1, 3, 0]))
    U -= 0.1 * dU
    V -= 0.1 * dV
"""


def test_a_call_of_one_target_does_not_stand_for_a_run_with_several(tmp_path: Path) -> None:
    """By which the loss of the run is no number; called with one target, the function is right."""
    path = tmp_path / "net.py"
    path.write_text(SEVERAL_LOSSES)
    own = examine_own_run(Runs(ProgramFile(path, SEVERAL_LOSSES), Wishes(stand=tmp_path)), read_source(path))
    assert (own.report.verdict, own.reason.partition(" and ")[0]) == ("undecided", f"line 10: loss {OF_SEVERAL} (5),")
    assert _joined(own, Report("correct", "net.py", "gradients")).verdict == "undecided"


FORWARD_TWICE = """import numpy as np


class Net:
    def __init__(self, words, units=5):
        self.units = units
        self.U, self.W, self.V = np.random.randn(units, words), np.random.randn(units, units), np.random.randn(words, units)

    def forward(self, x):
        s, o = np.zeros((len(x) + 1, self.units)), np.zeros((len(x), len(self.V)))
        for t in range(len(x)):
            s[t] = np.tanh(self.U[:, x[t]] + self.W @ s[t - 1])
            o[t] = np.exp(self.V @ s[t]) / np.exp(self.V @ s[t]).sum()
        return o, s

    def loss(self, x, y):
        assert len(x) == len(y)
        o, s = self.forward(x)
        return -np.sum(np.log(o[np.arange(len(y)), y]))

    def bptt(self, x, y):
        assert len(x) == len(y)
        o, s = self.forward(x)
        dU, dW, dV, later = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V), 0
        o[np.arange(len(y)), y] -= 1
        for t in reversed(range(len(y))):
            dV += np.outer(o[t], s[t])
            d = (o[t] @ self.V + later) * (1 - s[t] ** 2)
            dW += np.outer(d, s[t - 1])
            dU[:, x[t]] += d
            later = d @ self.W
        return dU, dW, dV
"""


def test_a_forward_pass_that_runs_for_the_loss_and_once_more_gives_no_gradients(tmp_path: Path) -> None:
    """Its states are as large as W here. Lengths that are asserted say which sizes are the same."""
    path = tmp_path / "net.py"
    path.write_text(FORWARD_TWICE)
    report = diagnose(path)
    assert (report.verdict, list(report.parameters)) == ("correct", ["self.U", "self.W", "self.V"])


NUMBERS = """
import math, random
scale = 0.6

class Cell:
    def __init__(self):
        self.W, self.b = [[random.uniform(-scale, scale) for _ in range(5)] for _ in range(3)], [0.1] * 3
        self.gW, self.gb = [[0.0] * 5 for _ in range(3)], [0.0] * 3

    def forward(self, xs):
        self.xs, self.hs = xs, [[0.0] * 3]
        for x in xs:
            both = self.hs[-1] + list(x)
            self.hs.append([math.tanh(sum(w * v for w, v in zip(self.W[i], both)) + self.b[i]) for i in range(3)])
        return self.hs[-1]

    def backward(self, dh):
        for t in range(len(self.xs), 0, -1):
            dz = [dh[i] * (1 - self.hs[t][i] ** 2) for i in range(3)]
            both = self.hs[t] + list(self.xs[t - 1])
            for i in range(3):
                for j in range(5):
                    self.gW[i][j] += dz[i] * both[j]
                self.gb[i] += dz[i]
            dh = [sum(self.W[j][i] * dz[j] for j in range(3)) for i in range(3)]
"""


def test_weights_in_lists_of_which_no_gradient_was_compared_leave_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of W is wrong, and is kept in a list of lists."""
    monkeypatch.setattr(trying, "WORK", 0)  # no correction is looked for
    path = tmp_path / "cell.py"
    path.write_text(NUMBERS)
    report = diagnose(path)
    assert report.verdict != "correct", report.parameters
