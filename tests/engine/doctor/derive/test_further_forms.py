"""Further forms of loops, branches and weights: counts that go down, branches outside loops, single numbers, arrays cut into pieces."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.derive.derive import derive
from engine.doctor.derive.derived import Derived
from engine.doctor.lineage.record.running import Runs
from engine.doctor.read.source import read_source
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile, program_of


def made_of(tmp_path: Path, text: str) -> Derived:
    path = tmp_path / "mine.py"
    path.write_text(text)
    source = read_source(path)
    return derive(Runs(program_of(source), Wishes()), source)


def texts(made: Derived) -> list[str]:
    return [line.text.strip() for line in made.lines]


COUNTED = """import numpy as np

rng = np.random.RandomState(0)
T = 6
X, Y = rng.randn(T + 1, 3, 2), rng.randn(4, 2)
Wx, Wh, Wy = rng.randn(4, 3) * 0.3, rng.randn(4, 4) * 0.3, rng.randn(4, 4) * 0.3
for epoch in range(3):
    h = np.zeros((4, 2))
    t = {start}
    while t {test}:
        {first}
        h = np.tanh(Wx @ X[t] + Wh @ h)
        {last}
    y = Wy @ h
    if epoch % 2:
        y = y * 0.5
    else:
        y = np.tanh(y)
    loss = np.sum((y - Y) ** 2)
"""


@pytest.mark.parametrize(
    ("start", "test", "first", "last", "back"),
    [
        ("T - 1", ">= 0", "pass", "t -= 1", "for t in range(T):"),
        ("1", "<= T", "pass", "t = t + 1", "for t in reversed(range(1, T + 1)):"),
        ("0", "< T", "pass", "t += 2", "for t in reversed(range(0, T, 2)):"),
        ("0", "< T", "t += 1", "pass", "for t in reversed(range(1, T + 1)):"),
    ],
)
def test_a_loop_that_counts_itself_and_a_branch_that_an_epoch_takes(
    tmp_path: Path, start: str, test: str, first: str, last: str, back: str
) -> None:
    made = made_of(tmp_path, COUNTED.format(start=start, test=test, first=first, last=last))
    assert (made.gaps, set(made.agreement)) == ((), {"Wx", "Wh", "Wy"})
    assert back in texts(made)
    assert {"if epoch % 2:", "if not epoch % 2:"} <= set(texts(made))


NUMBERS = """import numpy as np

np.random.seed(0)
X = np.random.rand(20, 10)
wanted = X.sum(axis=1)
w_in, w_rec, bias = 1.2, 0.9, 0.1
S = np.zeros((20, 11))
for k in range(10):
    S[:, k + 1] = S[:, k] * w_rec + X[:, k] * w_in + bias
loss = ((wanted - S[:, -1]) ** 2).sum() / 20
"""


def test_weights_that_are_single_numbers(tmp_path: Path) -> None:
    made = made_of(tmp_path, NUMBERS)
    assert (made.gaps, set(made.agreement)) == ((), {"w_in", "w_rec", "bias"})
    assert {"dw_rec = 0.0", "dw_rec += (dS * S[:, k]).sum()", "w_rec -= learning_rate * dw_rec"} <= set(texts(made))


SPLIT = """import numpy as np

rng = np.random.RandomState(0)

class Cell:
    @staticmethod
    def gates(joined, W, b):
        i, j, f, o = np.split(joined @ W + b, 4, axis=1)
        return 1 / (1 + np.exp(-i)), np.tanh(j), 1 / (1 + np.exp(-f)), 1 / (1 + np.exp(-o))

W, b, V = rng.randn(7, 16) * 0.4, np.zeros(16), rng.randn(4, 2)
X, Y = rng.randn(5, 6, 3), rng.randn(6, 2)
h, c = np.zeros((6, 4)), np.zeros((6, 4))
for x in X:
    i, j, f, o = Cell.gates(np.concatenate([x, h], 1), W, b)
    c = c * f + i * j
    h = np.tanh(c) * o
