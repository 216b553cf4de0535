"""Cells with caches, every state's gradient supplied by the caller: a course's exercise, whose read-out is not gone back through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement
from tests.engine.doctor.styles.style import Style

SOURCE = """\
import numpy as np


def softmax(x):
    e_x = np.exp(x - np.max(x))
    return e_x / e_x.sum(axis=0)


def rnn_cell_forward(xt, a_prev, parameters):
    # Retrieve parameters from "parameters"
    Wax = parameters["Wax"]
    Waa = parameters["Waa"]
    Wya = parameters["Wya"]
    ba = parameters["ba"]
    by = parameters["by"]
    a_next = np.tanh(np.dot(Waa, a_prev) + np.dot(Wax, xt) + ba)
    yt_pred = softmax(np.dot(Wya, a_next) + by)
    # store values you need for backward propagation in cache
    cache = (a_next, a_prev, xt, parameters)
    return a_next, yt_pred, cache


def rnn_forward(x, a0, parameters):
    caches = []
    n_x, m, T_x = x.shape
    n_y, n_a = parameters["Wya"].shape
    a = np.zeros((n_a, m, T_x))
    y_pred = np.zeros((n_y, m, T_x))
    a_next = a0
    for t in range(T_x):
        a_next, yt_pred, cache = rnn_cell_forward(x[:, :, t], a_next, parameters)
        a[:, :, t] = a_next
        y_pred[:, :, t] = yt_pred
        caches.append(cache)
    # store values needed for backward propagation in cache
    caches = (caches, x)
    return a, y_pred, caches


def rnn_cell_backward(da_next, cache):
    (a_next, a_prev, xt, parameters) = cache
    Wax = parameters["Wax"]
    Waa = parameters["Waa"]
    # compute the gradient of tanh with respect to a_next
    dtanh = (1 - a_next ** 2) * da_next
    dxt = np.dot(Wax.T, dtanh)
    dWax = np.dot(dtanh, xt.T)
    da_prev = np.dot(Waa.T, dtanh)
    dWaa = np.dot(dtanh, a_prev.T)
    dba = np.sum(dtanh, axis=1, keepdims=True)
    gradients = {"dxt": dxt, "da_prev": da_prev, "dWax": dWax, "dWaa": dWaa, "dba": dba}
    return gradients


def rnn_backward(da, caches):
    (caches, x) = caches
    (a1, a0, x1, parameters) = caches[0]
    n_a, m, T_x = da.shape
    n_x, m = x1.shape
    # initialize the gradients with the right sizes
    dx = np.zeros((n_x, m, T_x))
    dWax = np.zeros((n_a, n_x))
    dWaa = np.zeros((n_a, n_a))
    dba = np.zeros((n_a, 1))
    da0 = np.zeros((n_a, m))
    da_prevt = np.zeros((n_a, m))
    # Loop through all the time steps
    for t in reversed(range(T_x)):
        gradients = rnn_cell_backward(da[:, :, t] + da_prevt, caches[t])
        dxt, dWaxt, dWaat, dbat = gradients["dxt"], gradients["dWax"], gradients["dWaa"], gradients["dba"]
        da_prevt = gradients["da_prev"]
        dx[:, :, t] = dxt
        dWax += dWaxt
        dWaa += dWaat
        dba += dbat
    da0 = da_prevt
    gradients = {"dx": dx, "da0": da0, "dWax": dWax, "dWaa": dWaa, "dba": dba}
    return gradients
