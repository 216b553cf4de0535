"""Rows of the input weights looked up by word number."""
import numpy as np


def loss_and_gradients(tokens, classes, Wx, Wh, Wy, bh, by):
    """tokens (batch, time) of word numbers: the rows of Wx are looked up. classes (batch,)."""
    batch, time = tokens.shape
    h = np.zeros((time + 1, batch, Wh.shape[0]))
    for t in range(time):
        h[t + 1] = np.tanh(Wx[tokens[:, t]] + h[t] @ Wh + bh)
    logits = h[time] @ Wy + by
    logits = logits - logits.max(axis=1, keepdims=True)
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -logp[np.arange(batch), classes].mean()

    dlogits = np.exp(logp)
    dlogits[np.arange(batch), classes] -= 1
    dlogits /= batch
    dWy = h[time].T @ dlogits
    dby = dlogits.sum(0)
    dWx = np.zeros_like(Wx)
    dWh = np.zeros_like(Wh)
    dbh = np.zeros_like(bh)
    dh = dlogits @ Wy.T
    for t in range(time - 1, -1, -1):
        dh *= 1 - h[t + 1] ** 2
        np.add.at(dWx, tokens[:, t], dh)
        dWh += h[t].T @ dh
        dbh += dh.sum(0)
        dh = dh @ Wh.T
    return loss, dWx, dWh, dWy, dbh, dby
