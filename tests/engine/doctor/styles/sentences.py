"""A class over sentences: words as whole numbers, no biases, every step's loss carried back on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement
from tests.engine.doctor.styles.style import Style, with_tokens

SOURCE = """\
import numpy as np
import nltk
nltk.download("book")
import matplotlib.pyplot as plt


def softmax(x):
    xt = np.exp(x - np.max(x))
    return xt / np.sum(xt)


class RNNNumpy:
    def __init__(self, word_dim, hidden_dim=100, bptt_truncate=4):
        # Assign instance variables
        self.word_dim = word_dim
        self.hidden_dim = hidden_dim
        self.bptt_truncate = bptt_truncate
        # Randomly initialize the network parameters
        self.U = np.random.uniform(-np.sqrt(1./word_dim), np.sqrt(1./word_dim), (hidden_dim, word_dim))
        self.V = np.random.uniform(-np.sqrt(1./hidden_dim), np.sqrt(1./hidden_dim), (word_dim, hidden_dim))
        self.W = np.random.uniform(-np.sqrt(1./hidden_dim), np.sqrt(1./hidden_dim), (hidden_dim, hidden_dim))


def forward_propagation(self, x):
    # The total number of time steps
    T = len(x)
    # We add one additional element for the initial hidden, which we set to 0
    s = np.zeros((T + 1, self.hidden_dim))
    s[-1] = np.zeros(self.hidden_dim)
    o = np.zeros((T, self.word_dim))
    for t in np.arange(T):
        # Indexing U by x[t] is the same as multiplying U with a one-hot vector.
        s[t] = np.tanh(self.U[:,x[t]] + self.W.dot(s[t-1]))
        o[t] = softmax(self.V.dot(s[t]))
    return [o, s]


RNNNumpy.forward_propagation = forward_propagation


def calculate_total_loss(self, x, y):
    L = 0
    for i in np.arange(len(y)):
        o, s = self.forward_propagation(x[i])
        correct_word_predictions = o[np.arange(len(y[i])), y[i]]
        L += -1 * np.sum(np.log(correct_word_predictions))
    return L


RNNNumpy.calculate_total_loss = calculate_total_loss


def bptt(self, x, y):
    T = len(y)
    # Perform forward propagation
    o, s = self.forward_propagation(x)
    # We accumulate the gradients in these variables
    dLdU = np.zeros(self.U.shape)
    dLdV = np.zeros(self.V.shape)
    dLdW = np.zeros(self.W.shape)
    delta_o = o
    delta_o[np.arange(len(y)), y] -= 1.
    # For each output backwards...
    for t in np.arange(T)[::-1]:
        dLdV += np.outer(delta_o[t], s[t].T)
        # Initial delta calculation
        delta_t = self.V.T.dot(delta_o[t]) * (1 - (s[t] ** 2))
        # Backpropagation through time (for at most self.bptt_truncate steps)
        for bptt_step in np.arange(max(0, t-self.bptt_truncate), t+1)[::-1]:
            dLdW += np.outer(delta_t, s[bptt_step-1])
            dLdU[:,x[bptt_step]] += delta_t
            # Update delta for next step
            delta_t = self.W.T.dot(delta_t) * (1 - s[bptt_step-1] ** 2)
    return [dLdU, dLdV, dLdW]


RNNNumpy.bptt = bptt

