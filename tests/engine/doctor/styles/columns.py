"""Andrew Ng's: columns, a forward and a backward cell, caches; the last step predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement
from tests.engine.doctor.styles.style import Style

SOURCE = '''\
"""Many-to-one RNN in the manner of a well-known course: columns are samples."""
import numpy as np


def softmax(z):
    e = np.exp(z - np.max(z, axis=0, keepdims=True))
    return e / np.sum(e, axis=0, keepdims=True)


def rnn_cell_forward(xt, a_prev, Wax, Waa, ba):
    z = np.dot(Wax, xt) + np.dot(Waa, a_prev) + ba
    a_next = np.tanh(z)
    cache = (a_next, a_prev, xt, z)
    return a_next, cache


def rnn_forward(x, a0, Wax, Waa, ba):
    caches = []
    a_next = a0
    for t in range(x.shape[2]):
        a_next, cache = rnn_cell_forward(x[:, :, t], a_next, Wax, Waa, ba)
        caches.append(cache)
    return a_next, caches


def rnn_cell_backward(da_next, cache, Wax, Waa):
    (a_next, a_prev, xt, z) = cache
    dz = (1 - a_next ** 2) * da_next
    dxt = np.dot(Wax.T, dz)
    dWax = np.dot(dz, xt.T)
    da_prev = np.dot(Waa.T, dz)
    dWaa = np.dot(dz, a_prev.T)
    dba = np.sum(dz, axis=1, keepdims=True)
    return dxt, da_prev, dWax, dWaa, dba


def backward(x, y, Wax, Waa, Wya, ba, by, a0):
    """x (n_x, m, T_x), y one-hot (n_y, m), a0 (n_a, m)."""
    m = x.shape[1]
    T_x = x.shape[2]
    a_last, caches = rnn_forward(x, a0, Wax, Waa, ba)
    logits = np.dot(Wya, a_last) + by
    p = softmax(logits)
    loss = -np.sum(y * np.log(p)) / m
    dlogits = (p - y) / m
    dWya = np.dot(dlogits, a_last.T)
    dby = np.sum(dlogits, axis=1, keepdims=True)
    da = np.dot(Wya.T, dlogits)
    dWax = np.zeros_like(Wax)
    dWaa = np.zeros_like(Waa)
    dba = np.zeros_like(ba)
    for t in reversed(range(T_x)):
        dxt, da_prev, dWaxt, dWaat, dbat = rnn_cell_backward(da, caches[t], Wax, Waa)
        dWax += dWaxt
        dWaa += dWaat
        dba += dbat
        da = da_prev
    return loss, {"dWax": dWax, "dWaa": dWaa, "dWya": dWya, "dba": dba, "dby": dby}
'''


def call(namespace: Mapping[str, Any], problem: Problem) -> Measurement:
    w = problem.parameters
    initial = problem.initial.get("a", np.zeros((len(problem.X), problem.network.hidden)))
    x = np.ascontiguousarray(problem.X.transpose(2, 0, 1))
    y = np.eye(problem.network.outputs)[problem.y].T
    loss, g = namespace["backward"](
        x,
        y,
        w["Wx"].T.copy(),
        w["Wa"].T.copy(),
        w["Wy"].T.copy(),
        w["ba"][:, None].copy(),
        w["by"][:, None].copy(),
        initial.T.copy(),
    )
    ours = {"Wx": g["dWax"].T, "Wa": g["dWaa"].T, "Wy": g["dWya"].T, "ba": g["dba"][:, 0], "by": g["dby"][:, 0]}
    return Measurement(float(loss), ours)


DZ = "dz = (1 - a_next ** 2) * da_next"
PREV = "da_prev = np.dot(Waa.T, dz)"
LOOP = "for t in reversed(range(T_x)):"
CALL = "dxt, da_prev, dWaxt, dWaat, dbat = rnn_cell_backward(da, caches[t], Wax, Waa)"
DELTA = "dlogits = (p - y) / m"
DWAA = "dWaa = np.dot(dz, a_prev.T)"
DWAX = "dWax = np.dot(dz, xt.T)"
DBA = "dba = np.sum(dz, axis=1, keepdims=True)"
DBY = "dby = np.sum(dlogits, axis=1, keepdims=True)"
DWYA = "dWya = np.dot(dlogits, a_last.T)"

STYLE = Style(
    "columns with caches",
    SOURCE,
    {"activation": "tanh", "predict": "last", "loss": "cross-entropy", "outputs": 4, "reduction": "mean"},
    call,
    {
        "delta-sign": [[(DELTA, "dlogits = (y - p) / m")]],
        "delta-without-target": [[(DELTA, "dlogits = p / m")]],
        "delta-before-softmax": [[(DELTA, "dlogits = -(y / p) / m")]],
        "softmax-jacobian-diagonal": [[(DELTA, "dp = -(y / p) / m\ndlogits = dp * p * (1 - p)")]],
        "mse-delta-with-cross-entropy": [[(DELTA, "dlogits = (p - y) * p * (1 - p) / m")]],
        "softmax-wrong-axis": [
            [("return e / np.sum(e, axis=0, keepdims=True)", "return e / np.sum(e, axis=1, keepdims=True)")]
        ],
        "output-activation-twice": [[("p = softmax(logits)", "p = softmax(np.tanh(logits))")]],
        "batch-not-averaged": [
            [(DELTA, "dlogits = p - y")],
            [
                (DELTA, "dlogits = p - y"),
                (DWYA, "dWya = np.dot(dlogits, a_last.T) / m"),
                (DBY, "dby = np.sum(dlogits, axis=1, keepdims=True) / m"),
            ],
        ],
        "batch-averaged-twice": [
            [(DWAX, "dWax = np.dot(dz, xt.T) / dz.shape[1]"), (DWAA, "dWaa = np.dot(dz, a_prev.T) / dz.shape[1]")],
            [(DWYA, "dWya = np.dot(dlogits, a_last.T) / m")],
        ],
        "dwy-wrong-state": [
            [(DWYA, "dWya = np.dot(dlogits, caches[-1][1].T)")],
            [(DWYA, "dWya = np.dot(dlogits, caches[-1][3].T)")],
        ],
        "activation-derivative-missing": [[(DZ, "dz = da_next")]],
        "activation-derivative-of-another": [
            [(DZ, "dz = (a_next > 0) * da_next")],
            [(DZ, "dz = a_next * (1 - a_next) * da_next")],
        ],
        "tanh-derivative-of-activation": [[(DZ, "dz = (1 - np.tanh(a_next) ** 2) * da_next")]],
        "tanh-derivative-misplaced-square": [[(DZ, "dz = (1 - a_next) ** 2 * da_next")]],
        "activation-derivative-wrong-step": [[(DZ, "dz = (1 - a_prev ** 2) * da_next")]],
        "activation-derivative-some-steps": [
            [
                ("da = np.dot(Wya.T, dlogits)", "da = np.dot(Wya.T, dlogits)\nlast = True"),
                (
                    CALL,
                    "dxt, da_prev, dWaxt, dWaat, dbat = rnn_cell_backward(da, caches[t], Wax, Waa, last)\nlast = False",
                ),
                (
                    "def rnn_cell_backward(da_next, cache, Wax, Waa):",
                    "def rnn_cell_backward(da_next, cache, Wax, Waa, last):",
                ),
                (DZ, "dz = (1 - a_next ** 2) * da_next if last else da_next"),
            ],
        ],
        "recurrence-dropped": [[("da = da_prev", "da = np.zeros_like(da_prev)")]],
        "wa-not-transposed": [[(PREV, "da_prev = np.dot(Waa, dz)")]],
        "wa-applied-twice": [[("da = da_prev", "da = np.dot(Waa.T, da_prev)")]],
        "wa-not-applied": [[(PREV, "da_prev = dz")]],
        "recurrence-skips-derivative": [[(PREV, "da_prev = np.dot(Waa.T, da_next)")]],
        "scaled-every-step": [
            [(PREV, "da_prev = np.dot(Waa.T, dz) / dz.shape[1]")],
            [("da = da_prev", "da = da_prev / T_x")],
        ],
        "carry-not-reset": [[("da = da_prev", "da = da + da_prev")]],
        "output-gradient-every-step": [[("da = da_prev", "da = da_prev + np.dot(Wya.T, dlogits)")]],
        "time-order-forward": [[(LOOP, "for t in range(T_x):")]],
        "loop-over-wrong-axis": [[(LOOP, "for t in reversed(range(m)):")]],
        "weights-updated-during-backward": [[("dWaa += dWaat", "dWaa += dWaat\nWaa = Waa - 0.01 * dWaat")]],
        "truncated-early": [
            [(LOOP, "for t in reversed(range(max(0, T_x - 2), T_x)):")],
            [(LOOP, "for t in range(T_x - 1, T_x - 4, -1):")],
        ],
        "overwritten-not-accumulated": [
            [("dWaa += dWaat", "dWaa = dWaat")],
            [("dWaa += dWaat", "dWaa = dWaat"), ("dWax += dWaxt", "dWax = dWaxt"), ("dba += dbat", "dba = dbat")],
        ],
        "averaged-over-time": [
            [
                ("dWaa += dWaat", "dWaa += dWaat / T_x"),
                ("dWax += dWaxt", "dWax += dWaxt / T_x"),
                ("dba += dbat", "dba += dbat / T_x"),
            ]
        ],
        "dwa-uses-current-state": [[(DWAA, "dWaa = np.dot(dz, a_next.T)")]],
        "dwa-uses-preactivation": [[(DWAA, "dWaa = np.dot(dz, z.T)")]],
        "dwx-wrong-step": [[("dWax += dWaxt", "dWax += np.dot((1 - caches[t][0] ** 2) * da, x[:, :, t - 1].T)")]],
        "first-step-skipped": [[(LOOP, "for t in range(T_x - 1, 0, -1):")]],
        "last-step-skipped": [[(LOOP, "for t in reversed(range(T_x - 1)):")]],
        "initial-state-wraps": [
            [("dWaa += dWaat", "dWaa += np.dot((1 - caches[t][0] ** 2) * da, caches[t - 1][0].T)")]
        ],
        "initial-state-ignored": [[("dWaa += dWaat", "if t > 0:\n    dWaa += dWaat")]],
        "dwa-transposed": [[(DWAA, "dWaa = np.dot(a_prev, dz.T)")]],
        "bias-gradient-not-summed": [
            [(DBA, "dba = np.mean(dz, axis=1, keepdims=True)")],
            [(DBA, "dba = dz[:, :1]")],
            [(DBY, "dby = np.sum(dlogits) * np.ones_like(by)")],
        ],
        "clipped-per-step": [[("da = da_prev", "da = np.clip(da_prev, -0.05, 0.05)")]],
        "learning-rate-in-gradient": [
            [
                (
                    'return loss, {"dWax": dWax, "dWaa": dWaa, "dWya": dWya, "dba": dba, "dby": dby}',
                    'lr = 0.05\nreturn loss, {"dWax": lr * dWax, "dWaa": lr * dWaa, "dWya": lr * dWya, "dba": lr * dba, "dby": lr * dby}',
                )
            ]
        ],
        "state-aliased": [
            [
                ("a_next = a0", "a_next = a0.copy()"),
                (
                    "a_next, cache = rnn_cell_forward(x[:, :, t], a_next, Wax, Waa, ba)",
                    "new, cache = rnn_cell_forward(x[:, :, t], a_next, Wax, Waa, ba)\na_next[:] = new\ncache = (a_next, *cache[1:])",
                ),
            ]
        ],
        "probabilities-overwritten": [
            [
                ("loss = -np.sum(y * np.log(p)) / m", ""),
                (DELTA, "dlogits = p\ndlogits -= y\nloss = -np.sum(y * np.log(p)) / m\ndlogits = dlogits / m"),
            ]
        ],
        "batch-means-multiplied": [
            [(DWAA, "dWaa = np.dot(np.sum(dz, axis=1, keepdims=True), np.mean(a_prev, axis=1, keepdims=True).T)")],
            [
                (DWAA, "dWaa = np.dot(np.sum(dz, axis=1, keepdims=True), np.mean(a_prev, axis=1, keepdims=True).T)"),
                (DWAX, "dWax = np.dot(np.sum(dz, axis=1, keepdims=True), np.mean(xt, axis=1, keepdims=True).T)"),
            ],
        ],
        "gradients-not-reset": [
            [
                (
                    "def backward(x, y, Wax, Waa, Wya, ba, by, a0):",
                    "totals = {}\n\n\ndef backward(x, y, Wax, Waa, Wya, ba, by, a0):",
                ),
                ("dWaa = np.zeros_like(Waa)", "dWaa = totals.setdefault(Waa.shape, np.zeros_like(Waa))"),
            ],
        ],
    },
)
