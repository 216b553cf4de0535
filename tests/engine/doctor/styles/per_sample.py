"""One sample at a time, lists of vectors, ReLU; rows as vectors, outer products; the last step predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement
from tests.engine.doctor.styles.style import Style

SOURCE = '''\
"""A ReLU network that reads a sequence and says which class it is; every sample by itself."""
import numpy as np


def loss_and_grads(X, y, Wxh, Whh, Why, bh, by, h0):
    """X (N, T, D), y (N,) classes, h0 (N, H). Returns loss and (dWxh, dWhh, dWhy, dbh, dby)."""
    N = len(X)
    T = X.shape[1]
    H = Whh.shape[0]
    dWxh = np.zeros(Wxh.shape)
    dWhh = np.zeros(Whh.shape)
    dWhy = np.zeros(Why.shape)
    dbh = np.zeros(H)
    dby = np.zeros(by.shape)
    loss = 0.0
    for n in range(N):
        hs = [h0[n]]
        zs = [None]
        for t in range(T):
            zs.append(X[n, t] @ Wxh + hs[t] @ Whh + bh)
            hs.append(np.maximum(zs[t + 1], 0))
        o = hs[T] @ Why + by
        e = np.exp(o - o.max())
        p = e / e.sum()
        loss += -np.log(p[y[n]]) / N
        d_o = p.copy()
        d_o[y[n]] -= 1
        d_o = d_o / N
        dWhy += np.outer(hs[T], d_o)
        dby += d_o
        d_h = Why @ d_o
        for t in range(T, 0, -1):
            d_z = d_h * (zs[t] > 0)
            dWxh += np.outer(X[n, t - 1], d_z)
            dWhh += np.outer(hs[t - 1], d_z)
            dbh += d_z
            d_h = Whh @ d_z
    return loss, (dWxh, dWhh, dWhy, dbh, dby)
'''


def call(namespace: Mapping[str, Any], problem: Problem) -> Measurement:
    w = {name: value.copy() for name, value in problem.parameters.items()}
    initial = problem.initial.get("a", np.zeros((len(problem.X), problem.network.hidden)))
    loss, g = namespace["loss_and_grads"](
        problem.X.copy(), problem.y.copy(), w["Wx"], w["Wa"], w["Wy"], w["ba"], w["by"], initial.copy()
    )
    return Measurement(float(loss), dict(zip(("Wx", "Wa", "Wy", "ba", "by"), g, strict=True)))


DZ = "d_z = d_h * (zs[t] > 0)"
PREV = "d_h = Whh @ d_z"
LOOP = "for t in range(T, 0, -1):"
DWHH = "dWhh += np.outer(hs[t - 1], d_z)"
DWXH = "dWxh += np.outer(X[n, t - 1], d_z)"
DWHY = "dWhy += np.outer(hs[T], d_o)"
TARGET = "d_o[y[n]] -= 1"
MEAN = "d_o = d_o / N"
FLOW = "d_h = Why @ d_o"
RETURN = "return loss, (dWxh, dWhh, dWhy, dbh, dby)"
# All samples go forward first, into dicts whose entries the next sample overwrites.
STORED = [
    ("loss = 0.0", "loss = 0.0\nps = []\nhs, zs = {}, {}"),
    ("hs = [h0[n]]", "hs[0] = h0[n]"),
    ("zs = [None]", ""),
    ("zs.append(X[n, t] @ Wxh + hs[t] @ Whh + bh)", "zs[t + 1] = X[n, t] @ Wxh + hs[t] @ Whh + bh"),
    ("hs.append(np.maximum(zs[t + 1], 0))", "hs[t + 1] = np.maximum(zs[t + 1], 0)"),
    ("loss += -np.log(p[y[n]]) / N", "loss += -np.log(p[y[n]]) / N\nps.append(p)"),
    ("d_o = p.copy()", "@for n in range(N):\nd_o = ps[n].copy()"),
]


STYLE = Style(
    "per-sample lists",
    SOURCE,
    {"activation": "relu", "predict": "last", "loss": "cross-entropy", "outputs": 4, "reduction": "mean"},
    call,
    {
        "delta-sign": [[("d_o = p.copy()", "d_o = -p"), (TARGET, "d_o[y[n]] += 1")]],
        "delta-without-target": [[(TARGET, "")]],
        "delta-before-softmax": [[("d_o = p.copy()", "d_o = np.zeros_like(p)"), (TARGET, "d_o[y[n]] = -1 / p[y[n]]")]],
        "softmax-jacobian-diagonal": [
            [
                ("d_o = p.copy()", "d_o = np.zeros_like(p)"),
                (TARGET, "d_o[y[n]] = -1 / p[y[n]]\nd_o = d_o * p * (1 - p)"),
            ]
        ],
        "mse-delta-with-cross-entropy": [[(MEAN, "d_o = d_o * p * (1 - p) / N")]],
        "output-activation-twice": [
            [("o = hs[T] @ Why + by", "o = np.maximum(hs[T] @ Why + by, 0)")],
            [("o = hs[T] @ Why + by", "o = np.maximum(hs[T] @ Why + by, 0)"), (MEAN, "d_o = d_o * (o > 0) / N")],
        ],
        "batch-not-averaged": [[(MEAN, "")]],
        "batch-averaged-twice": [
            [(RETURN, "return loss, (dWxh / N, dWhh / N, dWhy / N, dbh, dby)")],
            [(RETURN, "return loss, (dWxh / N, dWhh / N, dWhy / N, dbh / N, dby / N)")],
        ],
        "dwy-wrong-state": [[(DWHY, "dWhy += np.outer(hs[T - 1], d_o)")], [(DWHY, "dWhy += np.outer(zs[T], d_o)")]],
        "activation-derivative-missing": [[(DZ, "d_z = d_h")]],
        "activation-derivative-of-another": [
            [(DZ, "d_z = d_h * (1 - hs[t] ** 2)")],
            [(DZ, "d_z = d_h * hs[t] * (1 - hs[t])")],
        ],
        "relu-mask-from-gradient": [[(DZ, "d_z = d_h * (d_h > 0)")]],
        "relu-value-for-mask": [[(DZ, "d_z = d_h * np.maximum(zs[t], 0)")]],
        "activation-derivative-wrong-step": [[(DZ, "d_z = d_h * (hs[t - 1] > 0)")], [(DZ, "d_z = d_h * (zs[T] > 0)")]],
        "activation-derivative-some-steps": [
            [(DZ, "d_z = d_h * (zs[t] > 0) if t == T else d_h")],
            [(FLOW, "d_h = Why @ d_o"), (DZ, "d_z = d_h * (zs[t] > 0) if t < T else d_h")],
        ],
        "recurrence-dropped": [[(PREV, "d_h = 0 * d_h")]],
        "wa-not-transposed": [[(PREV, "d_h = d_z @ Whh")]],
        "wa-applied-twice": [[(PREV, "d_h = Whh @ (Whh @ d_z)")]],
        "wa-not-applied": [[(PREV, "d_h = d_z")]],
        "recurrence-skips-derivative": [[(PREV, "d_h = Whh @ d_h")]],
        "scaled-every-step": [[(PREV, "d_h = Whh @ d_z / N")], [(PREV, "d_h = Whh @ d_z / T")]],
        "carry-not-reset": [[(PREV, "d_h += Whh @ d_z")]],
        "output-gradient-every-step": [[(PREV, "d_h = Whh @ d_z + Why @ d_o")]],
        "time-order-forward": [[(LOOP, "for t in range(1, T + 1):")]],
        "loop-over-wrong-axis": [[(LOOP, "for t in range(N, 0, -1):")]],
        "truncated-early": [[(LOOP, "for t in range(T, max(T - 3, 0), -1):")]],
        "overwritten-not-accumulated": [
            [(DWHH, "dWhh = np.outer(hs[t - 1], d_z)")],
            [(DWXH, "dWxh = np.outer(X[n, t - 1], d_z)"), (DWHH, "dWhh = np.outer(hs[t - 1], d_z)")],
        ],
        "averaged-over-time": [[(RETURN, "return loss, (dWxh / T, dWhh / T, dWhy, dbh / T, dby)")]],
        "dwa-uses-current-state": [[(DWHH, "dWhh += np.outer(hs[t], d_z)")]],
        "dwa-uses-preactivation": [[(DWHH, "dWhh += np.outer(zs[t - 1] if t > 1 else hs[0], d_z)")]],
        "dwx-wrong-step": [
            [(DWXH, "dWxh += np.outer(X[n, t - 2], d_z)")],
            [(DWXH, "dWxh += np.outer(X[n, T - 1], d_z)")],
            [(DWXH, "dWxh += np.outer(X[n, min(t, T - 1)], d_z)")],
        ],
        "first-step-skipped": [[(LOOP, "for t in range(T, 1, -1):")]],
        "last-step-skipped": [[(LOOP, "for t in range(T - 1, 0, -1):")]],
        "initial-state-wraps": [[(DWHH, "dWhh += np.outer(hs[1:][t - 2], d_z)")]],
        "initial-state-ignored": [[(DWHH, "dWhh += np.outer(hs[t - 1] if t > 1 else np.zeros(H), d_z)")]],
        "dwa-transposed": [[(DWHH, "dWhh += np.outer(d_z, hs[t - 1])")]],
        "bias-gradient-not-summed": [[("dbh += d_z", "dbh = d_z")], [("dby += d_o", "dby = d_o")]],
        "clipped-per-step": [[(PREV, "d_h = np.clip(Whh @ d_z, -0.1, 0.1)")]],
        "learning-rate-in-gradient": [
            [(RETURN, "eta = 0.01\nreturn loss, tuple(eta * g for g in (dWxh, dWhh, dWhy, dbh, dby))")]
        ],
        "probabilities-overwritten": [
            [
                ("loss += -np.log(p[y[n]]) / N", ""),
                ("d_o = p.copy()", "d_o = p"),
                (TARGET, "d_o[y[n]] -= 1\nloss += -np.log(p[y[n]]) / N"),
            ]
        ],
        "state-aliased": [
            [
                ("hs = [h0[n]]", "hs = [h0[n]]\nh = np.empty(H)"),
                ("hs.append(np.maximum(zs[t + 1], 0))", "np.maximum(zs[t + 1], 0, out=h)\nhs.append(h)"),
            ]
        ],
        "last-sample-only": [STORED],
        "gradients-not-reset": [
            [
                (
                    "def loss_and_grads(X, y, Wxh, Whh, Why, bh, by, h0):",
                    "kept = {}\n\n\ndef loss_and_grads(X, y, Wxh, Whh, Why, bh, by, h0):",
                ),
                ("dWhh = np.zeros(Whh.shape)", "dWhh = kept.setdefault(Whh.shape, np.zeros(Whh.shape))"),
            ]
        ],
    },
    {"delta-without-target": ["d_o = p.copy()"], "batch-not-averaged": ["d_o = p.copy()", TARGET]},
)
