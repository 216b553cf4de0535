"""A script that changes its weights after each sequence; one number a step, so the input has no axis of features."""
import numpy as np

rng = np.random.RandomState(1)
series = rng.randn(8, 6)
targets = series.sum(axis=1)
H = 5
U = rng.randn(H, 1) * 0.4
W = rng.randn(H, H) * 0.4
V = rng.randn(1, H) * 0.4
learning_rate = 0.01

for epoch in range(5):
    total = 0.0
    for x, y in zip(series, targets):
        s = np.zeros((len(x) + 1, H, 1))
        for t in range(len(x)):
            s[t] = np.tanh(U * x[t] + W @ s[t - 1])
        o = (V @ s[len(x) - 1]).item()
        total += 0.5 * (o - y) ** 2
        delta = o - y
        dV = delta * s[len(x) - 1].T
        dU, dW = np.zeros_like(U), np.zeros_like(W)
        ds = V.T * delta
        for t in range(len(x) - 1, -1, -1):
            dz = ds * (1 - s[t] ** 2)
            dU += dz * x[t]
            dW += dz @ s[t - 1].T
            ds = W.T @ dz
        U -= learning_rate * dU
        W -= learning_rate * dW
        V -= learning_rate * dV
    print(epoch, total)
