"""Wrong backward passes written out by hand, independently of the engine: many-to-one, softmax, mean over the batch."""

from __future__ import annotations

import numpy as np

from engine.doctor.reference.problem import Problem
from engine.language.functions import Array

WRONG = (
    "delta-sign",
    "delta-before-softmax",
    "batch-not-averaged",
    "dwy-wrong-state",
    "activation-derivative-missing",
    "activation-derivative-wrong-step",
    "recurrence-dropped",
    "wa-not-transposed",
    "wa-applied-twice",
    "recurrence-skips-derivative",
    "scaled-every-step",
    "carry-not-reset",
    "output-gradient-every-step",
    "time-order-forward",
    "truncated-early",
    "overwritten-not-accumulated",
    "averaged-over-time",
    "dwa-uses-current-state",
    "dwx-wrong-step",
    "first-step-skipped",
    "last-step-skipped",
    "initial-state-wraps",
    "dwa-transposed",
    "last-sample-only",
    "batch-means-multiplied",
    "state-aliased",
)


def gradients(problem: Problem, wrong: str) -> dict[str, Array]:
    """The gradients with one mistake, one sample, one step at a time."""
    w = problem.parameters
    B, T, _ = problem.X.shape
    relu = problem.network.activation == "relu"
    a = np.zeros((B, T + 1, problem.network.hidden))
    z = np.zeros((B, T + 1, problem.network.hidden))
    for b in range(B):
        a[b, 0] = problem.initial["a"][b]
        for t in range(1, T + 1):
            z[b, t] = problem.X[b, t - 1] @ w["Wx"] + a[b, t - 1] @ w["Wa"] + w["ba"]
            a[b, t] = np.maximum(z[b, t], 0) if relu else np.tanh(z[b, t])
    e = np.exp(a[:, T] @ w["Wy"] + w["by"])
    p = e / e.sum(axis=1, keepdims=True)
    if wrong == "last-sample-only":
        a[:, 1:] = a[-1:, 1:]
        z = np.repeat(z[-1:], B, axis=0)
    if wrong == "state-aliased":
        a[:, 1:] = a[:, T:]
    g = {name: np.zeros_like(value) for name, value in w.items()}
    for b in range(B):
        _sample(problem, wrong, b, a, z, p, g)
    if wrong == "dwa-transposed":
        g["Wa"] = g["Wa"].T
    if wrong == "averaged-over-time":
        g |= {name: g[name] / T for name in ("Wx", "Wa", "ba")}
    if wrong == "overwritten-not-accumulated":
        g |= _first_step_alone(problem)
    return g


def _sample(problem: Problem, wrong: str, b: int, a: Array, z: Array, p: Array, g: dict[str, Array]) -> None:
    w = dict(problem.parameters)
    B, T, _ = problem.X.shape
    target = np.eye(p.shape[1])[problem.y[b]]
    delta = {"delta-sign": target - p[b], "delta-before-softmax": -target / p[b]}.get(wrong, p[b] - target)
    delta = delta if wrong == "batch-not-averaged" else delta / B
    state = {"dwy-wrong-state": a[b, T - 1], "batch-means-multiplied": a[:, T].mean(axis=0)}.get(wrong, a[b, T])
    g["Wy"] += np.outer(state, delta)
    g["by"] += delta
    da = first = w["Wy"] @ delta
    order = range(T, 0, -1)
    order = {
        "time-order-forward": range(1, T + 1),
        "truncated-early": range(T, T - 2, -1),
        "first-step-skipped": range(T, 1, -1),
        "last-step-skipped": range(T - 1, 0, -1),
    }.get(wrong, order)
    for t in order:
        dz = da * _slope(problem, wrong, a[b], t)
        x = problem.X[b, t - 2] if wrong == "dwx-wrong-step" else problem.X[b, t - 1]
        before = a[b, t] if wrong == "dwa-uses-current-state" else a[b, t - 1]
        if wrong == "initial-state-wraps" and t == 1:
            before = a[b, T]
        if wrong == "batch-means-multiplied":
            before, x = a[:, t - 1].mean(axis=0), problem.X[:, t - 1].mean(axis=0)
        g["Wx"] += np.outer(x, dz)
        g["Wa"] += np.outer(before, dz)
        g["ba"] += dz
        da = _flow(problem, wrong, w, da, dz, first)
        if wrong == "recurrence-dropped":
            break


def _slope(problem: Problem, wrong: str, a: Array, t: int) -> Array:
    if wrong == "activation-derivative-missing":
        return np.ones(a.shape[1])
    if wrong == "activation-derivative-wrong-step":
        t = t - 1
    return (a[t] > 0) * 1.0 if problem.network.activation == "relu" else 1 - a[t] * a[t]


def _flow(problem: Problem, wrong: str, w: dict[str, Array], da: Array, dz: Array, first: Array) -> Array:
    right = w["Wa"] @ dz
    return {
        "wa-not-transposed": dz @ w["Wa"],
        "wa-applied-twice": w["Wa"] @ right,
        "recurrence-skips-derivative": w["Wa"] @ da,
        "scaled-every-step": right / problem.X.shape[1],
        "carry-not-reset": da + right,
        "output-gradient-every-step": right + first,
    }.get(wrong, right)


def _first_step_alone(problem: Problem) -> dict[str, Array]:
    """The terms of t = 1, from what the engine recorded."""
    tape = problem.tape
    dz = tape["dz"][0]
    return {"Wx": tape["x"][0].T @ dz, "Wa": tape["a"][0].T @ dz, "ba": dz.sum(axis=0)}
