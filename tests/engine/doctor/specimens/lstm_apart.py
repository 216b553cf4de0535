"""An LSTM with a parameter for each gate and gradients under names that are put together."""
import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def backward(X, y, Wxi, Whi, bi, Wxf, Whf, bf, Wxg, Whg, bg, Wxo, Who, bo, Wy, by):
    """Loss and gradients of an LSTM; X (B, T, D), y (B,) classes, softmax on the last step."""
    B, T, D = X.shape
    H = Whi.shape[0]
    h, c = [np.zeros((B, H))], [np.zeros((B, H))]
    gates = []
    for t in range(T):
        i = sigmoid(X[:, t] @ Wxi + h[-1] @ Whi + bi)
        f = sigmoid(X[:, t] @ Wxf + h[-1] @ Whf + bf)
        g = np.tanh(X[:, t] @ Wxg + h[-1] @ Whg + bg)
        o = sigmoid(X[:, t] @ Wxo + h[-1] @ Who + bo)
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))
        gates.append((i, f, g, o))
    logits = h[-1] @ Wy + by
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(B), y]).mean()
    d = p.copy()
    d[np.arange(B), y] -= 1
    d /= B
    grads = {k: 0.0 for k in ("Wxi", "Whi", "bi", "Wxf", "Whf", "bf", "Wxg", "Whg", "bg", "Wxo", "Who", "bo")}
    grads["Wy"] = h[-1].T @ d
    grads["by"] = d.sum(axis=0)
    dh = d @ Wy.T
    dc = np.zeros((B, H))
    for t in range(T - 1, -1, -1):
        i, f, g, o = gates[t]
        tc = np.tanh(c[t + 1])
        dc = dc + dh * o * (1 - tc ** 2)
        dzo = dh * tc * o * (1 - o)
        dzi = dc * g * i * (1 - i)
        dzf = dc * c[t] * f * (1 - f)
        dzg = dc * i * (1 - g ** 2)
        dh = 0
        for name, dz, Wh in (("i", dzi, Whi), ("f", dzf, Whf), ("g", dzg, Whg), ("o", dzo, Who)):
            grads["Wx" + name] = grads["Wx" + name] + X[:, t].T @ dz
            grads["Wh" + name] = grads["Wh" + name] + h[t].T @ dz
            grads["b" + name] = grads["b" + name] + dz.sum(axis=0)
            dh = dh + dz @ Wh.T
        dc = dc * f
    return loss, grads
