"""Functions inside the function, one of them a lambda."""
import numpy as np


def gradients(seqs, labels, Wxh, Whh, Why, bh, by):
    """seqs (features, batch, time); labels one-hot (classes, batch)."""
    n_f, m, T = seqs.shape
    softmax = lambda s: np.exp(s - s.max(0)) / np.exp(s - s.max(0)).sum(0)
    tanh_prime = lambda h: 1 - h * h

    def step(x, h):
        return np.tanh(np.dot(Wxh, x) + np.dot(Whh, h) + bh)

    def unstep(dh, h, h_prev, x):
        dz = dh * tanh_prime(h)
        return np.dot(Whh.T, dz), np.dot(dz, x.T), np.dot(dz, h_prev.T), dz.sum(1, keepdims=True)

    hs = [np.zeros((Whh.shape[0], m))]
    for t in range(T):
        hs.append(step(seqs[:, :, t], hs[-1]))
    probs = softmax(np.dot(Why, hs[-1]) + by)
    cost = -(labels * np.log(probs)).sum() / m

    d = (probs - labels) / m
    dWhy, dby = np.dot(d, hs[-1].T), d.sum(1, keepdims=True)
    dWxh, dWhh, dbh = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(bh)
    dh = np.dot(Why.T, d)
    for t in reversed(range(T)):
        dh, gx, gh, gb = unstep(dh, hs[t + 1], hs[t], seqs[:, :, t])
        dWxh += gx
        dWhh += gh
        dbh += gb
    return cost, dict(Wxh=dWxh, Whh=dWhh, Why=dWhy, bh=dbh, by=dby)
