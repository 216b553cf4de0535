"""One number a step, one number to predict, half the squared error summed; plain tanh units, no biases."""
import numpy as np


def bptt(x, y, Wx, Wa, Wy):
    """x (B, T), y (B, 1)."""
    B, T = x.shape
    a = np.zeros((T + 1, B, len(Wa)))
    for t in range(1, T + 1):
        a[t] = np.tanh(x[:, t - 1 : t] @ Wx + a[t - 1] @ Wa)
    err = a[T] @ Wy - y
    J = 0.5 * np.sum(err**2)
    dWy = a[T].T @ err
    dWx, dWa = np.zeros_like(Wx), np.zeros_like(Wa)
    da = err @ Wy.T
    for t in range(T, 0, -1):
        dz = da * (1 - a[t] ** 2)
        dWx += x[:, t - 1 : t].T @ dz
        dWa += a[t - 1].T @ dz
        da = dz @ Wa.T
    return J, dWx, dWa, dWy
