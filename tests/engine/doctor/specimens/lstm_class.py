"""An LSTM as a class, one sample at a time, weights over [h; x]."""
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class LSTM:
    def __init__(self, input_size, hidden_size, output_size):
        self.hidden_size = hidden_size
        z = input_size + hidden_size
        s = 0.1
        self.W_f = np.random.randn(hidden_size, z) * s
        self.b_f = np.zeros((hidden_size, 1))
        self.W_i = np.random.randn(hidden_size, z) * s
        self.b_i = np.zeros((hidden_size, 1))
        self.W_C = np.random.randn(hidden_size, z) * s
        self.b_C = np.zeros((hidden_size, 1))
        self.W_o = np.random.randn(hidden_size, z) * s
        self.b_o = np.zeros((hidden_size, 1))
        self.W_v = np.random.randn(output_size, hidden_size) * s
        self.b_v = np.zeros((output_size, 1))

    def forward(self, xs):
        H = self.hidden_size
        h, C = np.zeros((H, 1)), np.zeros((H, 1))
        self.steps = []
        for x in xs:
            z = np.vstack((h, x.reshape(-1, 1)))
            f = sigmoid(self.W_f @ z + self.b_f)
            i = sigmoid(self.W_i @ z + self.b_i)
            C_bar = np.tanh(self.W_C @ z + self.b_C)
            C_prev = C
            C = f * C_prev + i * C_bar
            o = sigmoid(self.W_o @ z + self.b_o)
            h = o * np.tanh(C)
            self.steps.append((z, f, i, C_bar, C, o, h, C_prev))
        v = self.W_v @ h + self.b_v
        self.p = np.exp(v) / np.exp(v).sum()
        return self.p

    def backward(self, xs, y):
        p = self.forward(xs)
        loss = -np.log(p[y, 0])
        H = self.hidden_size
        grads = {k: np.zeros_like(getattr(self, k)) for k in
                 ("W_f", "b_f", "W_i", "b_i", "W_C", "b_C", "W_o", "b_o", "W_v", "b_v")}
        dv = p.copy()
        dv[y] -= 1
        grads["W_v"] += dv @ self.steps[-1][6].T
        grads["b_v"] += dv
        dh = self.W_v.T @ dv
        dC_next = np.zeros((H, 1))
        for z, f, i, C_bar, C, o, h, C_prev in reversed(self.steps):
            tC = np.tanh(C)
            do = dh * tC
            do = do * o * (1 - o)
            dC = dC_next + dh * o * (1 - tC ** 2)
            dC_bar = dC * i
            dC_bar = dC_bar * (1 - C_bar ** 2)
            di = dC * C_bar
            di = di * i * (1 - i)
            df = dC * C_prev
            df = df * f * (1 - f)
            grads["W_f"] += df @ z.T
            grads["b_f"] += df
            grads["W_i"] += di @ z.T
            grads["b_i"] += di
            grads["W_C"] += dC_bar @ z.T
            grads["b_C"] += dC_bar
            grads["W_o"] += do @ z.T
            grads["b_o"] += do
            dz = self.W_f.T @ df + self.W_i.T @ di + self.W_C.T @ dC_bar + self.W_o.T @ do
            dh = dz[:H]
            dC_next = f * dC
        return loss, grads
