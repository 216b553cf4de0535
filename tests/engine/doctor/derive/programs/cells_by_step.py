"""An LSTM whose network has a cell object for each step, as the state that the cell keeps is an object of its own."""

import numpy as np


def sigmoid(x):
    return 1.0 / (1 + np.exp(-x))


class Weights:
    def __init__(self, n, n_x):
        self.Wg = np.random.uniform(-0.5, 0.5, (n, n_x + n))
        self.Wi = np.random.uniform(-0.5, 0.5, (n, n_x + n))
        self.Wf = np.random.uniform(-0.5, 0.5, (n, n_x + n))
        self.Wo = np.random.uniform(-0.5, 0.5, (n, n_x + n))
        self.bg = np.zeros(n)


class State:
    def __init__(self, n):
        self.g = self.i = self.f = self.o = self.s = self.h = np.zeros(n)


class Cell:
    def __init__(self, n):
        self.state = State(n)

    def forward(self, x, weights, s_prev, h_prev):
        self.s_prev = s_prev
        self.xh = np.hstack((x, h_prev))
        self.state.g = np.tanh(np.dot(weights.Wg, self.xh) + weights.bg)
        self.state.i = sigmoid(np.dot(weights.Wi, self.xh))
        self.state.f = sigmoid(np.dot(weights.Wf, self.xh))
        self.state.o = sigmoid(np.dot(weights.Wo, self.xh))
        self.state.s = self.state.g * self.state.i + s_prev * self.state.f
        self.state.h = self.state.s * self.state.o


class Network:
    def __init__(self, weights, steps, n):
        self.weights, self.n = weights, n
        self.cells = []
        for _ in range(steps):
            self.cells.append(Cell(n))

    def forward(self, xs):
        s_prev = np.zeros(self.n)
        h_prev = np.zeros(self.n)
        for t, cell in enumerate(self.cells):
            cell.forward(xs[t], self.weights, s_prev, h_prev)
            s_prev = cell.state.s
            h_prev = cell.state.h

    def loss(self, ys):
        total = 0
        for cell, y in zip(self.cells, ys):
            total += (cell.state.h[0] - y) ** 2
        return total


np.random.seed(0)
weights = Weights(6, 4)
network = Network(weights, 5, 6)
xs = np.random.random((5, 4))
network.forward(xs)
print(network.loss([-0.5, 0.2, 0.1, -0.5, 0.3]))
