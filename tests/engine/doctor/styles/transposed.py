"""PyTorch's names and layout, time first, squared error at every step, everything that can be is done for all steps at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement
from tests.engine.doctor.styles.style import Style

SOURCE = '''\
"""Forecasting with an RNN: nn.RNN's weights by hand, vectorised over time where nothing is recurrent."""
import numpy as np


def forward(inputs, weight_ih, weight_hh, bias, weight, bias_out, h0):
    pre = inputs @ weight_ih.T + bias
    zs, hs = [], [h0]
    for u in pre:
        zs.append(u + hs[-1] @ weight_hh.T)
        hs.append(np.maximum(zs[-1], 0.0))
    h = np.stack(hs)
    return np.stack(zs), h, h[1:] @ weight.T + bias_out


def backward(inputs, targets, weight_ih, weight_hh, bias, weight, bias_out, h0):
    """inputs (T, B, D), targets (T, B, K); gives the loss and the gradients in the order of the arguments."""
    T, B, D = inputs.shape
    z, h, output = forward(inputs, weight_ih, weight_hh, bias, weight, bias_out, h0)
    error = output - targets
    loss = np.mean(error ** 2)
    grad_output = 2 * error / error.size
    grad_weight = np.einsum("tbk,tbh->kh", grad_output, h[1:])
    grad_bias_out = grad_output.sum(axis=(0, 1))
    grad_h = grad_output @ weight
    grad_z = np.zeros_like(z)
    carry = np.zeros_like(h0)
    for t in range(T)[::-1]:
        grad_z[t] = (grad_h[t] + carry) * (z[t] > 0)
        carry = grad_z[t] @ weight_hh
    grad_ih = np.einsum("tbh,tbd->hd", grad_z, inputs)
    grad_hh = np.einsum("tbh,tbg->hg", grad_z, h[:-1])
    grad_bias = grad_z.sum(axis=(0, 1))
    return loss, [grad_ih, grad_hh, grad_bias, grad_weight, grad_bias_out]
