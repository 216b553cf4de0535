"""Arguments that no list of names knows."""
import numpy as np


def backprop(sig, cls, mat_a, mat_b, mat_c, off_a, off_b):
    T, B, _ = sig.shape
    s = [np.zeros((B, mat_b.shape[0]))]
    for t in range(T):
        s.append(np.tanh(sig[t] @ mat_a + s[t] @ mat_b + off_a))
    o = s[-1] @ mat_c + off_b
    q = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)
    cost = -np.mean(np.log(q[np.arange(B), cls]))
    e = q.copy()
    e[np.arange(B), cls] -= 1
    e = e / B
    gc, go_b = s[-1].T @ e, e.sum(axis=0)
    ga, gb, go_a = np.zeros_like(mat_a), np.zeros_like(mat_b), np.zeros_like(off_a)
    d = e @ mat_c.T
    for t in range(T - 1, -1, -1):
        d = d * (1 - s[t + 1] ** 2)
        ga += sig[t].T @ d
        gb += s[t].T @ d
        go_a += d.sum(axis=0)
        d = d @ mat_b.T
    return cost, (ga, gb, gc, go_a, go_b)
