"""A layer object is made anew in each step and kept in a list; the loss is added up from the list."""

import numpy as np


class Layer:
    def forward(self, x, s_prev, U, W, V):
        self.mul_u = np.dot(U, x)
        self.mul_w = np.dot(W, s_prev)
        self.s = np.tanh(self.mul_u + self.mul_w)
        self.mul_v = np.dot(V, self.s)


class Softmax:
    def predict(self, x):
        e = np.exp(x - np.max(x))
        return e / np.sum(e)

    def loss(self, x, y):
        return -np.log(self.predict(x)[y])


class Model:
    def __init__(self, words, hidden):
        self.words, self.hidden = words, hidden
        self.U = np.random.uniform(-0.5, 0.5, (hidden, words))
        self.W = np.random.uniform(-0.5, 0.5, (hidden, hidden))
        self.V = np.random.uniform(-0.5, 0.5, (words, hidden))

    def forward(self, ids):
        layers = []
        s_prev = np.zeros(self.hidden)
        for k in ids:
            layer = Layer()
            x = np.zeros(self.words)
            x[k] = 1
            layer.forward(x, s_prev, self.U, self.W, self.V)
            s_prev = layer.s
            layers.append(layer)
        return layers

    def loss(self, ids, targets):
        output = Softmax()
        layers = self.forward(ids)
        loss = 0.0
        for t, layer in enumerate(layers):
            loss += output.loss(layer.mul_v, targets[t])
        return loss / float(len(targets))


np.random.seed(2)
ids, targets = [0, 3, 1, 4, 2], [3, 1, 4, 2, 0]
model = Model(6, 4)
loss = model.loss(ids, targets)
print(loss)
