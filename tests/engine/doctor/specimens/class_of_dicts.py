"""A class with its parameters in a dict, squared error at every step."""
import numpy as np
class RNN:
    def __init__(self, n_in, n_hidden, n_out):
        self.params = {"U": np.random.randn(n_in, n_hidden), "W": np.random.randn(n_hidden, n_hidden), "V": np.random.randn(n_hidden, n_out), "b": np.zeros(n_hidden), "c": np.zeros(n_out)}
        self.grads = {}
    def forward(self, X):
        p = self.params
        self.X = X
        self.h = [np.zeros((len(X), len(p["W"])))]
        for t in range(X.shape[1]):
            self.h.append(np.tanh(X[:, t] @ p["U"] + self.h[-1] @ p["W"] + p["b"]))
        self.o = np.stack(self.h[1:], 1) @ p["V"] + p["c"]
        return self.o
    def loss(self, X, Y):
        return ((self.forward(X) - Y) ** 2).mean()
    def backward(self, X, Y):
        p = self.params
        o = self.forward(X)
        do = 2 * (o - Y) / o.size
        g = {k: np.zeros_like(v) for k, v in p.items()}
        carry = 0
        for t in range(X.shape[1] - 1, -1, -1):
            g["V"] += self.h[t + 1].T @ do[:, t]
            g["c"] += do[:, t].sum(0)
            dh = do[:, t] @ p["V"].T + carry
            dz = dh * (1 - self.h[t + 1] ** 2)
            g["U"] += X[:, t].T @ dz
            g["W"] += self.h[t].T @ dz
            g["b"] += dz.sum(0)
            carry = dz @ p["W"].T
        self.grads = g
        return g
net = RNN(2, 4, 1)
X = np.random.randn(5, 3, 2); Y = np.random.randn(5, 3, 1)
for i in range(10):
    g = net.backward(X, Y)
    for k in g: net.params[k] -= 0.01 * g[k]
