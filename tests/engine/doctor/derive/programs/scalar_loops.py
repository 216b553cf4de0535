# everything by hand, no matrix products
import math
import numpy as np

np.random.seed(6)
n_in, n_hid, T = 2, 3, 4
wx = np.random.randn(n_hid, n_in)
wh = np.random.randn(n_hid, n_hid)
wo = np.random.randn(n_hid)
x = np.random.randn(T, n_in)
y = 0.7
eta = 0.1

h = np.zeros((T + 1, n_hid))
for t in range(T):
    for j in range(n_hid):
        s = 0.0
        for i in range(n_in):
            s += wx[j, i] * x[t, i]
        for k in range(n_hid):
            s += wh[j, k] * h[t, k]
        h[t + 1, j] = math.tanh(s)
out = 0.0
for j in range(n_hid):
    out += wo[j] * h[T, j]
loss = 0.5 * (out - y) ** 2
print(loss)
