import numpy as np


class RNN:
    """Reads a window of a series, one prediction a step."""

    def __init__(self, input_dim, hidden_dim, output_dim, lr=0.01):
        rng = np.random.default_rng(0)
        self.U = rng.normal(0, 0.5, (input_dim, hidden_dim))
        self.W = rng.normal(0, 0.5, (hidden_dim, hidden_dim))
        self.V = rng.normal(0, 0.5, (hidden_dim, output_dim))
        self.b = np.zeros(hidden_dim)
        self.c = np.zeros(output_dim)
        self.lr = lr

    def forward(self, x):
        self.x = x
        batch, steps, _ = x.shape
        self.s = [np.zeros((batch, self.W.shape[0]))]
        self.o = []
        for t in range(steps):
            s = np.tanh(x[:, t].dot(self.U) + self.s[-1].dot(self.W) + self.b)
            self.s.append(s)
            self.o.append(s.dot(self.V) + self.c)
        return self.o

    def loss(self, y):
        total = 0
        for t in range(len(self.o)):
            total += np.mean((self.o[t] - y[:, t]) ** 2)
        return total / len(self.o)


rng = np.random.default_rng(7)
series = np.cumsum(rng.normal(0, 0.3, (5, 9, 2)), axis=1)
net = RNN(2, 6, 2)
net.forward(series[:, :-1])
print(net.loss(series[:, 1:]))