loss = np.mean((h @ V - Y) ** 2)
"""


def test_gates_that_a_static_method_splits(tmp_path: Path) -> None:
    made = made_of(tmp_path, SPLIT)
    assert (made.gaps, set(made.agreement)) == ((), {"W", "b", "V"})
    (joined,) = (text for text in texts(made) if "np.concatenate((" in text)
    assert joined.endswith("axis=1)")


COPIED = """import numpy as np

rng = np.random.RandomState(0)
U, W, V = rng.randn(4, 3) * 0.3, rng.randn(4, 4) * 0.3, rng.randn(2, 4)
X, Y = rng.randn(5, 3), rng.randn(2)
h = np.zeros(4)
for x in X:
    of_x = np.dot(U, x)
    of_h = np.dot(W, h)
    h = np.tanh(of_x + of_h)
loss = np.sum((V @ h - Y) ** 2)
"""


def test_two_names_for_one_gradient_are_one(tmp_path: Path) -> None:
    made = made_of(tmp_path, COPIED)
    assert (made.gaps, set(made.agreement)) == ((), {"U", "W", "V"})
    assert not [text for text in texts(made) if text.replace(" ", "").replace("_", "").replace("=", "").isalpha()]


MODULE = """import numpy as np

class Net:
    def __init__(self):
        rng = np.random.RandomState(2)
        self.U, self.W, self.V = rng.randn(4, 3) * 0.3, rng.randn(4, 4) * 0.3, rng.randn(2, 4)

    def loss(self, xs, y, kind):
        h = np.zeros(4)
        for x in xs:
            h = np.tanh(self.U @ x + self.W @ h)
        if kind == "squared":
            cost = np.sum((self.V @ h - y) ** 2)
        else:
            raise ValueError(kind)
        return cost, h
"""
MAIN = """import numpy as np
from net import Net

net = Net()
for k in range(2):
    cost, h = net.loss(np.ones((5, 3)) * 0.2, np.array([1.0, -1.0]), "squared")
"""


def test_a_forward_pass_in_a_file_that_the_program_imports(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(MODULE)
    made = made_of(tmp_path, MAIN)
    assert made.source is not None
    assert made.source.in_cells(made.loss) == "cost, line 13 of net.py"
    assert (made.gaps, set(made.agreement)) == ((), {"self.U", "self.W", "self.V"})
    assert "            dz = 2 * (self.V @ h - y)" in made.program.split("\n")


GATES = """import numpy as np

def sigmoid(x):
    return 1 / (1 + np.exp(-x))

class Cell:
    def __init__(self, n_in, n):
        self.Wf = np.random.randn(n, n_in + n)
        self.Wi = np.random.randn(n, n_in + n)

    def forget_gate(self, x, h):
        return sigmoid(self.Wf @ np.concatenate((x, h)))

    def input_gate(self, x, h):
        return sigmoid(self.Wi @ np.concatenate((x, h)))
"""


def test_one_gate_alone_is_not_all_of_it(tmp_path: Path) -> None:
    made = made_of(tmp_path, GATES)
    assert set(made.agreement) == {"self.Wf", "h"}
    why = "Cell.input_gate() has weights of its own: --function Cell.input_gate derives it"
    assert [(gap.line, gap.why) for gap in made.gaps] == [(14, why)]
    path = tmp_path / "mine.py"
    runs = Runs(ProgramFile(path, GATES), Wishes())
    assert derive(runs, read_source(path), function="Cell.input_gate").gaps == ()


def test_a_softmax_of_another_file_and_labels_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text(
        "import numpy as np\n\ndef soft(x):\n    e = np.exp(x - np.max(x))\n    return e / e.sum(axis=0)\n"
    )
    text = """import numpy as np
from parts import soft as softly

rng = np.random.RandomState(0)
U, W, V = rng.randn(4, 3) * 0.3, rng.randn(4, 4) * 0.3, rng.randn(2, 4)
X, gold_tmp = rng.randn(5, 3, 6), np.eye(2)[:, [0, 1, 1, 0, 1, 0]]
h = np.zeros((4, 6))
for x in X:
    h = np.tanh(U @ x + W @ h)
