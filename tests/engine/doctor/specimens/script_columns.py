"""A script in columns: one target a sequence, a single sigmoid, updates until it is good enough."""
import numpy as np

np.random.seed(0)
m, Tx, n_x, n_a = 6, 4, 2, 5
X = np.random.randn(n_x, m, Tx)
Y = (X.sum(axis=(0, 2)) > 0).astype(int).reshape(1, m)
Wax = np.random.randn(n_a, n_x) * 0.5
Waa = np.random.randn(n_a, n_a) * 0.5
Wya = np.random.randn(1, n_a) * 0.5
ba = np.zeros((n_a, 1))
by = np.zeros((1, 1))
alpha = 0.5

for i in range(200):
    a = [np.zeros((n_a, m))]
    for t in range(Tx):
        a.append(np.tanh(Wax.dot(X[:, :, t]) + Waa.dot(a[t]) + ba))
    Z = Wya.dot(a[-1]) + by
    Yhat = 1 / (1 + np.exp(-Z))
    cost = -np.mean(Y * np.log(Yhat) + (1 - Y) * np.log(1 - Yhat))
    if i % 50 == 0:
        print("cost", cost)
    dZ = Yhat - Y
    dWya = 1.0 / m * dZ.dot(a[-1].T)
    dby = 1.0 / m * dZ.sum(axis=1, keepdims=True)
    da = Wya.T.dot(dZ)
    dWax, dWaa, dba = 0, 0, 0
    for t in reversed(range(Tx)):
        dz = da * (1 - a[t + 1] ** 2)
        dWax = dWax + dz.dot(X[:, :, t].T) / m
        dWaa = dWaa + dz.dot(a[t].T) / m
        dba = dba + dz.sum(axis=1, keepdims=True) / m
        da = Waa.T.dot(dz)
    Wax = Wax - alpha * dWax
    Waa = Waa - alpha * dWaa
    Wya = Wya - alpha * dWya
    ba = ba - alpha * dba
    by = by - alpha * dby
