"""The GRU of the paper: the reset gate before the product, outputs at every step, gradients as a tuple."""
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_backward(X, Y, Wz, Uz, bz, Wr, Ur, br, Wh, Uh, bh, V, c):
    B, T, D = X.shape
    H = Uz.shape[0]
    h = {-1: np.zeros((B, H))}
    z, r, hh, p = {}, {}, {}, {}
    loss = 0.0
    for t in range(T):
        z[t] = sigmoid(X[:, t] @ Wz + h[t - 1] @ Uz + bz)
        r[t] = sigmoid(X[:, t] @ Wr + h[t - 1] @ Ur + br)
        hh[t] = np.tanh(X[:, t] @ Wh + (r[t] * h[t - 1]) @ Uh + bh)
        h[t] = (1 - z[t]) * h[t - 1] + z[t] * hh[t]
        s = h[t] @ V + c
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p[t] = e / e.sum(axis=1, keepdims=True)
        loss -= np.log(p[t][np.arange(B), Y[:, t]]).sum() / B
    dWz, dUz, dbz = np.zeros_like(Wz), np.zeros_like(Uz), np.zeros_like(bz)
    dWr, dUr, dbr = np.zeros_like(Wr), np.zeros_like(Ur), np.zeros_like(br)
    dWh, dUh, dbh = np.zeros_like(Wh), np.zeros_like(Uh), np.zeros_like(bh)
    dV, dc = np.zeros_like(V), np.zeros_like(c)
    dhnext = np.zeros((B, H))
    for t in reversed(range(T)):
        ds = p[t].copy()
        ds[np.arange(B), Y[:, t]] -= 1
        ds /= B
        dV += h[t].T @ ds
        dc += ds.sum(axis=0)
        dh = ds @ V.T + dhnext
        dhh = dh * z[t] * (1 - hh[t] ** 2)
        dz = dh * (hh[t] - h[t - 1]) * z[t] * (1 - z[t])
        drh = dhh @ Uh.T
        dr = drh * h[t - 1] * r[t] * (1 - r[t])
        dWh += X[:, t].T @ dhh
        dUh += (r[t] * h[t - 1]).T @ dhh
        dbh += dhh.sum(axis=0)
        dWz += X[:, t].T @ dz
        dUz += h[t - 1].T @ dz
        dbz += dz.sum(axis=0)
        dWr += X[:, t].T @ dr
        dUr += h[t - 1].T @ dr
        dbr += dr.sum(axis=0)
        dhnext = dh * (1 - z[t]) + drh * r[t] + dz @ Uz.T + dr @ Ur.T
    return loss, dWz, dUz, dbz, dWr, dUr, dbr, dWh, dUh, dbh, dV, dc
