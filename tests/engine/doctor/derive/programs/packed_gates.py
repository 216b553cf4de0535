"""An LSTM with its gates in one product, sentence by sentence; what goes into a step is filled part by part."""
import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z)
    return e / np.sum(e)


class Reader:
    def __init__(self, words, units):
        self.units, self.words = units, words
        self.W = np.random.uniform(-0.5, 0.5, (4 * units, words + units))
        self.V = np.random.uniform(-0.5, 0.5, (words, units))

    def forward(self, x):
        T, H = len(x), self.units
        s, c = np.zeros((T + 1, H)), np.zeros((T + 1, H))
        i, f, o, g = np.zeros((T, H)), np.zeros((T, H)), np.zeros((T, H)), np.zeros((T, H))
        p = np.zeros((T, self.words))
        s[-1] = np.zeros(H)
        for t in np.arange(T):
            both = np.zeros(self.words + H)
            both[x[t]] = 1
            both[self.words:] = s[t - 1]
            z = self.W.dot(both)
            i[t] = sigmoid(z[:H])
            f[t] = sigmoid(z[H:2 * H])
            o[t] = sigmoid(z[2 * H:3 * H])
            g[t] = np.tanh(z[3 * H:])
            c[t] = f[t] * c[t - 1] + i[t] * g[t]
            s[t] = o[t] * np.tanh(c[t])
            p[t] = softmax(self.V.dot(s[t]))
        return p, s, c, i, f, o, g

    def total_loss(self, xs, ys):
        L = 0
        for k in np.arange(len(ys)):
            p, s, c, i, f, o, g = self.forward(xs[k])
            L += -np.sum(np.log(p[np.arange(len(ys[k])), ys[k]]))
        return L


np.random.seed(3)
reader = Reader(6, 4)
print(reader.total_loss([[0, 1, 2, 3], [2, 4, 5]], [[1, 2, 3, 4], [4, 5, 0]]))
