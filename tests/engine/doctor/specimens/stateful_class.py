"""A class that keeps what it computed; gradients end up on the instance."""
import numpy as np


class SimpleRNN:
    def __init__(self, input_size, hidden_size, output_size, learning_rate=0.01):
        rng = np.random.default_rng(0)
        self.hidden_size = hidden_size
        self.lr = learning_rate
        self.W_xh = rng.normal(size=(hidden_size, input_size)) * 0.1
        self.W_hh = rng.normal(size=(hidden_size, hidden_size)) * 0.1
        self.W_hy = rng.normal(size=(output_size, hidden_size)) * 0.1
        self.b_h = np.zeros((hidden_size, 1))
        self.b_y = np.zeros((output_size, 1))

    def forward(self, inputs):
        self.last_inputs = inputs
        h = np.zeros((self.hidden_size, 1))
        self.last_hs = {0: h}
        for i, x in enumerate(inputs):
            h = np.tanh(self.W_xh @ x + self.W_hh @ h + self.b_h)
            self.last_hs[i + 1] = h
        y = self.W_hy @ h + self.b_y
        self.probs = np.exp(y) / np.exp(y).sum()
        return self.probs, h

    def backward(self, target):
        n = len(self.last_inputs)
        d_y = self.probs.copy()
        d_y[target] -= 1
        self.d_W_hy = d_y @ self.last_hs[n].T
        self.d_b_y = d_y
        self.d_W_hh = np.zeros(self.W_hh.shape)
        self.d_W_xh = np.zeros(self.W_xh.shape)
        self.d_b_h = np.zeros(self.b_h.shape)
        d_h = self.W_hy.T @ d_y
        for t in reversed(range(n)):
            temp = (1 - self.last_hs[t + 1] ** 2) * d_h
            self.d_b_h += temp
            self.d_W_hh += temp @ self.last_hs[t].T
            self.d_W_xh += temp @ self.last_inputs[t].T
            d_h = self.W_hh.T @ temp
