"""Batches in rows, one array of all states, a class predicted at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement
from tests.engine.doctor.styles.style import Style

SOURCE = '''\
"""Tagging: a class for every step of every sequence. Samples are rows."""
import numpy as np


def forward(X, Wx, Wa, Wy, ba, by, a0):
    B, T, D = X.shape
    z = np.zeros((B, T, Wa.shape[0]))
    a = np.zeros((B, T + 1, Wa.shape[0]))
    a[:, 0] = a0
    for t in range(T):
        z[:, t] = X[:, t] @ Wx + a[:, t] @ Wa + ba
        a[:, t + 1] = np.tanh(z[:, t])
    scores = a[:, 1:] @ Wy + by
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probs = e / e.sum(axis=-1, keepdims=True)
    return z, a, scores, probs


def backward(X, y, Wx, Wa, Wy, ba, by, a0):
    """X (B, T, D), y (B, T). Returns (loss, gradients)."""
    B, T, D = X.shape
    z, a, scores, probs = forward(X, Wx, Wa, Wy, ba, by, a0)
    target = np.eye(Wy.shape[1])[y]
    loss = -(target * np.log(probs)).sum() / (B * T)
    dscores = (probs - target) / (B * T)
    dWx = np.zeros_like(Wx)
    dWa = np.zeros_like(Wa)
    dWy = np.zeros_like(Wy)
    dba = np.zeros_like(ba)
    dby = np.zeros_like(by)
    da_next = np.zeros((B, Wa.shape[0]))
    for t in range(T - 1, -1, -1):
        dWy += a[:, t + 1].T @ dscores[:, t]
        dby += dscores[:, t].sum(axis=0)
        da = dscores[:, t] @ Wy.T + da_next
        dz = da * (1 - a[:, t + 1] ** 2)
        dWx += X[:, t].T @ dz
        dWa += a[:, t].T @ dz
        dba += dz.sum(axis=0)
        da_next = dz @ Wa.T
    grads = {"Wx": dWx, "Wa": dWa, "Wy": dWy, "ba": dba, "by": dby}
    return loss, grads
'''


def call(namespace: Mapping[str, Any], problem: Problem) -> Measurement:
    w = {name: value.copy() for name, value in problem.parameters.items()}
    initial = problem.initial.get("a", np.zeros((len(problem.X), problem.network.hidden)))
    loss, g = namespace["backward"](
        problem.X.copy(), problem.y.copy(), w["Wx"], w["Wa"], w["Wy"], w["ba"], w["by"], initial.copy()
    )
    return Measurement(float(loss), g)


DELTA = "dscores = (probs - target) / (B * T)"
LOOP = "for t in range(T - 1, -1, -1):"
DWY = "dWy += a[:, t + 1].T @ dscores[:, t]"
DBY = "dby += dscores[:, t].sum(axis=0)"
DA = "da = dscores[:, t] @ Wy.T + da_next"
DZ = "dz = da * (1 - a[:, t + 1] ** 2)"
DWX = "dWx += X[:, t].T @ dz"
DWA = "dWa += a[:, t].T @ dz"
DBA = "dba += dz.sum(axis=0)"
PREV = "da_next = dz @ Wa.T"
GRADS = 'grads = {"Wx": dWx, "Wa": dWa, "Wy": dWy, "ba": dba, "by": dby}'

STYLE = Style(
    "row batches, every step",
    SOURCE,
    {"activation": "tanh", "predict": "every", "loss": "cross-entropy", "outputs": 4, "reduction": "mean"},
    call,
    {
        "delta-sign": [[(DELTA, "dscores = (target - probs) / (B * T)")]],
        "delta-without-target": [[(DELTA, "dscores = probs / (B * T)")]],
        "delta-before-softmax": [[(DELTA, "dscores = -target / probs / (B * T)")]],
        "softmax-jacobian-diagonal": [[(DELTA, "dscores = (-target / probs) * probs * (1 - probs) / (B * T)")]],
        "mse-delta-with-cross-entropy": [
            [(DELTA, "dscores = (probs - target) * probs * (1 - probs) / (B * T)")],
            [(DELTA, "dscores = 2 * (probs - target) * probs * (1 - probs) / (B * T)")],
        ],
        "softmax-wrong-axis": [
            [
                ("probs = e / e.sum(axis=-1, keepdims=True)", "probs = e / e.sum(axis=1, keepdims=True)"),
                ("e = np.exp(scores - scores.max(axis=-1, keepdims=True))", "e = np.exp(scores)"),
            ],
            [
                ("probs = e / e.sum(axis=-1, keepdims=True)", "probs = e / e.sum(axis=0, keepdims=True)"),
                ("e = np.exp(scores - scores.max(axis=-1, keepdims=True))", "e = np.exp(scores)"),
            ],
            [
                ("probs = e / e.sum(axis=-1, keepdims=True)", "probs = e / e.sum()"),
                ("e = np.exp(scores - scores.max(axis=-1, keepdims=True))", "e = np.exp(scores)"),
            ],
        ],
        "output-activation-twice": [
            [("scores = a[:, 1:] @ Wy + by", "scores = np.maximum(a[:, 1:] @ Wy + by, 0)")],
            [("scores = a[:, 1:] @ Wy + by", "scores = np.tanh(a[:, 1:] @ Wy + by)")],
        ],
        "batch-not-averaged": [[(DELTA, "dscores = probs - target")], [(DELTA, "dscores = (probs - target) / T")]],
        "batch-averaged-twice": [
            [(GRADS, 'grads = {"Wx": dWx / B, "Wa": dWa / B, "Wy": dWy / B, "ba": dba / B, "by": dby / B}')],
            [(DWX, "dWx += X[:, t].T @ dz / B"), (DWA, "dWa += a[:, t].T @ dz / B")],
        ],
        "dwy-wrong-state": [
            [(DWY, "dWy += a[:, t].T @ dscores[:, t]")],
            [(DWY, "dWy += z[:, t].T @ dscores[:, t]")],
            [(DWY, "dWy += a[:, -1].T @ dscores[:, t]")],
        ],
        "activation-derivative-missing": [[(DZ, "dz = da")]],
        "activation-derivative-of-another": [
            [(DZ, "dz = da * (z[:, t] > 0)")],
            [(DZ, "dz = da * a[:, t + 1] * (1 - a[:, t + 1])")],
        ],
        "tanh-derivative-of-activation": [[(DZ, "dz = da * (1 - np.tanh(a[:, t + 1]) ** 2)")]],
        "tanh-derivative-misplaced-square": [[(DZ, "dz = da * (1 - a[:, t + 1]) ** 2")]],
        "activation-derivative-wrong-step": [
            [(DZ, "dz = da * (1 - a[:, t] ** 2)")],
            [(DZ, "dz = da * (1 - np.tanh(z[:, t - 1]) ** 2)")],
            [(DZ, "dz = da * (1 - a[:, -1] ** 2)")],
        ],
        "activation-derivative-some-steps": [
            [(DZ, "dz = da * (1 - a[:, t + 1] ** 2) if t == T - 1 else da")],
            [(DZ, "dz = da * (1 - a[:, t + 1] ** 2) if t < T - 1 else da")],
        ],
        "wa-not-transposed": [[(PREV, "da_next = dz @ Wa")]],
        "wa-applied-twice": [[(PREV, "da_next = dz @ Wa.T @ Wa.T")]],
        "wa-not-applied": [[(PREV, "da_next = dz")]],
        "recurrence-skips-derivative": [[(PREV, "da_next = da @ Wa.T")]],
        "scaled-every-step": [
            [(PREV, "da_next = dz @ Wa.T / B")],
            [(PREV, "da_next = dz @ Wa.T / T")],
            [(DZ, "dz = da * (1 - a[:, t + 1] ** 2) / B")],
        ],
        "carry-not-reset": [[(PREV, "da_next += dz @ Wa.T")]],
        "future-gradient-dropped": [[(DA, "da = dscores[:, t] @ Wy.T")]],
        "output-gradient-dropped": [[(DA, "da = dscores[:, t] @ Wy.T if t == T - 1 else da_next")]],
        "time-order-forward": [[(LOOP, "for t in range(T):")]],
        "loop-over-wrong-axis": [[(LOOP, "for t in range(B - 1, -1, -1):")]],
        "weights-updated-during-backward": [[(DWA, "dWa += a[:, t].T @ dz\nWa = Wa - 0.1 * dWa")]],
        "truncated-early": [
            [(LOOP, "for t in range(T - 1, max(T - 3, -1), -1):")],
            [(PREV, "da_next = dz @ Wa.T if (T - t) % 2 else np.zeros_like(dz)")],
        ],
        "overwritten-not-accumulated": [
            [(DWA, "dWa = a[:, t].T @ dz")],
            [
                (DWY, "dWy = a[:, t + 1].T @ dscores[:, t]"),
                (DWX, "dWx = X[:, t].T @ dz"),
                (DWA, "dWa = a[:, t].T @ dz"),
                (DBA, "dba = dz.sum(axis=0)"),
                (DBY, "dby = dscores[:, t].sum(axis=0)"),
            ],
        ],
        "averaged-over-time": [
            [(GRADS, 'grads = {"Wx": dWx / T, "Wa": dWa / T, "Wy": dWy, "ba": dba / T, "by": dby}')],
            [(GRADS, 'grads = {"Wx": dWx / T, "Wa": dWa / T, "Wy": dWy / T, "ba": dba / T, "by": dby / T}')],
        ],
        "dwa-uses-current-state": [[(DWA, "dWa += a[:, t + 1].T @ dz")]],
        "dwa-uses-preactivation": [
            [(DWA, "dWa += z[:, t - 1].T @ dz")],
            [(DWA, "if t > 0:\n    dWa += z[:, t - 1].T @ dz")],
        ],
        "dwx-wrong-step": [
            [(DWX, "dWx += X[:, t - 1].T @ dz")],
            [(DWX, "dWx += X[:, (t + 1) % T].T @ dz")],
            [(DWX, "dWx += X[:, -1].T @ dz")],
            [(DWX, "if t + 1 < T:\n    dWx += X[:, t + 1].T @ dz")],
        ],
        "first-step-skipped": [[(LOOP, "for t in range(T - 1, 0, -1):")]],
        "last-step-skipped": [[(LOOP, "for t in range(T - 2, -1, -1):")]],
        "initial-state-wraps": [[(DWA, "dWa += a[:, 1:][:, t - 1].T @ dz")]],
        "initial-state-ignored": [[(DWA, "if t > 0:\n    dWa += a[:, t].T @ dz")]],
        "dwa-transposed": [[(DWA, "dWa += dz.T @ a[:, t]")]],
        "batch-means-multiplied": [
            [(DWA, "dWa += np.outer(a[:, t].mean(axis=0), dz.sum(axis=0))")],
            [
                (DWX, "dWx += np.outer(X[:, t].mean(axis=0), dz.sum(axis=0))"),
                (DWA, "dWa += np.outer(a[:, t].mean(axis=0), dz.sum(axis=0))"),
                (DWY, "dWy += np.outer(a[:, t + 1].mean(axis=0), dscores[:, t].sum(axis=0))"),
            ],
        ],
        "bias-gradient-not-summed": [
            [(DBA, "dba = dz.sum(axis=0)")],
            [(DBA, "dba += dz.mean(axis=0)")],
            [(DBA, "dba += dz.sum()")],
            [(DBY, "dby += dscores[0, t]")],
        ],
        "clipped-per-step": [
            [(PREV, "da_next = np.clip(dz @ Wa.T, -0.02, 0.02)")],
            [(DZ, "dz = np.clip(da * (1 - a[:, t + 1] ** 2), -0.01, 0.01)")],
        ],
        "learning-rate-in-gradient": [
            [
                (
                    GRADS,
                    'lr = 0.003\ngrads = {"Wx": lr * dWx, "Wa": lr * dWa, "Wy": lr * dWy, "ba": lr * dba, "by": lr * dby}',
                )
            ]
        ],
        "probabilities-overwritten": [
            [
                ("loss = -(target * np.log(probs)).sum() / (B * T)", ""),
                (
                    DELTA,
                    "dscores = probs\ndscores -= target\ndscores /= B * T\nloss = -(target * np.log(probs)).sum() / (B * T)",
                ),
            ],
            [(DELTA, "delta = probs\ndelta -= target\ndscores = (probs - target) / (B * T)")],
        ],
        "state-aliased": [
            [
                ("a[:, t + 1] = np.tanh(z[:, t])", "a[:, 1:] = np.tanh(z[:, t])[:, None]"),
                (
                    "z[:, t] = X[:, t] @ Wx + a[:, t] @ Wa + ba",
                    "z[:, t] = X[:, t] @ Wx + (a[:, t] if t else a0) @ Wa + ba",
                ),
            ]
        ],
        "gradients-not-reset": [
            [
                (
                    "def backward(X, y, Wx, Wa, Wy, ba, by, a0):",
                    "sums = {}\n\n\ndef backward(X, y, Wx, Wa, Wy, ba, by, a0):",
                ),
                ("dWx = np.zeros_like(Wx)", 'dWx = sums.setdefault(("x", Wx.shape), np.zeros_like(Wx))'),
                ("dWa = np.zeros_like(Wa)", 'dWa = sums.setdefault(("a", Wa.shape), np.zeros_like(Wa))'),
            ]
        ],
    },
)
