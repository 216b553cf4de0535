"""Right programs for the examples of mistakes: small, and each trains for a few steps."""

from __future__ import annotations

_LOOP = """\
import numpy as np

rng = np.random.RandomState(1)
D, H, K, T, rate = 2, 3, 4, 3, 0.1
Wx, Wh, Wy = rng.randn(H, D), rng.randn(H, H), rng.randn(K, H)
b, c = rng.randn(H), rng.randn(K)

for step in range(3):
    xs, labels = rng.randn(T, D), rng.randint(0, K, T)
    zs, hs, ps, loss = [], [rng.randn(H)], [], 0.0
    for x, label in zip(xs, labels):
        zs.append(Wx @ x + Wh @ hs[-1] + b)
        hs.append(np.tanh(zs[-1]))
        e = np.exp(Wy @ hs[-1] + c)
        ps.append(e / e.sum())
        loss -= np.log(ps[-1][label])
    dWx, dWh, dWy, db, dc = (np.zeros_like(m) for m in (Wx, Wh, Wy, b, c))
    flow = np.zeros(H)
    for t in reversed(range(T)):
        dy = ps[t].copy()
        dy[labels[t]] -= 1
        dWy += np.outer(dy, hs[t + 1])
        dc += dy
        dh = Wy.T @ dy + flow
        dz = dh * (1 - hs[t + 1] ** 2)
        dWx += np.outer(dz, xs[t])
        dWh += np.outer(dz, hs[t])
        db += dz
        flow = Wh.T @ dz
    for weight, gradient in zip((Wx, Wh, Wy, b, c), (dWx, dWh, dWy, db, dc)):
        weight -= rate * gradient
"""

_BATCH = """\
import numpy as np

rng = np.random.RandomState(2)
B, T, D, H, K, rate = 4, 3, 2, 3, 5, 0.1
Wx, Wh, Wy = rng.randn(D, H), rng.randn(H, H), rng.randn(H, K)
b, c = rng.randn(H), rng.randn(K)
X, Y = rng.randn(B, T, D), np.eye(K)[rng.randint(0, K, B)]

for step in range(3):
    z, h = np.zeros((B, T, H)), rng.randn(B, T + 1, H)
    for t in range(T):
        z[:, t] = X[:, t] @ Wx + h[:, t] @ Wh + b
        h[:, t + 1] = np.maximum(z[:, t], 0)
    e = np.exp(h[:, T] @ Wy + c)
    P = e / e.sum(axis=1, keepdims=True)
    loss = -np.sum(Y * np.log(P)) / B
    dlogits = (P - Y) / B
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dWy = h[:, T].T @ dlogits
    dc = dlogits.sum(axis=0)
    dh = dlogits @ Wy.T
    for t in range(T - 1, -1, -1):
        dz = dh * (z[:, t] > 0)
        dWx += X[:, t].T @ dz
        dWh += h[:, t].T @ dz
        db += dz.sum(axis=0)
        dh = dz @ Wh.T
    for weight, gradient in zip((Wx, Wh, Wy, b, c), (dWx, dWh, dWy, db, dc)):
        weight -= rate * gradient
"""

_LSTM = """\
import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


rng = np.random.RandomState(3)
D, H, T, rate = 2, 3, 3, 0.1
Wi, Wf, Wo, Wg = (rng.randn(H, D + H) for _ in range(4))
w = rng.randn(H)

for step in range(3):
    xs, targets = rng.randn(T, D), rng.randn(T)
    h, c, loss, kept = rng.randn(H), rng.randn(H), 0.0, []
    for x, target in zip(xs, targets):
        v, c_prev = np.concatenate([x, h]), c
        i, f, o, g = sigmoid(Wi @ v), sigmoid(Wf @ v), sigmoid(Wo @ v), np.tanh(Wg @ v)
        c = f * c_prev + i * g
        tc = np.tanh(c)
        h = o * tc
        y = w @ h
        loss += 0.5 * (y - target) ** 2
        kept.append((v, c_prev, i, f, o, g, tc, h, y - target))
    dWi, dWf, dWo, dWg = (np.zeros_like(m) for m in (Wi, Wf, Wo, Wg))
    dw, dh_next, dc_next = np.zeros(H), np.zeros(H), np.zeros(H)
    for v, c_prev, i, f, o, g, tc, h, dy in reversed(kept):
        dw += dy * h
        dh = dy * w + dh_next
        do = dh * tc
        dc = dh * o * (1 - tc ** 2) + dc_next
        di = dc * g
        df = dc * c_prev
        dg = dc * i
        dzi = di * i * (1 - i)
        dzf = df * f * (1 - f)
        dzo = do * o * (1 - o)
        dzg = dg * (1 - g ** 2)
        dWi += np.outer(dzi, v)
        dWf += np.outer(dzf, v)
        dWo += np.outer(dzo, v)
        dWg += np.outer(dzg, v)
        dv = Wi.T @ dzi + Wf.T @ dzf + Wo.T @ dzo + Wg.T @ dzg
        dh_next = dv[D:]
        dc_next = dc * f
    for weight, gradient in zip((Wi, Wf, Wo, Wg, w), (dWi, dWf, dWo, dWg, dw)):
        weight -= rate * gradient
"""

_STACKED = """\
import numpy as np

rng = np.random.RandomState(4)
words, E, H, G, T, rate = 4, 2, 3, 5, 4, 0.1
vectors, U, V = rng.randn(words, E), rng.randn(E, H), rng.randn(H, H)
P, Q, w = rng.randn(H, G), rng.randn(G, G), rng.randn(G)

for step in range(3):
    ids, target = np.array([2, 0, 2, 1]), rng.randn(T)
    keep = (rng.rand(T, H) < 0.6) / 0.6
    x, low, high = vectors[ids], np.zeros((T + 1, H)), np.zeros((T + 1, G))
    for t in range(T):
        low[t + 1] = np.tanh(x[t] @ U + low[t] @ V)
        high[t + 1] = np.tanh((keep[t] * low[t + 1]) @ P + high[t] @ Q)
    error = high[1:] @ w - target
    loss = 0.5 * np.sum(error ** 2)
    dU, dV, dP, dQ = (np.zeros_like(m) for m in (U, V, P, Q))
    dw = high[1:].T @ error
    dx = np.zeros((T, E))
    dlow, dhigh = np.zeros(H), np.zeros(G)
    for t in range(T - 1, -1, -1):
        da = (error[t] * w + dhigh) * (1 - high[t + 1] ** 2)
        dP += np.outer(keep[t] * low[t + 1], da)
        dQ += np.outer(high[t], da)
        dhigh = Q @ da
        down = keep[t] * (P @ da)
        dz = (down + dlow) * (1 - low[t + 1] ** 2)
        dU += np.outer(x[t], dz)
        dV += np.outer(low[t], dz)
        dx[t] = U @ dz
        dlow = V @ dz
    dvectors = np.zeros_like(vectors)
    np.add.at(dvectors, ids, dx)
    for weight, gradient in zip((vectors, U, V, P, Q, w), (dvectors, dU, dV, dP, dQ, dw)):
        weight -= rate * gradient
"""

PROGRAMS = {"loop": _LOOP, "batch": _BATCH, "lstm": _LSTM, "stacked": _STACKED}
"""By what is in them: a network step by step; one with rows of samples, ReLU and a mean; an LSTM; an embedding under two layers."""
