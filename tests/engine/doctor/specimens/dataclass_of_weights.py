"""Parameters and gradients are objects of one dataclass."""
from dataclasses import dataclass
import numpy as np


@dataclass
class RNNParams:
    Wxh: np.ndarray
    Whh: np.ndarray
    Why: np.ndarray
    bh: np.ndarray
    by: np.ndarray


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def forward(params: RNNParams, x: np.ndarray):
    hs = [np.zeros((x.shape[0], params.Whh.shape[0]))]
    for t in range(x.shape[1]):
        hs.append(np.tanh(x[:, t] @ params.Wxh + hs[-1] @ params.Whh + params.bh))
    return hs, softmax(hs[-1] @ params.Why + params.by)


def backward(params: RNNParams, x: np.ndarray, y: np.ndarray) -> RNNParams:
    hs, probs = forward(params, x)
    n = x.shape[0]
    dlogits = probs.copy()
    dlogits[np.arange(n), y] -= 1.0
    dlogits /= n
    grads = RNNParams(np.zeros_like(params.Wxh), np.zeros_like(params.Whh), hs[-1].T @ dlogits,
                      np.zeros_like(params.bh), dlogits.sum(axis=0))
    dh = dlogits @ params.Why.T
    for t in reversed(range(x.shape[1])):
        dz = dh * (1 - hs[t + 1] ** 2)
        grads.Wxh += x[:, t].T @ dz
        grads.Whh += hs[t].T @ dz
        grads.bh += dz.sum(axis=0)
        dh = dz @ params.Whh.T
    return grads