p = softly(V @ h)
loss = -np.sum(gold_tmp * np.log(p)) / 6
"""
    made = made_of(tmp_path, text)
    assert (made.gaps, set(made.agreement)) == ((), {"U", "W", "V"})
    assert made.lines[0].text.endswith(" = (p - gold_tmp) / 6")


LEAKY = """import numpy as np

rng = np.random.RandomState(0)
p = {"U": rng.randn(4, 3) * 0.3, "K": rng.randn(4, 3) * 0.3, "W": rng.randn(4, 4) * 0.3, "V": rng.randn(2, 4)}
X, Y = rng.randn(5, 3), rng.randn(2)
h = np.zeros(4)
for x in X:
    k = 1 / (1 + np.exp(-(p["K"] @ x)))
    n = np.tanh(p["U"] @ x + p["W"] @ h)
    h = k * h + (1 - k) * n
loss = np.sum((p["V"] @ h - Y) ** 2)
"""


def test_shares_with_one_factor_are_one_line_and_a_dictionary_is_stepped_in_a_loop(tmp_path: Path) -> None:
    made = made_of(tmp_path, LEAKY)
    assert (made.gaps, len(made.agreement)) == ((), 4)
    assert "dk = dh * (hs[t] - ns[t])" in texts(made)
    assert texts(made)[-2:] == ["for name in dp:", "p[name] -= learning_rate * dp[name]"]
    names: dict[str, object] = {}
    exec(made.program, names)  # a program of this file
    assert "dp" in names


LISTED = """import numpy as np
from parts import soft

class Net:
    def __init__(self):
        rng = np.random.RandomState(1)
        self.U, self.W, self.V = rng.randn(4, 5) * 0.3, rng.randn(4, 4) * 0.3, rng.randn(5, 4)

    def forward(self, words, prev_state):
        s = {-1: prev_state}
        o = np.zeros((len(words), 5))
        for t in range(len(words)):
            s[t] = np.tanh(self.U[:, words[t]] + self.W.dot(s[t - 1]))
            o[t] = soft(self.V.dot(s[t]))
        return [o, s]

net = Net()
words, following = [0, 3, 1, 2], [3, 1, 2, 4]
o, s = net.forward(words, np.zeros(4))
loss = -np.sum(np.log(o[np.arange(4), following]))
"""


def test_a_list_that_is_returned_and_a_module_in_python_2(tmp_path: Path) -> None:
    pytest.importorskip("fissix")
    module = (
        "import numpy as np\n\ndef soft(x):\n    e = np.exp(x - np.max(x))\n    return e / np.sum(e)\n\nprint 'read'\n"
    )
    (tmp_path / "parts.py").write_text(module)
    made = made_of(tmp_path, LISTED)
    assert (made.gaps, set(made.agreement)) == ((), {"net.U", "net.W", "net.V"})


VECTOR = """import numpy as np

np.random.seed(0)
D, H, O, T = 2, 4, 2, 5
X, Y = np.random.randn(T, 3, D), np.random.randn(3, O)
shapes = {{"Wx": (D, H), "Wh": (H, H), "b": (H,), "Wo": (H, O)}}
theta = np.random.randn(D * H + H * H + H + H * O) * 0.4


{unpack}


def forward(theta, X):
    {first}
    h, hs = np.zeros((3, H)), [np.zeros((3, H))]
    for t in range(T):
        h = np.tanh(X[t] @ {Wx} + h @ {Wh} + {b})
        hs.append(h)
    return h @ {Wo}, hs


