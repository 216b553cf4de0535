"""Names as in a framework, transposed weights, squared error at every step, time first, whole arrays at once where possible."""
import numpy as np


def loss_and_grads(x, target, h0, weight_ih, weight_hh, bias_ih, bias_hh, weight_ho, bias_ho):
    T, B, _ = x.shape
    H = weight_hh.shape[0]
    h = np.empty((T + 1, B, H))
    h[0] = h0
    pre = x @ weight_ih.T + bias_ih + bias_hh
    for t in range(T):
        h[t + 1] = np.tanh(pre[t] + h[t] @ weight_hh.T)
    out = h[1:] @ weight_ho.T + bias_ho
    diff = out - target
    loss = 0.5 * np.sum(diff**2) / B
    d_out = diff / B
    d_h = d_out @ weight_ho
    d_pre = np.empty_like(pre)
    carry = np.zeros((B, H))
    for t in range(T - 1, -1, -1):
        d_pre[t] = (d_h[t] + carry) * (1 - h[t + 1] ** 2)
        carry = d_pre[t] @ weight_hh
    grads = dict(
        weight_ih=np.einsum("tbh,tbd->hd", d_pre, x),
        weight_hh=np.einsum("tbh,tbk->hk", d_pre, h[:-1]),
        bias_ih=d_pre.sum(axis=(0, 1)),
        bias_hh=d_pre.sum(axis=(0, 1)),
        weight_ho=np.einsum("tbc,tbh->ch", d_out, h[1:]),
        bias_ho=d_out.sum(axis=(0, 1)),
        h0=carry,
    )
    return loss, grads
