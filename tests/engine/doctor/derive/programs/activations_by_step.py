"""Activations are objects that keep what they gave, one for each step; layers that keep their inputs."""

import numpy as np


class Sigmoid:
    def forward(self, inputs):
        self.output = 1 / (1 + np.exp(-inputs))


class Tanh:
    def forward(self, inputs):
        self.output = np.tanh(inputs)
        return self.output


class Recurrent:
    def __init__(self, n):
        self.n = n
        self.Uz, self.Wz = 0.4 * np.random.randn(n, 1), 0.4 * np.random.randn(n, n)
        self.Un, self.Wn = 0.4 * np.random.randn(n, 1), 0.4 * np.random.randn(n, n)
        self.bn = np.zeros((n, 1))

    def forward(self, X):
        self.H = [np.zeros((self.n, 1)) for _ in range(len(X) + 1)]
        self.gates = [Sigmoid() for _ in X]
        self.tanhs = [Tanh() for _ in X]
        h = self.H[0]
        for t, x in enumerate(X):
            x = x.reshape(1, 1)
            self.gates[t].forward(np.dot(self.Uz, x) + np.dot(self.Wz, h))
            z = self.gates[t].output
            h = (1 - z) * self.tanhs[t].forward(np.dot(self.Un, x) + np.dot(self.Wn, h) + self.bn) + z * h
            self.H[t + 1] = h


class Dense:
    def __init__(self, n_in, n_out):
        self.weights, self.biases = 0.4 * np.random.randn(n_in, n_out), np.zeros((1, n_out))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases


np.random.seed(1)
X, Y = np.sin(np.arange(6)), np.cos(np.arange(6)).reshape(-1, 1)
recurrent, dense = Recurrent(4), Dense(4, 1)
recurrent.forward(X)
dense.forward(np.array(recurrent.H)[1:, :, 0])
loss = 0.5 * np.sum((dense.output - Y) ** 2)
print(loss)