out, hs = forward(theta, X)
loss = np.mean((out - Y) ** 2)
print(loss)
"""
ENTRIES = {name: f"p['{name}']" for name in ("Wx", "Wh", "b", "Wo")}
ALONE = {name: name for name in ENTRIES}
INTO_A_DICTIONARY = """def parts(vector):
    made, at = {}, 0
    for name, shape in shapes.items():
        n = int(np.prod(shape))
        made[name] = vector[at:at + n].reshape(shape)
        at += n
    return made"""
INTO_NAMES = """def parts(vector):
    i = D * H
    Wx = vector[:i].reshape(D, H)
    Wh = np.reshape(vector[i:i + H * H], (H, H)); i += H * H
    return Wx, Wh, vector[i:i + H], vector[i + H:].reshape(H, O)"""
CUT = """Wx, Wh = theta[:D * H].reshape(D, H), theta[D * H:D * H + H * H].reshape(H, H)
    b = theta[D * H + H * H:D * H + H * H + H]
    Wo = theta[D * H + H * H + H:].reshape(H, O)"""


@pytest.mark.parametrize(
    ("names", "unpack", "first", "back"),
    [
        (ENTRIES, INTO_A_DICTIONARY, "p = parts(theta)", "dp = parts(dtheta)"),
        (ALONE, INTO_NAMES, "Wx, Wh, b, Wo = parts(theta)", "dWx, dWh, db, dWo = parts(dtheta)"),
        (ALONE, "", CUT, "dtheta = np.concatenate((dWx.ravel(), dWh.ravel(), db, dWo.ravel()))"),
    ],
)
def test_weights_that_are_parts_of_one_vector_have_one_gradient(
    tmp_path: Path, names: dict[str, str], unpack: str, first: str, back: str
) -> None:
    made = made_of(tmp_path, VECTOR.format(unpack=unpack, first=first, **names))
    assert (made.gaps, set(made.agreement)) == ((), {"theta"})
    shown = [line.text for line in made.body]
    assert back in shown
    assert shown[-1] == "theta -= learning_rate * dtheta"


WRITTEN_INTO = """import numpy as np


class Cell:
    def __init__(self, n, m):
        self.W = np.random.randn(m + n, 4 * n) * 0.4
        self.f = np.zeros(n)

    def forward(self, X, c0):
        dot = np.dot
        T, B, m = X.shape
        n = self.W.shape[1] // 4
        c = c0.copy()
        h = np.zeros((B, n))
        A, G = np.zeros((T, B, 4 * n)), np.zeros((T, B, 4 * n))
        kept = [n]
        for t in range(T):
            xh = np.hstack((X[t], h))
            A[t] = dot(xh, self.W)
            G[t, :, :3 * n] = 1.0 / (1.0 + np.exp(-A[t, :, :3 * n]))
            G[t, :, 3 * n:] = np.tanh(A[t, :, 3 * n:])
            f = G[t, :, n:2 * n] + self.f
            c *= f
            c += G[t, :, :n] * G[t, :, 3 * n:]
            h = G[t, :, 2 * n:3 * n] * np.tanh(c)
            kept.append((xh, f))
        self.kept, self.G = kept, G
        return h


np.random.seed(0)
cell, V = Cell(3, 2), np.random.randn(3, 2)
X, Y = np.random.randn(5, 4, 2), np.random.randn(4, 2)
h = cell.forward(X, np.zeros((4, 3)))
loss = np.mean((h @ V - Y) ** 2)
print(loss)
"""


def test_states_that_are_multiplied_in_place_and_gates_in_parts_of_an_array(tmp_path: Path) -> None:
    made = made_of(tmp_path, WRITTEN_INTO)
    assert (made.gaps, set(made.agreement)) == ((), {"cell.W", "cell.f", "V"})
    assert {"df_cell += df.sum(axis=0)", "dc = dc * f"} <= set(texts(made))
    assert "cs.append(c.copy())" in [keep.text.strip() for keep in made.keeps]


OPS = """import numpy as np

scale = 0.5

def squash(u):
    return np.tanh(u * scale)
"""
CELL = """import ops
import numpy as np

class Cell:
    def forward(self, x, h, U, W):
        self.h = ops.squash(ops.scale * (U @ x + W @ h))

if __name__ == "__main__":
    Cell().forward(1, 2, 3, 4)
"""
SAMPLES = """import numpy as np
from cell import Cell as OneCell

scale = 2.0

