"""LSTM whose gates look at the cell, many-to-many, squared error."""
import numpy as np


def sig(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, h_prev, c_prev, p):
    hx = np.hstack((h_prev, x))
    i = sig(hx @ p["Wi"] + p["pi"] * c_prev + p["bi"])
    f = sig(hx @ p["Wf"] + p["pf"] * c_prev + p["bf"])
    g = np.tanh(hx @ p["Wg"] + p["bg"])
    c = f * c_prev + i * g
    o = sig(hx @ p["Wo"] + p["po"] * c + p["bo"])
    tanh_c = np.tanh(c)
    h = o * tanh_c
    return h, c, (hx, i, f, g, c, c_prev, o, tanh_c)


def forward(xs, p, n_h):
    h = np.zeros((xs.shape[1], n_h))
    c = np.zeros((xs.shape[1], n_h))
    ys, caches = [], []
    for x in xs:
        h, c, cache = lstm_step(x, h, c, p)
        ys.append(h @ p["Wy"] + p["by"])
        caches.append((cache, h))
    return np.array(ys), caches


rng = np.random.default_rng(5)
n_x, n_h, n_y = 2, 4, 2
p = {}
for gate in "ifgo":
    p["W" + gate] = rng.normal(0, 0.4, (n_h + n_x, n_h))
    p["b" + gate] = np.zeros(n_h)
for gate in "ifo":
    p["p" + gate] = rng.normal(0, 0.3, n_h)
p["Wy"] = rng.normal(0, 0.4, (n_h, n_y))
p["by"] = np.zeros(n_y)

xs = rng.normal(size=(5, 3, n_x))
targets = rng.normal(size=(5, 3, n_y))
ys, caches = forward(xs, p, n_h)
loss = ((ys - targets) ** 2).sum() / 2
print(loss)
