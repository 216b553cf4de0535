"""First tries, as one writes them after a course: each with several slips. What must be found in a line stands behind it."""

from __future__ import annotations

MARK = "  #: "


def marked(text: str) -> tuple[str, set[tuple[int, str]]]:
    """A program without its marks, and what must be found in it: lines and ids."""
    lines = text.lstrip("\n").split("\n")
    found = {(n, kind) for n, line in enumerate(lines, 1) for kind in line.partition(MARK)[2].split()}
    return "\n".join(line.partition(MARK)[0] for line in lines), found


NESTED = """
import numpy as np


def fit(samples, labels, window, neurons, eta):
    kinds = len(set(labels.tolist()))
    A = np.random.normal(0, 0.2, (1, neurons))
    B = np.random.normal(0, 0.2, (neurons, neurons))
    C = np.random.normal(0, 0.2, (neurons, window))  #: output-width
    store = {}
    store[0] = np.zeros((1, neurons))

    def ahead(sample):
        for i in range(window):
            store[i + 1] = np.tanh(np.dot(sample[i].reshape(1, 1), A) + np.dot(store[i], B))  #: last-sample-only
        scores = np.dot(store[window], C)
        e = np.exp(scores - scores.max())
        return e / e.sum()

    def back(outs):
        diffs = []
        for i in range(len(outs)):
            diffs.append(labels[i] - outs[i])  #: index-for-one-hot
        diffs = np.array(diffs)
        C = C - eta * np.dot(store[window].T, diffs.reshape(len(samples), window))  #: local-hides-outer

    outs = []
    for sample in samples:
        outs.append(ahead(sample))
    back(outs)
    return outs


data = np.random.randint(0, 2, (8, 5)).astype(np.float)  #: numpy-name-gone
truth = (data.sum(1) > 2).astype(np.int)  #: numpy-name-gone
fit(data, truth, window=5, neuron=3, eta=0.1)  #: misspelt-name
"""
"""A window of bits, states in one dictionary for all samples, outputs as wide as the window."""

GLOBALS = """
import numpy as np
import math

inputs = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 1]])
wanted = np.array([0, 1, 1, 0])
np.random.seed(0)
w_in = np.random.random((1, 4))
w_hid = np.random.random((4, 4))
w_out = np.random.random((4, 1))
step_size = 0.1


def squash(v):
    return 1 / (1 + math.exp(-v))  #: math-of-array


def run_forward(batch):
    memory = [np.zeros((batch.shape[0], 4))]
    for k in range(batch.shape[1]):
        memory.append(np.tanh(batch[:, k:k + 1].dot(w_in) + memory[k].dot(w_hid)))
    return memory, squash(memory[-1].dot(w_out))


def learn(batch, answers):
    memory, guess = run_forward(batch)
    error = guess - answers  #: column-minus-row
    slope = error * guess * (1 - guess)
    w_out -= step_size * memory[-1].T.dot(slope)  #: local-hides-outer
    back = slope.dot(w_out.T)
    for k in reversed(range(batch.shape[1])):
        back = back * (1 - memory[k + 1] ** 2)
        g_in = batch[:, k:k + 1].T.dot(back)
        g_hid = memory[k].T.dot(back)
        back = back.dot(w_hid.T)  #: local-hides-outer
    w_in -= step_size * g_in  #: local-hides-outer
    w_hid -= step_size * g_hidden  #: misspelt-name


for epoch in range(3):
    learn(inputs, wanted)
"""
"""Weights of the module, stepped in a function; a row of answers against a column of guesses."""