class Net:
    def __init__(self):
        rng = np.random.RandomState(0)
        self.U, self.W, self.V = rng.randn(4, 3) * 0.5, rng.randn(4, 4) * 0.5, rng.randn(2, 4)

    def states(self, sequence):
        cells, h = [], np.zeros(4)
        for x in sequence:
            cell = OneCell()
            cell.forward(x, h, self.U, self.W)
            h = cell.h
            cells.append(cell)
        return cells

    def loss(self, sequence, y):
        cells = self.states(sequence)
        return np.sum((scale * self.V @ cells[-1].h - y) ** 2)

rng = np.random.RandomState(1)
X, Y = [rng.randn(5, 3), rng.randn(4, 3)], rng.randn(2, 2)
net, total = Net(), 0.0
for sequence, y in zip(X, Y):
    total += net.loss(sequence, y)
"""


def test_classes_of_other_files_and_states_that_each_sample_makes_anew(tmp_path: Path) -> None:
    """One text of three files, two of which have a `scale`; each sample's forward pass is run again before it is gone back through."""
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "cell.py").write_text(CELL)
    made = made_of(tmp_path, SAMPLES)
    assert (made.gaps, set(made.agreement)) == ((), {"net.U", "net.W", "net.V"})
    assert made.source is not None
    told = [made.source.in_cells(line) for line in made.text().split("\n") if line.startswith("#")]
    assert "# Its files are mine.py, ops.py and cell.py; what -o writes is one file of them all." in told
    assert [made.source.origin(line.of) for line in made.lines if line.of and "- net.cells[t].h ** 2" in line.text] == [
        ("cell.py", 6)
    ]
    assert "    net.loss(sequence, y)" in [line.text for line in made.lines]
    names: dict[str, object] = {}
    exec(made.program, names)
    assert "dW" in names


IN_LISTS = """import numpy as np

class Cell:
    def __init__(self, U, W, b):
        self.params = [U, W, b]

    def forward(self, x, h):
        U, W, b = self.params
        self.x, self.before = x, h
        self.h = np.tanh(U @ x + W @ h + b)
        return self.h

rng = np.random.RandomState(0)
params = [rng.randn(4, 3) * 0.5, rng.randn(4, 4) * 0.5, np.zeros(4)]
weights = [0.7, 1.2]
X, Y = rng.randn(2, 5, 3), rng.randn(2, 4)

def run(sequence):
    U, W, b = params
    cells, h = [], np.zeros(4)
    for t in range(len(sequence)):
        cell = Cell(*params)
        h = cell.forward(sequence[t], h)
        cells.append(cell)
    return h

total = 0.0
for sequence, y in zip(X, Y):
    last = run(sequence)
    total += np.sum((weights[0] * last + weights[1] - y) ** 2)
"""


def test_weights_in_lists_that_objects_of_each_step_are_given(tmp_path: Path) -> None:
    made = made_of(tmp_path, IN_LISTS)
    assert (made.gaps, set(made.agreement)) == ((), {*(f"params[{k}]" for k in range(3)), "weights[0]", "weights[1]"})
    assert {"dU", "dW", "db"} <= {line.makes for line in made.lines}
    assert {"weights[0] -= learning_rate * dweights_0", "    last, cells = run(sequence)"} <= {
        o.text for o in made.lines
    }


LAYERS = """import numpy as np

class Weight:
    def __init__(self, data):
        self.data = data

class Recurrent:
    def __init__(self, U, W, activation):
        self.U, self.W, self.activation = Weight(U), Weight(W), activation

    def forward(self, x):
        self.x = x
        self.h = np.zeros((len(x) + 1, 4))
        for t in range(len(x)):
            z = self.U.data @ x[t]
            z += self.W.data @ self.h[t]
            self.h[t + 1] = self.activation(z)
        return self.h[1:]

class Dense:
    def __init__(self, V):
        self.V = Weight(V)

    def forward(self, x):
        self.x = x
        return x @ self.V.data

class Squares:
    def measure(self, p, y):
        return np.sum((p - y) ** 2)

    __call__ = measure

rng = np.random.RandomState(0)
layers = [Recurrent(rng.randn(4, 3) * 0.5, rng.randn(4, 4) * 0.5, np.tanh), Dense(rng.randn(4, 2))]
x, y, squares = rng.randn(5, 3), rng.randn(5, 2), Squares()
try:
    for layer in layers:
        x = layer.forward(x)
    loss = squares(x, y)
except ValueError:
    loss = 0.0
"""


