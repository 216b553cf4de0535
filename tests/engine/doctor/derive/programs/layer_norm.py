import numpy as np

np.random.seed(0)
batch, steps, n_in, n_hid = 4, 5, 2, 6
X = np.random.randn(steps, batch, n_in)
Y = np.random.randn(batch, 1)
eps = 1e-5
lr = 1e-2

W = np.random.randn(n_in, n_hid) * 0.6
R = np.random.randn(n_hid, n_hid) * 0.4
gamma = np.random.uniform(0.8, 1.2, n_hid)
beta = np.zeros(n_hid)
v = np.random.randn(n_hid, 1) * 0.5


def layer_norm(a):
    mu = a.mean(axis=1, keepdims=True)
    var = ((a - mu) ** 2).mean(axis=1, keepdims=True)
    return gamma * (a - mu) / np.sqrt(var + eps) + beta


h = np.zeros((batch, n_hid))
for t in range(steps):
    h = np.tanh(layer_norm(X[t] @ W + h @ R))
pred = h @ v
mse = np.mean((pred - Y) ** 2)
print(mse)
