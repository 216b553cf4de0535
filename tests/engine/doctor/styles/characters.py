"""One function over global weights, characters as whole numbers, a sequence at a time; the loss is a sum, gradients are clipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement
from tests.engine.doctor.styles.style import Style, with_tokens

SOURCE = '''\
"""
A character-level RNN over global arrays.
"""
import numpy as np

# data I/O
data = open('input.txt', 'r').read() # should be simple plain text file
chars = sorted(set(data))
data_size, vocab_size = len(data), len(chars)
print('data has %d characters, %d unique.' % (data_size, vocab_size))
char_to_ix = { ch:i for i,ch in enumerate(chars) }

# hyperparameters
hidden_size = 20 # size of hidden layer of neurons
seq_length = 8 # number of steps to unroll the RNN for
learning_rate = 1e-1

# model parameters
Wxh = np.random.randn(hidden_size, vocab_size)*0.01 # input to hidden
Whh = np.random.randn(hidden_size, hidden_size)*0.01 # hidden to hidden
Why = np.random.randn(vocab_size, hidden_size)*0.01 # hidden to output
bh = np.zeros((hidden_size, 1)) # hidden bias
by = np.zeros((vocab_size, 1)) # output bias

def lossFun(inputs, targets, hprev):
  xs, hs, ys, ps = {}, {}, {}, {}
  hs[-1] = np.copy(hprev)
  loss = 0
  # forward pass
  for t in range(len(inputs)):
    xs[t] = np.zeros((vocab_size,1)) # encode in 1-of-k representation
    xs[t][inputs[t]] = 1
    hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t-1]) + bh) # hidden state
    ys[t] = np.dot(Why, hs[t]) + by # unnormalized log probabilities for next chars
    ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t])) # probabilities for next chars
    loss += -np.log(ps[t][targets[t],0]) # softmax (cross-entropy loss)
  # backward pass: compute gradients going backwards
  dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
  dbh, dby = np.zeros_like(bh), np.zeros_like(by)
  dhnext = np.zeros_like(hs[0])
  for t in reversed(range(len(inputs))):
    dy = np.copy(ps[t])
    dy[targets[t]] -= 1
    dWhy += np.dot(dy, hs[t].T)
    dby += dy
    dh = np.dot(Why.T, dy) + dhnext
    dhraw = (1 - hs[t] * hs[t]) * dh
    dbh += dhraw
    dWxh += np.dot(dhraw, xs[t].T)
    dWhh += np.dot(dhraw, hs[t-1].T)
    dhnext = np.dot(Whh.T, dhraw)
  for dparam in [dWxh, dWhh, dWhy, dbh, dby]:
    np.clip(dparam, -5, 5, out=dparam) # clip to mitigate exploding gradients
  return loss, dWxh, dWhh, dWhy, dbh, dby, hs[len(inputs)-1]

n, p = 0, 0
while True:
  if p+seq_length+1 >= len(data) or n == 0:
    hprev = np.zeros((hidden_size,1)) # reset RNN memory
    p = 0 # go from start of data
  inputs = [char_to_ix[ch] for ch in data[p:p+seq_length]]
  targets = [char_to_ix[ch] for ch in data[p+1:p+seq_length+1]]
  loss, dWxh, dWhh, dWhy, dbh, dby, hprev = lossFun(inputs, targets, hprev)
  if n % 100 == 0: print('iter %d, loss: %f' % (n, loss))
  for param, dparam in zip([Wxh, Whh, Why, bh, by], [dWxh, dWhh, dWhy, dbh, dby]):
    param += -learning_rate * dparam
  p += seq_length # move data pointer
  n += 1 # iteration counter
'''


def prepared(problem: Problem) -> Problem:
    """So that gradients stay within the limits of clipping."""
    own = with_tokens(problem)
    weights = {name: 0.3 * value if name in ("Wa", "Wy") else value for name, value in own.parameters.items()}
    return replace(own, network=replace(own.network, weights=weights))


LEFT_OUT = ("data = open", "while True:")
"""What the doctor does without, and so do we: the text is not there, the loop has no end."""


def call(namespace: Mapping[str, Any], problem: Problem) -> Measurement:
    own, weights = cast("dict[str, Any]", namespace), problem.parameters
    own |= {"Wxh": weights["Wx"].T.copy(), "Whh": weights["Wa"].T.copy(), "Why": weights["Wy"].T.copy()}
    own |= {"bh": weights["ba"][:, None].copy(), "by": weights["by"][:, None].copy(), "vocab_size": len(weights["by"])}
    total, loss = dict.fromkeys(("Wx", "Wa", "Wy", "ba", "by"), 0.0), 0.0
    for x, y, h in zip(problem.X.argmax(axis=2), problem.y, problem.initial["a"], strict=True):
        result = own["lossFun"]([int(n) for n in x], [int(n) for n in y], h[:, None].copy())
        loss += float(result[0])
        for name, value in zip(total, result[1:6], strict=True):
            total[name] = total[name] + (value[:, 0] if name.startswith("b") else value.T)
    return Measurement(loss, {name: np.asarray(value) for name, value in total.items()})


LOOP = "for t in reversed(range(len(inputs))):"
DELTA, TARGET = "dy = np.copy(ps[t])", "dy[targets[t]] -= 1"
DWHY, DBY = "dWhy += np.dot(dy, hs[t].T)", "dby += dy"
DH, DRAW = "dh = np.dot(Why.T, dy) + dhnext", "dhraw = (1 - hs[t] * hs[t]) * dh"
DBH, DWXH = "dbh += dhraw", "dWxh += np.dot(dhraw, xs[t].T)"
DWHH, NEXT = "dWhh += np.dot(dhraw, hs[t-1].T)", "dhnext = np.dot(Whh.T, dhraw)"

STYLE = Style(
    "globals, characters",
    SOURCE,
    {"predict": "every", "loss": "cross-entropy", "reduction": "sum", "inputs": 4, "outputs": 4},
    call,
    {
        "delta-sign": [[(DELTA, "dy = -np.copy(ps[t])"), (TARGET, "dy[targets[t]] += 1")]],
        "delta-without-target": [[(TARGET, "")]],
        "dwy-wrong-state": [[(DWHY, "dWhy += np.dot(dy, hs[t-1].T)")]],
        "activation-derivative-missing": [[(DRAW, "dhraw = dh")]],
        "tanh-derivative-of-activation": [[(DRAW, "dhraw = (1 - np.tanh(hs[t]) ** 2) * dh")]],
        "tanh-derivative-misplaced-square": [[(DRAW, "dhraw = (1 - hs[t]) ** 2 * dh")]],
        "activation-derivative-wrong-step": [[(DRAW, "dhraw = (1 - hs[t-1] * hs[t-1]) * dh")]],
        "future-gradient-dropped": [[(DH, "dh = np.dot(Why.T, dy)")]],
        "output-gradient-dropped": [[(DH, "dh = dhnext if t < len(inputs) - 1 else np.dot(Why.T, dy)")]],
        "wa-not-transposed": [[(NEXT, "dhnext = np.dot(Whh, dhraw)")]],
        "wa-applied-twice": [[(NEXT, "dhnext = np.dot(Whh.T, np.dot(Whh.T, dhraw))")]],
        "wa-not-applied": [[(NEXT, "dhnext = dhraw")]],
        "recurrence-skips-derivative": [[(NEXT, "dhnext = np.dot(Whh.T, dh)")]],
        "scaled-every-step": [[(NEXT, "dhnext = np.dot(Whh.T, dhraw) / len(inputs)")]],
        "carry-not-reset": [[(NEXT, "dhnext += np.dot(Whh.T, dhraw)")]],
        "time-order-forward": [[(LOOP, "for t in range(len(inputs)):")]],
        "truncated-early": [[(LOOP, "for t in reversed(range(len(inputs) - 2, len(inputs))):")]],
        "overwritten-not-accumulated": [
            [(DWXH, "dWxh = np.dot(dhraw, xs[t].T)")],
            [(DWHY, "dWhy = np.dot(dy, hs[t].T)")],
        ],
        "averaged-over-time": [
            [
                (DWXH, "dWxh += np.dot(dhraw, xs[t].T) / len(inputs)"),
                (DWHH, "dWhh += np.dot(dhraw, hs[t-1].T) / len(inputs)"),
                (DBH, "dbh += dhraw / len(inputs)"),
            ]
        ],
        "dwa-uses-current-state": [[(DWHH, "dWhh += np.dot(dhraw, hs[t].T)")]],
        "dwx-wrong-step": [[(DWXH, "dWxh += np.dot(dhraw, xs[len(inputs)-1].T)")]],
        "first-step-skipped": [[(LOOP, "for t in reversed(range(1, len(inputs))):")]],
        "last-step-skipped": [[(LOOP, "for t in reversed(range(len(inputs)-1)):")]],
        "dwa-transposed": [[(DWHH, "dWhh += np.dot(hs[t-1], dhraw.T)")]],
        "clipped-per-step": [[(NEXT, "dhnext = np.clip(np.dot(Whh.T, dhraw), -0.1, 0.1)")]],
    },
    prepared=prepared,
    left_out=LEFT_OUT,
)