"""


def call(namespace: Mapping[str, Any], problem: Problem) -> Measurement:
    names = {"Wx": "Wax", "Wa": "Waa", "Wy": "Wya", "ba": "ba", "by": "by"}
    weights = {theirs: problem.parameters[ours] for ours, theirs in names.items()}
    parameters = {name: value.T.copy() if value.ndim == 2 else value[:, None].copy() for name, value in weights.items()}
    x = problem.X.transpose(2, 0, 1).copy()
    _, _, caches = namespace["rnn_forward"](x, problem.initial["a"].T.copy(), parameters)
    da = problem.tape["da_out"][1:].transpose(2, 1, 0).copy()
    g = namespace["rnn_backward"](da, caches)
    return Measurement(None, {"Wx": g["dWax"].T, "Wa": g["dWaa"].T, "ba": g["dba"][:, 0]})


LOOP, CELL = (
    "for t in reversed(range(T_x)):",
    "gradients = rnn_cell_backward(da[:, :, t] + da_prevt, caches[t])",
)
DZ, PREV = "dtanh = (1 - a_next ** 2) * da_next", "da_prev = np.dot(Waa.T, dtanh)"
DWAX, DWAA = "dWax = np.dot(dtanh, xt.T)", "dWaa = np.dot(dtanh, a_prev.T)"
DBA, CARRY = "dba = np.sum(dtanh, axis=1, keepdims=True)", 'da_prevt = gradients["da_prev"]'

STYLE = Style(
    "cells with caches, da supplied",
    SOURCE,
    {"predict": "every", "loss": "cross-entropy"},
    call,
    {
        "activation-derivative-missing": [[(DZ, "dtanh = da_next")]],
        "activation-derivative-of-another": [[(DZ, "dtanh = a_next * (1 - a_next) * da_next")]],
        "tanh-derivative-of-activation": [[(DZ, "dtanh = (1 - np.tanh(a_next) ** 2) * da_next")]],
        "tanh-derivative-misplaced-square": [[(DZ, "dtanh = (1 - a_next) ** 2 * da_next")]],
        "activation-derivative-wrong-step": [[(DZ, "dtanh = (1 - a_prev ** 2) * da_next")]],
        "future-gradient-dropped": [[(CELL, "gradients = rnn_cell_backward(da[:, :, t], caches[t])")]],
        "output-gradient-dropped": [
            [(CELL, "gradients = rnn_cell_backward(da_prevt if t < T_x - 1 else da[:, :, t], caches[t])")]
        ],
        "wa-not-transposed": [[(PREV, "da_prev = np.dot(Waa, dtanh)")]],
        "wa-applied-twice": [[(PREV, "da_prev = np.dot(Waa.T, np.dot(Waa.T, dtanh))")]],
        "wa-not-applied": [[(PREV, "da_prev = dtanh")]],
        "recurrence-skips-derivative": [[(PREV, "da_prev = np.dot(Waa.T, da_next)")]],
        "scaled-every-step": [[(PREV, "da_prev = np.dot(Waa.T, dtanh) / xt.shape[1]")]],
        "carry-not-reset": [[(CARRY, 'da_prevt = da_prevt + gradients["da_prev"]')]],
        "time-order-forward": [[(LOOP, "for t in range(T_x):")]],
        "loop-over-wrong-axis": [[(LOOP, "for t in reversed(range(m)):")]],
        "overwritten-not-accumulated": [[("dWaa += dWaat", "dWaa = dWaat")]],
        "averaged-over-time": [
            [
                ("dWax += dWaxt", "dWax += dWaxt / T_x"),
                ("dWaa += dWaat", "dWaa += dWaat / T_x"),
                ("dba += dbat", "dba += dbat / T_x"),
            ]
        ],
        "dwa-uses-current-state": [[(DWAA, "dWaa = np.dot(dtanh, a_next.T)")]],
        "dwa-transposed": [[(DWAA, "dWaa = np.dot(a_prev, dtanh.T)")]],
        "initial-state-ignored": [[("dWaa += dWaat", "if t > 0:\n    dWaa += dWaat")]],
        "first-step-skipped": [[(LOOP, "for t in reversed(range(1, T_x)):")]],
        "last-step-skipped": [[(LOOP, "for t in reversed(range(T_x - 1)):")]],
        "bias-gradient-not-summed": [[(DBA, "dba = np.mean(dtanh, axis=1, keepdims=True)")]],
        "batch-means-multiplied": [
            [(DWAA, "dWaa = np.dot(np.sum(dtanh, axis=1, keepdims=True), np.mean(a_prev, axis=1, keepdims=True).T)")]
        ],
        "clipped-per-step": [[(CARRY, 'da_prevt = np.clip(gradients["da_prev"], -0.01, 0.01)')]],
    },
)
