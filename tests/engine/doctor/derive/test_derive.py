"""Programs as different people write them: the derived backward pass is whole, and agrees with the record; differences prove one here."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from engine.doctor.derive.derive import derive
from engine.doctor.derive.derived import Derived
from engine.doctor.derive.program.taken_loss import asked_loss
from engine.doctor.derive.proof import agreement
from engine.doctor.lineage.record.running import Runs
from engine.doctor.read.source import SourceFile, read_source
from engine.doctor.run.launch import Wishes
from engine.doctor.run.limits import Limits
from engine.doctor.run.program import ProgramFile
from engine.errors import InputError

PROGRAMS = Path(__file__).parent / "programs"
WHOLE = {
    "activations_by_step": tuple(
        [f"recurrent.{name}" for name in ("Uz", "Wz", "Un", "Wn", "bn")] + ["dense.weights", "dense.biases"]
    ),
    "attention": ("Wx", "Wh", "b", "Wa", "va", "Wo", "bo"),
    "both_ways": ("Wx", "Wh", "b", "Wy", "by"),
    "cells_by_step": tuple(f"network.weights.{name}" for name in ("Wg", "bg", "Wi", "Wf", "Wo")),
    "class_regressor": ("net.U", "net.W", "net.V", "net.b", "net.c"),
    "column_caches": tuple(f"parameters['{name}']" for name in ("Wax", "Waa", "Wya", "ba", "by")),
    "embedding": ("emb", "W_in", "W_rec", "b_h", "W_out", "b_o"),
    "gru_rows": ("Wz", "Uz", "bz", "Wr", "Ur", "br", "Wn", "Un", "bn", "Wo", "bo"),
    "held_methods": ("net.cell.Wz", "net.cell.Wr", "net.cell.Wh", "net.Wo", "net.bo"),
    "karpathy_style": ("Wxh", "Whh", "bh", "Why", "by"),
    "layer_norm": ("W", "R", "gamma", "beta", "v"),
    "layers_by_step": ("model.U", "model.W", "model.V"),
    "learned_start": tuple(f"weights['{name}']" for name in ("Wx", "Wh", "bh", "h0", "Wy", "by")),
    "many_to_one": ("Wax", "Waa", "Wya"),
    "nested_functions": ("into", "again", "shift", "out"),
    "packed_gates": ("self.W", "self.V"),
    "peephole_lstm": tuple(
        f"p['{n}']" for n in ["Wi", "pi", "bi", "Wf", "pf", "bf", "Wg", "bg", "Wo", "po", "bo", "Wy", "by"]
    ),
    "per_sample": ("Wx", "Wh", "b", "w_out", "b_out"),
    "scalar_loops": ("wx", "wh", "wo"),
    "stacked_states": ("Wx", "Wh", "b", "Wo", "bo"),
    "states_in_a_list": ("U", "W", "b", "V"),
    "two_directions": tuple(f"params['{name}']" for name in ("Wf", "Uf", "bf", "Wb", "Ub", "bb", "V", "c")),
    "two_layers": ("W1", "R1", "b1", "W2", "R2", "b2", "W3", "b3"),
}


STEPS = {
    "activations_by_step": (
        "dh += np.dot(recurrent.Wn.T, dinputs2)",
        "dh += np.dot(recurrent.Wz.T, dinputs)",
        "dh += dwhole[t + 1]",
    ),
    "attention": ("dh += dstates[t]",),
    "cells_by_step": (
        *(f"dxh += np.dot(network.weights.W{gate}.T, dz_{gate})" for gate in "fig"),
        "dh_prev = dxh[len(xs[t]):]",
        "dh += dh_prev",
    ),
    "column_caches": ("dz_y_pred = (y_pred - y) / y.shape[1]",),
    "embedding": ("dlogit = probs[t].copy()",),
    "held_methods": (
        "drh = djoined[:len(r * net.hs[t])]",
        "dxh2 += net.cell.Wz.T @ dz_z2",
        "dh4 += dxh2[:len(net.hs[t])]",
    ),
    "layer_norm": ("dmu += (-dz_var).sum(axis=1, keepdims=True)", "da += dmu / a.shape[1]"),
    "layers_by_step": ("dmul_v = p.copy()",),
    "many_to_one": ("dscores[np.arange(m), Y] -= 1",),
    "nested_functions": ("dz = guesses[n].copy()",),
    "packed_gates": (
        "dz_p = ps[k].copy()",
        "dz_p[np.arange(len(ys[k])), ys[k]] -= 1",
        "ds = dboth[self.words:]",
    ),
    "peephole_lstm": ("dh = dhx[:, :h_prev.shape[1]]",),
}
"""Lines that make no dL/d(a value) themselves: the short form before its last line, parts of a gradient, sums in another order."""


@cache
def derived(name: str) -> Derived:
    with TemporaryDirectory() as alone:  # what lies beside a program is copied for each of its runs
        path = Path(alone, f"{name}.py")
        path.write_text((PROGRAMS / path.name).read_text("utf-8"), "utf-8")
        source = read_source(path)
        return derive(Runs(ProgramFile(path, source.text, source.cells), Wishes()), source)


MORE_STEPS = ("stacked_states", "two_directions", "two_layers")
"""Programs of which more lines are steps on the way."""


@pytest.mark.parametrize("name", list(WHOLE))
def test_the_derived_pass_is_whole_and_is_the_loss_carried_back(name: str) -> None:
    """In every round each line makes dL/d(a value), a share of it or a sum of shares, but for steps on the way."""
    made = derived(name)
    assert made.gaps == ()
    assert set(made.agreement) == set(WHOLE[name])
    assert max(made.agreement.values()) < 1e-9
    ast.parse(made.program)
    if name not in MORE_STEPS:
        assert made.steps == STEPS.get(name, ())
        assert len(made.steps) * 4 < sum(line.kind in ("back", "head") for line in made.lines)


def test_the_program_with_the_pass_in_place_steps_down_as_differences_say() -> None:
    """The whole program is run here; one weight is moved to both sides."""
    made = derived("many_to_one")
    forward = (PROGRAMS / "many_to_one.py").read_text("utf-8")

    def loss(by: float) -> float:
        names: dict[str, object] = {}
        exec(forward.replace("learning_rate = 0.05", f"Waa[1, 2] += {by!r}"), names)
        return float(names["loss"])  # pyright: ignore[reportArgumentType]

    names: dict[str, object] = {}
    exec(made.program, names)
    gradient = np.asarray(names["dWaa"])[1, 2]
    assert np.isclose(gradient, (loss(1e-6) - loss(-1e-6)) / 2e-6, rtol=1e-6)


def test_the_backward_pass_reads_as_one_writes_it() -> None:
    assert [line.text for line in derived("karpathy_style").lines] == [
        "dh = np.zeros_like(hs[len(inputs) - 1])",
        "dWhy = np.zeros_like(Why)",
        "dby = np.zeros_like(by)",
        "dWxh = np.zeros_like(Wxh)",
        "dWhh = np.zeros_like(Whh)",
        "dbh = np.zeros_like(bh)",
        "for t in reversed(range(len(inputs))):",
        "    dy = ps[t].copy()",
        "    dy[targets[t], 0] -= 1",
        "    dWhy += np.dot(dy, hs[t].T)",
        "    dh += np.dot(Why.T, dy)",
        "    dby += dy",
        "    dz = dh * (1 - hs[t] ** 2)",
        "    dWxh += np.dot(dz, xs[t].T)",
        "    dWhh += np.dot(dz, hs[t - 1].T)",
        "    dbh += dz",
        "    dh = np.dot(Whh.T, dz)",
        "learning_rate = 0.1",  # to be chosen: the program has none
        "for W, dW in zip([Wxh, Whh, bh, Why, by], [dWxh, dWhh, dbh, dWhy, dby]):",
        "    W -= learning_rate * dW",
    ]


def test_what_the_forward_pass_calls_has_a_backward_pass_of_its_own_beside_it() -> None:
    made = derived("column_caches")
    assert [(one.of, one.after, one.head()) for one in made.functions] == [
        (
            "rnn_cell_forward",
            18,
            "def rnn_cell_backward(dz_yt_pred, da_next, dparameters, parameters, a_next, a_prev, xt):",
        ),
        ("rnn_forward", 34, "def rnn_backward(dz_y_pred, caches, a, parameters):"),
    ]
    assert (
        "    dparameters['Wya'] += np.dot(dz_yt_pred, a_next.T)" in made.functions[0].text()
    )  # not by a name of its own first
    assert "dparameters = rnn_backward(dz_y_pred, caches, a, parameters)" in [one.text for one in made.body]
    assert "        da_next = rnn_cell_backward(dz_yt_pred" in made.functions[1].text()
    (_, method) = derived("class_regressor").functions
    assert (method.of, method.indent, method.head()) == ("RNN.forward", "    ", "def backward(self, do, x):")
    assert derived("many_to_one").functions == ()


def test_an_object_of_each_step_goes_back_by_a_method_of_its_own() -> None:
    made = derived("cells_by_step")
    (method,) = made.functions
    assert (method.of, method.head()) == ("Cell.forward", "def backward(self, ds, dh, weights, x):")
    assert "    ds_prev = ds * self.state.f" in method.text().replace("        ", "    ").split("\n")
    assert any("= network.cells[t].backward(ds_prev, dh, network.weights, xs[t])" in line.text for line in made.body)
    lines = [line.text.strip() for line in derived("layers_by_step").lines]
    assert {"p = output.predict(model.layers[i].mul_v)", "dmul_v[targets[i]] -= 1"} <= set(lines)


def test_a_sample_at_a_time_its_states_under_keys_its_loss_added_up_later() -> None:
    made = derived("nested_functions")
    assert [(keep.after, keep.text.strip()) for keep in made.keeps] == [
        (33, "memories = []"),
        (35, "memories.append(memory.copy())"),
    ]
    loop = [line.text for line in made.lines if line.kind != "init"][:8]
    assert loop == [
        "for n in reversed(range(len(readings))):",
        "    dz = guesses[n].copy()",
        "    dz[0, kinds[n]] -= 1",
        "    dz /= len(kinds)",
        "    dmemory = np.dot(dz, out.T)",
        "    dout += np.dot(memory[f'after {length}'].T, dz)",
        "    for k in reversed(range(length)):",
        "        dz_memory = dmemory * memory[f'after {k + 1}'] * (1 - memory[f'after {k + 1}'])",
    ]


def loop_of(made: Derived) -> list[str]:
    return [line.text.strip() for line in made.lines if line.text.startswith(("for t", "    "))]


IN_COLUMNS = ["dU += dz @ {0}.T", "dW += dz @ {1}.T", "db += dz.sum(axis=1, keepdims=True)", "dh = W.T @ dz"]


def test_states_in_a_list_read_by_their_place() -> None:
    made = derived("states_in_a_list")
    assert made.lines[0].text == "dscores = (p - labels) / p.shape[1]"
    assert sorted(loop_of(made)[3:]) == [line.format("xt", "hs[t]") for line in IN_COLUMNS]


def test_what_a_cache_holds_is_unpacked_and_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    text = (PROGRAMS / "states_in_a_list.py").read_text("utf-8")
    for one, other in (("hs = [np.zeros((H, 6))]", "h = np.zeros((H, 6))"), ("hs[t])", "h)"), ("hs[-1]", "h")):
        text = text.replace(one, other)
    path.write_text(text.replace("    hs.append(h)\n", ""))
    source = read_source(path)
    made = derive(Runs(ProgramFile(path, source.text), Wishes()), source)
    assert (made.gaps, made.keeps) == ((), ())
    assert loop_of(made)[:2] == ["for t in reversed(range(T)):", "xt, h2, h = caches[t]"]
    assert {"dU += dz @ xt.T", "dW += dz @ h2.T"} <= set(loop_of(made))


def test_of_relu_that_which_the_program_keeps_is_read(tmp_path: Path) -> None:
    text = """import numpy as np

