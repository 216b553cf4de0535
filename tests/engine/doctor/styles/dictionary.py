"""A dict of parameters, sigmoid units, one sigmoid output, no initial state, the last step predicts; the loss is a sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement
from tests.engine.doctor.styles.style import Style

SOURCE = '''\
"""Yes or no for a sequence: an RNN of sigmoid units, parameters in a dict."""
import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def d_sigmoid(s):
    return s * (1 - s)


def outer_sum(left, right):
    return left.T.dot(right)


def loss_and_gradients(X, y, params):
    """X (samples, steps, features), y (samples,) of 0 and 1; the summed loss and its gradients."""
    U, W, V = params["U"], params["W"], params["V"]
    b, c = params["b"], params["c"]
    steps = X.shape[1]
    states = {-1: np.zeros((len(X), len(W)))}
    sums = {}
    for t in range(steps):
        sums[t] = X[:, t].dot(U) + states[t - 1].dot(W) + b
        states[t] = sigmoid(sums[t])
    out = sigmoid(states[steps - 1].dot(V) + c)
    labels = y.reshape(-1, 1)
    loss = -np.sum(labels * np.log(out) + (1 - labels) * np.log(1 - out))
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    delta_out = out - labels
    grads["V"] = outer_sum(states[steps - 1], delta_out)
    grads["c"] = delta_out.sum(axis=0)
    back = delta_out.dot(V.T)
    t = steps - 1
    while t >= 0:
        delta = back * d_sigmoid(states[t])
        grads["U"] += outer_sum(X[:, t], delta)
        grads["W"] += outer_sum(states[t - 1], delta)
        grads["b"] += delta.sum(axis=0)
        back = delta.dot(W.T)
        t -= 1
    return loss, grads
'''


def call(namespace: Mapping[str, Any], problem: Problem) -> Measurement:
    names = {"Wx": "U", "Wa": "W", "Wy": "V", "ba": "b", "by": "c"}
    params = {theirs: problem.parameters[ours].copy() for ours, theirs in names.items()}
    loss, g = namespace["loss_and_gradients"](problem.X.copy(), problem.y.copy(), params)
    return Measurement(float(loss), {ours: g[theirs] for ours, theirs in names.items()})


DELTA = "delta_out = out - labels"
DV = 'grads["V"] = outer_sum(states[steps - 1], delta_out)'
DC = 'grads["c"] = delta_out.sum(axis=0)'
FLOW = "back = delta_out.dot(V.T)"
START = "t = steps - 1"
LOOP = "while t >= 0:"
DZ = "delta = back * d_sigmoid(states[t])"
DU = 'grads["U"] += outer_sum(X[:, t], delta)'
DW = 'grads["W"] += outer_sum(states[t - 1], delta)'
DB = 'grads["b"] += delta.sum(axis=0)'
PREV = "back = delta.dot(W.T)"
DOWN = "t -= 1"
RETURN = "return loss, grads"

STYLE = Style(
    "dict of parameters",
    SOURCE,
    {"activation": "sigmoid", "predict": "last", "loss": "binary", "outputs": 1, "reduction": "sum", "initial": False},
    call,
    {
        "delta-sign": [[(DELTA, "delta_out = labels - out")]],
        "delta-without-target": [[(DELTA, "delta_out = out.copy()")]],
        "delta-before-softmax": [[(DELTA, "delta_out = (out - labels) / (out * (1 - out))")]],
        "mse-delta-with-cross-entropy": [[(DELTA, "delta_out = (out - labels) * d_sigmoid(out)")]],
        "output-activation-twice": [
            [("out = sigmoid(states[steps - 1].dot(V) + c)", "out = sigmoid(sigmoid(states[steps - 1].dot(V) + c))")],
            [("out = sigmoid(states[steps - 1].dot(V) + c)", "out = sigmoid(np.tanh(states[steps - 1].dot(V) + c))")],
        ],
        "batch-averaged-twice": [[(DELTA, "delta_out = (out - labels) / len(X)")]],
        "dwy-wrong-state": [
            [(DV, 'grads["V"] = outer_sum(states[steps - 2], delta_out)')],
            [(DV, 'grads["V"] = outer_sum(sums[steps - 1], delta_out)')],
        ],
        "activation-derivative-missing": [[(DZ, "delta = back")]],
        "activation-derivative-of-another": [[("return s * (1 - s)", "return 1 - s ** 2")]],
        "tanh-derivative-of-activation": [[("return s * (1 - s)", "return sigmoid(s) * (1 - sigmoid(s))")]],
        "activation-derivative-wrong-step": [
            [(DZ, "delta = back * d_sigmoid(states[steps - 1])")],
            [(DZ, "delta = back * d_sigmoid(states[t - 1])")],
        ],
        "activation-derivative-some-steps": [[(DZ, "delta = back if t < steps - 1 else back * d_sigmoid(states[t])")]],
        "recurrence-dropped": [[(DOWN, "break")]],
        "wa-not-transposed": [[(PREV, "back = delta.dot(W)")]],
        "wa-applied-twice": [[(PREV, "back = delta.dot(W.T).dot(W.T)")]],
        "wa-not-applied": [[(PREV, "back = delta")]],
        "recurrence-skips-derivative": [[(PREV, "back = back.dot(W.T)")]],
        "scaled-every-step": [[(PREV, "back = delta.dot(W.T) / steps")], [(PREV, "back = delta.dot(W.T) / len(X)")]],
        "carry-not-reset": [[(PREV, "back = back + delta.dot(W.T)")]],
        "output-gradient-every-step": [[(PREV, "back = delta.dot(W.T) + delta_out.dot(V.T)")]],
        "time-order-forward": [[(START, "t = 0"), (LOOP, "while t < steps:"), (DOWN, "t += 1")]],
        "loop-over-wrong-axis": [[(START, "t = len(X) - 1")]],
        "weights-updated-during-backward": [
            [(DW, 'grads["W"] += outer_sum(states[t - 1], delta)\nW = W - 0.05 * grads["W"]')]
        ],
        "truncated-early": [[(LOOP, "while t >= steps - 3:")]],
        "overwritten-not-accumulated": [
            [(DU, 'grads["U"] = outer_sum(X[:, t], delta)')],
            [(DU, 'grads["U"] = outer_sum(X[:, t], delta)'), (DW, 'grads["W"] = outer_sum(states[t - 1], delta)')],
        ],
        "averaged-over-time": [
            [
                (DU, 'grads["U"] += outer_sum(X[:, t], delta) / steps'),
                (DW, 'grads["W"] += outer_sum(states[t - 1], delta) / steps'),
                (DB, 'grads["b"] += delta.sum(axis=0) / steps'),
            ]
        ],
        "dwa-uses-current-state": [[(DW, 'grads["W"] += outer_sum(states[t], delta)')]],
        "dwa-uses-preactivation": [[(DW, 'grads["W"] += outer_sum(sums[t - 1] if t else states[-1], delta)')]],
        "dwx-wrong-step": [
            [(DU, 'grads["U"] += outer_sum(X[:, t - 1], delta)')],
            [(DU, 'grads["U"] += outer_sum(X[:, -1], delta)')],
        ],
        "first-step-skipped": [[(LOOP, "while t > 0:")]],
        "last-step-skipped": [[(START, "t = steps - 2")]],
        "initial-state-wraps": [[(DW, 'grads["W"] += outer_sum([states[k] for k in range(steps)][t - 1], delta)')]],
        "dwa-transposed": [[(DW, 'grads["W"] += outer_sum(delta, states[t - 1])')]],
        "batch-means-multiplied": [
            [("return left.T.dot(right)", "return np.outer(left.mean(axis=0), right.sum(axis=0))")]
        ],
        "bias-gradient-not-summed": [
            [(DB, 'grads["b"] = delta.sum(axis=0)')],
            [(DB, 'grads["b"] += delta.mean(axis=0)')],
            [(DC, 'grads["c"] = delta_out.mean(axis=0)')],
        ],
        "clipped-per-step": [[(PREV, "back = np.clip(delta.dot(W.T), -0.01, 0.01)")]],
        "learning-rate-in-gradient": [[(RETURN, "return loss, {name: 0.1 * value for name, value in grads.items()}")]],
        "gradients-not-reset": [
            [
                ("def loss_and_gradients(X, y, params):", "kept = {}\n\n\ndef loss_and_gradients(X, y, params):"),
                (
                    "grads = {name: np.zeros_like(value) for name, value in params.items()}",
                    "grads = kept.setdefault(W.shape, {name: np.zeros_like(value) for name, value in params.items()})",
                ),
            ]
        ],
    },
    {"loop-over-wrong-axis": [LOOP], "last-step-skipped": [LOOP], "recurrence-dropped": [PREV]},
)
