"""Forward and backward as two functions, the cache between them; sigmoid units, one-hot targets, parameters in a list."""
import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def dsigmoid(s):
    return s * (1 - s)


def forward(X, params):
    W_in, W_rec, W_out, b, c = params
    h = np.zeros((X.shape[0], W_rec.shape[0]))
    hs = [h]
    for t in range(X.shape[1]):
        h = sigmoid(X[:, t] @ W_in + h @ W_rec + b)
        hs.append(h)
    logits = h @ W_out + c
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True), hs


def loss(probs, Y):
    return -(Y * np.log(probs)).sum() / len(Y)


def backward(X, Y, probs, hs, params):
    W_in, W_rec, W_out, b, c = params
    N, T, _ = X.shape
    delta = (probs - Y) / N
    gW_out, gc = hs[-1].T @ delta, delta.sum(0)
    gW_in, gW_rec, gb = np.zeros_like(W_in), np.zeros_like(W_rec), np.zeros_like(b)
    dh = delta @ W_out.T
    for t in reversed(range(T)):
        dz = dh * dsigmoid(hs[t + 1])
        gW_in += X[:, t].T @ dz
        gW_rec += hs[t].T @ dz
        gb += dz.sum(0)
        dh = dz @ W_rec.T
    return [gW_in, gW_rec, gW_out, gb, gc]