def test_layers_that_are_unlike_in_a_list_with_functions_and_weights_that_objects_hold(tmp_path: Path) -> None:
    """What a layer of more than two lines goes back by is a method; the loss in a `try` that nothing left is read as any other."""
    made = made_of(tmp_path, LAYERS)
    held = {"layers[0].U.data", "layers[0].W.data", "layers[1].V.data"}
    assert (made.gaps, set(made.agreement)) == ((), held)
    assert [one.of for one in made.functions] == ["Recurrent.forward"]
    assert [line.text for line in made.body[:4]] == [
        "dx = 2 * (x - y)",
        "dx_1 = dx @ layers[1].V.data.T",
        "dV = layers[1].x.T @ dx",
        "dU, dW = layers[0].backward(dx_1)",
    ]


MATRICES = """import numpy as np

rng = np.random.RandomState(0)
U, W, V = rng.randn(4, 3) * 0.5, rng.randn(4, 4) * 0.5, rng.randn(2, 4)
inputs, wanted = rng.randn(5, 3), rng.randn(5, 2)
xs, hs, ys, loss = {}, {-1: np.zeros((4, 1))}, {}, 0.0
for t in range(5):
    xs[t] = np.matrix(inputs[t]).T
    hs[t] = np.tanh(U @ xs[t] + W @ hs[t - 1])
    ys[t] = V @ hs[t]
    ys[t] = ys[t] / 0.5
    ys[t] -= 0.1
    off = ys[t] - np.matrix(wanted[t]).T
    loss += np.sum(np.multiply(off, off))
"""


def test_matrices_are_multiplied_number_by_number_and_an_entry_is_written_again(tmp_path: Path) -> None:
    made = made_of(tmp_path, MATRICES)
    assert (made.gaps, set(made.agreement)) == ((), {"U", "W", "V"})
    assert {"dy = dy / 0.5", "dz = np.multiply(dh, 1 - np.square(hs[t]))"} <= {line.text.strip() for line in made.lines}


PUT_TOGETHER = """import numpy as np

rng = np.random.RandomState(0)


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


class Net:
    def __init__(self):
        self.U, self.W, self.V = rng.randn(4, 3), rng.randn(4, 4) * 0.3, rng.randn(2, 4)

    def forward(self, x):
        h, o = np.zeros((len(x) + 1, 4)), np.zeros((len(x), 2))
        for t in range(len(x)):
            h[t] = np.tanh(self.U @ x[t] + self.W @ h[t - 1])
            o[t] = softmax(self.V @ h[t])
        self.h, self.o = h, o

    def cost(self, x, y):
        self.forward(x)
        L, error = 0, 0
        for t in range(len(y)):
            L += -np.log(self.o[t, y[t]])
            error += np.abs(1 - self.o[t, y[t]])
        return L / len(y), error


net, inputs, labels = Net(), rng.randn(5, 3), [0, 1, 1, 0, 1]
loss, error = net.cost(inputs, labels)
"""


def test_outputs_in_an_array_of_which_another_method_adds_up_the_loss_and_a_measure(tmp_path: Path) -> None:
    made = made_of(tmp_path, PUT_TOGETHER)
    assert (made.gaps, len(made.agreement)) == ((), 3)
    (forward, cost) = made.functions
    assert "    dz = dz_o[t]" in forward.text().replace("        ", "    ")
    for line in ("dz = self.o[t].copy()", "dz[y[t]] -= 1", "dz /= len(y)", "dz_o[t] += dz"):
        assert line in cost.text()
    assert "error" not in cost.text()
