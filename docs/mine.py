"""A many-to-one RNN and its backward pass, as one writes it by hand. There is a mistake in it: `rnn-tui doctor docs/mine.py`."""

import numpy as np


def forward(X, Wx, Wa, Wy):
    """X is (batch, time, features); the states of all steps, and the probabilities after the last one."""
    a = np.zeros((X.shape[1] + 1, len(X), len(Wa)))
    for t in range(X.shape[1]):
        a[t + 1] = np.maximum(0, X[:, t] @ Wx + a[t] @ Wa)
    scores = a[-1] @ Wy
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return a, e / e.sum(axis=1, keepdims=True)


def backward(X, y, Wx, Wa, Wy):
    """The gradients of the mean cross-entropy."""
    a, p = forward(X, Wx, Wa, Wy)
    delta = p.copy()
    delta[np.arange(len(y)), y] -= 1
    delta /= len(y)
    dWy = a[-1].T @ delta
    dWx, dWa = np.zeros_like(Wx), np.zeros_like(Wa)
    da = delta @ Wy.T
    for t in reversed(range(X.shape[1])):
        dz = da * (a[t + 1] > 0)
        dWx += X[:, t].T @ dz
        dWa += a[t].T @ dz
        da = dz @ Wa
    return {"Wx": dWx, "Wa": dWa, "Wy": dWy}