np.random.seed(10)
model = RNNNumpy(100, 10, bptt_truncate=1000)
print(model.calculate_total_loss([[0, 1, 2, 3]], [[1, 2, 3, 4]]))
plt.plot(model.bptt([0, 1, 2, 3], [1, 2, 3, 4])[0].ravel())
"""


def prepared(problem: Problem) -> Problem:
    own = with_tokens(problem)
    weights = {name: np.zeros_like(v) if v.ndim == 1 else v for name, v in own.parameters.items()}
    return replace(own, network=replace(own.network, weights=weights))


def call(namespace: Mapping[str, Any], problem: Problem) -> Measurement:
    weights, names = problem.parameters, ("Wx", "Wy", "Wa")
    model = namespace["RNNNumpy"](len(weights["by"]), len(weights["ba"]), bptt_truncate=1000)
    model.U, model.V, model.W = (weights[name].T.copy() for name in names)
    total = dict.fromkeys(names, 0.0)
    for x, y in zip(problem.X.argmax(axis=2), problem.y, strict=True):
        for name, value in zip(names, model.bptt([int(n) for n in x], [int(n) for n in y]), strict=True):
            total[name] = total[name] + value.T
    return Measurement(None, {name: np.asarray(value) for name, value in total.items()})


SOFTMAX = "delta_o[np.arange(len(y)), y] -= 1."
OUTER, INNER = "for t in np.arange(T)[::-1]:", "for bptt_step in np.arange(max(0, t-self.bptt_truncate), t+1)[::-1]:"
DV, FIRST = "dLdV += np.outer(delta_o[t], s[t].T)", "delta_t = self.V.T.dot(delta_o[t]) * (1 - (s[t] ** 2))"
DW, DU = "dLdW += np.outer(delta_t, s[bptt_step-1])", "dLdU[:,x[bptt_step]] += delta_t"
NEXT = "delta_t = self.W.T.dot(delta_t) * (1 - s[bptt_step-1] ** 2)"

STYLE = Style(
    "class, every loss back on its own",
    SOURCE,
    {"predict": "every", "loss": "cross-entropy", "reduction": "sum", "inputs": 4, "outputs": 4, "initial": False},
    call,
    {
        "delta-sign": [[(SOFTMAX, "delta_o[np.arange(len(y)), y] -= 1.\ndelta_o = -delta_o")]],
        "delta-without-target": [[(SOFTMAX, "")]],
        "dwy-wrong-state": [[(DV, "dLdV += np.outer(delta_o[t], s[t-1].T)")]],
        "tanh-derivative-of-activation": [
            [
                (FIRST, "delta_t = self.V.T.dot(delta_o[t]) * (1 - np.tanh(s[t]) ** 2)"),
                (NEXT, "delta_t = self.W.T.dot(delta_t) * (1 - np.tanh(s[bptt_step-1]) ** 2)"),
            ]
        ],
        "activation-derivative-missing": [
            [
                (FIRST, "delta_t = self.V.T.dot(delta_o[t])"),
                (NEXT, "delta_t = self.W.T.dot(delta_t)"),
            ]
        ],
        "activation-derivative-some-steps": [
            [(NEXT, "delta_t = self.W.T.dot(delta_t)")],
            [(FIRST, "delta_t = self.V.T.dot(delta_o[t])")],
        ],
        "activation-derivative-wrong-step": [[(NEXT, "delta_t = self.W.T.dot(delta_t) * (1 - s[bptt_step] ** 2)")]],
        "future-gradient-dropped": [[(INNER, "for bptt_step in [t]:")]],
        "output-gradient-dropped": [[(OUTER, "for t in [T - 1]:"), (DV, "dLdV += delta_o.T.dot(s[:T])")]],
        "wa-not-transposed": [[(NEXT, "delta_t = self.W.dot(delta_t) * (1 - s[bptt_step-1] ** 2)")]],
        "wa-not-applied": [[(NEXT, "delta_t = delta_t * (1 - s[bptt_step-1] ** 2)")]],
        "overwritten-not-accumulated": [[(DW, "dLdW = np.outer(delta_t, s[bptt_step-1])")]],
        "dwa-uses-current-state": [[(DW, "dLdW += np.outer(delta_t, s[bptt_step])")]],
        "dwa-transposed": [[(DW, "dLdW += np.outer(s[bptt_step-1], delta_t)")]],
        "dwx-wrong-step": [[(DU, "dLdU[:,x[bptt_step-1]] += delta_t")], [(DU, "dLdU[:,x[-1]] += delta_t")]],
        "first-step-skipped": [[(INNER, "for bptt_step in np.arange(max(1, t-self.bptt_truncate), t+1)[::-1]:")]],
        "truncated-early": [[(INNER, "for bptt_step in np.arange(max(0, t-2), t+1)[::-1]:")]],
    },
    prepared=prepared,
    left_out=("import nltk", "nltk.download", "import matplotlib", "plt.plot"),
)