np.random.seed(3)
X, Y = np.random.randn(5, 4, 3), np.random.randn(4, 2)
U, W, V = np.random.randn(3, 6), np.random.randn(6, 6) * 0.3, np.random.randn(6, 2)
h, caches = np.zeros((4, 6)), []
for x in X:
    before = h
    z = x @ U + before @ W
    h = np.maximum(0, z)
    caches.append((x, before, z))
loss = 0.5 * np.sum((h @ V - Y) ** 2)
"""
    made = made_of(tmp_path, text)
    assert (made.gaps, made.keeps, set(made.agreement)) == ((), (), {"U", "W", "V"})
    assert "dz = dh * (z > 0)" in loop_of(made)


def test_what_is_taken_as_data_is_said() -> None:
    made = derived("learned_start")
    assert made.data == ("u", "wanted")
    assert "# Taken as data, so without gradients: u, wanted." in made.text()


def test_what_the_forward_pass_does_not_keep_is_said_with_its_place() -> None:
    keeps = [(keep.after, keep.text) for keep in derived("many_to_one").keeps]
    assert keeps == [(14, "a_kept = [a]"), (17, "    a_kept.append(a)")]


def test_a_function_that_nothing_runs_is_called_with_arguments_that_are_made_up(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    text = (PROGRAMS / "karpathy_style.py").read_text("utf-8").split("\nseq = ")[0].replace("len(chars), 7", "5, 6")
    path.write_text(text)
    source = read_source(path)
    made = derive(Runs(ProgramFile(path, source.text), Wishes()), source, function="lossFun")
    assert made.made_up
    assert [line.text for line in made.lines] == [line.text for line in derived("karpathy_style").lines]


BEGUN = """import numpy as np