COLUMNS = """
import numpy as np

np.random.seed(1)
T, n_x, n_a, n_y, m = 4, 3, 5, 2, 6
P = {
    "Wax": np.random.randn(n_a, n_x) * 0.1,
    "Waa": np.random.randn(n_a, n_a) * 0.1,
    "Wya": np.random.randn(n_y, n_a) * 0.1,
    "ba": np.zeros((n_a, 1)),
    "by": np.zeros((n_y, 1)),
}
x = np.random.randn(T, n_x, m)
y = np.eye(n_y)[:, np.random.randint(0, n_y, m)]


def soft(z):
    e = np.exp(z)
    return e / np.sum(e)  #: softmax-wrong-axis


def forward(x):
    a = {-1: np.zeros((n_a, T))}  #: initial-state-rows
    for t in range(T):
        a[t] = np.tanh(np.dot(P["Wxa"], x[t]) + np.dot(P["Waa"], a[t - 1]) + P["ba"])  #: misspelt-name
    return a, soft(np.dot(P["Wya"], a[T - 1]) + P["by"])


def backward(x, y, a, yhat):
    G = {k: np.zeros_like(v) for k, v in P.items()}
    dz = yhat - y
    G["Wya"] += np.dot(dz, a[T - 1])  #: misfit
    G["by"] += dz.sum(axis=1, keepdims=True)
    da = np.dot(P["Wya"], dz)  #: misfit
    for t in reversed(range(T)):
        dr = da * (1 - a[t] ** 2)
        G["Wax"] += np.dot(dr, x[t].T)
        G["Waa"] += np.dot(dr, a[t - 1].T)
        G["ba"] += dr.sum(axis=1, keepdims=True)
        da = np.dot(P["Waa"].T, dr)
    return G


a, yhat = forward(x)
loss = -np.sum(y * np.log(yhat)) / m
grads = backward(x, y, a, yhat)
for k in P:
    P[k] -= 0.1 * grads[k]
"""
"""A dictionary of weights, samples in columns; transposes forgotten."""

SAMPLES = """
import numpy

sequences = [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
classes = [0, 1, 1]
units = 3
alpha = 0.05
Wx = np.random.uniform(-1, 1, (1, units))  #: import-missing
Wh = np.random.uniform(-1, 1, (units, units))
Wy = np.random.uniform(-1, 1, (units, 2))


def probabilities(s):
    ex = np.exp(s)
    return ex / np.sum(ex)  #: softmax-wrong-axis


def train(seq, label):
    hidden = [np.zeros((len(seq), units))]  #: initial-state-rows
    for value in seq:
        hidden.append(np.tanh(np.dot(np.array([[value]]), Wx) + np.dot(hidden[-1], Wh)))
    p = probabilities(np.dot(hidden[-1], Wy))
    err = (label - p) * alpha  #: index-for-one-hot learning-rate-in-gradient
    gWy = np.dot(hidden[-1].T, err)
    carry = np.dot(err, Wy.T)
    for k in range(len(seq) - 1, -1, -1):
        carry = carry * (1 - hidden[k + 1] ** 2)
        gWx += np.dot(np.array([[seq[k]]]), carry)  #: no-first-value
        gWh += np.dot(hidden[k].T, carry)  #: no-first-value
        carry = np.dot(carry, Wh.T)
    return gWx, gWh, gWy


for seq, label in zip(sequences, classes):
    a, b, c = train(seq, label)
    Wx = Wx - alpha * a
    Wh = Wh - alpha * b
    Wy = Wy - alpha * c
"""
"""One sample at a time, lists of states; gradients that are added to before they exist."""

METHODS = """
from collections import Null  #: import-unread
import numpy as np


class Net:
    def __init__(self):
        self.wIn = np.array([[1, -1], [0, 1]])  #: whole-numbers
        self.wRec = np.random.randn(2, 2)
        self.b = np.zeros(1, 3)  #: shape-in-parts misfit

    def step(x, h):  #: self-missing
        return np.tanh(x @ self.wIn + h @ wRec + self.b)  #: misspelt-name

    def improve(self, xs, ys):
        hs, steps = [np.zeros((4, 2))], 3
        half = (steps + 3) / 2  #: whole-division
        for k in reversed(map(int, range(half))):  #: iterator-for-list
            hs.append(self.step(xs[:, k], hs[-1]))
        dz = (hs[-1] - ys) * (1 - hs[-1] ** 2)
        self.wIn -= 0.1 * xs[:, 2].T @ dz
        self.wRec -= 0.1 * hs[-2].T @ dz


Net().improve(np.random.randn(4, 3, 2), np.zeros((4, 2)))
"""
"""A class; self forgotten, weights of whole numbers, a bias of another width."""
