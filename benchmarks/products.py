"""The floor under a recording: its matrix products and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.models import Shape
from engine.model.network import Network


def products(network: Network, shape: Shape) -> Callable[[], None]:
    """Forward, back through time, to the inputs and into the weights, on arrays that are there already; with a loss at every step the
    read-out's too, forward, to the states and into its weights.

    The matrices of all gates lie side by side. What the recurrence needs goes step by step, the rest in one product over all steps.
    """
    B, T, D, H, C, every = shape
    axes = list(network.parameter_axes.values())
    from_inputs, from_state = axes.count(("D", "H")) * H, axes.count(("H", "H")) * H
    rng = np.random.default_rng(0)

    def given(*size: int) -> np.ndarray:
        return rng.normal(size=size).astype(network.dtype)

    def room(*size: int) -> np.ndarray:
        return np.ones(size, network.dtype)

    x, a, dz_x, dz_a = given(T * B, D), given(T, B, H), given(T * B, from_inputs), given(T, B, from_state)
    Wx, Wa = given(D, from_inputs), given(H, from_state)
    Wx_T, Wa_T = np.ascontiguousarray(Wx.T), np.ascontiguousarray(Wa.T)
    a_all, dz_a_all = a.reshape(T * B, H), dz_a.reshape(T * B, from_state)
    z_x, z_a, da, dx = room(T * B, from_inputs), room(B, from_state), room(T, B, H), room(T * B, D)
    dWx, dWa = np.empty_like(Wx), np.empty_like(Wa)
    Wy, logits, dlogits, da_out = given(H, C), room(T * B, C), given(T * B, C), room(T * B, H)
    Wy_T, dWy = np.ascontiguousarray(Wy.T), np.empty_like(Wy)

    def read_out() -> None:
        np.matmul(a_all, Wy, logits)
        np.matmul(dlogits, Wy_T, da_out)
        np.matmul(a_all.T, dlogits, dWy)

    def run() -> None:
        np.matmul(x, Wx, z_x)
        for t in range(T):
            np.matmul(a[t], Wa, z_a)
        for t in reversed(range(T)):
            np.matmul(dz_a[t], Wa_T, da[t])
        np.matmul(dz_x, Wx_T, dx)
        np.matmul(x.T, dz_x, dWx)
        np.matmul(a_all.T, dz_a_all, dWa)
        if every:
            read_out()

    return run