'''


def call(namespace: Mapping[str, Any], problem: Problem) -> Measurement:
    w = problem.parameters
    initial = problem.initial.get("a", np.zeros((len(problem.X), problem.network.hidden)))
    loss, g = namespace["backward"](
        problem.X.transpose(1, 0, 2).copy(),
        problem.y.transpose(1, 0, 2).copy(),
        w["Wx"].T.copy(),
        w["Wa"].T.copy(),
        w["ba"].copy(),
        w["Wy"].T.copy(),
        w["by"].copy(),
        initial.copy(),
    )
    return Measurement(float(loss), {"Wx": g[0].T, "Wa": g[1].T, "ba": g[2], "Wy": g[3].T, "by": g[4]})


DELTA = "grad_output = 2 * error / error.size"
LOOP = "for t in range(T)[::-1]:"
DZ = "grad_z[t] = (grad_h[t] + carry) * (z[t] > 0)"
PREV = "carry = grad_z[t] @ weight_hh"
DWX = 'grad_ih = np.einsum("tbh,tbd->hd", grad_z, inputs)'
DWA = 'grad_hh = np.einsum("tbh,tbg->hg", grad_z, h[:-1])'
DBA = "grad_bias = grad_z.sum(axis=(0, 1))"
DWY = 'grad_weight = np.einsum("tbk,tbh->kh", grad_output, h[1:])'
DBY = "grad_bias_out = grad_output.sum(axis=(0, 1))"
RETURN = "return loss, [grad_ih, grad_hh, grad_bias, grad_weight, grad_bias_out]"

STYLE = Style(
    "vectorised, transposed weights",
    SOURCE,
    {"activation": "relu", "predict": "every", "loss": "squared", "outputs": 4, "reduction": "mean"},
    call,
    {
        "delta-sign": [[(DELTA, "grad_output = 2 * (targets - output) / error.size")]],
        "delta-without-target": [[(DELTA, "grad_output = 2 * output / error.size")]],
        "batch-not-averaged": [
            [(DELTA, "grad_output = 2 * error / (error.size / B)")],
            [(DELTA, "grad_output = 2 * error")],
        ],
        "batch-averaged-twice": [
            [(RETURN, "return loss, [g / B for g in (grad_ih, grad_hh, grad_bias, grad_weight, grad_bias_out)]")],
            [
                (DWX, 'grad_ih = np.einsum("tbh,tbd->hd", grad_z, inputs) / B'),
                (DWA, 'grad_hh = np.einsum("tbh,tbg->hg", grad_z, h[:-1]) / B'),
            ],
        ],
        "dwy-wrong-state": [
            [(DWY, 'grad_weight = np.einsum("tbk,tbh->kh", grad_output, h[:-1])')],
            [(DWY, 'grad_weight = np.einsum("tbk,tbh->kh", grad_output, z)')],
        ],
        "activation-derivative-missing": [[(DZ, "grad_z[t] = grad_h[t] + carry")]],
        "activation-derivative-of-another": [
            [(DZ, "grad_z[t] = (grad_h[t] + carry) * (1 - h[t + 1] ** 2)")],
            [(DZ, "grad_z[t] = (grad_h[t] + carry) * (1 - np.tanh(z[t]) ** 2)")],
        ],
        "relu-mask-from-gradient": [[(DZ, "grad_z[t] = np.maximum(grad_h[t] + carry, 0)")]],
        "relu-value-for-mask": [[(DZ, "grad_z[t] = (grad_h[t] + carry) * np.maximum(z[t], 0)")]],
        "activation-derivative-wrong-step": [
            [(DZ, "grad_z[t] = (grad_h[t] + carry) * (h[t] > 0)")],
            [(DZ, "grad_z[t] = (grad_h[t] + carry) * (z[-1] > 0)")],
            [(DZ, "grad_z[t] = (grad_h[t] + carry) * (z[t - 1] > 0)")],
        ],
        "activation-derivative-some-steps": [
            [(DZ, "grad_z[t] = grad_h[t] + carry"), (LOOP, "grad_h[-1] *= z[-1] > 0\nfor t in range(T)[::-1]:")]
        ],
        "wa-not-transposed": [[(PREV, "carry = grad_z[t] @ weight_hh.T")]],
        "wa-applied-twice": [[(PREV, "carry = grad_z[t] @ weight_hh @ weight_hh")]],
        "wa-not-applied": [[(PREV, "carry = grad_z[t].copy()")]],
        "recurrence-skips-derivative": [[(PREV, "carry = (grad_h[t] + carry) @ weight_hh")]],
        "scaled-every-step": [
            [(PREV, "carry = grad_z[t] @ weight_hh / B")],
            [(PREV, "carry = grad_z[t] @ weight_hh / T")],
        ],
        "carry-not-reset": [[(PREV, "carry += grad_z[t] @ weight_hh")]],
        "future-gradient-dropped": [[(DZ, "grad_z[t] = grad_h[t] * (z[t] > 0)")]],
        "output-gradient-dropped": [
            [("grad_h = grad_output @ weight", "grad_h = np.zeros_like(z)\ngrad_h[-1] = grad_output[-1] @ weight")]
        ],
        "time-order-forward": [[(LOOP, "for t in range(T):")]],
        "loop-over-wrong-axis": [[(LOOP, "for t in range(B)[::-1]:")]],
        "truncated-early": [[(LOOP, "for t in range(T)[:-3:-1]:")]],
        "averaged-over-time": [
            [
                (DWX, 'grad_ih = np.einsum("tbh,tbd->hd", grad_z, inputs) / T'),
                (DWA, 'grad_hh = np.einsum("tbh,tbg->hg", grad_z, h[:-1]) / T'),
                (DBA, "grad_bias = grad_z.sum(axis=1).mean(axis=0)"),
            ]
        ],
        "dwa-uses-current-state": [[(DWA, 'grad_hh = np.einsum("tbh,tbg->hg", grad_z, h[1:])')]],
        "dwa-uses-preactivation": [
            [(DWA, 'grad_hh = np.einsum("tbh,tbg->hg", grad_z[1:], z[:-1])')],
            [(DWA, 'grad_hh = np.einsum("tbh,tbg->hg", grad_z, np.roll(z, 1, axis=0))')],
        ],
        "dwx-wrong-step": [
            [(DWX, 'grad_ih = np.einsum("tbh,tbd->hd", grad_z[1:], inputs[:-1])')],
            [(DWX, 'grad_ih = np.einsum("tbh,tbd->hd", grad_z[:-1], inputs[1:])')],
            [(DWX, 'grad_ih = np.einsum("tbh,tbd->hd", grad_z, np.roll(inputs, -1, axis=0))')],
        ],
        "first-step-skipped": [[(LOOP, "for t in range(1, T)[::-1]:")]],
        "last-step-skipped": [[(LOOP, "for t in range(T - 1)[::-1]:")]],
        "initial-state-wraps": [[(DWA, 'grad_hh = np.einsum("tbh,tbg->hg", grad_z, np.roll(h[1:], 1, axis=0))')]],
        "initial-state-ignored": [[(DWA, 'grad_hh = np.einsum("tbh,tbg->hg", grad_z[1:], h[1:-1])')]],
        "dwa-transposed": [[(DWA, 'grad_hh = np.einsum("tbh,tbg->gh", grad_z, h[:-1])')]],
        "batch-means-multiplied": [
            [(DWA, 'grad_hh = np.einsum("th,tg->hg", grad_z.sum(axis=1), h[:-1].mean(axis=1))')]
        ],
        "bias-gradient-not-summed": [
            [(DBA, "grad_bias = grad_z.mean(axis=1).sum(axis=0)")],
            [(DBA, "grad_bias = grad_z[:, 0].sum(axis=0)")],
            [(DBA, "grad_bias = grad_z[-1].sum(axis=0)")],
            [(DBY, "grad_bias_out = np.full_like(bias_out, grad_output.sum())")],
        ],
        "clipped-per-step": [[(PREV, "carry = np.clip(grad_z[t] @ weight_hh, -0.004, 0.004)")]],
        "learning-rate-in-gradient": [
            [(RETURN, "return loss, [0.001 * g for g in (grad_ih, grad_hh, grad_bias, grad_weight, grad_bias_out)]")]
        ],
        "output-activation-twice": [
            [
                (
                    "return np.stack(zs), h, h[1:] @ weight.T + bias_out",
                    "return np.stack(zs), h, np.maximum(h[1:] @ weight.T + bias_out, 0)",
                )
            ]
        ],
    },
)
