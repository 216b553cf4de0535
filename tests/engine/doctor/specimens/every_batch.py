"""Softmax at every step, batch in rows, the loss a mean over the batch and a sum over the steps."""
import numpy as np


def backward(params, inputs, labels):
    Wxh, Whh, Why, bh, by = (params[k] for k in ("Wxh", "Whh", "Why", "bh", "by"))
    params["Wxh"], params["Whh"], params["Why"], params["bh"], params["by"]
    B, T, D = inputs.shape
    H, C = Why.shape
    hs, ps, loss = {-1: np.zeros((B, H))}, {}, 0.0
    for t in range(T):
        hs[t] = np.tanh(inputs[:, t, :] @ Wxh + hs[t - 1] @ Whh + bh)
        scores = hs[t] @ Why + by
        ps[t] = np.exp(scores - scores.max(axis=1, keepdims=True))
        ps[t] /= ps[t].sum(axis=1, keepdims=True)
        loss += -np.log(ps[t][range(B), labels[:, t]]).sum() / B
    grads = {k: np.zeros_like(v) for k, v in params.items()}
    dh_next = 0
    for t in reversed(range(T)):
        dscores = ps[t].copy()
        dscores[range(B), labels[:, t]] -= 1
        dscores /= B
        grads["Why"] += hs[t].T @ dscores
        grads["by"] += dscores.sum(axis=0)
        dh = dscores @ Why.T + dh_next
        draw = (1 - hs[t] ** 2) * dh
        grads["bh"] += draw.sum(axis=0)
        grads["Wxh"] += inputs[:, t, :].T @ draw
        grads["Whh"] += hs[t - 1].T @ draw
        dh_next = draw @ Whh.T
    return loss, grads