def normalise(u):
    e = np.exp(u - u.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def train(series, labels, speed, steps):
    np.random.seed(3)
    A = np.random.randn(2, 4) * 0.5
    B = np.random.randn(4, 4) * 0.5
    C = np.random.randn(4, 3) * 0.5
    s = {0: np.zeros((len(series), 4))}

    def ahead():
        for t in range(steps):
            s[t + 1] = np.tanh(np.dot(series[:, t], A) + np.dot(s[t], B))
        return normalise(np.dot(s[steps], C))

    def back(guess):
        off = guess - labels
        dC = np.dot(s[stepz].T, off)
        C[...] = C - speed * dC

    guess = ahead()
    back(guess)

np.random.seed(4)
series = np.random.randn(6, 5, 2)
labels = np.eye(3)[np.array([0, 2, 1, 1, 0, 2])]
train(series, labels, 0.1, steps=5)
"""


def test_a_program_that_stops_without_a_loss_with_a_backward_pass_begun(tmp_path: Path) -> None:
    """Its repair comes first, its loss is taken from outputs and targets, its one right gradient is used."""
    path = tmp_path / "mine.py"
    path.write_text(BEGUN)
    source = read_source(path)
    made = derive(Runs(ProgramFile(path, source.text), Wishes()), source)
    assert [(one.line, one.text) for one in made.repairs] == [(21, "dC = np.dot(s[steps].T, off)")]
    assert [(keep.after, keep.text.strip()) for keep in made.added] == [(20, "loss = -np.sum(labels * np.log(guess))")]
    assert [one.said() for one in made.own] == ["Right already, and used as it is: the gradient of C, line 22."]
    assert (made.gaps, set(made.agreement), made.after) == ((), {"A", "B"}, 20)
    assert max(made.agreement.values()) < 1e-9
    assert [line.text for line in made.lines[:2]] == ["dz = guess - labels", "ds = np.dot(dz, C.T)"]


def test_a_loss_that_is_asked_for_has_its_scale(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(BEGUN.replace("stepz", "steps"))
    source = read_source(path)
    made = derive(Runs(ProgramFile(path, source.text), Wishes()), source, "-np.mean(np.sum(labels * np.log(guess), 1))")
    assert made.lines[0].text == "dz = (guess - labels) / len(guess)"
    assert [(one.name, one.line, one.is_right, round(one.factor)) for one in made.own] == [("C", 22, True, 6)]
    assert set(made.agreement) == {"A", "B", "C"}


def made_of(tmp_path: Path, text: str, loss: str = "", function: str = "") -> Derived:
    path = tmp_path / "mine.py"
    path.write_text(text)
    return derive(Runs(ProgramFile(path, text), Wishes()), read_source(path), loss, function)


SCRIPT = """import numpy as np

rng = np.random.RandomState(0)
T = 5
x, Y = rng.randn(T, 3, 2), rng.randn(T, 2, 2)
Wx, Wh, Wy = rng.randn(4, 3) * 0.3, rng.randn(4, 4) * 0.3, rng.randn(2, 4) * 0.3
for epoch in range(2):
    h = np.zeros((4, 2))
    ys = []
    for t in range(T):
        h = np.tanh(Wx @ x[t] + Wh @ h)
        if t < T < 10 or epoch > 5:
            pass
        else:
            h = h * 0.5
        y = Wy @ h
        ys.append(y)
    loss = 0
    for t in range(T - 1):
        loss += np.sum((ys[t] - Y[t + 1]) ** 2)
"""


def test_a_loop_over_the_losses_may_be_shorter_and_a_branch_may_do_nothing(tmp_path: Path) -> None:
    made = made_of(tmp_path, SCRIPT)
    assert (made.gaps, set(made.agreement)) == ((), {"Wx", "Wh", "Wy"})
    assert [line.text for line in made.lines if line.kind == "loop"] == [
        "for t in reversed(range(T - 1)):",
        "for t in reversed(range(T)):",
    ]


@pytest.mark.parametrize(
    ("asked", "added"),
    [
        ("np.mean((np.array(ys) - Y) ** 2)", {(17, "    total_loss = np.mean((np.array(ys) - Y) ** 2)")}),
        (
            "sum((y[k] - Y[t, k]) @ y[k] for k in range(2))",
            {(9, "    total_loss = 0"), (16, "        total_loss += sum((y[k] - Y[t, k]) @ y[k] for k in range(2))")},
        ),
    ],
)
def test_a_loss_that_is_asked_for_stands_where_it_is_known(asked: str, added: set[tuple[int, str]]) -> None:
    source = SourceFile(Path("mine.py"), SCRIPT)
    taken = asked_loss(source, asked)
    assert {(keep.after, keep.text) for keep in taken.keeps} == added
    assert taken.header == "To compute it:"


def test_what_a_loss_that_is_asked_for_reads_and_no_one_knows_is_named() -> None:
    with pytest.raises(InputError, match="the program has no Yhat and no targets"):
        asked_loss(SourceFile(Path("mine.py"), SCRIPT), "np.sum([float(v) for v in Yhat - targets])")


def test_what_a_function_returns_without_a_name_gets_one_and_made_up_shapes_do_not_fit_by_chance(
    tmp_path: Path,
) -> None:
    text = """import numpy as np

def forward(x, h0, Wx, Wh, b, Wy):
    hs = [h0]
    for t in range(len(x)):
        hs.append(np.tanh(Wx @ x[t] + Wh @ hs[-1] + b))
    return Wy @ hs[-1], hs
"""
    made = made_of(tmp_path, text)
    assert [(keep.after, keep.text) for keep in made.added] == [(6, "    out = Wy @ hs[-1]"), (7, "    return out, hs")]
    assert (made.gaps, set(made.agreement)) == ((), {"Wx", "Wh", "b", "Wy"})
    assert made.lines[0].text == "dWy = dout @ hs[-1].T"
    shapes = {line.makes: line.shape for line in made.lines if line.kind == "back"}
    assert len(shapes["dh"] or ()) == 2
    assert (shapes["db"] or (0, 0))[1] == 1


IN_FUNCTIONS = """import numpy as np

def softmax(s):
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def step(x, h):
    h = np.tanh(x @ Wx + h @ Wh)
    p = softmax(h @ Wy)
    return h, p

def cross_entropy(p, labels):
    return -np.mean(np.log(p[np.arange(len(labels)), labels]))

rng = np.random.RandomState(0)
X, y = rng.randn(5, 6, 3), np.array([0, 1, 1, 0, 1])
Wx, Wh, Wy = rng.randn(3, 4) * 0.3, rng.randn(4, 4) * 0.3, rng.randn(4, 2)
h = np.zeros((5, 4))
states, guesses = [h], []
for t, x in enumerate(X.transpose(1, 0, 2)):
    h, p = step(x, h)
    states.append(h)
    guesses.append(p)
loss = cross_entropy(guesses[-1], y)
"""


def test_an_output_of_every_round_that_only_the_last_is_asked_for_and_a_loss_in_a_function(tmp_path: Path) -> None:
    made = made_of(tmp_path, IN_FUNCTIONS)
    assert (made.gaps, made.keeps, set(made.agreement)) == ((), (), {"Wx", "Wh", "Wy"})
    lines = [line.text for line in made.lines if line.kind in ("head", "back")]
    assert lines[0].endswith(" = p.copy()")
    assert sum(line.startswith("dWy") for line in lines) == 1
    assert {"    dWx += x.T @ dz_h", "    dWh += states[t].T @ dz_h"} <= set(lines)


ONE_BY_ONE = """import numpy as np

rng = np.random.RandomState(0)
X, Y = rng.randn(5, 6, 3), rng.randn(5, 2)
Wx, Wh, Wy = rng.randn(4, 3) * 0.3, rng.randn(4, 4) * 0.3, rng.randn(2, 4) * 0.3
losses = []
for x, y in zip(X, Y):
    h = np.zeros(4)
    for t in range(6):
        h = np.tanh(Wx @ x[t] + Wh @ h)
    losses.append(np.sum((Wy @ h - y) ** 2))
loss = np.mean(losses)
"""


def test_states_that_each_sample_begins_anew_and_losses_in_a_list(tmp_path: Path) -> None:
    made = made_of(tmp_path, ONE_BY_ONE)
    assert (made.gaps, set(made.agreement)) == ((), {"Wx", "Wh", "Wy"})
    assert [(keep.after, keep.text.strip()) for keep in made.keeps] == [
        (8, "hs = [h]"),
        (10, "hs.append(h)"),
        (6, "all_hs = []"),
        (10, "all_hs.append(hs)"),
    ]
    assert any(line.text == "    dWy += np.outer(dz, hs[-1])" for line in made.lines)


OBJECTS = """import random

import numpy as np

class Net:
    def __init__(self, scale=0.0):
        self.U, self.W = np.random.randn(4, 3) * 0.3, np.random.randn(4, 4) * 0.3
        self.V = np.random.randn(2, 4)
        self.scale = scale

    def forward(self, inputs):
        self.states = {0: np.zeros((4, 1)) if not self.scale else np.ones((4, 1))}
        for i, x in enumerate(inputs):
            h = np.tanh(self.U @ x + self.W @ self.states[i])
            self.states[i + 1] = h
        return self.V @ h

class Loss:
    def forward(self, p, k):
        return -np.log(p[k, 0])

np.random.seed(0)
random.seed(0)
net, entropy = Net(), Loss()
items = [(np.random.randn(3 + k, 3, 1), k % 2) for k in range(4)]
random.shuffle(items)
total = 0
for inputs, k in items:
    scores = net.forward(inputs)
    p = np.exp(scores) / np.sum(np.exp(scores))
    total += entropy.forward(p, k)
loss = total / len(items)
"""


def test_an_object_begins_its_states_anew_and_another_has_a_method_of_the_same_name(tmp_path: Path) -> None:
    made = made_of(tmp_path, OBJECTS)
    assert (made.gaps, set(made.agreement)) == ((), {"net.U", "net.W", "net.V"})
    assert "all_states.append(net.states.copy())" in [keep.text.strip() for keep in made.keeps]
    lines = [line.text.strip() for line in made.lines]
    assert {"dscores[k, 0] -= 1", "dscores /= len(items)"} <= set(lines)
    assert "dW += dz @ all_states[t][i].T" in lines


GATES = """import numpy as np

class Gate:
    def __init__(self, n_in, n):
        self.W = np.random.randn(n, n_in) * 0.3
        self.U = np.random.randn(n, n) * 0.3
        self.b = np.zeros((n, 1))

    def forward(self, x, h):
        z = self.W @ x + self.U @ h + self.b
        return 1 / (1 + np.exp(-z))

class Cell:
    def __init__(self, n_in, n):
        self.keep, self.new = Gate(n_in, n), Gate(n_in, n)
        self.p = {"V": np.random.randn(n, n)}

    def forward(self, xs, h):
        V, outs = self.p["V"], []
        for x in xs:
            h = self.keep.forward(x, h) * h + self.new.forward(x, h)
            outs.append(V @ h)
        return outs
"""


def test_objects_of_one_class_have_gradients_of_their_own_and_a_name_for_a_weight_adds_up(tmp_path: Path) -> None:
    made = made_of(tmp_path, GATES, function="Cell.forward")
    names = {f"self.{gate}.{name}" for gate in ("keep", "new") for name in "WUb"} | {"self.p['V']"}
    assert (made.gaps, set(made.agreement)) == ((), names)
    assert {"dW_keep", "dW_new", "dp['V']"} <= {line.makes for line in made.lines if line.kind == "init"}
    assert [one.head() for one in made.functions] == ["def backward(self, dz, x, h):", "def backward(self, douts):"]
    assert "def backward(self, douts):" in made.program
    with pytest.raises(InputError, match=r"forward\(\) has no y; its names are V, h, outs, x, xs$"):
        made_of(tmp_path, GATES, loss="np.sum(y)", function="Cell.forward")


def test_gates_cut_out_of_one_product_get_their_gradients_side_by_side() -> None:
    (backward,) = derived("packed_gates").functions
    assert "dz = np.concatenate((dz_i, dz_f, dz_o, dz_g))" in backward.text()
    assert "both[self.words:] = s[t - 1]" in backward.text()  # what is filled part by part is made again part by part
    assert backward.parameters == ("self", "dz_p", "x", "s", "c", "o", "g", "i", "f")


def test_a_function_s_backward_pass_begins_with_what_it_returns() -> None:
    step, forward = derived("held_methods").functions
    assert (step.name, step.parameters) == ("step_backward", ("self", "dh", "h", "x"))
    assert forward.parameters[:2] == ("self", "dy")


def test_a_branch_that_is_taken_both_ways_is_gone_back_through_by_the_same_test() -> None:
    texts = [line.text.strip() for line in derived("both_ways").lines]
    assert "for t in reversed(range(T)):" in texts  # of `while t < T: ...; t += 1`
    tests = [text for text in texts if text.startswith("if ")]
    assert tests == ["if t >= T - 2:", "if given[t]:", "if not given[t]:"]
    assert texts[texts.index("if not given[t]:") + 1] == "dh = dh * 0.9"


FIRST_ROUND = """import numpy as np

rng = np.random.RandomState(0)
X, Y = rng.randn(6, 4, 3), rng.rand(4, 2)
Wx, Wh, Wy = rng.randn(3, 5) * 0.3, rng.randn(5, 5) * 0.3, rng.randn(5, 2)
hs = []
for t in range(len(X)):
    h_prev = np.zeros((4, 5)) if t == 0 else hs[-1]
    h = np.tanh(X[t] @ Wx + h_prev @ Wh)
    hs.append(h)
q = np.exp(h @ Wy)
q = q / (1 + np.sum(q, axis=1, keepdims=True))
loss = np.sum((q - Y) ** 2)
"""


def test_a_choice_in_the_first_round_and_a_name_that_is_given_twice(tmp_path: Path) -> None:
    made = made_of(tmp_path, FIRST_ROUND)
    assert (made.gaps, set(made.agreement)) == ((), {"Wx", "Wh", "Wy"})
    assert [(keep.after, keep.text) for keep in made.keeps] == [(11, "q_before = q")]
    assert loop_of(made)[1] == "h_prev = np.zeros((4, 5)) if t == 0 else hs[t - 1]"
    assert any("(1 + np.sum(q_before, axis=1, keepdims=True))" in line.text for line in made.lines)


SEVERAL_ON_A_LINE = """import numpy as np

np.random.seed(2)


class Cell:
    def __init__(self, inputs, units):
        self.Wf = np.random.randn(units, inputs + units) * 0.3; self.Wc = np.random.randn(units, inputs + units) * 0.3

    def forward(self, sequence):
        c = np.zeros((self.Wf.shape[0], 1)); h = np.zeros_like(c)
        for x in sequence:
            z = np.vstack((h, x.reshape(-1, 1)))
            f = 1 / (1 + np.exp(-(self.Wf @ z))); g = np.tanh(self.Wc @ z)
            c = f * c + (1 - f) * g
            h = np.tanh(c)
        return h


cell = Cell(2, 4)
out = cell.forward(np.random.randn(7, 2))
loss = 0.5 * np.sum((out - 0.7) ** 2)
"""


HELD = """import numpy as np

class Leaky:
    def __init__(self, units, every=False):
        self.A = np.random.randn(2, units) * 0.5
        self.B = np.random.randn(units, units) * 0.5
        self.s = np.zeros((3, units))
        self.every = every

    def forward(self, x):
        made = []
        for t in range(x.shape[1]):
            self.s = np.tanh(x[:, t] @ self.A + self.s @ self.B)
            made.append(self.s)
        if self.every:
            return np.stack(made)
        else:
            return self.s

np.random.seed(1)
net = Leaky(4)
loss = np.mean((net.forward(np.random.randn(3, 5, 2)) - 0.3) ** 2)
"""


def test_a_state_that_an_object_holds_and_returns_in_branches(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HELD)
    source = read_source(path)
    made = derive(Runs(ProgramFile(path, source.text), Wishes()), source)
    assert (made.gaps, set(made.agreement)) == ((), {"net.A", "net.B"})
    assert (11, "all_s = [self.s]") in [(keep.after, keep.text.strip()) for keep in made.keeps]


def test_several_statements_may_stand_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SEVERAL_ON_A_LINE)
    source = read_source(path)
    made = derive(Runs(ProgramFile(path, source.text), Wishes()), source)
    assert made.gaps == ()
    assert set(made.agreement) == {"cell.Wf", "cell.Wc"}
    assert max(made.agreement.values()) < 1e-9


def test_a_proof_that_did_not_come_to_its_end_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit is no disagreement."""
    path = PROGRAMS / "many_to_one.py"
    source = read_source(path)
    monkeypatch.setattr(agreement, "in_double", lambda text: "while True: pass")
    runs = Runs(ProgramFile(path, source.text, source.cells), Wishes(limits=Limits(seconds=1.0)))
    with pytest.raises(InputError, match=r"could not be compared \(.*still computing after 1 s.*\), and is left out"):
        derive(runs, source)
