import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def backward(X, y, Wx, Wh, Wy, bh, by):
    """Squared error of one sigmoid output; X (N, T, D), y (N, 1)."""
    N, T, D = X.shape
    h = np.zeros((T + 1, N, Wh.shape[0]))
    for t in range(T):
        h[t + 1] = np.tanh(X[:, t] @ Wx + h[t] @ Wh + bh)
    out = sigmoid(h[T] @ Wy + by)
    loss = np.sum((out - y) ** 2) / N
    d = 2 * (out - y) / N * out * (1 - out)
    dWy, dby = h[T].T @ d, d.sum(0)
    dWx, dWh, dbh = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(bh)
    dh = d @ Wy.T
    for t in range(T, 0, -1):
        dz = dh * (1 - h[t] ** 2)
        dWx += X[:, t - 1].T @ dz
        dWh += h[t - 1].T @ dz
        dbh += dz.sum(0)
        dh = dz @ Wh.T
    return loss, dWx, dWh, dWy, dbh, dby
