"""One function that makes its weights and trains: many to one, ReLU, softmax."""
import numpy as np


def train_rnn(X, y, n_hidden=6, epochs=50, lr=0.1):
    np.random.seed(3)
    n_samples, n_timesteps, n_dims = X.shape
    n_classes = len(np.unique(y))
    n_classes = max(n_classes, int(y.max()) + 1)
    Wx = np.random.rand(n_dims, n_hidden) * 0.5
    Wa = np.random.randn(n_hidden, n_hidden) * 0.4
    Wy = np.random.randn(n_hidden, n_classes) * 0.5
    losses = []
    for epoch in range(epochs):
        a = {0: np.zeros((n_samples, n_hidden))}
        for t in range(1, n_timesteps + 1):
            a[t] = np.maximum(0, X[:, t - 1, :].dot(Wx) + a[t - 1].dot(Wa))
        scores = a[n_timesteps].dot(Wy)
        exp = np.exp(scores)
        probs = exp / exp.sum(axis=1, keepdims=True)
        losses.append(-np.log(probs[np.arange(n_samples), y]).mean())
        delta = probs
        delta[np.arange(n_samples), y] -= 1
        delta /= n_samples
        dWy = a[n_timesteps].T.dot(delta)
        dWx = np.zeros_like(Wx)
        dWa = np.zeros_like(Wa)
        da = delta.dot(Wy.T)
        for t in range(n_timesteps, 0, -1):
            dz = da * (a[t] > 0)
            dWx += X[:, t - 1, :].T.dot(dz)
            dWa += a[t - 1].T.dot(dz)
            da = dz.dot(Wa.T)
        Wx -= lr * dWx
        Wa -= lr * dWa
        Wy -= lr * dWy
    return Wx, Wa, Wy, losses
