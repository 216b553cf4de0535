"""The doctor's record of a program: how much slower the program runs, how long judging takes, and the memory of both processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Row
from benchmarks.process import ROOT

ROUNDS = 3
SLOWER = 25.0
"""How many times slower a program may run."""
SECONDS, MOST = 3.0, 5_000_000
"""So long the verdict on up to so many numbers may take."""
BYTES = 32.0
"""What a recorded number may cost, in each process, above the plain run."""

ARRAYS = """
import numpy as np

rng = np.random.RandomState(0)
H, V, T = 100, 60, 15
Wf, Wi, Wg, Wo = (rng.randn(H, H + V) * 0.1 for _ in range(4))
bf, bi, bg, bo = (np.zeros((H, 1)) for _ in range(4))
Wy, by = rng.randn(V, H) * 0.1, np.zeros((V, 1))
weights = [Wf, Wi, Wg, Wo, bf, bi, bg, bo, Wy, by]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def passes(inputs, targets, h, c):
    kept, loss = [], 0.0
    for t in range(T):
        x = np.zeros((V, 1))
        x[inputs[t]] = 1
        both = np.vstack((h, x))
        f, i, g, o = sigmoid(Wf @ both + bf), sigmoid(Wi @ both + bi), np.tanh(Wg @ both + bg), sigmoid(Wo @ both + bo)
        before, c = c, f * c + i * g
        h = o * np.tanh(c)
        logits = Wy @ h + by
        p = np.exp(logits) / np.exp(logits).sum()
        loss -= np.log(p[targets[t], 0])
        kept.append((both, f, i, g, o, before, c, h, p))
    grads = [np.zeros_like(w) for w in weights]
    dWf, dWi, dWg, dWo, dbf, dbi, dbg, dbo, dWy, dby = grads
    dh_next, dc_next = np.zeros((H, 1)), np.zeros((H, 1))
    for t in reversed(range(T)):
        both, f, i, g, o, before, c, h, p = kept[t]
        dy = p.copy()
        dy[targets[t]] -= 1
        dWy += dy @ h.T
        dby += dy
        dh = Wy.T @ dy + dh_next
        dc = dh * o * (1 - np.tanh(c) ** 2) + dc_next
        zf, zi = dc * before * f * (1 - f), dc * g * i * (1 - i)
        zg, zo = dc * i * (1 - g ** 2), dh * np.tanh(c) * o * (1 - o)
        for dW, db, z in ((dWf, dbf, zf), (dWi, dbi, zi), (dWg, dbg, zg), (dWo, dbo, zo)):
            dW += z @ both.T
            db += z
        dboth = Wf.T @ zf + Wi.T @ zi + Wg.T @ zg + Wo.T @ zo
        dh_next, dc_next = dboth[:H], dc * f
    return loss, grads


for step in range(STEPS):
    inputs, targets = rng.randint(0, V, T), rng.randint(0, V, T)
    loss, grads = passes(inputs, targets, np.zeros((H, 1)), np.zeros((H, 1)))
    for weight, grad in zip(weights, grads):
        weight -= 0.1 * grad
"""
"""An LSTM on arrays."""

LOOPS = """
import numpy as np

rng = np.random.RandomState(0)
D, H, T = 8, 16, 20
Wx, Wh, Wy = rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5, rng.randn(H) * 0.5


def passes(xs, target):
    hs = np.zeros((T + 1, H))
    for t in range(T):
        for j in range(H):
            z = 0.0
            for d in range(D):
                z += Wx[j, d] * xs[t, d]
            for k in range(H):
                z += Wh[j, k] * hs[t, k]
            hs[t + 1, j] = np.tanh(z)
    out = 0.0
    for j in range(H):
        out += Wy[j] * hs[T, j]
    loss = 0.5 * (out - target) ** 2
    dWx, dWh, dWy = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wy)
    dh = np.zeros(H)
    for j in range(H):
        dWy[j] = (out - target) * hs[T, j]
        dh[j] = (out - target) * Wy[j]
    for t in reversed(range(T)):
        before = np.zeros(H)
        for j in range(H):
            dz = dh[j] * (1 - hs[t + 1, j] ** 2)
            for d in range(D):
                dWx[j, d] += dz * xs[t, d]
            for k in range(H):
                dWh[j, k] += dz * hs[t, k]
                before[k] += dz * Wh[j, k]
        dh = before
    return loss, dWx, dWh, dWy


for step in range(STEPS):
    loss, dWx, dWh, dWy = passes(rng.randn(T, D), 1.0)
    Wx -= 0.1 * dWx
    Wh -= 0.1 * dWh
    Wy -= 0.1 * dWy
"""
"""A simple network in loops over single numbers."""

SMALL = """
import numpy as np

