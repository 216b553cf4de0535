"""A GRU whose output and loss are methods that it holds by other names; its cell was tried by itself before."""
import numpy as np


class Cell:
    def __init__(self, inputs, units):
        self.Wz, self.Wr, self.Wh = (np.random.randn(units, inputs + units) * 0.4 for _ in range(3))

    def sigmoid(self, z):
        return 1 / (1 + np.exp(-z))

    def step(self, x, h):
        xh = np.vstack((h, x))
        z = self.sigmoid(self.Wz @ xh)
        r = self.sigmoid(self.Wr @ xh)
        c = np.tanh(self.Wh @ np.vstack((r * h, x)))
        return (1 - z) * h + z * c


class Classifier:
    def __init__(self, inputs, units, classes):
        self.cell, self.units = Cell(inputs, units), units
        self.Wo, self.bo = np.random.randn(classes, units) * 0.5, np.zeros((classes, 1))
        if classes > 1:
            self.out, self.loss = self.softmax, self.cross_entropy
        else:
            self.out, self.loss = np.tanh, self.squared
        self.last = self.softmax

    def softmax(self, z):
        e = np.exp(z)
        e /= np.sum(e, axis=0)
        return e

    def squared(self, y, target):
        return np.sum((y - target) ** 2)

    def cross_entropy(self, y, target):
        y = np.clip(y, 1e-12, 1 - 1e-12)
        return -np.sum(target * np.log(y)) / target.shape[1]

    def forward(self, x, give=True):
        h = np.zeros((self.units, x.shape[-1]))
        for t in range(len(x)):
            h = self.cell.step(x[t], h)
        if give:
            return self.out(self.Wo @ h + self.bo)
        return


np.random.seed(2)
cell = Cell(2, 3)
h = cell.step(np.ones((2, 1)), np.zeros((3, 1)))
print("a step gives", h.shape)

net = Classifier(2, 4, 3)
inputs, labels = np.random.randn(5, 2, 6), np.eye(3)[[0, 1, 2, 2, 1, 0]].T
print(net.loss(net.forward(inputs), labels))
