"""One sample at a time; gradients clipped once, at the end."""
import numpy as np
def softmax(x):
    return np.exp(x) / np.sum(np.exp(x))
def rnn_step(xt, h, Wxh, Whh, bh):
    return np.tanh(np.dot(Wxh, xt) + np.dot(Whh, h) + bh)
def bptt(x, y, params):
    Wxh, Whh, Why, bh, by = params
    T = len(x)
    h = {-1: np.zeros((Whh.shape[0], 1))}
    for t in range(T):
        h[t] = rnn_step(x[t].reshape(-1, 1), h[t-1], Wxh, Whh, bh)
    p = softmax(np.dot(Why, h[T-1]) + by)
    loss = -np.log(p[y, 0])
    dy = p.copy(); dy[y] -= 1
    dWhy = np.dot(dy, h[T-1].T); dby = dy
    dh = np.dot(Why.T, dy)
    dWxh = np.zeros_like(Wxh); dWhh = np.zeros_like(Whh); dbh = np.zeros_like(bh)
    for t in reversed(range(T)):
        dr = (1 - h[t]**2) * dh
        dbh += dr
        dWxh += np.dot(dr, x[t].reshape(1, -1))
        dWhh += np.dot(dr, h[t-1].T)
        dh = np.dot(Whh.T, dr)
    for g in (dWxh, dWhh, dWhy, dbh, dby): np.clip(g, -1, 1, out=g)
    return loss, [dWxh, dWhh, dWhy, dbh, dby]