rng = np.random.RandomState(0)
D, H, C, T, N = 4, 8, 3, 30, 250
Wx, Wh, Wy = rng.randn(H, D) * 0.3, rng.randn(H, H) * 0.3, rng.randn(C, H) * 0.3
b, c = np.zeros((H, 1)), np.zeros((C, 1))
X, Y = rng.randn(N, T, D, 1), rng.randint(0, C, (N, T))
for epoch in range(STEPS):
    dWx, dWh, dWy, db, dc = [np.zeros_like(w) for w in (Wx, Wh, Wy, b, c)]
    loss = 0
    for n in range(N):
        hs, ps = {-1: np.zeros((H, 1))}, {}
        for t in range(T):
            hs[t] = np.tanh(Wx @ X[n, t] + Wh @ hs[t - 1] + b)
            z = Wy @ hs[t] + c
            ps[t] = np.exp(z) / np.sum(np.exp(z))
            loss += -np.log(ps[t][Y[n, t], 0])
        dn = np.zeros((H, 1))
        for t in reversed(range(T)):
            dy = ps[t].copy()
            dy[Y[n, t]] -= 1
            dWy += dy @ hs[t].T
            dc += dy
            dh = Wy.T @ dy + dn
            dz = (1 - hs[t] ** 2) * dh
            db += dz
            dWx += dz @ X[n, t].T
            dWh += dz @ hs[t - 1].T
            dn = Wh.T @ dz
    for w, d in zip((Wx, Wh, Wy, b, c), (dWx, dWh, dWy, db, dc)):
        w -= 0.01 * d / N
"""
"""A simple network on small arrays, one sample after the other."""

PROGRAMS = {"LSTM on arrays": (2, ARRAYS), "RNN in loops": (12, LOOPS), "RNN on small arrays": (3, SMALL)}
"""Each with so many updates."""

_AFTER = """
def told(begun, **more):
    import json, resource
    print("TOLD" + json.dumps({"seconds": time.process_time() - begun, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, **more}))
"""
_PLAIN = """
import sys, time
import numpy
text, begun = open(sys.argv[1]).read(), time.process_time()
exec(compile(text, sys.argv[1], "exec"), {"__name__": "__main__"})
told(begun)
"""
_RECORDED = """
import sys, time
from engine.doctor.recording.tracing import runner
text, begun = open(sys.argv[1]).read(), time.process_time()
options = {"stops": sys.argv[3] == "stops"}
job = {"file": sys.argv[1], "text": text, "cells": [1], "python_2": False, "user": [], "alone": False, "unfollowed": []}
ended = runner.run({**job, "record": sys.argv[2], "options": options, "memory": 1 << 40})
if "error" in ended:
    raise ended["error"]
told(begun)
"""
_JUDGED = """
import sys, time
from pathlib import Path
import numpy as np
from engine.doctor.lineage.record.reading import read
from engine.doctor.lineage.verdict.verdict import judged
import resource
before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
record = read(Path(sys.argv[1]))
verdict = judged(record)
took = time.process_time() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
one, two = np.ones(len(record.pool)), np.ones(len(record.pool))
out = np.ones(len(record.pool))
begun = time.process_time()
for _ in range(20):
    np.add(one, two, out)
added = (time.process_time() - begun) / 20
told(begun, took=took, added=added, numbers=len(record.pool), memory=peak - before, verdict=verdict.verdict)
"""


def measure() -> Iterator[Row]:
    """For each program: recorded to its end over plain; the verdict on what a user's run records, over an addition of as many numbers; and
    bytes a number."""
    for name, (steps, text) in PROGRAMS.items():
        with tempfile.TemporaryDirectory() as temporary:
            yield from _measure(name, text.replace("STEPS", str(steps)), Path(temporary))


def _measure(name: str, text: str, folder: Path) -> Iterator[Row]:
    file = folder / "program.py"
    file.write_text(text, encoding="utf-8")
    slower: list[float] = []
    growth: list[float] = []
    judged: list[dict[str, Any]] = []
    for k in range(ROUNDS):
        whole, first = folder / f"whole{k}", folder / f"first{k}"
        whole.mkdir()
        first.mkdir()
        plain, recorded = _told(_PLAIN, file), _told(_RECORDED, file, whole, "to its end")
        slower.append(recorded["seconds"] / plain["seconds"])
        numbers = (whole / "pool").stat().st_size / 8
        growth.append((recorded["peak"] - plain["peak"]) * 1024 / numbers)
        _told(_RECORDED, file, first, "stops")
        judged.append(_told(_JUDGED, first))
        if judged[-1]["verdict"] != "right":
            raise RuntimeError(f"{name}: {judged[-1]}")
    about = f"{name}, {judged[0]['numbers'] / 1e6:.2g} million numbers"
    yield Row(f"recorded / plain run, {name}", "×", slower, SLOWER)
    yield Row(f"  bytes a number above the plain run, {name}", "B", growth, BYTES)
    bound = SECONDS if judged[0]["numbers"] <= MOST else None
    yield Row(f"verdict, {about}", "s", [j["took"] for j in judged], bound)
    yield Row(f"  verdict / adding as many numbers, {name}", "×", [j["took"] / j["added"] for j in judged])
    yield Row(f"  bytes a number, {name}", "B", [j["memory"] * 1024 / j["numbers"] for j in judged], BYTES)


def _told(code: str, *arguments: Path | str) -> dict[str, Any]:
    """What a process of its own tells, with one thread for the matrix libraries."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _AFTER + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=environ, check=True, text=True)
    return json.loads(done.stdout.rpartition("TOLD")[2])
