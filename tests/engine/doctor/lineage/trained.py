"""A network that trains by hand-written gradients, with changes of its text."""

from __future__ import annotations

WEIGHTS = """
import numpy as np
np.random.seed(3)
I, H, O, T = 3, 4, 3, 5
Wxh, Whh, Why = np.random.randn(H, I) * 0.5, np.random.randn(H, H) * 0.5, np.random.randn(O, H) * 0.5
bh, by = np.zeros((H, 1)), np.zeros((O, 1))
"""
NETWORK = """
def forward(inputs, h):
    hs, ps = {-1: h}, {}
    for t, x in enumerate(inputs):
        hs[t] = np.tanh(Wxh @ x + Whh @ hs[t - 1] + bh)
        y = Why @ hs[t] + by
        ps[t] = np.exp(y) / np.exp(y).sum()
    return hs, ps

def passes(inputs, targets, h):
    hs, ps = forward(inputs, h)
    loss = sum(-np.log(ps[t][targets[t], 0]) for t in range(T))
    dWxh, dWhh, dWhy, dbh, dby = [np.zeros_like(w) for w in (Wxh, Whh, Why, bh, by)]
    dnext = np.zeros((H, 1))
    for t in reversed(range(T)):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        dWhy += dy @ hs[t].T
        dby += dy
        da = (1 - hs[t] ** 2) * (Why.T @ dy + dnext)
        dWxh += da @ inputs[t].T
        dWhh += da @ hs[t - 1].T
        dbh += da
        dnext = Whh.T @ da
    return loss, dWxh, dWhh, dWhy, dbh, dby
"""
DATA = """
def batch():
    return [np.random.randn(I, 1) for _ in range(T)], np.random.randint(0, O, T)
"""
TRAINING = """
for step in range(3):
    inputs, targets = batch()
    loss, dWxh, dWhh, dWhy, dbh, dby = passes(inputs, targets, np.zeros((H, 1)))
    for w, d in zip((Wxh, Whh, Why, bh, by), (dWxh, dWhh, dWhy, dbh, dby)):
        w -= 0.1 * d
"""
LONG = TRAINING.replace("range(3)", "range(50)")
"""Longer than a run is followed."""


def network(*changes: tuple[str, str], training: str = TRAINING, before: str = "") -> str:
    """A recurrent network that trains by hand-written gradients, with changes of its text; `before` runs before it trains."""
    text = WEIGHTS + NETWORK + DATA + before + training
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text
