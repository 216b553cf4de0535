"""PyTorch's GRU as a class, gates side by side, two biases, squared error."""
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class GRU:
    def __init__(self, n_in, n_hidden, n_out):
        k = 1 / np.sqrt(n_hidden)
        self.W_ih = np.random.uniform(-k, k, (3 * n_hidden, n_in))
        self.W_hh = np.random.uniform(-k, k, (3 * n_hidden, n_hidden))
        self.b_ih = np.zeros(3 * n_hidden)
        self.b_hh = np.zeros(3 * n_hidden)
        self.W_out = np.random.uniform(-k, k, (n_out, n_hidden))
        self.b_out = np.zeros(n_out)

    def forward(self, x):
        N, T, _ = x.shape
        H = self.W_hh.shape[1]
        h = np.zeros((N, H))
        self.cache = []
        for t in range(T):
            gi = x[:, t] @ self.W_ih.T + self.b_ih
            gh = h @ self.W_hh.T + self.b_hh
            r = sigmoid(gi[:, :H] + gh[:, :H])
            z = sigmoid(gi[:, H:2 * H] + gh[:, H:2 * H])
            n = np.tanh(gi[:, 2 * H:] + r * gh[:, 2 * H:])
            h_new = (1 - z) * n + z * h
            self.cache.append((x[:, t], h, r, z, n, gh[:, 2 * H:]))
            h = h_new
        self.h_last = h
        return h @ self.W_out.T + self.b_out

    def backward(self, x, y):
        out = self.forward(x)
        N = len(x)
        loss = ((out - y) ** 2).mean()
        dout = 2 * (out - y) / out.size
        g = {"W_out": dout.T @ self.h_last, "b_out": dout.sum(0)}
        dW_ih, dW_hh = np.zeros_like(self.W_ih), np.zeros_like(self.W_hh)
        db_ih, db_hh = np.zeros_like(self.b_ih), np.zeros_like(self.b_hh)
        dh = dout @ self.W_out
        for xt, h_prev, r, z, n, hn in reversed(self.cache):
            dn = dh * (1 - z) * (1 - n ** 2)
            dz = dh * (h_prev - n) * z * (1 - z)
            dr = dn * hn * r * (1 - r)
            dgi = np.concatenate([dr, dz, dn], axis=1)
            dgh = np.concatenate([dr, dz, dn * r], axis=1)
            dW_ih += dgi.T @ xt
            dW_hh += dgh.T @ h_prev
            db_ih += dgi.sum(0)
            db_hh += dgh.sum(0)
            dh = dh * z + dgh @ self.W_hh
        g.update(W_ih=dW_ih, W_hh=dW_hh, b_ih=db_ih, b_hh=db_hh)
        return loss, g
