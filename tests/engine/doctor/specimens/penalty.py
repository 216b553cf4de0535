"""A penalty on the weights, in the loss and in the gradients."""
import numpy as np

REG = 1e-3


def loss_and_grad(X, y, Wx, Wh, Wy, bh, by):
    N, T, D = X.shape
    h = np.zeros((N, Wh.shape[0]))
    hs = [h]
    for t in range(T):
        h = np.tanh(X[:, t] @ Wx + h @ Wh + bh)
        hs.append(h)
    s = h @ Wy + by
    s -= s.max(1, keepdims=True)
    p = np.exp(s)
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[range(N), y]).mean() + 0.5 * REG * ((Wx ** 2).sum() + (Wh ** 2).sum() + (Wy ** 2).sum())
    ds = p
    ds[range(N), y] -= 1
    ds /= N
    dWy = h.T @ ds + REG * Wy
    dby = ds.sum(0)
    dWx, dWh, dbh = REG * Wx, REG * Wh, np.zeros_like(bh)
    dh = ds @ Wy.T
    for t in range(T - 1, -1, -1):
        dz = dh * (1 - hs[t + 1] ** 2)
        dWx += X[:, t].T @ dz
        dWh += hs[t].T @ dz
        dbh += dz.sum(0)
        dh = dz @ Wh.T
    return loss, (dWx, dWh, dWy, dbh, dby)
